#include "middleware/auth/pending_authorization_store.h"

#include <utility>

namespace understudy {

Result<void> InMemoryPendingAuthorizations::Put(PendingAuthorization pending, SystemTime now) {
  const MutexLock lock(mutex_);
  if (pending_.size() >= pending_max_) {
    std::erase_if(pending_, [&](const auto& entry) { return entry.second.expires_at <= now; });
  }
  if (pending_.size() >= pending_max_) {
    return Error{.code = ErrorCode::kOverloaded,
                 .message = "too many authorisations are pending; raise pending_max or try later",
                 .reason = "pending-full"};
  }
  std::string id = pending.id;
  pending_.insert_or_assign(std::move(id), std::move(pending));
  return {};
}

Result<std::optional<PendingAuthorization>> InMemoryPendingAuthorizations::Take(
    std::string_view id) {
  const MutexLock lock(mutex_);
  const auto found = pending_.find(id);
  if (found == pending_.end()) return std::optional<PendingAuthorization>();
  std::optional<PendingAuthorization> taken(std::move(found->second));
  pending_.erase(found);
  return taken;
}

}  // namespace understudy
