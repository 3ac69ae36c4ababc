// OwningTokenStore: a TokenStore together with what it needs, for factories of contract suites.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "middleware/store/token_store.h"

namespace understudy::test {

// Thread-safe, as the store is.
template <typename... Owned>
class OwningTokenStore final : public TokenStore {
 public:
  OwningTokenStore(std::unique_ptr<TokenStore> store, Owned... owned)
      : owned_(std::move(owned)...), store_(std::move(store)) {}

  Result<std::optional<TokenSet>> Load(std::string_view key) override { return store_->Load(key); }
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t version) override {
    return store_->Save(key, tokens, version);
  }
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override {
    return store_->Keys(after, limit);
  }
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override {
    return store_->AcquireRefreshLease(key, owner, now, ttl);
  }
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override {
    return store_->ReleaseRefreshLease(lease);
  }

 private:
  std::tuple<Owned...> owned_;
  std::unique_ptr<TokenStore> store_;  // Ends first.
};

}  // namespace understudy::test
