// QuotaLimiter: keeps to the quota that a vendor itself reports, so that a client stops before it
// is told to, and waits exactly as long as it was asked to.
//
//   QuotaLimiter quota("github", {}, runtime);
//   Result<QuotaLimiter::Permit> permit = quota.Acquire("core", 1, deadline, stop);
//   if (!permit) return permit.error();  // kRateLimited: it would have to wait too long
//   Result<http::Response> answer = Send();
//   if (answer) permit->Learn(ParseRateLimitHint(*answer, now, dialect));
//   else if (NothingWasSent(answer)) permit->Refund();
//
// What it knows of a scope it learned from answers, whichever client of the provider got them:
//   - blocked until: from Retry-After and its relatives. Hard: nobody goes before it. A few
//     milliseconds to reset_jitter later, so that the waiters do not all go at once.
//   - quotas by name ("requests", "tokens", "core"): limit, remaining and reset. Every request in
//     flight is taken off what remains, so that many callers cannot all use the last permit.
//     Answers may arrive out of order: within one window the smallest remainder counts, an older
//     window is ignored.
//   - Used up: wait for the reset; without a known reset let one probe through every probe_every.
//     After a reset the quota counts as full until an answer says otherwise: it never stays shut
//     for want of an answer that only a request could bring.
// Nothing is known of a scope before its first answer, and then everything is admitted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/resilience/rate_limit_hint.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct QuotaOptions {
  // Nobody waits longer than this (nor beyond the caller's deadline): refused instead.
  Duration wait_max = std::chrono::minutes(1);
  // This share of each limit is left to others who use the same account.
  double keep_back = 0.0;
  // Spread what remains evenly over the time to the reset as soon as the remaining share is below
  // this; 0: never, 1: always.
  double pace_below = 0.0;
  // Waits until a reset or a Retry-After get a random share of this on top: never earlier.
  Duration reset_jitter = std::chrono::milliseconds(500);
  // Used up without a known reset: one request in this time finds out.
  Duration probe_every = std::chrono::seconds(5);
  int waiters_max = 1000;        // Callers that wait at the same time, over all scopes.
  std::size_t scopes_max = 256;  // The least recently used scope is forgotten.

  bool operator==(const QuotaOptions&) const = default;
};

Problems FindProblems(const QuotaOptions& options);

// What is known of one quota, for people and metrics.
struct QuotaSnapshot {
  std::string scope = {};
  std::string name = {};
  std::optional<std::int64_t> limit = {};
  std::int64_t remaining = 0;  // After what is in flight.
  std::optional<Duration> reset_after = {};
  std::optional<Duration> blocked_for = {};
};

// Thread-safe. Must outlive its permits; the parts of `runtime` must outlive it.
class QuotaLimiter {
 public:
  // The right to send one request. Move-only. One that just ends was spent: the vendor counted it,
  // though its answer was lost.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : limiter_(std::exchange(other.limiter_, nullptr)),
          scope_(std::move(other.scope_)),
          cost_(other.cost_),
          number_(other.number_),
          waited_(other.waited_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() { End(nullptr, /*spent=*/true); }

    // What the answer said. At most one of Learn and Refund.
    void Learn(const RateLimitHint& hint) { End(&hint, /*spent=*/true); }
    // Nothing reached the vendor.
    void Refund() { End(nullptr, /*spent=*/false); }
    Duration waited() const { return waited_; }

   private:
    friend class QuotaLimiter;
    Permit(QuotaLimiter& limiter, std::string scope, int cost, std::uint64_t number,
           Duration waited)
        : limiter_(&limiter),
          scope_(std::move(scope)),
          cost_(cost),
          number_(number),
          waited_(waited) {}
    void End(const RateLimitHint* hint, bool spent);

    QuotaLimiter* limiter_;
    std::string scope_;
    int cost_;
    std::uint64_t number_;
    Duration waited_;
  };

  // `options` without problems; aborts otherwise. `name` labels messages.
  QuotaLimiter(std::string name, const QuotaOptions& options, const Runtime& runtime);
  QuotaLimiter(const QuotaLimiter&) = delete;
  QuotaLimiter& operator=(const QuotaLimiter&) = delete;

