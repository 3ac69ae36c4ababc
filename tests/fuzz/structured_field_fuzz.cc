// Fuzz target: any bytes as a structured field. Nothing may crash; what is accepted is within its
// bounds, and what is written from it is read back as the same value.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./structured_field_fuzz corpus/
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "middleware/base/text.h"
#include "middleware/http/structured_field.h"

namespace {

using understudy::Base64Encode;
using understudy::HexEncode;
using namespace understudy::http;

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Writer {
  std::string operator()(std::int64_t value) const {
    Require(value >= -999'999'999'999'999 && value <= 999'999'999'999'999);
    return std::to_string(value);
  }
  std::string operator()(const StructuredDecimal& value) const {
    const std::int64_t amount = value.thousandths < 0 ? -value.thousandths : value.thousandths;
    Require(amount <= 999'999'999'999'999);
    std::string fraction = std::to_string(1000 + amount % 1000).substr(1);
    while (fraction.size() > 1 && fraction.back() == '0') fraction.pop_back();
    return (value.thousandths < 0 ? "-" : "") + std::to_string(amount / 1000) + "." + fraction;
  }
  std::string operator()(const std::string& value) const {
    std::string text = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    return text + "\"";
  }
  std::string operator()(const StructuredToken& value) const { return value.text; }
  std::string operator()(const StructuredBytes& value) const {
    return ":" + Base64Encode(value.bytes) + ":";
  }
  std::string operator()(bool value) const { return value ? "?1" : "?0"; }
  std::string operator()(const StructuredDate& value) const { return "@" + (*this)(value.seconds); }
  std::string operator()(const StructuredDisplayString& value) const {
    std::string text = "%\"";
    for (const char c : value.text) {
      const bool plain = c >= ' ' && c <= '~' && c != '%' && c != '"';
      text += plain ? std::string(1, c) : "%" + HexEncode(std::string_view(&c, 1));
    }
    return text + "\"";
  }
};

std::string Write(const StructuredParameters& parameters) {
  Require(parameters.entries.size() <= kStructuredMembersMax);
  std::string text;
  for (const auto& [key, value] : parameters.entries)
    text += ";" + key + (value == BareItem(true) ? "" : "=" + std::visit(Writer(), value));
  return text;
}

std::string Write(const StructuredItem& item) {
  return std::visit(Writer(), item.value) + Write(item.parameters);
}

std::string Write(const StructuredInnerList& list) {
  Require(list.items.size() <= kStructuredMembersMax);
  std::string text = "(";
  for (const StructuredItem& item : list.items) text += (text.size() > 1 ? " " : "") + Write(item);
  return text + ")" + Write(list.parameters);
}

std::string Write(const StructuredMember& member) {
  return std::visit([](const auto& value) { return Write(value); }, member);
}

std::string Write(const StructuredList& list) {
  Require(list.size() <= kStructuredMembersMax);
  std::string text;
  for (const StructuredMember& member : list) text += (text.empty() ? "" : ",") + Write(member);
  return text;
}

std::string Write(const StructuredDictionary& dictionary) {
  Require(dictionary.entries.size() <= kStructuredMembersMax);
  std::string text;
  for (const auto& [key, member] : dictionary.entries)
    text += (text.empty() ? "" : ",") + key + "=" + Write(member);
  return text;
}

template <typename Parse>
void Check(std::string_view text, Parse parse) {
  const auto value = parse(text);
  if (!value) {
    Require(!value.error().message.empty());
    return;
  }
  const std::string written = Write(*value);
  // Padding that was missing, and "=?1" that was not needed, make it longer.
  if (written.size() > kStructuredFieldBytesMax) return;
  const auto again = parse(written);
  Require(again.has_value());
  Require(*again == *value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Check(text, [](std::string_view field) { return ParseStructuredItem(field); });
  Check(text, [](std::string_view field) { return ParseStructuredList(field); });
  Check(text, [](std::string_view field) { return ParseStructuredDictionary(field); });
  return 0;
}
