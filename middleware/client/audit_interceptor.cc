#include "middleware/client/audit_interceptor.h"

#include <exception>
#include <utility>

#include "middleware/resilience/outcome.h"

namespace understudy {
namespace {

using Tag = AuditCapture::Tag;

void PutOutcome(AuditCapture& capture, const Result<http::Response>& result) {
  // Most calls: what the classifier says of every 2xx.
  const bool plain = result && result->status >= 200 && result->status < 300;
  capture.Put(Tag::kOutcome,
              plain ? std::string_view("ok")
                    : ToString(OutcomeClassifier().Classify(result, SystemTime()).klass));
}

void PutCall(AuditCapture& capture, const http::Request& request, const CallContext& context,
             std::string_view provider) {
  capture.call = context.audit_tag().call;
  capture.Put(Tag::kProvider, provider);
  capture.Put(Tag::kOperation, context.operation());
  capture.Put(Tag::kMethod, request.method.name());
  capture.PutUrl(request.url);
  capture.Put(Tag::kTraceparent, context.options().traceparent);
}

// Why retry made this attempt; empty for the first.
std::string_view Because(const CallContext& context) {
  if (context.attempt() <= 1) return {};
  const auto& decisions = context.decisions();
  for (auto it = decisions.rbegin(); it != decisions.rend(); ++it) {
    if (it->layer == "retry") return it->what;
  }
  return {};
}

}  // namespace

Result<http::Response> CallAuditInterceptor::Intercept(http::Request& request, CallContext& context,
                                                       Next next) {
  const SystemTime at = runtime_.clock.SystemNow();
  context.set_audit_tag({log_.NextNumber(), runtime_.clock.Now()});
  AuditLog::Reservation room;
  if (options_.must_audit) {
    auto reserved = RecordStart(request, context, at);
    if (!reserved) {
      context.Explain(runtime_.clock.Now(), "audit", "refused: " + reserved.error().message);
      Result<http::Response> refused = std::move(reserved).error();
      RecordEnd(request, context, refused, at, {});
      return refused;
    }
    room = *std::move(reserved);
  }
  Result<http::Response> result = next(request, context);
  RecordEnd(request, context, result, at, std::move(room));
  return result;
}

Result<AuditLog::Reservation> CallAuditInterceptor::RecordStart(const http::Request& request,
                                                                const CallContext& context,
                                                                SystemTime at) {
  AuditCapture capture = log_.Begin(AuditKind::kCallStart);
  capture.number = log_.NextNumber();
  capture.at = at;
  PutCall(capture, request, context, provider_);
  return log_.Require(std::move(capture), context.options().deadline);
}

void CallAuditInterceptor::RecordEnd(const http::Request& request, const CallContext& context,
                                     const Result<http::Response>& result, SystemTime at,
                                     AuditLog::Reservation room) {
  // What the standard library throws for want of memory; the call has happened, whatever becomes of
  // its record.
  try {
    AuditCapture capture = log_.Begin(AuditKind::kCall);
    capture.number = context.audit_tag().call;
    capture.at = at;
    capture.duration = runtime_.clock.Now() - context.audit_tag().started;
    capture.sends = context.sends();
    capture.fallback = context.served_by_fallback();
    PutCall(capture, request, context, provider_);
    PutOutcome(capture, result);
    if (result) {
      capture.status = result->status;
    } else {
      capture.TakeError(result.error());
    }
    std::size_t count = 0;
    for (const Decision& decision : context.decisions()) {
      if (++count > AuditCapture::kDecisionsMax) break;
      capture.PutDecision(decision.at - context.audit_tag().started, decision.layer, decision.what);
    }
    log_.Record(std::move(capture), std::move(room));
  } catch (const std::exception&) {
    log_.CountLost();
  }
}

std::string CallAuditInterceptor::Describe() const {
  return options_.must_audit ? "audit: the call, which is not sent unless its record is durable"
                             : "audit: the call";
}

Result<http::Response> AttemptAuditInterceptor::Intercept(http::Request& request,
                                                          CallContext& context, Next next) {
  const SystemTime at = runtime_.clock.SystemNow();
  const TimePoint started = runtime_.clock.Now();
  Result<http::Response> result = next(request, context);
  try {
    AuditCapture capture = log_.Begin(AuditKind::kAttempt);
    const CallContext::AuditTag tag = context.audit_tag();
    capture.number = log_.NextNumber();
    capture.call = tag.call;
    capture.at = at;
    capture.duration = runtime_.clock.Now() - started;
    if (tag.call != 0) capture.after = started - tag.started;
    capture.attempt = context.attempt();
    capture.sends = context.sends();
    capture.Put(Tag::kProvider, provider_);
    capture.Put(Tag::kOperation, context.operation());
    capture.Put(Tag::kBreaker, context.breaker_state());
    capture.Put(Tag::kBecause, Because(context));
    capture.TakeRequest(request, log_.redactor(), options_.bodies);
    PutOutcome(capture, result);
    if (result) {
      capture.TakeResponse(*result, log_.redactor(), options_.bodies);
    } else {
      capture.TakeError(result.error());
    }
    log_.Record(std::move(capture));
  } catch (const std::exception&) {
    log_.CountLost();
  }
  return result;
}

std::string AttemptAuditInterceptor::Describe() const {
  switch (options_.bodies) {
    case BodyAudit::kDigest:
      return "audit: the attempt, with digests of bodies";
    case BodyAudit::kPreview:
      return "audit: the attempt, with redacted previews of bodies";
    case BodyAudit::kLength:
      break;
  }
  return "audit: the attempt";
}

}  // namespace understudy