  // Blocks through the clock until the scope's quotas allow `cost` (at least 1). Errors, all
  // not-sent and local: kRateLimited at once, with retry_after, if that takes longer than the
  // deadline or wait_max ("quota", "quota-blocked"), or if too many wait ("quota-waiters"), or for
  // good ("quota-exhausted": the vendor said that repeating does not help); kCancelled.
  Result<Permit> Acquire(std::string_view scope, int cost, Deadline deadline,
                         const std::stop_token& stop = {}) EXCLUDES(mutex_);

  std::vector<QuotaSnapshot> Snapshot() const EXCLUDES(mutex_);

  const std::string& name() const { return name_; }
  const QuotaOptions& options() const { return options_; }

 private:
  struct Waker;
  struct Quota {
    std::optional<std::int64_t> limit;
    std::int64_t remaining = 0;  // As the vendor said, less what was spent without an answer.
    std::optional<TimePoint> reset_at;
    std::uint64_t learned_from = 0;  // The number of the request that told it.
    TimePoint paced_until;
    std::optional<TimePoint> probed_at;
  };
  struct Scope {
    std::map<std::string, Quota, std::less<>> quotas;
    std::optional<TimePoint> blocked_until;
    std::int64_t in_flight = 0;
    std::list<std::string>::iterator use;
  };
  // When a caller may go on, and why not now.
  struct Wait {
    TimePoint until;
    std::string_view reason;
  };

  std::optional<Wait> WhyWait(Scope& scope, int cost, TimePoint now) REQUIRES(mutex_);
  std::optional<Wait> WhyWait(Quota& quota, const Scope& scope, int cost, TimePoint now)
      REQUIRES(mutex_);
  void Take(Scope& scope, int cost, TimePoint now) REQUIRES(mutex_);
  Error Refuse(const Wait& wait, TimePoint now, std::string_view scope) const;
  Scope& ScopeOf(std::string_view name) REQUIRES(mutex_);
  void EndPermit(const Permit& permit, const RateLimitHint* hint, bool spent) EXCLUDES(mutex_);
  void Merge(Scope& scope, const Permit& permit, const RateLimitHint& hint, TimePoint now)
      REQUIRES(mutex_);
  void MergeQuota(Quota& quota, const QuotaReport& report, std::uint64_t number, TimePoint now)
      REQUIRES(mutex_);
  void Block(std::string_view scope, TimePoint until) REQUIRES(mutex_);

  const std::string name_;
  const QuotaOptions options_;
  Clock& clock_;
  Random& random_;
  mutable Mutex mutex_;
  CondVar changed_{"a change of a vendor's quota"};
  std::map<std::string, Scope, std::less<>> scopes_ GUARDED_BY(mutex_);
  std::list<std::string> uses_ GUARDED_BY(mutex_);  // Names, most recently used first.
  bool exhausted_ GUARDED_BY(mutex_) = false;
  std::uint64_t requests_ GUARDED_BY(mutex_) = 0;
  int waiters_ GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;  // Permits that ended.
};

// One QuotaLimiter per provider and account, shared by all clients that are given the registry:
// what one client learns from the vendor, all know. Thread-safe; nothing blocks. At most `capacity`
// limiters; those that nobody holds are forgotten first.
class QuotaRegistry {
 public:
  explicit QuotaRegistry(const Runtime& runtime, std::size_t capacity = 1024)
      : runtime_(runtime), capacity_(capacity) {}

  // kInvalidArgument if `options` have problems or differ from those of the existing one;
  // kOverloaded if the registry is full of limiters in use.
  Result<std::shared_ptr<QuotaLimiter>> Get(const std::string& provider,
                                            const std::string& credential,
                                            const QuotaOptions& options) EXCLUDES(mutex_);

 private:
  const Runtime runtime_;
  const std::size_t capacity_;
  Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<QuotaLimiter>> limiters_
      GUARDED_BY(mutex_);
};

}  // namespace understudy
