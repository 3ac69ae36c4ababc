#include "middleware/resilience/quota_limiter.h"

#include <algorithm>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

// Two answers speak of the same window if their resets are this close: vendors round to seconds.
constexpr Duration kSameWindow = std::chrono::seconds(2);

// The scope that stands for all of a vendor.
constexpr std::string_view kWhole = {};

void RequireAtLeast(Problems& problems, std::string_view name, Duration value, Duration low) {
  if (value >= low) return;
  problems.push_back("quota." + std::string(name) + " is " + FormatDuration(value) +
                     "; it must be at least " + FormatDuration(low));
}

}  // namespace

Problems FindProblems(const QuotaOptions& options) {
  Problems problems;
  RequireAtLeast(problems, "wait_max", options.wait_max, Duration::zero());
  RequireRange(problems, "quota.keep_back", options.keep_back, 0.0, 0.99);
  RequireRange(problems, "quota.pace_below", options.pace_below, 0.0, 1.0);
  RequireAtLeast(problems, "reset_jitter", options.reset_jitter, Duration::zero());
  RequireAtLeast(problems, "probe_every", options.probe_every, std::chrono::milliseconds(1));
  if (options.waiters_max < 0) {
    problems.push_back("quota.waiters_max is " + std::to_string(options.waiters_max) +
                       "; it must not be negative");
  }
  if (options.scopes_max == 0) problems.push_back("quota.scopes_max is 0; it must be at least 1");
  return problems;
}

QuotaLimiter::QuotaLimiter(std::string name, const QuotaOptions& options, const Runtime& runtime)
    : name_(std::move(name)), options_(options), clock_(runtime.clock), random_(runtime.random) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid quota options");
}

// Takes the mutex, so that a request to stop between the predicate and the wait is not lost.
struct QuotaLimiter::Waker {
  QuotaLimiter* limiter;
  void operator()() const {
    const MutexLock lock(limiter->mutex_);
    limiter->changed_.NotifyAll();
  }
};

// ---- admission ----------------------------------------------------------------------------------

Result<QuotaLimiter::Permit> QuotaLimiter::Acquire(std::string_view scope, int cost,
                                                   Deadline deadline, const std::stop_token& stop) {
  UNDERSTUDY_CHECK(cost >= 1, "a request costs at least 1");
  const TimePoint asked = clock_.Now();
  const TimePoint latest = std::min(deadline.point(), SaturatingAdd(asked, options_.wait_max));
  // Drawn before it is known to be needed: no draw under the lock.
  Duration jitter{0};
  std::optional<std::stop_callback<Waker>> wake;  // Made for who waits: hardly anybody does.
  // Ends: each turn waits until a point of time, all before `latest`.
  for (TimePoint now = asked;; now = clock_.Now()) {
    {
      const MutexLock lock(mutex_);
      if (exhausted_) {
        return Error{ErrorCode::kRateLimited,
                     name_ + " says that its quota is used up for good; change the plan or account",
                     Delivery::kNotSent,
                     Origin::kLocal,
                     {},
                     "quota-exhausted"};
      }
      Scope& state = ScopeOf(scope);
      const std::optional<Wait> wait = WhyWait(state, cost, now);
      if (!wait) {
        Take(state, cost, now);
        return Permit(*this, std::string(scope), cost, ++requests_, now - asked);
      }
      const TimePoint until = SaturatingAdd(wait->until, jitter);
      // Waiting in vain helps nobody; nor does arriving at the very deadline.
      if (until >= latest) return Refuse(*wait, now, scope);
      if (waiters_ >= options_.waiters_max) {
        return Refuse({wait->until, "quota-waiters"}, now, scope);
      }
      if (wake) {
        ++waiters_;
        const std::uint64_t seen = changes_;
        clock_.AwaitUntil(mutex_, changed_, until, [&]() REQUIRES(mutex_) {
          return stop.stop_requested() || changes_ != seen;
        });
        --waiters_;
      }
    }
    if (stop.stop_requested()) {
      return Error{ErrorCode::kCancelled,
                   "stopped while waiting for the quota of " + name_,
                   Delivery::kNotSent,
                   Origin::kLocal,
                   {},
                   {}};
    }
    if (!wake) {
      jitter = random_.Between("quota/reset", Duration::zero(), options_.reset_jitter);
      wake.emplace(stop, Waker{this});
    }
  }
}

