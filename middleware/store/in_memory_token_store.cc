#include "middleware/store/in_memory_token_store.h"

namespace understudy {

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
    return Error{.code = ErrorCode::kStorage,
                 .message = "the in-memory token store is full; raise keys_max",
                 .reason = "full"};
  }
  TokenSet& stored = tokens_[std::string(key)];
  stored = tokens;
  stored.version = expected_version + 1;
  return stored.version;
}

}  // namespace understudy
