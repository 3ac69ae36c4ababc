// Headers: the header fields of a message; names compare without case, order and repeats are kept
// (RFC 9110 section 5).
//
//   Headers headers{{"Content-Type", "application/json"}};
//   UNDERSTUDY_RETURN_IF_ERROR(headers.Set("X-Request-Id", id_from_user));   // CR, LF and NUL are
//   refused if (auto hint = headers.Get("retry-after")) ...
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"

namespace understudy::http {

// A value type; not thread-safe for writes. Lookups are linear: messages have a few dozen fields at
// most.
class Headers {
 public:
  using Entry = std::pair<std::string, std::string>;
  using value_type = Entry;
  using const_iterator = std::vector<Entry>::const_iterator;

  Headers() = default;
  // For names and values in the source code; aborts on a malformed one.
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> entries);

  // Appends a field. kInvalidArgument if the name is not a token or the value holds CR, LF or NUL:
  // a header injection never leaves this type. Leading and trailing white space of the value is
  // dropped.
  Result<void> Add(std::string_view name, std::string_view value);
  // Replaces every field of that name with one, at the place of the first.
  Result<void> Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);

  // The first value of that name. The view is valid until the next change.
  std::optional<std::string_view> Get(std::string_view name) const;
  std::vector<std::string_view> GetAll(std::string_view name) const;
  bool Has(std::string_view name) const { return Get(name).has_value(); }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }

  bool operator==(const Headers&) const = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace understudy::http
