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

#include "middleware/base/mutex.h"
#include "middleware/store/token_store.h"

namespace understudy {

// Thread-safe. Never blocks. Holds at most `keys_max` keys; Save of one more fails with kStorage,
// reason "full".
class InMemoryTokenStore final : public TokenStore {
 public:
  explicit InMemoryTokenStore(std::size_t keys_max = 100'000) : keys_max_(keys_max) {}

  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;

 private:
  const std::size_t keys_max_;
  Mutex mutex_;
  std::map<std::string, TokenSet, std::less<>> tokens_ GUARDED_BY(mutex_);
};

}  // namespace understudy
