#include "middleware/resilience/breaker_registry.h"

#include <utility>

namespace understudy {

std::string BreakerKey::ToString() const {
  std::string text = provider;
  if (!authority.empty()) text.append(" ").append(authority);
  if (!operation_class.empty()) text.append(" ").append(operation_class);
  if (!credential.empty()) text.append(" as ").append(credential);
  return text;
}

Result<std::shared_ptr<CircuitBreaker>> BreakerRegistry::Get(const BreakerKey& key,
                                                             const CircuitBreakerOptions& options,
                                                             std::string name) {
  const MutexLock lock(mutex_);
  if (const auto found = slots_.find(key); found != slots_.end()) {
    if (found->second.breaker->options() != options) {
      return InvalidArgument(
          "circuit breaker " + key.ToString() +
          " exists with other options; give it another key, or the same options everywhere");
    }
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.breaker;
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(
      std::shared_ptr<CircuitBreaker> breaker,
      CircuitBreaker::Create(name.empty() ? key.ToString() : std::move(name), options, runtime_));
  if (slots_.size() >= capacity_ && !EvictIdle()) {
    return Error{ErrorCode::kOverloaded,
                 "the registry holds " + std::to_string(slots_.size()) +
                     " circuit breakers, all in use or not closed; enlarge its capacity",
                 Delivery::kNotSent,
                 Origin::kLocal,
                 {},
                 "breaker-registry-full"};
  }
  uses_.push_front(key);
  slots_.emplace(key, Slot{breaker, uses_.begin()});
  return breaker;
}

bool BreakerRegistry::EvictIdle() {
  for (auto use = uses_.rbegin(); use != uses_.rend(); ++use) {
    const auto slot = slots_.find(*use);
    const CircuitBreaker& breaker = *slot->second.breaker;
    // A count of one is stable: copies are only made from here, under the lock. A breaker with
    // something to remember stays, or the next caller would meet a fresh, closed one.
    const bool idle =
        slot->second.breaker.use_count() == 1 && breaker.state() == BreakerState::kClosed;
    if (!idle) continue;
    uses_.erase(slot->second.use);
    slots_.erase(slot);
    return true;
  }
  return false;
}

std::vector<BreakerRegistry::Entry> BreakerRegistry::Snapshot() const {
  std::vector<std::pair<BreakerKey, std::shared_ptr<CircuitBreaker>>> breakers;
  {
    const MutexLock lock(mutex_);
    breakers.reserve(slots_.size());
    for (const auto& [key, slot] : slots_) breakers.emplace_back(key, slot.breaker);
  }
  std::vector<Entry> entries;
  entries.reserve(breakers.size());
  for (const auto& [key, breaker] : breakers) {
    entries.push_back({key, breaker->name(), breaker->Snapshot()});
  }
  return entries;
}

std::size_t BreakerRegistry::size() const {
  const MutexLock lock(mutex_);
  return slots_.size();
}

}  // namespace understudy
