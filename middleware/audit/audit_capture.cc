#include "middleware/audit/audit_capture.h"

#include <algorithm>
#include <cstring>

namespace understudy {
namespace {

constexpr std::size_t kHeaderNameMax = 64;

}  // namespace

void AuditCapture::Append(Tag tag, std::string_view value) {
  const auto size = static_cast<std::uint32_t>(value.size());
  constexpr std::size_t kLead = 1 + sizeof(size);
  const std::size_t begin = buffer_.size();
  if (begin + kLead + value.size() > buffer_.capacity())
    buffer_.reserve(std::max(buffer_.capacity() * 2, begin + kLead + value.size()));
  char lead[kLead];
  lead[0] = static_cast<char>(tag);
  std::memcpy(&lead[1], &size, sizeof(size));
  buffer_.append(lead, kLead).append(value);
}

// At most kMessageMax bytes of a text that is redacted later. It is cut between two words: half of
// a URL could end within a secret that is no longer known as one.
std::string_view AuditCapture::Cut(std::string_view text) {
  if (text.size() <= kMessageMax) return text;
  text = text.substr(0, text.find_last_of(" \t\r\n", kMessageMax));
  return text.size() <= kMessageMax ? text : "(a long text without a space)";
}

void AuditCapture::Put(Tag tag, std::string_view value) {
  if (!value.empty()) Append(tag, Cut(value));
}

void AuditCapture::PutUrl(const http::Url& url) {
  // The parts instead of ToString: one copy less.
  const std::string_view scheme = url.scheme();
  const std::size_t size =
      scheme.size() + url.host().size() + url.path().size() + url.query().size() + 16;
  if (size > Redactor::kUrlBytesMax) {
    // Cut anywhere it could end within a secret that is no longer known as one.
    Put(Tag::kUrl, url.origin() + "/...");
    return;
  }
  const std::size_t begin = buffer_.size();
  Append(Tag::kUrl, {});
  buffer_.append(scheme).append("://").append(url.host());
  if (url.port() != (scheme == "https" ? 443 : 80))
    buffer_.append(":").append(std::to_string(url.port()));
  buffer_.append(url.path());
  if (!url.query().empty()) buffer_.append("?").append(url.query());
  const auto length =
      static_cast<std::uint32_t>(buffer_.size() - begin - 1 - sizeof(std::uint32_t));
  std::memcpy(&buffer_[begin + 1], &length, sizeof(length));
}

void AuditCapture::PutDecision(Duration after_start, std::string_view layer,
                               std::string_view what) {
  Put(Tag::kDecisionLayer, layer);
  Append(Tag::kDecision, std::to_string(after_start.count()) + " " + std::string(Cut(what)));
}

void AuditCapture::TakeHeaders(const http::Headers& headers, const Redactor& redactor, Tag name,
                               Tag value) {
  std::size_t count = 0;
  for (const auto& [key, text] : headers) {
    if (++count > kHeadersMax) return;
    Append(name, std::string_view(key).substr(0, kHeaderNameMax));
    // One that is too long is hidden, so its beginning is enough.
    if (redactor.MayShowHeader(key))
      Append(value, std::string_view(text).substr(0, Redactor::kHeaderBytesMax + 1));
  }
}

void AuditCapture::TakeRequest(const http::Request& request, const Redactor& redactor,
                               BodyAudit body_audit) {
  has_request = true;
  bodies = body_audit;
  request_bytes = request.body.size();
  Put(Tag::kMethod, request.method.name());
  PutUrl(request.url);
  TakeHeaders(request.headers, redactor, Tag::kRequestHeader, Tag::kRequestHeaderValue);
  if (body_audit != BodyAudit::kLength)
    Append(Tag::kRequestBody, std::string_view(request.body).substr(0, kBodyBytesMax));
}

void AuditCapture::TakeResponse(const http::Response& response, const Redactor& redactor,
                                BodyAudit body_audit) {
  has_response = true;
  bodies = body_audit;
  status = response.status;
  response_bytes = response.body.size();
  TakeHeaders(response.headers, redactor, Tag::kResponseHeader, Tag::kResponseHeaderValue);
  if (body_audit != BodyAudit::kLength)
    Append(Tag::kResponseBody, std::string_view(response.body).substr(0, kBodyBytesMax));
}

void AuditCapture::TakeError(const Error& error) {
  failed = true;
  code = error.code;
  delivery = error.delivery;
  origin = error.origin;
  Put(Tag::kReason, error.reason);
  Put(Tag::kMessage, error.message);
}

void AuditCapture::ForEach(FunctionRef<void(Tag, std::string_view)> visit) const {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    std::uint32_t size = 0;
    const auto tag = static_cast<Tag>(rest.front());
    std::memcpy(&size, &rest[1], sizeof(size));
    rest.remove_prefix(1 + sizeof(size));
    visit(tag, rest.substr(0, size));
    rest.remove_prefix(size);
  }
}

}  // namespace understudy
