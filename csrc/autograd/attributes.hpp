// Named, typed settings that distinguish operations of the same name.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "autograd/shape.hpp"

namespace nnlite {

// A class of its own: libstdc++ 12 destroys garbage if a variant of standard types alone runs out of memory while it is
// copied (GCC bug 112591).
struct Integers {
  std::vector<int64_t> values;
};

class Attribute {
 public:
  using Value = std::variant<bool, int64_t, double, std::string, Integers>;

  template <class T>
  Attribute(const char* name, const T& value) : name_(name), value_(typed(value)) {}

  const char* name() const { return name_; }
  const Value& value() const { return value_; }

 private:
  template <class T>
  static Value typed(const T& value) {
    if constexpr (std::is_same_v<T, bool>)
      return value;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<int64_t>(value);
    else if constexpr (std::is_floating_point_v<T>)
      return static_cast<double>(value);
    else if constexpr (std::is_convertible_v<T, std::string>)
      return std::string(value);
    else
      return Integers{{value.begin(), value.end()}};
  }

  const char* name_;
  Value value_;
};

using Attributes = std::vector<Attribute>;

// "name=value, ...", with different texts for values that differ in any bit.
std::string exact_text(const Attributes& attributes);

}  // namespace nnlite
