// PendingAuthorizationStore: what is remembered between sending a user to the vendor and the user's
// return. Interface, and a store in this process's memory.
//
// Several web processes behind one address need a shared one: implement the interface over their
// database or cache.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/base/time.h"

namespace understudy {

struct PendingAuthorization {
  std::string id = {};  // The first part of the state; the store's key. Not a secret by itself.
  Secret state = {};    // The whole state; compared in constant time.
  Secret verifier = {};
  std::string session_hash = {};  // SHA-256 of the session that began it.
  std::string flow = {};
  std::string context = {};  // The application's.
  SystemTime expires_at = {};
};

// Thread-safe. Errors are kStorage and kOverloaded.
class PendingAuthorizationStore {
 public:
  virtual ~PendingAuthorizationStore() = default;
  // Keeps it at least until `expires_at`. kOverloaded with reason "pending-full" at the store's
  // bound.
  virtual Result<void> Put(PendingAuthorization pending, SystemTime now) = 0;
  // Removes and returns it: of several concurrent calls one gets it. nullopt if there is none; one
  // that has expired may be returned.
  virtual Result<std::optional<PendingAuthorization>> Take(std::string_view id) = 0;
};

// Never blocks. Holds at most `pending_max`; those that have expired make room. Who begins more is
// refused, rather than that others' are forgotten.
class InMemoryPendingAuthorizations final : public PendingAuthorizationStore {
 public:
  explicit InMemoryPendingAuthorizations(std::size_t pending_max = 10'000)
      : pending_max_(pending_max) {}

  Result<void> Put(PendingAuthorization pending, SystemTime now) override;
  Result<std::optional<PendingAuthorization>> Take(std::string_view id) override;

 private:
  const std::size_t pending_max_;
  Mutex mutex_;
  std::map<std::string, PendingAuthorization, std::less<>> pending_ GUARDED_BY(mutex_);
};

}  // namespace understudy
