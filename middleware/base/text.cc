#include "middleware/base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

namespace understudy {
namespace {

char LowerChar(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = LowerChar(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Largest first, so that formatting finds the shortest exact form.
constexpr std::array<Unit, 6> kUnits = {{{"d", 86'400'000'000'000},
                                         {"h", 3'600'000'000'000},
                                         {"m", 60'000'000'000},
                                         {"s", 1'000'000'000},
                                         {"ms", 1'000'000},
                                         {"us", 1'000}}};

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution =
          diagonal + (LowerChar(a[i - 1]) == LowerChar(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string AsciiLower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerChar);
  return lower;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) {
      parts.push_back(text.substr(begin));
      return parts;
    }
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::optional<std::uint64_t> ParseUnsigned(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::string HexEncode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

std::optional<std::string> HexDecode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = HexValue(text[i]);
    const int low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::string Base64Encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text.push_back(j <= count ? kBase64Alphabet[group >> (18 - 6 * j) & 63U] : '=');
    }
  }
  return text;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t padding = 0;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      if (c == '=' && i + 4 == text.size() && j >= 2) {
        ++padding;
        group <<= 6U;
        continue;
      }
      const std::size_t value = kBase64Alphabet.find(c);
      if (value == std::string_view::npos || padding > 0) return std::nullopt;
      group = group << 6U | static_cast<std::uint32_t>(value);
    }
    if (padding > 0 && (group & ((1U << (8 * padding)) - 1U)) != 0) return std::nullopt;
    for (std::size_t j = 0; j + padding < 3; ++j) {
      bytes.push_back(static_cast<char>(group >> (16 - 8 * j) & 255U));
    }
  }
  return bytes;
}

std::string FormatDuration(Duration duration) {
  const std::int64_t total = duration.count();
  if (total == 0) return "0ms";
  // Up to three decimals of the largest unit that is exact: 1.5s, not 1500ms; but 90s, not 1.5m.
  for (const Unit& unit : kUnits) {
    if (total % unit.nanoseconds == 0)
      return std::to_string(total / unit.nanoseconds).append(unit.name);
    const bool decimal = unit.nanoseconds <= 1'000'000'000 && unit.nanoseconds >= 1'000'000;
    if (decimal && total >= unit.nanoseconds && total % (unit.nanoseconds / 1000) == 0) {
      std::string fraction = std::to_string(total % unit.nanoseconds / (unit.nanoseconds / 1000));
      fraction.insert(0, 3 - fraction.size(), '0');
      fraction.erase(fraction.find_last_not_of('0') + 1);
      return std::to_string(total / unit.nanoseconds)
          .append(".")
          .append(fraction)
          .append(unit.name);
    }
  }
  return std::to_string(total).append("ns");
}

std::optional<Duration> ParseDuration(std::string_view text) {
  const std::size_t unit_begin = text.find_first_not_of("0123456789.");
  if (unit_begin == std::string_view::npos || unit_begin == 0) return std::nullopt;
  const std::string_view number = text.substr(0, unit_begin);
  const std::string_view name = text.substr(unit_begin);
  const auto* const unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end()) return std::nullopt;
  const std::size_t dot = number.find('.');
  const auto whole = ParseUnsigned(number.substr(0, dot));
  if (!whole || *whole > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2 /
                                                    unit->nanoseconds)) {
    return std::nullopt;
  }
  auto total = static_cast<std::int64_t>(*whole) * unit->nanoseconds;
  if (dot != std::string_view::npos) {
    const std::string_view fraction = number.substr(dot + 1);
    if (!ParseUnsigned(fraction)) return std::nullopt;
    std::int64_t scale = unit->nanoseconds;
    for (const char digit : fraction) {
      scale /= 10;
      total += (digit - '0') * scale;
    }
  }
  return Duration(total);
}

std::string_view ClosestMatch(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  // Two swapped letters are two edits; in a short word that would be half of it.
  const std::size_t allowed = word.size() < 4 ? 1 : std::max<std::size_t>(2, word.size() / 3);
  std::size_t best_distance = allowed + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string EscapePointerToken(std::string_view token) {
  std::string escaped;
  for (const char c : token) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string UnescapePointerToken(std::string_view token) {
  std::string plain;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    plain.push_back(!escape ? token[i] : token[++i] == '1' ? '/' : '~');
  }
  return plain;
}

std::string WithDecimalPoint(std::string number) {
  const std::size_t sign = number.find_first_not_of("-+0123456789eE");
  if (sign == std::string::npos) return number;
  // The sign of a locale may be more than one byte.
  const std::size_t end = std::min(number.find_first_of("0123456789", sign), number.size());
  return number.replace(sign, end - sign, ".");
}

bool IsWholeNumber(std::string_view number) {
  return number.find_first_not_of("-0123456789") == std::string_view::npos;
}

}  // namespace understudy
