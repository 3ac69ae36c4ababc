// RateLimiter: all limits of a fake vendor together: who is let pass, how a refusal looks, and what
// every answer says of the limits.
//
//   auto limiter = RateLimiter::Create(spec, route_ids);
//   if (!limiter) return limiter.error();
//   RateVerdict verdict = (*limiter)->Admit({request, "orders"}, clock.Now(), clock.SystemNow());
//   if (verdict.refusal != nullptr) return *verdict.refusal;    // status, headers, body
//   http::Response answer = ...;
//   (*limiter)->Annotate(verdict, answer);                      // X-RateLimit-Remaining and so on
//   ...
//   (*limiter)->Release(verdict.permits);                       // once the exchange is over
//
// A request must pass every limit whose scope it is in; either all of them count it, or, if one
// refuses, none does. The first in the vendor's list that refuses decides the answer. A limit with
// a dialect is named in every answer it had a say in, the refusals of other limits too; of limits
// that write the same header, the one that refused or has the smallest part left wins, unless the
// dialect joins them. A header that the route's own response has, is left as it is.
//
// Memory: of each limit at most LimitScope::callers counts, each some hundred bytes, and for a
// sliding window 16 bytes for each request in it, together at most kSlidingEntriesMax.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "harness/vendor/dialect_pack.h"
#include "harness/vendor/rate_window.h"
#include "harness/vendor/response_sequence.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// A request as the limits see it. Borrowed.
struct LimitedRequest {
  const http::Request& request;
  std::string_view route = {};           // One of the route ids.
  std::string_view client_address = {};  // Without the port; empty if the host does not know it.
};

// A permit for one exchange of a limit of the kind kConcurrency.
struct LimitPermit {
  std::size_t limit = 0;
  std::string key = {};
  std::int64_t points = 0;
};

// What the limits say to one request. A value type; its readings borrow from the limiter.
struct RateVerdict {
  std::string limit = {};                   // The id of the limit that refused; empty: admitted.
  std::int64_t remaining = 0;               // Points of that limit that are left.
  ResponseSequence::Entry refusal = {};     // nullptr: admitted. Complete, with all headers.
  std::vector<LimitReading> readings = {};  // Of the limits with a dialect, in their order.
  std::vector<LimitPermit> permits = {};    // To give back with Release.
};

// Thread-safe; blocks nobody.
class RateLimiter {
 public:
  // All sliding windows of one limit together.
  static constexpr std::int64_t kSlidingEntriesMax = 4'000'000;
  // Longer names of callers are cut and told apart by a hash.
  static constexpr std::size_t kCallerNameMax = 128;

  // kInvalidArgument, naming the limit, for what RateWindow, DialectBook and Prepare refuse; an
  // unknown dialect or route, with a suggestion; a scope that needs a name and has none, or has a
  // number of callers outside 1..kCallersMax; a cost below 0 or above kCostMax; and, with a
  // dialect, ids that cannot stand in a header.
  static Result<std::unique_ptr<RateLimiter>> Create(const VendorSpec& spec);
  static constexpr std::int64_t kCostMax = 1'000'000'000;

  RateVerdict Admit(const LimitedRequest& request, TimePoint now, SystemTime wall);
  // Adds to an answer what the dialects say of an admitted request.
  void Annotate(const RateVerdict& verdict, http::Response& response) const;
  // Gives permits back, once each.
  void Release(const std::vector<LimitPermit>& permits);

  // The same limits, of which nothing is used yet.
  std::shared_ptr<RateLimiter> Fresh() const;
  // Takes over the counts of limits that have not changed. Permits stay with `previous`.
  void Adopt(const RateLimiter& previous);

  bool empty() const { return limits_->empty(); }
  // Counts that are remembered, of all limits.
  std::size_t counts() const;

 private:
  struct Count {
    std::string key;
    RateWindow window;
  };
  // The counts of one limit, the one used last in front.
  struct Counts {
    std::list<Count> used = {};
    std::unordered_map<std::string_view, std::list<Count>::iterator> by_key = {};
  };
  struct Limit {
    LimitSpec spec;
    RateWindow fresh;  // What every count begins as.
    std::optional<DialectForm> dialect;
    ResponseSequence::Entry on_exceed;  // nullptr: as the dialect says, or 429 with Retry-After.
  };
  // A limit that a request is in the scope of.
  struct Asked {
    std::size_t limit = 0;
    std::string key = {};
    std::int64_t points = 0;
    RateWindow* window = nullptr;
    RateDecision decision = {};
  };

  RateLimiter(std::vector<Limit> limits, std::vector<std::string> routes);
  RateLimiter(std::shared_ptr<const std::vector<Limit>> limits,
              std::shared_ptr<const std::vector<std::string>> routes);
  // The index of a limit that counts the same; nullopt without one.
  std::optional<std::size_t> Like(const LimitSpec& spec) const;
  static Result<Limit> MakeLimit(const LimitSpec& spec, const DialectBook& book,
                                 const std::vector<std::string>& routes);

  std::vector<Asked> Ask(const LimitedRequest& request, TimePoint now, SystemTime wall)
      REQUIRES(mutex_);
  RateWindow& CountOf(std::size_t limit, const std::string& key) REQUIRES(mutex_);
  std::string_view RouteId(std::string_view route) const;
  LimitReading Read(const Asked& asked, std::string_view route, SystemTime wall,
                    bool exceeded) const;
  ResponseSequence::Entry Refuse(const Asked& asked, const RateVerdict& verdict,
                                 std::string_view route, SystemTime wall) const;

  const std::shared_ptr<const std::vector<Limit>> limits_;
  const std::shared_ptr<const std::vector<std::string>> routes_;

  mutable Mutex mutex_;
  std::vector<Counts> counts_ GUARDED_BY(mutex_);  // Of limits_, by index.
};

}  // namespace understudy::harness
