// ModelCache: keeps what the application has made of a vendor's answers, not the answers.
//
// The adapter is the ideal place to cache (specification, integration points): what is kept is
// parsed and checked once, is small, and has nothing of the vendor's format in it.
//
//   ModelCache<Invoice> invoices({.name = "invoices"}, runtime);
//
//   const auto load = [&client, &runtime, id](Deadline deadline, const std::stop_token& stop)
//       -> Result<Loaded<Invoice>> {
//     CallOptions options{.operation = "invoices.get", .stop = stop};
//     if (deadline.reachable()) options.timeout = deadline.Remaining(runtime.clock.Now());
//     UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response response,
//                                 client.Call(InvoiceRequest(id), options));
//     UNDERSTUDY_ASSIGN_OR_RETURN(Invoice invoice, ParseInvoice(response));
//     // As long as the response itself could be used, or five minutes if the vendor does not say.
//     return WithFreshnessOf(std::move(invoice), response, runtime.clock.SystemNow(),
//                            {.default_ttl = 5min, .stale_if_error = 1h});
//   };
//   Result<std::shared_ptr<const Invoice>> invoice = invoices.Get(id, load, deadline, stop);
//
// The key must say everything that the model depends on, also whose it is: account, currency, ....
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <utility>

#include "middleware/client/model_cache_base.h"
#include "middleware/http/response.h"
#include "middleware/resilience/cache_policy.h"

namespace understudy {

// What a loader returns: a model, and how long it may be used from now. Without a fresh time it is
// only for those who wait for it.
template <typename T>
struct Loaded {
  T model;
  Duration fresh_for{0};
  Duration stale_while_revalidate{0};  // Then stale, at once, while it is refreshed.
  Duration stale_if_error{0};          // Then stale, if loading fails for want of availability.
};

// A model that may be used as long as the response that it was made of; see FreshnessOf in
// resilience/cache_policy.h.
template <typename T>
Loaded<T> WithFreshnessOf(T model, const http::Response& response, SystemTime now,
                          const CacheRules& rules = {}) {
  const ModelFreshness freshness = FreshnessOf(response, now, rules);
  return {std::move(model), freshness.fresh_for, freshness.stale_while_revalidate,
          freshness.stale_if_error};
}

// Thread-safe; the models are immutable and shared. Concurrent callers of a key share one load:
// that of the first, with the first's deadline and stop. If it fails because of those, one of the
// others loads; any other error all get. Errors are not kept, but kNotFound for `negative_for`.
//
// The destructor stops the refreshes and waits for them; no call may be running then.
//
// Publishes "cache": operation (the name), background (a refresh), result: "hit", "stale",
// "stale-if-error", "miss", "shared"; for a refresh "revalidated" or "failed".
template <typename T>
class ModelCache final : public ModelCacheBase {
 public:
  // Blocks until `deadline` or `stop` at most. It may run again on another thread, after Get has
  // returned, for a refresh: what it captures must live as long as the cache. Must not throw.
  using Loader = std::function<Result<Loaded<T>>(Deadline deadline, const std::stop_token& stop)>;

  // `options` without problems; aborts otherwise. The parts of `runtime` must outlive it.
  explicit ModelCache(ModelCacheOptions options, const Runtime& runtime)
      : ModelCacheBase(std::move(options), runtime) {}

  // Blocks for the loader, or for an equal load that is under way: then at most until `deadline` or
  // `stop`. Errors: the loader's; kDeadlineExceeded (reason "cache") and kCancelled while waiting.
  Result<std::shared_ptr<const T>> Get(std::string_view key, const Loader& loader,
                                       Deadline deadline = {}, const std::stop_token& stop = {}) {
    const auto erased = [](const Loader& load, Deadline until,
                           const std::stop_token& stopped) -> Result<LoadedModel> {
      UNDERSTUDY_ASSIGN_OR_RETURN(Loaded<T> loaded, load(until, stopped));
      return LoadedModel{std::make_shared<const T>(std::move(loaded.model)),
                         {loaded.fresh_for, loaded.stale_while_revalidate, loaded.stale_if_error}};
    };
    const auto load = [&](Deadline until, const std::stop_token& stopped) {
      return erased(loader, until, stopped);
    };
    const auto own = [&]() -> OwnedLoad {
      return [loader, erased](Deadline until, const std::stop_token& stopped) {
        return erased(loader, until, stopped);
      };
    };
    UNDERSTUDY_ASSIGN_OR_RETURN(Model model, GetModel(key, load, own, deadline, stop));
    return std::static_pointer_cast<const T>(std::move(model));
  }
};

}  // namespace understudy
