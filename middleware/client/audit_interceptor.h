// CallAuditInterceptor, AttemptAuditInterceptor: put every call, and every request that it makes of
// it, into the audit trail. ClientBuilder::Audit adds both in their places:
//
//   audit(call)      outermost: sees the call as its caller does, also if a cache or a fallback
//                    answers, or a breaker refuses
//   ...
//   audit(attempt)   innermost: sees what goes to the transport and what comes back
//
// Neither changes a request or a result, whatever happens to the trail: the one exception is a call
// that must be audited and cannot be, which is refused before any other layer has seen it. Nothing
// of the audit is within what a breaker, retry or limiter measures but the time that the attempt's
// capture takes, well below a microsecond.
#pragma once

#include <string>

#include "middleware/audit/audit_log.h"
#include "middleware/client/interceptor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct AuditOptions {
  // A call is sent only when a record that it begins is durable; else it fails with kStorage
  // [not-sent, local], reason "audit-unavailable".
  bool must_audit = false;
  // A record for each attempt, too.
  bool attempts = true;
  // What to keep of the bodies of attempts.
  BodyAudit bodies = BodyAudit::kLength;
};

// Thread-safe. `log` must outlive it.
class CallAuditInterceptor final : public Interceptor {
 public:
  CallAuditInterceptor(AuditLog& log, const AuditOptions& options, std::string provider,
                       const Runtime& runtime)
      : log_(log), options_(options), provider_(std::move(provider)), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override;

 private:
  Result<AuditLog::Reservation> RecordStart(const http::Request& request,
                                            const CallContext& context, SystemTime at);
  void RecordEnd(const http::Request& request, const CallContext& context,
                 const Result<http::Response>& result, SystemTime at, AuditLog::Reservation room);

  AuditLog& log_;
  const AuditOptions options_;
  const std::string provider_;
  const Runtime runtime_;
};

// Thread-safe. `log` must outlive it.
class AttemptAuditInterceptor final : public Interceptor {
 public:
  AttemptAuditInterceptor(AuditLog& log, const AuditOptions& options, std::string provider,
                          const Runtime& runtime)
      : log_(log), options_(options), provider_(std::move(provider)), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override;

 private:
  AuditLog& log_;
  const AuditOptions options_;
  const std::string provider_;
  const Runtime runtime_;
};

}  // namespace understudy
