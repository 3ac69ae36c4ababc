// Structured field values (RFC 9651, which includes RFC 8941): items, lists and dictionaries.
//
//   const Result<StructuredList> limits =
//       ParseStructuredList(JoinFieldLines(response.headers, "RateLimit").value_or(""));
//   if (limits && !limits->empty()) {
//     const auto* item = std::get_if<StructuredItem>(&limits->front());  // "default";r=50;t=30
//     if (item) left = item->parameters.Integer("r");
//   }
//
// The parsers are strict, as the RFC wants: a field with one mistake is no field at all. They
// accept any bytes, and end in a value or in an error. The bounds below are lower than the RFC's
// advice of 1,024 members; what is read here (quotas, priorities, cache states) has a handful.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/http/headers.h"

namespace understudy::http {

inline constexpr std::size_t kStructuredFieldBytesMax = std::size_t{8} * 1024;
// Of a list, a dictionary or an inner list, and parameters of one item. Repeated keys count.
inline constexpr std::size_t kStructuredMembersMax = 128;

// A decimal is exact: -999,999,999,999.999 to 999,999,999,999.999 in thousandths.
struct StructuredDecimal {
  std::int64_t thousandths = 0;
  bool operator==(const StructuredDecimal&) const = default;
};

// A bare word, e.g. `gzip`; not the same value as the string "gzip".
struct StructuredToken {
  std::string text = {};
  bool operator==(const StructuredToken&) const = default;
};

// Decoded; any bytes.
struct StructuredBytes {
  std::string bytes = {};
  bool operator==(const StructuredBytes&) const = default;
};

// Seconds since 1970, 15 digits at most: more than SystemTime can hold.
struct StructuredDate {
  std::int64_t seconds = 0;
  bool operator==(const StructuredDate&) const = default;
};

// Decoded, valid UTF-8. For people: it may hold control characters.
struct StructuredDisplayString {
  std::string text = {};
  bool operator==(const StructuredDisplayString&) const = default;
};

// In this order: integer (-999,999,999,999,999 to 999,999,999,999,999), decimal, string (printable
// ASCII), token, byte sequence, boolean, date, display string.
using BareItem = std::variant<std::int64_t, StructuredDecimal, std::string, StructuredToken,
                              StructuredBytes, bool, StructuredDate, StructuredDisplayString>;

// In the order of their first appearance; of a repeated key the last value counts.
struct StructuredParameters {
  std::vector<std::pair<std::string, BareItem>> entries = {};

  // nullptr if there is none of that key (keys are in lower case). Valid until the next change.
  const BareItem* Find(std::string_view key) const;
  // nullopt if it is not there, or of another type.
  std::optional<std::int64_t> Integer(std::string_view key) const;
  bool operator==(const StructuredParameters&) const = default;
};

struct StructuredItem {
  BareItem value = {};
  StructuredParameters parameters = {};
  bool operator==(const StructuredItem&) const = default;
};

struct StructuredInnerList {
  std::vector<StructuredItem> items = {};
  StructuredParameters parameters = {};
  bool operator==(const StructuredInnerList&) const = default;
};

using StructuredMember = std::variant<StructuredItem, StructuredInnerList>;
using StructuredList = std::vector<StructuredMember>;

// In the order of their first appearance; of a repeated key the last value counts.
struct StructuredDictionary {
  std::vector<std::pair<std::string, StructuredMember>> entries = {};

  const StructuredMember* Find(std::string_view key) const;
  // nullopt if it is not there, an inner list, or of another type.
  std::optional<std::int64_t> Integer(std::string_view key) const;
  bool operator==(const StructuredDictionary&) const = default;
};

// One whole field value: all lines of the field joined, see JoinFieldLines. An empty list or
// dictionary is legal, an empty item is not.
//
// kProtocol [answered, remote], reason "structured-field", with what is wrong and at which byte
// (from 0), never a piece of the text: not what the grammar of RFC 9651 section 4.2 says, longer
// than kStructuredFieldBytesMax, or more than kStructuredMembersMax members. Missing padding of a
// byte sequence is accepted, as section 4.2.7 recommends; stray bits at its end are not.
//
// Pure and thread-safe; take time and memory in proportion to the text.
Result<StructuredItem> ParseStructuredItem(std::string_view text);
Result<StructuredList> ParseStructuredList(std::string_view text);
Result<StructuredDictionary> ParseStructuredDictionary(std::string_view text);

// The values of all field lines of that name, joined with ", " (RFC 9110 section 5.3); nullopt if
// there are none. Joins no further than the first line that exceeds kStructuredFieldBytesMax: the
// parsers refuse the result anyway.
std::optional<std::string> JoinFieldLines(const Headers& headers, std::string_view name);

}  // namespace understudy::http
