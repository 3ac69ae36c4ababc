#include "middleware/base/utf8.h"

namespace understudy {
namespace {

unsigned ByteAt(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

// Length of the sequence that `lead` starts; 0 for a byte that starts none.
std::size_t LengthOf(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

bool IsAllowed(char32_t value, std::size_t length) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return value >= kSmallest[length] && value <= 0x10ffff && !surrogate;
}

}  // namespace

CodePoint DecodeUtf8(std::string_view text) {
  const unsigned lead = ByteAt(text, 0);
  const CodePoint invalid{lead, 1, false};
  const std::size_t length = LengthOf(lead);
  if (length == 0 || length > text.size()) return invalid;
  char32_t value = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned byte = ByteAt(text, i);
    if ((byte & 0xc0U) != 0x80U) return invalid;
    value = value << 6U | (byte & 0x3fU);
  }
  if (!IsAllowed(value, length)) return invalid;
  return {value, length, true};
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const CodePoint character = DecodeUtf8(bytes);
    if (!character.valid) return false;
    bytes.remove_prefix(character.bytes);
  }
  return true;
}

bool IsControl(char32_t point) {
  if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) return true;
  const bool separator = point == 0x2028 || point == 0x2029;
  const bool reorders = point == 0x61c || point == 0x200e || point == 0x200f ||
                        (point >= 0x202a && point <= 0x202e) ||
                        (point >= 0x2066 && point <= 0x2069);
  return separator || reorders;
}

}  // namespace understudy
