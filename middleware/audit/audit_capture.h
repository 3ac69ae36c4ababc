// AuditCapture: the raw material of a record, taken on the thread of a call as cheaply as possible;
// an AuditRenderer makes the record of it on the log's own thread.
//
//   AuditCapture capture(AuditKind::kAttempt);
//   capture.TakeRequest(request, redactor, BodyAudit::kLength);
//   capture.TakeResponse(response, redactor, BodyAudit::kLength);
//   log.Record(std::move(capture));
//
// It is one buffer that fields are appended to. Values of headers that are not on the redactor's
// list are not copied (but for rare collisions of its filter); URLs, messages and, if asked for,
// bodies are raw until they are rendered, and never leave the process as such.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/audit/audit_record.h"
#include "middleware/audit/redaction.h"
#include "middleware/base/error.h"
#include "middleware/base/function_ref.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy {

// What to keep of bodies. A digest of what can be guessed (a PIN, a card number) tells it to who
// tries all: give AuditLogOptions a digest key.
enum class BodyAudit { kLength, kDigest, kPreview };

// A value type; movable; not thread-safe. At most kBytesMax of memory.
class AuditCapture {
 public:
  static constexpr std::size_t kHeadersMax = 64;           // Of each message; more are left out.
  static constexpr std::size_t kBodyBytesMax = 64 * 1024;  // Of each body, for digest and preview.
  static constexpr std::size_t kDecisionsMax = 64;
  static constexpr std::size_t kBytesMax = 2 * 1024 * 1024;

  enum class Tag : std::uint8_t {
    kProvider,
    kOperation,
    kMethod,
    kUrl,
    kOutcome,
    kReason,
    kMessage,
    kBreaker,
    kBecause,
    kTraceparent,
    kRequestHeader,  // A name; its value, if it may be shown, is the next field.
    kRequestHeaderValue,
    kResponseHeader,
    kResponseHeaderValue,
    kRequestBody,
    kResponseBody,
    kDecisionLayer,  // Followed by kDecision.
    kDecision,
  };

  explicit AuditCapture(AuditKind capture_kind) : AuditCapture(capture_kind, std::string()) {}
  // With a buffer that was used before: its memory is there already.
  AuditCapture(AuditKind capture_kind, std::string buffer)
      : kind(capture_kind), buffer_(std::move(buffer)) {
    buffer_.clear();
    buffer_.reserve(kUsualBytes);
  }
  std::string TakeBuffer() && { return std::move(buffer_); }

  // Longer values are cut, at kMessageMax unless they are bodies.
  void Put(Tag tag, std::string_view value);
  void PutUrl(const http::Url& url);
  void PutDecision(Duration after_start, std::string_view layer, std::string_view what);
  void TakeRequest(const http::Request& request, const Redactor& redactor, BodyAudit body_audit);
  void TakeResponse(const http::Response& response, const Redactor& redactor, BodyAudit body_audit);
  void TakeError(const Error& error);

  // Calls `visit` for each field, in order.
  void ForEach(FunctionRef<void(Tag, std::string_view)> visit) const;
  std::size_t bytes() const { return sizeof(*this) + buffer_.capacity(); }

  AuditKind kind;
  BodyAudit bodies = BodyAudit::kLength;
  bool failed = false;  // By `code`, `delivery`, `origin`; otherwise by `status`, if not 0.
  bool fallback = false;
  bool has_request = false;  // Is there a request, a response whose length is to be told?
  bool has_response = false;
  ErrorCode code = ErrorCode::kInternal;
  Delivery delivery = Delivery::kNotSent;
  Origin origin = Origin::kLocal;
  int status = 0;
  int attempt = 0;
  int sends = 0;
  std::uint64_t number = 0;  // Of the record; unique within the log.
  std::uint64_t call = 0;    // Of the record of its call.
  SystemTime at = {};
  Duration after{0};
  Duration duration{0};
  std::size_t request_bytes = 0;
  std::size_t response_bytes = 0;

 private:
  static constexpr std::size_t kUsualBytes = 1024;
  static constexpr std::size_t kMessageMax = 4096;

  static std::string_view Cut(std::string_view text);
  void Append(Tag tag, std::string_view value);
  void TakeHeaders(const http::Headers& headers, const Redactor& redactor, Tag name, Tag value);

  std::string buffer_;
};

}  // namespace understudy
