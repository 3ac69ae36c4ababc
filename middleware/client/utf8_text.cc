#include "middleware/client/utf8_text.h"

#include <algorithm>

#include "middleware/base/utf8.h"

namespace understudy {
namespace {

bool IsSpaceOrControl(char32_t value) { return value <= 0x20 || (value >= 0x7f && value <= 0xa0); }

bool Misleads(char32_t value) {
  return value == 0x61c || (value >= 0x200b && value <= 0x200f) ||
         (value >= 0x2028 && value <= 0x202e) || (value >= 0x2060 && value <= 0x2069) ||
         value == 0xfeff;
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kCut = "...";
  const std::size_t room = bytes_max - std::min(bytes_max, kCut.size());
  std::string clean;
  std::size_t cut_at = 0;  // The longest prefix of `clean` that leaves room for kCut.
  while (!text.empty()) {
    const CodePoint character = DecodeUtf8(text);
    std::string_view piece = text.substr(0, character.bytes);
    if (character.valid && IsSpaceOrControl(character.value)) {
      piece = clean.empty() || clean.back() == ' ' ? "" : " ";
    } else if (!character.valid || Misleads(character.value)) {
      piece = "?";
    }
    if (clean.size() + piece.size() > bytes_max) {
      clean.resize(cut_at);
      return clean.append(kCut.substr(0, bytes_max));
    }
    clean.append(piece);
    if (clean.size() <= room) cut_at = clean.size();
    text.remove_prefix(character.bytes);
  }
  if (!clean.empty() && clean.back() == ' ') clean.pop_back();
  return clean;
}

}  // namespace understudy
