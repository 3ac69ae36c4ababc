// RequestMatch: what a request must look like, as data. RequestMatcher judges requests by it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::harness {

// A condition on the values of one query parameter, header, cookie, form field or path parameter,
// or on what a JSONPath selects. It holds if at least one value of that name fits.
struct FieldMatch {
  std::string name = {};
  // Serialised JSON: a scalar for equality ("\"open\""), or an object with conditions as
  // ValuePredicate reads them; {"absent": true} needs that there is no value, {"absent": false}
  // that there is one. About all values of the name together:
  //   {"includes": [c, ...]}   each condition is met by some value
  //   {"exactly": [c, ...]}    as many values as conditions, one for each, in any order
  std::string predicate = {};

  // Exactly this text.
  static FieldMatch Equals(std::string_view name, std::string_view value);

  bool operator==(const FieldMatch&) const = default;
};

// The body is equal to a JSON value.
struct JsonEqualMatch {
  std::string json = {};      // Serialised.
  bool ignore_order = false;  // Of array elements.
  // Objects may have more members and arrays more elements. Without ignore_order the elements that
  // are asked for keep their order.
  bool ignore_extra = false;

  bool operator==(const JsonEqualMatch&) const = default;
};

// Everything that is not given matches anything; everything that is given must hold.
struct RequestMatch {
  std::optional<std::string> method = {};  // Case-sensitive (RFC 9110 section 9.1), e.g. "GET".
  // "/v1/orders/{id}": {name} stands for one non-empty segment and captures it, percent-decoded.
  std::optional<std::string> path = {};
  // RE2 over the path as sent (percent-encoded), anchored at both ends; named groups are captured.
  std::optional<std::string> path_regex = {};
  std::vector<FieldMatch> query = {};
  std::vector<FieldMatch> headers = {};
  // Serialised JSON. Every given object member must be there and fit, others may be there too;
  // arrays and scalars must be equal.
  std::optional<std::string> json = {};

  std::vector<std::string> methods = {};  // Any of these; instead of `method`.
  // Instead of `path`; one of the five may be given. All of them compare what was sent, undecoded.
  std::optional<std::string> path_exact = {};    // The path; braces mean themselves.
  std::optional<std::string> target = {};        // Path and query: "/v1/orders?limit=10".
  std::optional<std::string> target_regex = {};  // As path_regex, over path and query.
  std::vector<FieldMatch> path_parameters = {};  // Of the names in `path`.
  bool query_exact = false;                      // No parameters besides those that `query` names.
  // Serialised condition on the host of the URL: lower case, without port.
  std::optional<std::string> host = {};
  std::vector<FieldMatch> cookies = {};  // Names are case-sensitive.
  std::vector<FieldMatch> form = {};     // Of an application/x-www-form-urlencoded body.
  std::optional<std::string> text = {};  // Serialised condition on the body as text.
  std::optional<std::string> body = {};  // Exactly these bytes.
  std::optional<JsonEqualMatch> json_equal = {};
  // The name is a JSONPath, the condition is about the values that it selects in the body.
  std::vector<FieldMatch> json_path = {};
  bool jayway = false;                          // JsonPath::Flavour::kJayway for json_path.
  std::optional<std::string> json_schema = {};  // Serialised JSON Schema for the body.
  // All of these, one of these, none of these. Nested at most RequestMatcher::kNestingMax levels.
  std::vector<RequestMatch> all_of = {};
  std::vector<RequestMatch> any_of = {};
  std::vector<RequestMatch> none_of = {};

  bool operator==(const RequestMatch&) const = default;
};

}  // namespace understudy::harness
