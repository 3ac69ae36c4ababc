// Text from the other side, made fit for a message: valid UTF-8, one line, bounded.
//
//   IsUtf8(body);                     // RFC 3629
//   CleanText(vendor_message, 200);   // "card declined..." without anything that acts on a
//   terminal
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

// Are these bytes UTF-8 as RFC 3629 section 3 has it: no overlong form, no surrogate, nothing above
// U+10FFFF? Pure and total over any bytes, as is the function below.
bool IsUtf8(std::string_view bytes);

// At most `bytes_max` bytes of `text`, cut between characters, with "..." in their place if
// something was cut; runs of white space and control characters become one space; broken UTF-8, and
// the marks that reorder or hide text (U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to
// U+2069, U+FEFF), become '?'.
std::string CleanText(std::string_view text, std::size_t bytes_max);

}  // namespace understudy
