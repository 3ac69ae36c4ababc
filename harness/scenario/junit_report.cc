#include "harness/scenario/junit_report.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

namespace understudy::harness {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kCut = "\n... cut: the text was longer than 64 KiB\n";

unsigned Byte(char c) { return static_cast<unsigned char>(c); }

// The bytes of the character at `at`: 0 if it is no valid UTF-8, or a character that XML 1.0 does
// not allow (U+FFFE and U+FFFF here; control characters are the caller's).
std::size_t CharacterLength(std::string_view text, std::size_t at) {
  const unsigned first = Byte(text[at]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((Byte(text[at + i]) & 0xC0U) != 0x80) return 0;
  }
  const unsigned second = Byte(text[at + 1]);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  const bool noncharacter = first == 0xEF && second == 0xBF && Byte(text[at + 2]) >= 0xBE;
  return overlong || outside || noncharacter ? 0 : length;
}

void AppendCharacter(std::string& out, char c, bool attribute) {
  switch (c) {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += attribute ? "&quot;" : "\"";
      return;
    case '\n':
      out += attribute ? "&#10;" : "\n";
      return;
    case '\t':
      out += attribute ? "&#9;" : "\t";
      return;
    default:
      if (Byte(c) >= 0x20 && Byte(c) != 0x7F)
        out.push_back(c);  // Other control characters are left out.
  }
}

std::string Escape(std::string_view text, bool attribute) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = CharacterLength(text, at);
    if (length == 1) {
      AppendCharacter(out, text[at], attribute);
    } else {
      out += length == 0 ? kReplacement : text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string Attribute(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=\"" + Escape(value, true) + "\"";
}

// At most kMaxText bytes, not ending inside a character.
std::string Capped(std::string_view text) {
  if (text.size() <= JUnitReport::kMaxText) return std::string(text);
  std::size_t end = JUnitReport::kMaxText - kCut.size();
  while (end > 0 && (Byte(text[end]) & 0xC0U) == 0x80) --end;
  return std::string(text.substr(0, end)).append(kCut);
}

// "1.234": seconds with milliseconds, rounded; no exponent, no locale.
std::string Seconds(Duration time) {
  const std::int64_t milliseconds = std::max<std::int64_t>(0, (time.count() + 500'000) / 1'000'000);
  std::string fraction = std::to_string(milliseconds % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(milliseconds / 1000) + "." + fraction;
}

struct Totals {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t skipped = 0;
  Duration time = {};

  void Add(const JUnitCase& result) {
    ++tests;
    failures += result.failure ? 1U : 0U;
    skipped += !result.failure && result.skipped ? 1U : 0U;
    time += result.time;
  }
  std::string Attributes() const {
    return Attribute("tests", std::to_string(tests)) +
           Attribute("failures", std::to_string(failures)) + Attribute("errors", "0") +
           Attribute("skipped", std::to_string(skipped)) + Attribute("time", Seconds(time));
  }
};

std::string CaseXml(const JUnitCase& result) {
  std::string xml = "    <testcase" + Attribute("classname", result.classname) +
                    Attribute("name", result.name) + Attribute("time", Seconds(result.time));
  std::string body;
  if (!result.properties.empty()) {
    body += "      <properties>\n";
    for (const auto& [name, value] : result.properties) {
      body += "        <property" + Attribute("name", name) + Attribute("value", value) + "/>\n";
    }
    body += "      </properties>\n";
  }
  if (result.failure) {
    body += "      <failure" + Attribute("type", result.failure->type) +
            Attribute("message", Capped(result.failure->message)) + ">" +
            Escape(Capped(result.failure->text), false) + "</failure>\n";
  } else if (result.skipped) {
    body += "      <skipped" + Attribute("message", *result.skipped) + "/>\n";
  }
  if (!result.system_out.empty()) {
    body += "      <system-out>" + Escape(Capped(result.system_out), false) + "</system-out>\n";
  }
  return body.empty() ? xml + "/>\n" : xml + ">\n" + body + "    </testcase>\n";
}

}  // namespace

std::string JUnitReport::ToXml() const {
  std::vector<std::string> suites;
  std::map<std::string, std::vector<const JUnitCase*>> by_suite;
  Totals all;
  for (const JUnitCase& result : cases_) {
    auto& members = by_suite[result.suite];
    if (members.empty()) suites.push_back(result.suite);
    members.push_back(&result);
    all.Add(result);
  }
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" +
                    Attribute("name", name_) + all.Attributes() + ">\n";
  for (const std::string& suite : suites) {
    Totals totals;
    for (const JUnitCase* const result : by_suite[suite]) totals.Add(*result);
    xml += "  <testsuite" + Attribute("name", suite) + totals.Attributes() + ">\n";
    for (const JUnitCase* const result : by_suite[suite]) xml += CaseXml(*result);
    xml += "  </testsuite>\n";
  }
  return xml + "</testsuites>\n";
}

}  // namespace understudy::harness
