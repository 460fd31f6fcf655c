#include "autograd/attributes.hpp"

#include <cstdio>

namespace nnlite {
namespace {

std::string exact(bool value) {
  return value ? "true" : "false";
}
std::string exact(int64_t value) {
  return std::to_string(value);
}
std::string exact(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%a", value);  // hexadecimal: every bit, the sign of zero included
  return digits;
}
std::string exact(const std::string& value) {
  return value;
}
std::string exact(const Integers& integers) {
  std::string all;
  for (int64_t value : integers.values) all += std::to_string(value) + ' ';
  return '(' + all + ')';
}

}  // namespace

std::string exact_text(const Attributes& attributes) {
  std::string all;
  for (const Attribute& attribute : attributes) {
    if (!all.empty()) all += ", ";
    all += attribute.name();
    all += '=';
    all += std::visit([](const auto& value) { return exact(value); }, attribute.value());
  }
  return all;
}

}  // namespace nnlite
