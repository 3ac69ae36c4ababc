// InMemoryTokenStore: a TokenStore in this process's memory, for tests, simulation and grants that
// need no persistence (client credentials).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/token_store.h"

namespace understudy {

// Thread-safe. Never blocks. Holds at most `keys_max` keys, and as many leases; one more fails with
// kStorage, reason "full". Its leases exclude the managers of this process only.
class InMemoryTokenStore final : public TokenStore {
 public:
  explicit InMemoryTokenStore(std::size_t keys_max = 100'000) : keys_max_(keys_max) {}

  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override;
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override;
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override;

 private:
  const std::size_t keys_max_;
  Mutex mutex_;
  std::map<std::string, TokenSet, std::less<>> tokens_ GUARDED_BY(mutex_);
  std::map<std::string, RefreshLease, std::less<>> leases_ GUARDED_BY(mutex_);  // Those held.
  std::uint64_t fence_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy
