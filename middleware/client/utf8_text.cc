#include "middleware/client/utf8_text.h"

#include <algorithm>

namespace understudy {
namespace {

struct Character {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

unsigned ByteAt(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

std::size_t LengthOf(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

// The first character of `text`, which is not empty.
Character Decode(std::string_view text) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned lead = ByteAt(text, 0);
  const std::size_t length = LengthOf(lead);
  if (length == 0 || length > text.size()) return {};
  char32_t value = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((ByteAt(text, i) & 0xc0U) != 0x80U) return {};
    value = value << 6U | (ByteAt(text, i) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) return {};
  return {value, length, true};
}

bool IsSpaceOrControl(char32_t value) { return value <= 0x20 || (value >= 0x7f && value <= 0xa0); }

bool Misleads(char32_t value) {
  return value == 0x61c || (value >= 0x200b && value <= 0x200f) ||
         (value >= 0x2028 && value <= 0x202e) || (value >= 0x2060 && value <= 0x2069) ||
         value == 0xfeff;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character character = Decode(bytes);
    if (!character.valid) return false;
    bytes.remove_prefix(character.bytes);
  }
  return true;
}

std::string CleanText(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kCut = "...";
  const std::size_t room = bytes_max - std::min(bytes_max, kCut.size());
  std::string clean;
  std::size_t cut_at = 0;  // The longest prefix of `clean` that leaves room for kCut.
  while (!text.empty()) {
    const Character character = Decode(text);
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
