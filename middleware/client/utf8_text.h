// Text from the other side, made fit for a message: valid UTF-8, one line, bounded.
//
//   CleanText(vendor_message, 200);   // "card declined..." without anything that acts on a
//   terminal
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

// At most `bytes_max` bytes of `text`, cut between characters, with "..." in their place if
// something was cut; runs of white space and control characters become one space; broken UTF-8, and
// the marks that reorder or hide text (U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to
// U+2069, U+FEFF), become '?'.
std::string CleanText(std::string_view text, std::size_t bytes_max);

}  // namespace understudy
