#include "middleware/client/client_builder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/client/attempt_timeout_interceptor.h"
#include "middleware/client/auth_interceptor.h"
#include "middleware/client/breaker_interceptor.h"
#include "middleware/client/bulkhead_interceptor.h"
#include "middleware/client/deadline_interceptor.h"
#include "middleware/client/default_headers_interceptor.h"
#include "middleware/client/hedge_interceptor.h"
#include "middleware/client/idempotency_interceptor.h"
#include "middleware/client/quota_interceptor.h"
#include "middleware/client/rate_limit_interceptor.h"
#include "middleware/client/retry_interceptor.h"

namespace understudy {
namespace {

template <typename Options>
void Append(Problems& problems, const std::optional<Options>& options) {
  if (!options) return;
  Problems found = FindProblems(*options);
  problems.insert(problems.end(), std::make_move_iterator(found.begin()),
                  std::make_move_iterator(found.end()));
}

void MoveAll(std::vector<std::unique_ptr<Interceptor>>& from,
             std::vector<std::unique_ptr<Interceptor>>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

ClientBuilder::ClientBuilder(const Runtime& runtime, http::Transport& transport,
                             std::string provider)
    : runtime_(runtime), transport_(transport), provider_(std::move(provider)) {}

ClientBuilder& ClientBuilder::BaseUrl(std::string_view url) {
  Result<http::Url> parsed = http::Url::Parse(url);
  if (!parsed) {
    early_problems_.push_back("the base URL is unusable: " + parsed.error().message);
    return *this;
  }
  return BaseUrl(*std::move(parsed));
}

ClientBuilder& ClientBuilder::BaseUrl(http::Url url) {
  base_url_ = std::move(url);
  return *this;
}

ClientBuilder& ClientBuilder::Profile(ProviderProfile profile) {
  profile_ = std::move(profile);
  return *this;
}

ClientBuilder& ClientBuilder::Cache(CacheOptions options) {
  cache_ = std::move(options);
  return *this;
}

ClientBuilder& ClientBuilder::Fallback(FallbackOptions options) {
  fallback_ = std::move(options);
  return *this;
}

ClientBuilder& ClientBuilder::TotalDeadline(Duration total) {
  total_ = total;
  return *this;
}

ClientBuilder& ClientBuilder::MinAttemptTime(Duration time) {
  min_attempt_time_ = time;
  return *this;
}

ClientBuilder& ClientBuilder::Retry(RetryOptions options) {
  retry_ = std::move(options);
  return *this;
}

ClientBuilder& ClientBuilder::Hedge(HedgeOptions options) {
  hedge_ = std::move(options);
  return *this;
}

ClientBuilder& ClientBuilder::Breaker(const CircuitBreakerOptions& options,
                                      std::shared_ptr<BreakerRegistry> registry) {
  breaker_ = options;
  registry_ = std::move(registry);
  return *this;
}

ClientBuilder& ClientBuilder::BreakerPerOperation() {
  breaker_per_operation_ = true;
  return *this;
}

ClientBuilder& ClientBuilder::SharedBreaker(std::string name) {
  shared_breaker_ = std::move(name);
  return *this;
}

ClientBuilder& ClientBuilder::Quota(const QuotaOptions& options,
                                    std::shared_ptr<QuotaRegistry> registry) {
  quota_ = options;
  quotas_ = std::move(registry);
  return *this;
}

ClientBuilder& ClientBuilder::Dialect(RateLimitDialect dialect) {
  dialect_ = std::make_shared<const RateLimitDialect>(std::move(dialect));
  return *this;
}

ClientBuilder& ClientBuilder::Credential(std::string id) {
  credential_ = std::move(id);
  return *this;
}

ClientBuilder& ClientBuilder::RateLimit(const RateLimiterOptions& options) {
  rate_limit_ = options;
  return *this;
}

ClientBuilder& ClientBuilder::Bulkhead(const BulkheadOptions& options) {
  bulkhead_ = options;
  return *this;
}

ClientBuilder& ClientBuilder::Auth(std::shared_ptr<AuthStrategy> strategy) {
  auth_ = std::move(strategy);
  return *this;
}

ClientBuilder& ClientBuilder::AttemptTimeout(Duration timeout) {
  attempt_timeout_ = timeout;
  return *this;
}

ClientBuilder& ClientBuilder::Classifier(OutcomeClassifier classifier) {
  classifier_option_ = std::move(classifier);
  return *this;
}

ClientBuilder& ClientBuilder::Audit(AuditLog& log, const AuditOptions& options) {
  audit_log_ = &log;
  audit_ = options;
  return *this;
}

ClientBuilder& ClientBuilder::AddCallInterceptor(std::unique_ptr<Interceptor> interceptor) {
  call_interceptors_.push_back(std::move(interceptor));
  return *this;
}

ClientBuilder& ClientBuilder::AddAttemptInterceptor(std::unique_ptr<Interceptor> interceptor) {
  attempt_interceptors_.push_back(std::move(interceptor));
  return *this;
}

void ClientBuilder::ApplyProfile(const ProviderProfile& profile) {
  if (!base_url_ && !profile.base_url.empty()) BaseUrl(profile.base_url);
  if (!total_) total_ = profile.total_deadline;
  // A shorter total of the caller's own is a decision for shorter attempts, too.
  if (!attempt_timeout_) attempt_timeout_ = std::min(profile.attempt_timeout, *total_);
  if (retry_ && retry_->idempotency_header == RetryOptions{}.idempotency_header) {
    retry_->idempotency_header = profile.idempotency_header;
    retry_->generate_idempotency_keys =
        !profile.idempotency_header.empty() &&
        (retry_->generate_idempotency_keys || profile.generate_idempotency_keys);
  }
  if (!profile.headers.empty()) {
    call_interceptors_.push_back(std::make_unique<DefaultHeadersInterceptor>(profile.headers));
  }
  if (!classifier_option_) {
    classifier_option_ = OutcomeClassifier({.also_retryable = profile.extra_retryable_statuses});
  }
  if (dialect_ || profile.rate_limit_dialect.empty()) return;
  if (auto dialect = RateLimitDialect::ForVendor(profile.rate_limit_dialect)) {
    Dialect(*std::move(dialect));
  } else {
    early_problems_.push_back("the profile's rate-limit dialect, \"" + profile.rate_limit_dialect +
                              "\", is not known");
  }
}

Result<std::unique_ptr<Client>> ClientBuilder::Build() {
  if (profile_) {
    Problems found = FindProblems(*profile_);
    early_problems_.insert(early_problems_.end(), std::make_move_iterator(found.begin()),
                           std::make_move_iterator(found.end()));
    if (found.empty()) ApplyProfile(*profile_);
  }
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("client " + provider_, FindAllProblems()));
  // One dialect for all, so that quota, retry and breaker hear the same.
  if (quota_ && !dialect_) Dialect(RateLimitDialect::Generic());
  classifier_ = classifier_option_.value_or(OutcomeClassifier());
  if (dialect_) classifier_ = classifier_.WithDialect(dialect_);
  std::vector<std::unique_ptr<Interceptor>> layers;
  AddCallLayers(layers);
  UNDERSTUDY_RETURN_IF_ERROR(AddAttemptLayers(layers));
  Client::Defaults defaults;
  if (profile_) {
    defaults = {.body_codec = profile_->body_codec,
                .response_bytes_max = profile_->response_bytes_max};
  }
  // Not make_unique: the constructor is private.
  return std::unique_ptr<Client>(
      new Client(provider_, base_url_, defaults, std::move(layers), transport_, runtime_));
}

void ClientBuilder::AddCallLayers(std::vector<std::unique_ptr<Interceptor>>& layers) {
  if (audit_log_ != nullptr) {
    layers.push_back(
        std::make_unique<CallAuditInterceptor>(*audit_log_, audit_, provider_, runtime_));
  }
  MoveAll(call_interceptors_, layers);
  if (fallback_) layers.push_back(std::make_unique<FallbackInterceptor>(*fallback_, runtime_));
  if (cache_) layers.push_back(std::make_unique<CacheInterceptor>(*cache_, total_, runtime_));
  // Always there: a call can bring a timeout or a key of its own.
  layers.push_back(std::make_unique<DeadlineInterceptor>(total_, min_attempt_time_, runtime_));
  RetryOptions keys = retry_.value_or(RetryOptions{});
  if (!retry_ && profile_) {
    keys.idempotency_header = profile_->idempotency_header;
    keys.generate_idempotency_keys = profile_->generate_idempotency_keys;
  }
  layers.push_back(std::make_unique<IdempotencyInterceptor>(
      keys.idempotency_header, keys.generate_idempotency_keys, runtime_));
  if (hedge_) {
    HedgeOptions hedge = *hedge_;
    if (!hedge.budget) hedge.budget = keys.budget;  // One budget for all that repeats.
    layers.push_back(std::make_unique<HedgeInterceptor>(std::move(hedge), classifier_, runtime_));
  }
  if (retry_) {
    layers.push_back(
        std::make_unique<RetryInterceptor>(*retry_, classifier_, min_attempt_time_, runtime_));
  }
}

Result<void> ClientBuilder::AddAttemptLayers(std::vector<std::unique_ptr<Interceptor>>& layers) {
  if (breaker_) {
    if (!registry_) registry_ = std::make_shared<BreakerRegistry>(runtime_);
    BreakerScope scope{provider_, base_url_ ? base_url_->origin() : std::string(),
                       breaker_per_operation_, credential_, shared_breaker_};
    UNDERSTUDY_ASSIGN_OR_RETURN(
        std::unique_ptr<BreakerInterceptor> breaker,
        BreakerInterceptor::Create(std::move(scope), *breaker_, registry_, classifier_, runtime_));
    layers.push_back(std::move(breaker));
  }
  if (quota_) {
    if (!quotas_) quotas_ = std::make_shared<QuotaRegistry>(runtime_);
    UNDERSTUDY_ASSIGN_OR_RETURN(std::shared_ptr<QuotaLimiter> limiter,
                                quotas_->Get(provider_, credential_, *quota_));
    layers.push_back(
        std::make_unique<QuotaInterceptor>(std::move(limiter), dialect_, classifier_, runtime_));
  }
  if (rate_limit_)
    layers.push_back(std::make_unique<RateLimitInterceptor>(*rate_limit_, classifier_, runtime_));
  if (bulkhead_)
    layers.push_back(std::make_unique<BulkheadInterceptor>(*bulkhead_, runtime_, classifier_));
  if (auth_) layers.push_back(std::make_unique<AuthInterceptor>(auth_, runtime_));
  layers.push_back(
      std::make_unique<AttemptTimeoutInterceptor>(attempt_timeout_, min_attempt_time_, runtime_));
  MoveAll(attempt_interceptors_, layers);
  if (audit_log_ != nullptr && audit_.attempts) {
    layers.push_back(
        std::make_unique<AttemptAuditInterceptor>(*audit_log_, audit_, provider_, runtime_));
  }
  return {};
}

Problems ClientBuilder::FindAllProblems() const {
  Problems problems = early_problems_;
  if (provider_.empty()) problems.push_back("the provider has no name");
  if (total_) RequirePositive(problems, "the total deadline", *total_);
  if (attempt_timeout_) RequirePositive(problems, "the attempt timeout", *attempt_timeout_);
  if (min_attempt_time_ < Duration::zero()) {
    problems.push_back("the minimum attempt time is " + FormatDuration(min_attempt_time_) +
                       "; it must not be negative");
  }
  Append(problems, cache_);
  Append(problems, fallback_);
  Append(problems, hedge_);
  Append(problems, retry_);
  Append(problems, breaker_);
  Append(problems, quota_);
  Append(problems, rate_limit_);
  Append(problems, bulkhead_);
  FindCrossProblems(problems);
  return problems;
}

void ClientBuilder::FindCrossProblems(Problems& problems) const {
  if (total_ && attempt_timeout_ && *attempt_timeout_ > *total_) {
    problems.push_back("the attempt timeout, " + FormatDuration(*attempt_timeout_) +
                       ", exceeds the total deadline, " + FormatDuration(*total_));
  }
  const std::optional<Duration> longest = attempt_timeout_ ? attempt_timeout_ : total_;
  if (longest && *longest > Duration::zero() && min_attempt_time_ > *longest) {
    problems.push_back("the minimum attempt time, " + FormatDuration(min_attempt_time_) +
                       ", exceeds what an attempt ever gets, " + FormatDuration(*longest));
  }
  if (hedge_ && longest && hedge_->after >= *longest) {
    problems.push_back("hedge.after, " + FormatDuration(hedge_->after) +
                       ", is not before an attempt is given up, after " + FormatDuration(*longest));
  }
  if (breaker_ && attempt_timeout_ && breaker_->slow_call > *attempt_timeout_) {
    problems.push_back("slow_call, " + FormatDuration(breaker_->slow_call) +
                       ", is beyond the attempt timeout, " + FormatDuration(*attempt_timeout_) +
                       ": no call is ever slow");
  }
  if (breaker_ && attempt_timeout_ && breaker_->window_kind == BreakerWindow::kTime &&
      breaker_->window < 2 * *attempt_timeout_) {
    problems.push_back("the breaker's window, " + FormatDuration(breaker_->window) +
                       ", is shorter than two attempt timeouts, " +
                       FormatDuration(2 * *attempt_timeout_) +
                       ": slow failures would leave it before they can add up");
  }
  if (breaker_ && attempt_timeout_ && breaker_->half_open_max < *attempt_timeout_) {
    problems.push_back("half_open_max, " + FormatDuration(breaker_->half_open_max) +
                       ", gives up a probe before the attempt timeout, " +
                       FormatDuration(*attempt_timeout_));
  }
  const bool retries = retry_ && retry_->attempts_max > 1 && !retry_->backoff.jitter;
  if (retries && total_ && BackoffCeiling(retry_->backoff, 1) >= *total_) {
    problems.push_back("the first back-off, " + FormatDuration(BackoffCeiling(retry_->backoff, 1)) +
                       ", never fits the total deadline, " + FormatDuration(*total_));
  }
  if (breaker_per_operation_ && !breaker_)
    problems.push_back("BreakerPerOperation needs a Breaker");
}

}  // namespace understudy
