// Strict decoding of UTF-8, for what must not pass on broken or invisible text: metric labels and
// log lines.
//
//   for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(DecodeUtf8(rest).bytes))
//     ...
#pragma once

#include <cstddef>
#include <string_view>

namespace understudy {

struct CodePoint {
  char32_t value = 0;     // The byte itself if it starts no valid sequence.
  std::size_t bytes = 1;  // Bytes to go on by, 1 to 4; 1 for an invalid one.
  bool valid = false;
};

// The first code point of `text`, which is not empty. Overlong forms, surrogates and values above
// U+10FFFF are invalid (RFC 3629 section 3). Pure and total over any bytes.
CodePoint DecodeUtf8(std::string_view text);

// Is every code point of it valid? True of no bytes.
bool IsUtf8(std::string_view bytes);

// Would `point` act on a terminal or a line-based reader instead of being shown? C0 and C1
// controls, DEL, the Unicode line and paragraph separators, and the marks that reorder text.
bool IsControl(char32_t point);

}  // namespace understudy
