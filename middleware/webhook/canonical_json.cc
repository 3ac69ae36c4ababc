#include "middleware/webhook/canonical_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

std::string Quoted(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\b':
        quoted += "\\b";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\f':
        quoted += "\\f";
        break;
      case '\r':
        quoted += "\\r";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20) {
          quoted.push_back(c);
        } else {
          quoted.append("\\u00").append({kDigits[byte >> 4U], kDigits[byte & 15U]});
        }
      }
    }
  }
  quoted.push_back('"');
  return quoted;
}

// Is a whole number of this many bits the same as a double? Casting back an even 2^64 would
// overflow.
bool ExactAsDouble(std::uint64_t magnitude) {
  const auto rounded = static_cast<double>(magnitude);
  return rounded < 18446744073709551616.0 && static_cast<std::uint64_t>(rounded) == magnitude;
}

// Builds the canonical text while the parser goes through the input.
class CanonicalWriter final : public nlohmann::json_sax<Json> {
 public:
  explicit CanonicalWriter(const StrictJsonLimits& limits) : limits_(limits) {}

  bool null() override { return Value("null"); }
  bool boolean(bool value) override { return Value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    const auto magnitude =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    return Whole(value < 0, magnitude);
  }
  bool number_unsigned(number_unsigned_t value) override { return Whole(false, value); }
  bool number_float(number_float_t value, const string_t& token) override {
    std::string text = EcmaScriptNumber(value);
    // A whole number beyond 64 bits arrives here, too.
    if (IsWholeNumber(token) && token != text) {
      return Fail("json-number");
    }
    return Value(std::move(text));
  }
  bool string(string_t& value) override { return Value(Quoted(value)); }
  bool binary(binary_t&) override { return Fail("not-json"); }
  bool start_object(std::size_t) override { return Open(true); }
  bool start_array(std::size_t) override { return Open(false); }
  bool key(string_t& name) override {
    levels_.back().members.push_back({.name = std::move(name), .value = {}});
    return true;
  }
  bool end_object() override {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    std::vector<Member>& members = level.members;
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return LessByUtf16(a.name, b.name); });
    const auto same = [](const Member& a, const Member& b) { return a.name == b.name; };
    if (std::adjacent_find(members.begin(), members.end(), same) != members.end()) {
      return Fail("repeated-key");
    }
    std::string text = "{";
    for (const Member& member : members) {
      if (text.size() > 1) text.push_back(',');
      text.append(Quoted(member.name)).append(":").append(member.value);
    }
    return Value(std::move(text.append("}")));
  }
  bool end_array() override {
    std::string text = std::move(levels_.back().elements);
    levels_.pop_back();
    return Value("[" + std::move(text) + "]");
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return Fail("not-json");
  }

  const std::string& reason() const { return reason_; }
  std::string& text() { return text_; }

 private:
  struct Member {
    std::string name = {};
    std::string value = {};
  };
  struct Level {
    bool object = false;
    bool empty = true;
    std::vector<Member> members = {};
    std::string elements = {};
  };

  bool Whole(bool negative, std::uint64_t magnitude) {
    const auto number = static_cast<double>(magnitude);
    std::string text = EcmaScriptNumber(number);
    if (!ExactAsDouble(magnitude) && text != std::to_string(magnitude)) return Fail("json-number");
    if (negative && magnitude != 0) text.insert(0, 1, '-');
    return Value(std::move(text));
  }
  bool Open(bool object) {
    if (levels_.size() >= static_cast<std::size_t>(std::max(limits_.depth_max, 0))) {
      return Fail("json-depth");
    }
    levels_.push_back({.object = object, .empty = true, .members = {}, .elements = {}});
    return true;
  }
  bool Value(std::string text) {
    if (levels_.empty()) {
      text_ = std::move(text);
      return true;
    }
    Level& level = levels_.back();
    if (level.object) {
      level.members.back().value = std::move(text);
      return true;
    }
    if (!level.empty) level.elements.push_back(',');
    level.empty = false;
    level.elements.append(text);
    return true;
  }
  bool Fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  const StrictJsonLimits& limits_;
  std::vector<Level> levels_;
  std::string text_;
  std::string reason_;
};

// The next UTF-16 code units of `text`: one, or the two of a surrogate pair.
std::array<char32_t, 2> CodeUnits(char32_t point) {
  if (point < 0x10000) return {point, 0};
  const char32_t offset = point - 0x10000;
  return {0xd800 + (offset >> 10U), 0xdc00 + (offset & 0x3ffU)};
}

}  // namespace

bool LessByUtf16(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const CodePoint left = DecodeUtf8(a);
    const CodePoint right = DecodeUtf8(b);
    if (left.value != right.value) return CodeUnits(left.value) < CodeUnits(right.value);
    a.remove_prefix(left.bytes);
    b.remove_prefix(right.bytes);
  }
  return a.empty() && !b.empty();
}

std::string EcmaScriptNumber(double value) {
  UNDERSTUDY_CHECK(std::isfinite(value), "JSON has no NaN and no infinity");
  if (value == 0) return "0";
  std::array<char, 32> buffer = {};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                     std::chars_format::scientific);
  // "d.ddde[+-]xx" to digits and the place of the point (ECMA-262 Number::toString: k, n).
  const std::string_view scientific(buffer.data(),
                                    static_cast<std::size_t>(written.ptr - buffer.data()));
  const std::size_t e = scientific.find('e');
  std::string digits;
  for (const char c : scientific.substr(0, e)) {
    if (c != '.') digits.push_back(c);
  }
  int exponent = 0;
  const std::string_view power = scientific.substr(e + 2);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (scientific[e + 1] == '-') exponent = -exponent;
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;
  std::string text = value < 0 ? "-" : "";
  if (count <= point && point <= 21) {
    return text.append(digits).append(static_cast<std::size_t>(point - count), '0');
  }
  if (0 < point && point <= 21) {
    return text.append(digits, 0, static_cast<std::size_t>(point))
        .append(".")
        .append(digits, static_cast<std::size_t>(point));
  }
  if (-6 < point && point <= 0) {
    return text.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
  }
  text.append(digits, 0, 1);
  if (count > 1) text.append(".").append(digits, 1);
  return text.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
}

Result<std::string> CanonicalJson(std::string_view text, const StrictJsonLimits& limits) {
  if (text.size() > limits.bytes_max)
    return MalformedJson("the JSON text is too long", "json-size");
  // The parser takes a NUL for the end of the text, and would accept whatever follows.
  if (text.find('\0') != std::string_view::npos)
    return MalformedJson("the text holds a NUL byte", "not-json");
  CanonicalWriter writer(limits);
  const bool parsed = Json::sax_parse(text, &writer);
  if (parsed && writer.reason().empty()) return std::move(writer.text());
  const std::string reason = writer.reason().empty() ? "not-json" : writer.reason();
  if (reason == "json-number") {
    return MalformedJson("a whole number is too large for a double; write it as a string", reason);
  }
  return MalformedJson("the text has no canonical form: " + reason, reason);
}

}  // namespace understudy
