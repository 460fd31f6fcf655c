// Numbers in environment variables.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

namespace nnlite {

// The text as a positive integer, blanks around it allowed; empty if it is anything else. Values beyond int64_t become
// its maximum.
inline std::optional<int64_t> positive_number(const std::string& text) {
  const char* const blanks = " \t\n\r\f\v";
  const size_t first = text.find_first_not_of(blanks), last = text.find_last_not_of(blanks);
  if (first == std::string::npos) return std::nullopt;
  const std::string digits = text.substr(first, last - first + 1);
  if (digits.find_first_not_of("0123456789", digits[0] == '+' ? 1 : 0) != std::string::npos) return std::nullopt;
  const int64_t value = std::strtoll(digits.c_str(), nullptr, 10);
  return value > 0 ? std::optional<int64_t>(value) : std::nullopt;
}

}  // namespace nnlite
