#include "middleware/audit/audit_renderer.h"

#include <array>
#include <utility>

#include "middleware/audit/secret_text.h"
#include "middleware/base/text.h"
#include "middleware/http/trace_context.h"

namespace understudy {
namespace {

using Tag = AuditCapture::Tag;

constexpr std::size_t kNameMax = 100;

std::string Hex(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; number >>= 4U) text[i] = kDigits[number & 15U];
  return text;
}

// A name that a program chose; a secret in its place is still possible.
std::string Name(std::string_view text) {
  return LooksSecret(text) ? std::string(kRedacted) : CleanLine(text, kNameMax);
}

// The media type, if exactly one header says it.
std::string ContentType(const AuditCapture& capture, Tag name_tag, Tag value_tag) {
  std::string type;
  bool named = false;
  int found = 0;
  capture.ForEach([&](Tag tag, std::string_view value) {
    if (tag == name_tag) named = EqualsIgnoreAsciiCase(value, "content-type");
    if (tag != value_tag || !named) return;
    ++found;
    type = value;
  });
  return found == 1 ? type : std::string();
}

}  // namespace

AuditRenderer::AuditRenderer(const Redactor& redactor, const Crypto& crypto, std::uint64_t instance,
                             Secret digest_key)
    : redactor_(redactor),
      crypto_(crypto),
      instance_(Hex(instance)),
      digest_key_(std::move(digest_key)) {}

std::string AuditRenderer::IdOf(std::uint64_t number) const {
  return instance_ + "-" + Hex(number);
}

AuditRecord AuditRenderer::Render(const AuditCapture& capture) const {
  AuditRecord record;
  record.kind = capture.kind;
  record.id = IdOf(capture.number);
  record.call_id = capture.call == 0 ? std::string() : IdOf(capture.call);
  record.at = capture.at;
  record.attempt = capture.attempt;
  record.sends = capture.sends;
  record.after = capture.after;
  record.duration = capture.duration;
  record.fallback = capture.fallback;
  if (capture.failed) {
    record.error = ToString(capture.code);
    record.delivery = ToString(capture.delivery);
    record.origin = ToString(capture.origin);
  } else if (capture.status != 0) {
    record.status = capture.status;
  }
  if (capture.has_request) record.request_body = AuditBody{.length = capture.request_bytes};
  if (capture.has_response) record.response_body = AuditBody{.length = capture.response_bytes};
  capture.ForEach([&](Tag tag, std::string_view value) { Take(record, capture, tag, value); });
  return record;
}

void AuditRenderer::Take(AuditRecord& record, const AuditCapture& capture, Tag tag,
                         std::string_view value) const {
  const auto name = [&](std::vector<std::string>& hidden) { hidden.push_back(Name(value)); };
  // The name is in the hidden list since the field before.
  const auto show = [&](std::vector<std::string>& hidden, auto& headers) {
    if (hidden.empty() || !redactor_.ShowsHeader(hidden.back())) return;
    std::string key = std::move(hidden.back());
    hidden.pop_back();
    std::string text = redactor_.HeaderValue(key, value);
    headers.emplace_back(std::move(key), std::move(text));
  };
  switch (tag) {
    case Tag::kProvider:
      record.provider = Name(value);
      return;
    case Tag::kOperation:
      record.operation = Name(value);
      return;
    case Tag::kMethod:
      record.method = Name(value);
      return;
    case Tag::kUrl:
      record.url = redactor_.Url(value);
      return;
    case Tag::kOutcome:
      record.outcome = Name(value);
      return;
    case Tag::kReason:
      record.reason = Name(value);
      return;
    case Tag::kMessage:
      record.message = redactor_.Message(value);
      return;
    case Tag::kBreaker:
      record.breaker = Name(value);
      return;
    case Tag::kBecause:
      record.because = redactor_.Message(value);
      return;
    case Tag::kTraceparent:
      if (const auto trace = http::TraceContext::Parse(value))
        record.trace_id = trace->TraceIdText();
      return;
    case Tag::kRequestHeader:
      return name(record.hidden_request_headers);
    case Tag::kResponseHeader:
      return name(record.hidden_response_headers);
    case Tag::kRequestHeaderValue:
      show(record.hidden_request_headers, record.request_headers);
      if (record.trace_id.empty() && !record.request_headers.empty() &&
          EqualsIgnoreAsciiCase(record.request_headers.back().first, "traceparent")) {
        if (const auto trace = http::TraceContext::Parse(value))
          record.trace_id = trace->TraceIdText();
      }
      return;
    case Tag::kResponseHeaderValue:
      return show(record.hidden_response_headers, record.response_headers);
    case Tag::kRequestBody:
      record.request_body =
          BodyOf(capture, value, capture.request_bytes,
                 ContentType(capture, Tag::kRequestHeader, Tag::kRequestHeaderValue));
      return;
    case Tag::kResponseBody:
      record.response_body =
          BodyOf(capture, value, capture.response_bytes,
                 ContentType(capture, Tag::kResponseHeader, Tag::kResponseHeaderValue));
      return;
    case Tag::kDecisionLayer:
      record.decisions.push_back({.layer = Name(value)});
      return;
    case Tag::kDecision: {
      const std::size_t space = value.find(' ');
      if (record.decisions.empty() || space == std::string_view::npos) return;
      const auto after = ParseUnsigned(value.substr(0, space));
      record.decisions.back().after = Duration(static_cast<Duration::rep>(after.value_or(0)));
      record.decisions.back().what = redactor_.Message(value.substr(space + 1));
      return;
    }
  }
}

AuditBody AuditRenderer::BodyOf(const AuditCapture& capture, std::string_view bytes,
                                std::size_t length, std::string_view content_type) const {
  AuditBody body{.length = length, .digest_bytes = bytes.size(), .keyed = !digest_key_.empty()};
  if (length == 0) return body;
  body.digest = HexEncode(body.keyed ? crypto_.HmacSha256(digest_key_.Reveal(), bytes)
                                     : crypto_.Sha256(bytes));
  if (capture.bodies != BodyAudit::kPreview) return body;
  BodyPreview preview = redactor_.Body(content_type, bytes, bytes.size() == length);
  body.preview = std::move(preview.text);
  body.truncated = preview.truncated;
  body.hidden = std::move(preview.hidden);
  return body;
}

}  // namespace understudy
