#include "harness/match/ecma_regex.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace understudy::harness {
namespace {

// Long names of general categories (Unicode's PropertyValueAliases) that RE2 knows by the short
// one.
constexpr std::pair<std::string_view, std::string_view> kCategories[] = {
    {"Letter", "L"},
    {"Lowercase_Letter", "Ll"},
    {"Uppercase_Letter", "Lu"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Symbol", "S"},
    {"Currency_Symbol", "Sc"},
    {"Math_Symbol", "Sm"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Other", "C"},
    {"Control", "Cc"},
};

bool IsHex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0;
  });
}

// \p{...}: `name` without the braces.
std::string Property(std::string_view name) {
  for (const std::string_view prefix : {"General_Category=", "gc=", "Script=", "sc="}) {
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  }
  for (const auto& [full, brief] : kCategories) {
    if (full == name) name = brief;
  }
  return "{" + std::string(name) + "}";
}

}  // namespace

std::string EcmaToRe2(std::string_view pattern) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const std::string_view rest = pattern.substr(at);
    if (rest.substr(0, 3) == "(?<" && rest.size() > 3 && rest[3] != '=' && rest[3] != '!') {
      out.append("(?P<");
      at += 2;
      continue;
    }
    if (rest[0] != '\\' || rest.size() < 2) {
      out.push_back(rest[0]);
      continue;
    }
    const std::size_t close = rest.find('}');
    if (rest[1] == 'u' && rest.size() >= 6 && IsHex(rest.substr(2, 4))) {
      out.append("\\x{").append(rest.substr(2, 4)).append("}");
      at += 5;
    } else if (rest.substr(0, 3) == "\\u{" && close != std::string_view::npos) {
      out.append("\\x").append(rest.substr(2, close - 1));
      at += close;
    } else if (rest[1] == 'c' && rest.size() >= 3 &&
               std::isalpha(static_cast<unsigned char>(rest[2])) != 0) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto code = static_cast<unsigned char>(rest[2]) % 32U;
      out.append("\\x").append(1, kHex[code / 16]).append(1, kHex[code % 16]);
      at += 2;
    } else if ((rest[1] == 'p' || rest[1] == 'P') && rest.substr(2, 1) == "{" &&
               close != std::string_view::npos) {
      out.append(rest.substr(0, 2)).append(Property(rest.substr(3, close - 3)));
      at += close;
    } else {
      out.append(rest.substr(0, 2));
      ++at;
    }
  }
  return out;
}

}  // namespace understudy::harness
