// ExactJson: a JSON value whose numbers are still the vendor's text. A parser that makes doubles of
// them has lost digits of money before anybody looks (defects.md AD-1, AD-2).
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson invoice, ExactJson::Parse(response.body));
//   if (const ExactJson* total = invoice.Find("TotalAmt"))      // nullptr: absent, or null
//     ... Decimal::Parse(*total->NumberText()) ...
//
// A member that is null reads as one that is not there (AD-6): vendors mean the same by both.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "middleware/base/result.h"

namespace understudy {

struct ExactJsonLimits {
  std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
  std::size_t depth_max = 64;          // Lists and objects in each other; 500 at most count.
  std::size_t values_max = 1'000'000;  // Of all kinds together; about 100 bytes of memory each.
};

struct ExactJsonMember;

// A value type; reading is thread-safe. Looking up a member takes time in the number of members.
class ExactJson {
 public:
  using Array = std::vector<ExactJson>;
  using Object = std::vector<ExactJsonMember>;  // In the order of the text.
  struct Number {
    std::string text = "0";
    bool operator==(const Number&) const = default;
  };

  ExactJson() = default;  // null
  static ExactJson Boolean(bool value);
  static ExactJson String(std::string_view text);  // Should be UTF-8; Write replaces what is not.
  // `text` as RFC 8259 section 6 writes a number, e.g. of Decimal::ToString or std::to_string.
  static ExactJson FromNumber(std::string text);
  static ExactJson List();
  static ExactJson Map();

  // RFC 8259 JSON; a byte order mark is skipped. kProtocol [answered, remote] with the offset,
  // never a piece of the text, and the reason "json-empty", "json-size", "json-depth",
  // "json-duplicate" (a name twice in one object: readers disagree on which counts), "json-number"
  // (too large for any reader) or "json-syntax". Takes time in proportion to the text (n log n in
  // members).
  static Result<ExactJson> Parse(std::string_view text, const ExactJsonLimits& limits = {});

  bool IsNull() const { return std::holds_alternative<std::monostate>(value_); }
  bool IsArray() const { return std::holds_alternative<Array>(value_); }
  bool IsObject() const { return std::holds_alternative<Object>(value_); }
  std::optional<bool> BooleanValue() const;
  // The number as the vendor wrote it: "19.990", "1E3".
  std::optional<std::string_view> NumberText() const;
  std::optional<std::string_view> StringText() const;

  // The member of that name; nullptr if this is no object, or there is none, or it is null. Valid
  // until the next change.
  const ExactJson* Find(std::string_view name) const;
  // Member by member: FindPath("response_metadata/next_cursor"); "" is this value.
  const ExactJson* FindPath(std::string_view path) const;
  // Empty for what is no list.
  std::span<const ExactJson> elements() const&;
  std::span<const ExactJson> elements() const&& = delete;  // Of a temporary: it would dangle.
  // Empty for what is no object.
  std::span<const ExactJsonMember> members() const&;
  std::span<const ExactJsonMember> members() const&& = delete;

  // Appends to a list, or a member to an object (the name must not be there yet); aborts on another
  // kind. Set returns this value, so that calls can be chained.
  void Append(ExactJson element);
  ExactJson& Set(std::string_view name, ExactJson value);

  // Compact JSON; numbers as they are.
  std::string Write() const;

  bool operator==(const ExactJson& other) const;

 private:
  friend class ExactJsonBuilder;
  std::variant<std::monostate, bool, Number, std::string, Array, Object> value_;
};

struct ExactJsonMember {
  std::string name = {};
  ExactJson value = {};
  bool operator==(const ExactJsonMember& other) const = default;
};

}  // namespace understudy