std::optional<QuotaLimiter::Wait> QuotaLimiter::WhyWait(Scope& scope, int cost, TimePoint now) {
  std::optional<Wait> longest;
  const auto keep = [&](std::optional<Wait> wait) {
    if (wait && (!longest || wait->until > longest->until)) longest = wait;
  };
  const auto look = [&](Scope& state) REQUIRES(mutex_) {
    if (state.blocked_until && now < *state.blocked_until) {
      keep(Wait{*state.blocked_until, "quota-blocked"});
    }
    for (auto& [name, quota] : state.quotas) keep(WhyWait(quota, state, cost, now));
  };
  look(scope);
  const auto whole = scopes_.find(kWhole);
  if (whole != scopes_.end() && &whole->second != &scope) look(whole->second);
  return longest;
}

std::optional<QuotaLimiter::Wait> QuotaLimiter::WhyWait(Quota& quota, const Scope& scope, int cost,
                                                        TimePoint now) {
  if (quota.reset_at && now >= *quota.reset_at) {
    // A new window: full, as far as anybody knows. Without a limit nothing is known any more.
    quota.reset_at.reset();
    quota.paced_until = now;
    quota.remaining = quota.limit.value_or(std::numeric_limits<std::int64_t>::max() / 4);
  }
  const auto kept_back =
      static_cast<std::int64_t>(options_.keep_back * static_cast<double>(quota.limit.value_or(0)));
  const std::int64_t free = quota.remaining - scope.in_flight - kept_back;
  if (free < cost) {
    if (quota.reset_at) return Wait{*quota.reset_at, "quota"};
    // What is in flight may be the probe; its end wakes those who wait.
    if (scope.in_flight > 0) return Wait{now + options_.probe_every, "quota"};
    if (!quota.probed_at || now - *quota.probed_at >= options_.probe_every) return std::nullopt;
    return Wait{*quota.probed_at + options_.probe_every, "quota"};
  }
  if (quota.paced_until > now) return Wait{quota.paced_until, "quota-pace"};
  return std::nullopt;
}

void QuotaLimiter::Take(Scope& scope, int cost, TimePoint now) {
  for (auto& [name, quota] : scope.quotas) {
    const std::int64_t free = quota.remaining - scope.in_flight;
    if (free < cost && !quota.reset_at) quota.probed_at = now;
    if (options_.pace_below <= 0.0 || !quota.reset_at || !quota.limit || *quota.limit <= 0)
      continue;
    const double share = static_cast<double>(free) / static_cast<double>(*quota.limit);
    if (share > options_.pace_below || free <= 0) continue;
    quota.paced_until = std::max(quota.paced_until, now) + (*quota.reset_at - now) / free * cost;
  }
  scope.in_flight += cost;
}

Error QuotaLimiter::Refuse(const Wait& wait, TimePoint now, std::string_view scope) const {
  const Duration left = wait.until - now;
  std::string what = name_;
  if (!scope.empty()) what.append(" ").append(scope);
  return Error{ErrorCode::kRateLimited,
               "the quota of " + what + " allows the next request in " + FormatDuration(left) +
                   ", later than this call can wait",
               Delivery::kNotSent,
               Origin::kLocal,
               left,
               std::string(wait.reason)};
}

// ---- learning -----------------------------------------------------------------------------------

void QuotaLimiter::Permit::End(const RateLimitHint* hint, bool spent) {
  if (limiter_ == nullptr) return;
  std::exchange(limiter_, nullptr)->EndPermit(*this, hint, spent);
}

void QuotaLimiter::EndPermit(const Permit& permit, const RateLimitHint* hint, bool spent) {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  Scope& scope = ScopeOf(permit.scope_);
  scope.in_flight = std::max<std::int64_t>(0, scope.in_flight - permit.cost_);
  for (auto& entry : scope.quotas) {
    Quota& quota = entry.second;
    const bool told = hint != nullptr && std::any_of(hint->quotas.begin(), hint->quotas.end(),
                                                     [&](const QuotaReport& report) {
                                                       return report.name == entry.first;
                                                     });
    if (spent && !told) quota.remaining = std::max<std::int64_t>(0, quota.remaining - permit.cost_);
  }
  if (hint != nullptr) Merge(scope, permit, *hint, now);
  ++changes_;
  if (waiters_ > 0) changed_.NotifyAll();
}

void QuotaLimiter::Merge(Scope& scope, const Permit& permit, const RateLimitHint& hint,
                         TimePoint now) {
  constexpr std::size_t kQuotasMax = 16;
  if (hint.permanent) exhausted_ = true;
  if (hint.retry_after) {
    const TimePoint until = SaturatingAdd(now, *hint.retry_after);
    scope.blocked_until = std::max(scope.blocked_until.value_or(until), until);
    if (hint.global) Block(kWhole, until);
  }
  for (const QuotaReport& report : hint.quotas) {
    if (!report.remaining) continue;
    auto quota = scope.quotas.find(report.name);
    if (quota == scope.quotas.end()) {
      if (scope.quotas.size() >= kQuotasMax) continue;
      quota = scope.quotas.emplace(report.name, Quota{}).first;
      quota->second.remaining = std::numeric_limits<std::int64_t>::max() / 4;
    }
    MergeQuota(quota->second, report, permit.number_, now);
  }
}

