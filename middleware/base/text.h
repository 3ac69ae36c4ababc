// Small text helpers that several components need: ASCII case, trimming, strict numbers, hex,
// base64, durations.
//
// All functions are pure and thread-safe, and total over any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/time.h"

namespace understudy {

std::string AsciiLower(std::string_view text);
// Inline: names are looked up by it in every message, and most differ in length or first letter.
inline bool EqualsIgnoreAsciiCase(std::string_view a, std::string_view b) {
  constexpr auto kLower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && kLower(a[i]) != kLower(b[i])) return false;
  }
  return true;
}

// Without leading and trailing spaces and tabs (RFC 9110 5.6.3 OWS).
inline std::string_view TrimOws(std::string_view text) {
  const auto is_ows = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

// Splits at every `separator`; always at least one element.
std::vector<std::string_view> Split(std::string_view text, char separator);

// Decimal digits only: no sign, no space, no fraction. nullopt for anything else and for what
// exceeds 64 bits.
std::optional<std::uint64_t> ParseUnsigned(std::string_view text);

// Lower-case hexadecimal, and its strict inverse (even length, either case).
std::string HexEncode(std::string_view bytes);
std::optional<std::string> HexDecode(std::string_view text);

// RFC 4648 section 4 with padding; the decoder refuses anything else.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

// "1.5s", "20ms", "1h", "0ms": the shortest exact form in one unit of us, ms, s, m, h, d ("1500ns"
// below that).
std::string FormatDuration(Duration duration);

// The inverse, for a number with one unit of us, ms, s, m, h, d. nullopt for a bare number, a
// space, or overflow.
std::optional<Duration> ParseDuration(std::string_view text);

// The candidate closest to `word` by edit distance, if it is close enough to be a typing mistake;
// otherwise empty.
std::string_view ClosestMatch(std::string_view word, std::span<const std::string_view> candidates);

// A name as one token of a JSON pointer (RFC 6901 section 3): "~" as ~0, "/" as ~1.
std::string EscapePointerToken(std::string_view token);
// The inverse. Total: a "~" before anything but "1" is taken as "~0", a last one as itself.
std::string UnescapePointerToken(std::string_view token);

// The text of a JSON number with a point where a library has put the locale's decimal sign.
std::string WithDecimalPoint(std::string number);
// Has the text of a number neither fraction nor exponent, whatever the decimal sign?
bool IsWholeNumber(std::string_view number);

}  // namespace understudy
