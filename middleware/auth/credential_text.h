// What a credential may look like on the wire.
#pragma once

#include <algorithm>
#include <string_view>

namespace understudy {

// Not empty, and nothing but 0x21..0x7e: no space, no control character, nothing that could end a
// header.
inline bool IsVisibleAscii(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

// Holds a control character (RFC 5234 CTL).
inline bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace understudy
