// CacheInterceptor: answers from memory what the vendor has answered before, as RFC 9111 allows it.
//
//   CacheOptions options;
//   options.default_ttl = 30s;              // for a vendor that says nothing about caching
//   options.stale_while_revalidate = 1min;  // then answer at once, and refresh meanwhile
//   options.stale_if_error = 1h;            // better an old answer than none
//   layers.push_back(std::make_unique<CacheInterceptor>(options, total, runtime));
//
// The outermost layer but for the user's own: a hit needs no breaker, limiter or credentials, and a
// stale answer replaces every failure of the layers below (reference resilience 4.2). What is
// stored and served decides resilience/cache_policy.h; this class brings calls, store and time
// together:
//
//   - Single flight. Concurrent equal requests (same method, URL and fields) share one inner call.
//     Each waiter is bounded by its own timeout and stop. It gets the leader's answer or error, but
//     not one that only the leader is to blame for (its stop, its deadline): then one of the
//     waiters makes the call. Answers that must not be shared (no-store, no-cache) go to the leader
//     alone, and for a while equal requests do not wait for each other.
//   - stale-while-revalidate. The stale answer is given at once and refreshed by a task of the
//     Executor: one per answer, `revalidations_max` in all, each with its own deadline, with a
//     pause after a failure. The refresh passes the inner layers like any call, so breaker, limits
//     and retry budget apply.
//   - stale-if-error. 500, 502, 503, 504, and errors for want of availability.
//   - A successful unsafe request (POST, PUT, DELETE, ...) removes what it may have changed, and
//     reads that were under way meanwhile are not stored (RFC 9111 4.4). So does one that nobody
//     knows the outcome of.
//
// Served answers carry Age, and every answer to GET and HEAD says in Cache-Status (RFC 9211) what
// happened: "understudy; hit; ttl=20", "understudy; fwd=uri-miss; stored",
// "understudy; fwd=stale; fwd-status=304; ...", "...; collapsed".
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/client/background_tasks.h"
#include "middleware/client/expiring_keys.h"
#include "middleware/client/flight_group.h"
#include "middleware/client/interceptor.h"
#include "middleware/resilience/cache_policy.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/response_store.h"

namespace understudy {

struct CacheOptions {
  // Of the store that the cache makes for itself; no matter if `store` is set.
  std::size_t entries_max = 1024;
  std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
  // What is cached: "GET", "HEAD" or both. HEAD is answered from what GET has stored.
  std::vector<std::string> methods = {"GET", "HEAD"};
  // See CacheRules: each counts where the vendor is silent.
  std::optional<Duration> default_ttl = {};
  Duration stale_while_revalidate{0};
  Duration stale_if_error{0};
  // Refreshes in the background at the same time, and the time that each gets.
  std::size_t revalidations_max = 4;
  Duration revalidation_timeout = std::chrono::seconds(30);
  // An answer whose refresh has failed is not refreshed again before this, or the vendor's
  // Retry-After, is over.
  Duration revalidation_pause = std::chrono::seconds(1);
  // To share a store between clients. `partition` then names the set of credentials: answers to one
  // client are never given to a client with another. It must not hold a secret.
  std::shared_ptr<ResponseStore> store = {};
  std::string partition = {};
};

Problems FindProblems(const CacheOptions& options);

// Thread-safe. A call blocks only for the inner layers, or for an equal call that is under way. The
// destructor stops the refreshes and waits for them; the inner layers must still exist then.
//
// Publishes "cache", once per GET or HEAD that it handles and per refresh: operation, background
// (a refresh), result:
//
//   hit             fresh, no call              shared          the answer of an equal call
//   stale           stale, no call              stale-if-error  stale, instead of a failure
//   revalidated     the vendor said 304, or a refresh has got a new answer
//   miss            the inner layers' answer or error
//   failed          a refresh failed
//   only-if-cached  nothing to serve, and the request forbids to ask the vendor: 504
//
// Adds kDeadlineExceeded (reason "cache") and kCancelled of a waiter to the errors of the inner
// layers.
class CacheInterceptor final : public Interceptor {
 public:
  // `options` without problems; aborts otherwise. `total` is the total deadline of the client's
  // calls: it bounds the wait for an equal call and what comes after it.
  CacheInterceptor(CacheOptions options, std::optional<Duration> total, const Runtime& runtime);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  // A store of the application's may take its time.
  bool MayWait() const override { return options_.store != nullptr; }
  std::string Describe() const override;

  // Removes what is stored for `url`, for all identities, e.g. after a webhook has told of a
  // change.
  void Invalidate(const http::Url& url);

 private:
  struct Call;
  struct Found;
  struct Landed;
  struct Exchange;

  Call MakeCall(const http::Request& request, CallContext& context) const;
  static std::string FlightKeyOf(const Call& call);
  std::string ResourceOf(const http::Url& url) const;
  Moment Now() const;
  Found Lookup(const Call& call);

  Result<http::Response> Forward(http::Request& request, CallContext& context, Next next);
  Result<http::Response> PassBy(http::Request& request, CallContext& context, Next next,
                                std::string_view reason);
  Result<http::Response> Serve(Call& call, CallContext& context, Next next);
  Result<http::Response> ServeStored(const Call& call, const Found& found,
                                     const CacheVerdict& verdict, CallContext& context);
  Result<http::Response> OnlyIfCached(const Call& call, CallContext& context);
  Result<http::Response> Finish(const Call& call, const Found& found, Landed landed, bool shared,
                                CallContext& context);
  std::optional<http::Response> StaleInstead(const Call& call, const Landed& landed,
                                             CallContext& context);

  Landed Lead(const Call& call, const Found& found, FlightGroup::Entry& entry, CallContext& context,
              Next next);
  Landed Fetch(const Call& call, const Found& found, FlightGroup::Entry& entry,
               CallContext& context, Next next);
  Exchange Send(http::Request request, TimePoint sent, CallContext& context, Next next);
  Landed Refresh(const Call& call, const Found& found, const Exchange& exchange,
                 FlightGroup::Entry& entry);
  Landed Absorb(const Call& call, const Found& found, Exchange exchange, FlightGroup::Entry& entry,
                const CallContext& context);
  void AbsorbHead(const Call& call, const Found& found, const Exchange& exchange,
                  FlightGroup::Entry& entry);
  bool StoreOrErase(const Call& call, const StoredResponse& old, StoredResponsePtr fresh,
                    FlightGroup::Entry& entry);
  bool Store(const Call& call, StoredResponsePtr response, FlightGroup::Entry& entry);
  void EraseStored(const Call& call, const StoredResponse& stored);
  bool IsForWaiter(const Call& call, const Landed& landed) const;

  TaskStart StartRevalidation(const Call& call, const StoredResponse& stored, Next next);
  Duration Revalidate(const http::Request& request, const std::string& operation, Next next,
                      const std::stop_token& stop);

  bool GoesAlone(const Call& call) EXCLUDES(mutex_);
  void RememberSharing(const Call& call, bool may_share, TimePoint now) EXCLUDES(mutex_);
  void LogStoreError(const Error& error);
  void Publish(std::string_view operation, std::string_view result, bool background = false);

  const CacheOptions options_;
  const CacheRules rules_;
  const std::optional<Duration> total_;
  const Runtime runtime_;
  const std::shared_ptr<ResponseStore> store_;
  Mutex mutex_;
  ExpiringKeys alone_
      GUARDED_BY(mutex_);  // Requests whose answers cannot be shared, by flight key.
  FlightGroup flights_;
  BackgroundTasks refreshes_;  // Last: its tasks use the others.
};

}  // namespace understudy
