#include "middleware/store/in_memory_token_store.h"

namespace understudy {
namespace {

Error Full() {
  return Error{.code = ErrorCode::kStorage,
               .message = "the in-memory token store is full; raise keys_max",
               .reason = "full"};
}

bool IsHeld(const RefreshLease& lease, SystemTime now) {
  return lease.expires_at > now && lease.expires_at - now <= kRefreshLeaseMax;
}

}  // namespace

Result<std::optional<TokenSet>> InMemoryTokenStore::Load(std::string_view key) {
  const MutexLock lock(mutex_);
  const auto found = tokens_.find(key);
  if (found == tokens_.end()) return std::optional<TokenSet>();
  return std::optional(found->second);
}

Result<std::uint64_t> InMemoryTokenStore::Save(std::string_view key, const TokenSet& tokens,
                                               std::uint64_t expected_version) {
  const MutexLock lock(mutex_);
  const auto found = tokens_.find(key);
  const std::uint64_t stored_version = found == tokens_.end() ? 0 : found->second.version;
  if (stored_version != expected_version) {
    return Error{.code = ErrorCode::kStorage,
                 .message = "somebody else has stored newer tokens; load them again",
                 .reason = "conflict"};
  }
  if (found == tokens_.end() && tokens_.size() >= keys_max_) {
    return Full();
  }
  TokenSet& stored = tokens_[std::string(key)];
  stored = tokens;
  stored.version = expected_version + 1;
  return stored.version;
}

Result<std::vector<std::string>> InMemoryTokenStore::Keys(std::string_view after,
                                                          std::size_t limit) {
  const MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (auto entry = tokens_.upper_bound(after); entry != tokens_.end() && keys.size() < limit;
       ++entry) {
    keys.push_back(entry->first);
  }
  return keys;
}

Result<LeaseAnswer> InMemoryTokenStore::AcquireRefreshLease(std::string_view key,
                                                            std::string_view owner, SystemTime now,
                                                            Duration ttl) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckRefreshLease(key, owner, ttl));
  const MutexLock lock(mutex_);
  const auto found = leases_.find(key);
  if (found != leases_.end() && IsHeld(found->second, now)) {
    return LeaseAnswer{.held_until = found->second.expires_at};
  }
  if (found == leases_.end() && leases_.size() >= keys_max_) {
    std::erase_if(leases_, [&](const auto& entry) { return !IsHeld(entry.second, now); });
    if (leases_.size() >= keys_max_) return Full();
  }
  const RefreshLease lease{std::string(key), std::string(owner), ++fence_, now + ttl};
  leases_.insert_or_assign(lease.key, lease);
  return LeaseAnswer{.lease = lease};
}

Result<void> InMemoryTokenStore::ReleaseRefreshLease(const RefreshLease& lease) {
  const MutexLock lock(mutex_);
  const auto found = leases_.find(lease.key);
  if (found != leases_.end() && found->second.fence == lease.fence) leases_.erase(found);
  return {};
}

}  // namespace understudy