void QuotaLimiter::MergeQuota(Quota& quota, const QuotaReport& report, std::uint64_t number,
                              TimePoint now) {
  const std::optional<TimePoint> reset =
      report.reset_after ? std::optional(SaturatingAdd(now, *report.reset_after)) : std::nullopt;
  if (reset && quota.reset_at && *reset + kSameWindow < *quota.reset_at) return;  // An old window.
  const bool same_window = reset && quota.reset_at && *reset <= *quota.reset_at + kSameWindow;
  // Where nothing tells windows apart, the later request knows better.
  const bool stale = !reset && number < quota.learned_from;
  if (same_window || stale) {
    quota.remaining = std::min(quota.remaining, *report.remaining);
  } else {
    quota.remaining = *report.remaining;
    if (reset) quota.reset_at = reset;
    quota.paced_until = std::min(quota.paced_until, now);
  }
  quota.learned_from = std::max(quota.learned_from, number);
  // Okta says "limit 0" for a limit on concurrency; it is no size of a window.
  if (report.limit && *report.limit > 0) quota.limit = report.limit;
  if (quota.remaining > 0) quota.probed_at.reset();
  if (quota.remaining == 0 && !quota.reset_at) quota.probed_at = now;
}

void QuotaLimiter::Block(std::string_view name, TimePoint until) {
  Scope& scope = ScopeOf(name);
  scope.blocked_until = std::max(scope.blocked_until.value_or(until), until);
}

QuotaLimiter::Scope& QuotaLimiter::ScopeOf(std::string_view name) {
  if (const auto found = scopes_.find(name); found != scopes_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second;
  }
  if (scopes_.size() >= options_.scopes_max) {
    // One with requests in flight stays if another can go.
    auto victim =
        std::find_if(uses_.rbegin(), uses_.rend(), [&](const std::string& use) REQUIRES(mutex_) {
          return scopes_.find(use)->second.in_flight == 0;
        });
    const std::string forgotten = victim == uses_.rend() ? uses_.back() : *victim;
    uses_.erase(scopes_.find(forgotten)->second.use);
    scopes_.erase(forgotten);
  }
  uses_.emplace_front(name);
  Scope& scope = scopes_[std::string(name)];
  scope.use = uses_.begin();
  return scope;
}

std::vector<QuotaSnapshot> QuotaLimiter::Snapshot() const {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  std::vector<QuotaSnapshot> snapshots;
  for (const auto& [name, scope] : scopes_) {
    std::optional<Duration> blocked;
    if (scope.blocked_until && *scope.blocked_until > now) blocked = *scope.blocked_until - now;
    if (scope.quotas.empty() && blocked)
      snapshots.push_back({.scope = name, .blocked_for = blocked});
    for (const auto& [quota_name, quota] : scope.quotas) {
      QuotaSnapshot snapshot{.scope = name, .name = quota_name, .limit = quota.limit};
      snapshot.remaining = std::max<std::int64_t>(0, quota.remaining - scope.in_flight);
      if (quota.reset_at) {
        snapshot.reset_after = std::max(Duration::zero(), *quota.reset_at - now);
      }
      snapshot.blocked_for = blocked;
      snapshots.push_back(std::move(snapshot));
    }
  }
  return snapshots;
}

Result<std::shared_ptr<QuotaLimiter>> QuotaRegistry::Get(const std::string& provider,
                                                         const std::string& credential,
                                                         const QuotaOptions& options) {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("quota of " + provider, FindProblems(options)));
  const MutexLock lock(mutex_);
  const std::pair key(provider, credential);
  if (const auto found = limiters_.find(key); found != limiters_.end()) {
    if (found->second->options() == options) return found->second;
    return InvalidArgument("the quota of " + provider +
                           " exists with other options; use the same options everywhere");
  }
  if (limiters_.size() >= capacity_) {
    std::erase_if(limiters_, [](const auto& entry) { return entry.second.use_count() == 1; });
  }
  if (limiters_.size() >= capacity_) {
    return Error{ErrorCode::kOverloaded,
                 "the registry holds " + std::to_string(limiters_.size()) +
                     " quotas, all in use; enlarge its capacity",
                 Delivery::kNotSent,
                 Origin::kLocal,
                 {},
                 "quota-registry-full"};
  }
  auto limiter = std::make_shared<QuotaLimiter>(provider, options, runtime_);
  limiters_.emplace(key, limiter);
  return limiter;
}

}  // namespace understudy
