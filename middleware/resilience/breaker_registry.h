// BreakerRegistry: one circuit breaker per vendor, authority and class of operations, shared by all
// clients that are given the same registry.
//
//   BreakerRegistry breakers(runtime);
//   auto breaker = breakers.Get({"stripe", "https://api.stripe.com", ""}, options);   //
//   Result<shared_ptr<...>> for (const auto& entry : breakers.Snapshot()) ...
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/resilience/circuit_breaker.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// What fails together. One hostile host, or one operation that is down, must not open the breaker
// of the others.
struct BreakerKey {
  std::string provider = {};
  std::string authority = {};        // http::Url::origin(); may be empty
  std::string operation_class = {};  // may be empty
  std::string credential = {};       // whose account it is, never the secret itself; may be empty

  auto operator<=>(const BreakerKey&) const = default;
  std::string ToString() const;  // "stripe https://api.stripe.com charges"
};

// Thread-safe; nothing blocks. An injected object, not a global: whoever builds it decides who
// shares it. It must outlive nobody: breakers live as long as somebody holds them. The parts of
// `runtime` must outlive the breakers.
class BreakerRegistry {
 public:
  struct Entry {
    BreakerKey key = {};
    std::string name = {};
    CircuitBreakerSnapshot snapshot = {};
  };

  static constexpr std::size_t kCapacityDefault = 1024;

  explicit BreakerRegistry(const Runtime& runtime, std::size_t capacity = kCapacityDefault)
      : runtime_(runtime), capacity_(capacity) {}
  BreakerRegistry(const BreakerRegistry&) = delete;
  BreakerRegistry& operator=(const BreakerRegistry&) = delete;

  // The breaker of `key`, created with `options` if there is none. `name` labels a new one; empty:
  // key.ToString().
  //
  // Errors: kInvalidArgument if `options` are unusable, or differ from those the breaker was
  // created with (two configurations of one breaker are a mistake, never silently resolved);
  // kOverloaded if the registry is full and every breaker is in use, or not closed. A full registry
  // drops the least recently used one that is neither.
  Result<std::shared_ptr<CircuitBreaker>> Get(const BreakerKey& key,
                                              const CircuitBreakerOptions& options,
                                              std::string name = {}) EXCLUDES(mutex_);

  // A copy, in the order of the keys.
  std::vector<Entry> Snapshot() const EXCLUDES(mutex_);

  std::size_t size() const EXCLUDES(mutex_);

 private:
  struct Slot {
    std::shared_ptr<CircuitBreaker> breaker;
    std::list<BreakerKey>::iterator use;  // Its place in uses_.
  };

  bool EvictIdle() REQUIRES(mutex_);

  const Runtime runtime_;
  const std::size_t capacity_;
  mutable Mutex mutex_;
  std::map<BreakerKey, Slot> slots_ GUARDED_BY(mutex_);
  std::list<BreakerKey> uses_ GUARDED_BY(mutex_);  // Most recently used first.
};

}  // namespace understudy
