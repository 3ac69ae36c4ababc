// ClientBuilder: named slots for the policies of a Client. The builder owns their order; a slot is
// used at most once, in any order, and left out if not wanted.
//
//   Result<std::unique_ptr<Client>> client = ClientBuilder(runtime, transport, "stripe")
//       .BaseUrl("https://api.stripe.com")
//       .Fallback({})
//       .TotalDeadline(10s)
//       .Retry({.attempts_max = 3, .budget = budget})
//       .Breaker({.failures = 5}, breakers)
//       .Auth(BearerAuth::Create(Secret(key)).value())
//       .AttemptTimeout(3s)
//       .Build();
//   log.Log(LogLevel::kInfo, "setup", (*client)->Describe());
//
// The order, outermost first, and why (reference resilience 4.2):
//
//   audit of the call   sees what the caller sees
//   call interceptors   see the logical call once
//   fallback            turns any failure of the inner layers into an answer
//   cache               a hit needs nothing below; a stale answer replaces a failure
//   deadline            one for all attempts and waits
//   idempotency         one key for all attempts
//   hedge               each request of a race has its own retries and admissions
//   retry               outside the breaker: every attempt counts, an open breaker ends the call
//   breaker             an open one burns no quota
//   quota               what the vendor reports comes before what we think of it
//   rate limit          waiting for quota occupies no place
//   bulkhead            a full one is no failure of the vendor
//   auth                each attempt has fresh credentials; a 401 is repeated once
//   attempt timeout     time in local queues is not the vendor's
//   attempt interceptors
//   audit of the attempt  sees what is sent
//   transport
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/auth/auth_strategy.h"
#include "middleware/client/audit_interceptor.h"
#include "middleware/client/cache_interceptor.h"
#include "middleware/client/client.h"
#include "middleware/client/fallback_interceptor.h"
#include "middleware/client/hedge_interceptor.h"
#include "middleware/client/interceptor.h"
#include "middleware/client/provider_profile.h"
#include "middleware/http/transport.h"
#include "middleware/resilience/breaker_registry.h"
#include "middleware/resilience/bulkhead.h"
#include "middleware/resilience/quota_limiter.h"
#include "middleware/resilience/rate_limit_dialect.h"
#include "middleware/resilience/rate_limiter.h"
#include "middleware/resilience/retry_policy.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Used by one thread, for one Build.
class ClientBuilder {
 public:
  // `provider` names the vendor in events, breakers and messages. The parts of `runtime` and the
  // transport must outlive the client.
  ClientBuilder(const Runtime& runtime, http::Transport& transport, std::string provider);

  // Requests are resolved against it, and only its origin is ever called. Without one, a caller
  // gives absolute URLs.
  ClientBuilder& BaseUrl(std::string_view url);
  ClientBuilder& BaseUrl(http::Url url);
  // What is particular about the vendor: base URL, body codec, idempotency header, default headers,
  // retryable statuses, dialect, timeouts. What another slot says wins.
  ClientBuilder& Profile(ProviderProfile profile);
  // RFC 9111; see cache_interceptor.h.
  ClientBuilder& Cache(CacheOptions options);
  ClientBuilder& Fallback(FallbackOptions options);
  ClientBuilder& TotalDeadline(Duration total);
  // An attempt with less time left is not started. 1 ms unless set.
  ClientBuilder& MinAttemptTime(Duration time);
  // Without a budget of its own it shares that of Retry.
  ClientBuilder& Hedge(HedgeOptions options);
  ClientBuilder& Retry(RetryOptions options);
  // Without a registry the client has its own.
  ClientBuilder& Breaker(const CircuitBreakerOptions& options,
                         std::shared_ptr<BreakerRegistry> registry = {});
  // One breaker per CallOptions::operation instead of one per vendor.
  ClientBuilder& BreakerPerOperation();
  // One breaker of this name for all clients that share the registry and say the same.
  ClientBuilder& SharedBreaker(std::string name);
  // What the vendor's answers say about its quota. Shared by clients that are given the same
  // registry; without one the client learns for itself.
  ClientBuilder& Quota(const QuotaOptions& options, std::shared_ptr<QuotaRegistry> registry = {});
  // How the vendor says its limits, for quota, retry and breaker alike. Default:
  // RateLimitDialect::Generic if there is a Quota, else Retry-After alone.
  ClientBuilder& Dialect(RateLimitDialect dialect);
  // Whose account the client uses, e.g. a tenant's number; never the secret itself. Clients that
  // share a registry then have a breaker for each.
  ClientBuilder& Credential(std::string id);
  ClientBuilder& RateLimit(const RateLimiterOptions& options);
  ClientBuilder& Bulkhead(const BulkheadOptions& options);
  ClientBuilder& Auth(std::shared_ptr<AuthStrategy> strategy);
  ClientBuilder& AttemptTimeout(Duration timeout);
  // How outcomes count, for retry, breaker and limiter alike.
  ClientBuilder& Classifier(OutcomeClassifier classifier);
  // Records every call and attempt; see audit_interceptor.h. `log` must outlive the client.
  ClientBuilder& Audit(AuditLog& log, const AuditOptions& options = {});
  // Around the whole call, or around each attempt, in the order of the additions.
  ClientBuilder& AddCallInterceptor(std::unique_ptr<Interceptor> interceptor);
  ClientBuilder& AddAttemptInterceptor(std::unique_ptr<Interceptor> interceptor);

  // The client, or one kInvalidArgument with every problem of every policy and between them: a
  // timeout of an attempt above the total, a probe given up before its attempt can time out, a
  // first back-off that never fits, ...
  Result<std::unique_ptr<Client>> Build();

 private:
  void FindCrossProblems(Problems& problems) const;
  Problems FindAllProblems() const;
  void ApplyProfile(const ProviderProfile& profile);
  void AddCallLayers(std::vector<std::unique_ptr<Interceptor>>& layers);
  Result<void> AddAttemptLayers(std::vector<std::unique_ptr<Interceptor>>& layers);

  const Runtime runtime_;
  http::Transport& transport_;
  std::string provider_;
  Problems early_problems_;  // Found by the slots themselves.
  std::optional<http::Url> base_url_;
  std::optional<ProviderProfile> profile_;
  std::optional<CacheOptions> cache_;
  std::optional<FallbackOptions> fallback_;
  std::optional<Duration> total_;
  Duration min_attempt_time_ = std::chrono::milliseconds(1);
  std::optional<HedgeOptions> hedge_;
  std::optional<RetryOptions> retry_;
  std::optional<CircuitBreakerOptions> breaker_;
  std::shared_ptr<BreakerRegistry> registry_;
  bool breaker_per_operation_ = false;
  std::string credential_;
  AuditLog* audit_log_ = nullptr;
  AuditOptions audit_;
  std::string shared_breaker_;
  std::optional<QuotaOptions> quota_;
  std::shared_ptr<QuotaRegistry> quotas_;
  std::shared_ptr<const RateLimitDialect> dialect_;
  std::optional<RateLimiterOptions> rate_limit_;
  std::optional<BulkheadOptions> bulkhead_;
  std::shared_ptr<AuthStrategy> auth_;
  std::optional<Duration> attempt_timeout_;
  std::optional<OutcomeClassifier> classifier_option_;
  OutcomeClassifier classifier_;  // What is used; see Build.
  std::vector<std::unique_ptr<Interceptor>> call_interceptors_;
  std::vector<std::unique_ptr<Interceptor>> attempt_interceptors_;
};

}  // namespace understudy
