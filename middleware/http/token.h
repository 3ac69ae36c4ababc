// IsTokenChar: the characters of a token (RFC 9110 section 5.6.2), of which names of methods,
// fields and parameters are made.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace understudy::http {

namespace internal {

inline constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> table = {};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

}  // namespace internal

constexpr bool IsTokenChar(char c) {
  return internal::kTokenChars[static_cast<std::size_t>(static_cast<unsigned char>(c))];
}

}  // namespace understudy::http
