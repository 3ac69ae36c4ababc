// DialectPack: how a vendor says its rate limits on the wire, as data: the headers of every answer,
// and the status, headers and body of a refusal.
//
//   auto pack = DialectPack::Parse("acme", R"({
//     "source": "https://acme.example/docs/limits",
//     "forms": {
//       "minute": {
//         "headers": {"X-Quota-Left": "{remaining}", "X-Quota-Reset": "{reset:epoch-s}"},
//         "exceeded": {"status": 429, "headers": {"Retry-After": "{retry-after}"},
//                      "json": {"error": "slow down", "wait_ms": "{#retry-after:ms}"}}}}})");
//
// A pack has one form for each way in which the vendor's limits differ (GitHub: "primary",
// "secondary"); the first one is meant when a limit names only the pack. A form has, all optional:
//
//   about              a sentence for the reader
//   headers            of every answer that the limit let pass, and of refusals. A value is a text
//                      with places (LimitTemplate), or {"value": text, "join": ", "}: when several
//                      limits say it, their values are put into one field with this between them;
//                      without `join` the limit with the least left says it alone
//   merge              JSON that is added to the body of every answer that is a JSON object: what
//                      the answer has already, stays
//   exceeded           the refusal: status (default 429), headers (beside and instead of those
//                      above; null leaves one away), and json, or text with content_type
//
// In JSON, a text that is one place with a # becomes a number: "{#remaining}". Names of members are
// never filled in.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/vendor/limit_template.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// A header as one limit says it.
struct DialectHeader {
  std::string name = {};
  std::string value = {};
  std::string join = {};  // Between the values of several limits; empty: one says it alone.
};

// One form of a pack. Immutable and cheap to copy; thread-safe.
class DialectForm {
 public:
  // Of an answer; if the limit is exceeded, of the refusal.
  std::vector<DialectHeader> Headers(const LimitReading& reading) const;
  // Adds to a body. Leaves alone what is no JSON object, and what is larger than 1 MiB.
  void MergeBody(const LimitReading& reading, std::string& body) const;
  bool has_merge() const;
  // Status, body and its Content-Type; no other header.
  http::Response Refusal(const LimitReading& reading) const;

 private:
  friend class DialectPack;
  struct Data;
  explicit DialectForm(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

  std::shared_ptr<const Data> data_;
};

// A value type, immutable; thread-safe.
class DialectPack {
 public:
  static constexpr std::size_t kDocumentBytesMax = std::size_t{256} * 1024;
  static constexpr int kDepthMax = 32;
  static constexpr std::size_t kFormsMax = 32;
  static constexpr std::size_t kHeadersMax = 32;

  // kInvalidArgument, with the JSON pointer of the place and a suggestion, for what is not JSON,
  // too large or too deep; an unknown or missing member; a header name or status that HTTP does not
  // know; and what LimitTemplate refuses.
  static Result<DialectPack> Parse(std::string_view name, std::string_view json);

  const std::string& name() const { return name_; }
  const std::string& source() const { return source_; }
  std::vector<std::string_view> form_names() const;
  // An empty name is the first form. kNotFound, with a suggestion.
  Result<DialectForm> Find(std::string_view form) const;

 private:
  DialectPack() = default;

  std::string name_ = {};
  std::string source_ = {};
  std::vector<std::pair<std::string, DialectForm>> forms_ = {};
};

// Every pack that a vendor's limits may name. Immutable; thread-safe.
class DialectBook {
 public:
  // The built-in packs and those of the vendor. kInvalidArgument for an empty or repeated name, one
  // with a "/", and what DialectPack refuses, naming the pack.
  static Result<DialectBook> Create(const std::vector<DialectSpec>& specs);

  // "github" or "github/secondary". kNotFound, with a suggestion.
  Result<DialectForm> Find(std::string_view dialect) const;
  // In alphabetical order, the vendor's own first.
  std::vector<std::string_view> names() const;

 private:
  DialectBook() = default;

  std::vector<DialectPack> own_ = {};
};

}  // namespace understudy::harness
