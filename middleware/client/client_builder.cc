#include "middleware/client/client_builder.h"

#include <iterator>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/client/attempt_timeout_interceptor.h"
#include "middleware/client/auth_interceptor.h"
#include "middleware/client/breaker_interceptor.h"
#include "middleware/client/bulkhead_interceptor.h"
#include "middleware/client/deadline_interceptor.h"
#include "middleware/client/idempotency_interceptor.h"
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
  classifier_ = classifier;
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

Result<std::unique_ptr<Client>> ClientBuilder::Build() {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("client " + provider_, FindAllProblems()));
  std::vector<std::unique_ptr<Interceptor>> layers;
  AddCallLayers(layers);
  AddAttemptLayers(layers);
  // Not make_unique: the constructor is private.
  return std::unique_ptr<Client>(
      new Client(provider_, base_url_, std::move(layers), transport_, runtime_));
}

void ClientBuilder::AddCallLayers(std::vector<std::unique_ptr<Interceptor>>& layers) {
  MoveAll(call_interceptors_, layers);
  if (fallback_) layers.push_back(std::make_unique<FallbackInterceptor>(*fallback_, runtime_));
  // Always there: a call can bring a timeout or a key of its own.
  layers.push_back(std::make_unique<DeadlineInterceptor>(total_, min_attempt_time_, runtime_));
  const RetryOptions keys = retry_.value_or(RetryOptions{});
  layers.push_back(std::make_unique<IdempotencyInterceptor>(
      keys.idempotency_header, keys.generate_idempotency_keys, runtime_));
  if (retry_) {
    layers.push_back(
        std::make_unique<RetryInterceptor>(*retry_, classifier_, min_attempt_time_, runtime_));
  }
}

void ClientBuilder::AddAttemptLayers(std::vector<std::unique_ptr<Interceptor>>& layers) {
  if (breaker_) {
    if (!registry_) registry_ = std::make_shared<BreakerRegistry>(runtime_);
    layers.push_back(std::make_unique<BreakerInterceptor>(
        BreakerScope{provider_, !base_url_.has_value(), breaker_per_operation_}, *breaker_,
        registry_, classifier_, runtime_));
  }
  if (rate_limit_)
    layers.push_back(std::make_unique<RateLimitInterceptor>(*rate_limit_, classifier_, runtime_));
  if (bulkhead_) layers.push_back(std::make_unique<BulkheadInterceptor>(*bulkhead_, runtime_));
  if (auth_) layers.push_back(std::make_unique<AuthInterceptor>(auth_, runtime_));
  layers.push_back(
      std::make_unique<AttemptTimeoutInterceptor>(attempt_timeout_, min_attempt_time_, runtime_));
  MoveAll(attempt_interceptors_, layers);
}

Problems ClientBuilder::FindAllProblems() const {
  Problems problems = early_problems_;
  if (provider_.empty()) problems.push_back("the provider has no name");
  if (total_ && *total_ <= Duration::zero()) {
    problems.push_back("the total deadline is " + FormatDuration(*total_) +
                       "; it must be positive");
  }
  if (attempt_timeout_ && *attempt_timeout_ <= Duration::zero()) {
    problems.push_back("the attempt timeout is " + FormatDuration(*attempt_timeout_) +
                       "; it must be positive");
  }
  if (min_attempt_time_ < Duration::zero()) {
    problems.push_back("the minimum attempt time is " + FormatDuration(min_attempt_time_) +
                       "; it must not be negative");
  }
  Append(problems, fallback_);
  Append(problems, retry_);
  Append(problems, breaker_);
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
