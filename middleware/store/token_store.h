// TokenStore: where OAuth tokens survive a restart. Interface and in-memory store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/base/time.h"

namespace understudy {

// An immutable snapshot of one grant. Expiry is wall-clock time, so that it means the same after a
// restart.
struct TokenSet {
  Secret access_token = {};
  Secret refresh_token = {};  // Empty if the grant has none (client credentials).
  SystemTime issued_at = {};
  std::optional<SystemTime> expires_at = {};  // nullopt: the vendor did not say.
  std::string scope = {};
  std::uint64_t version = 0;  // Grows with every stored change; for compare-and-swap.
};

// Thread-safe.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  // The tokens of a key, e.g. "quickbooks/realm-1"; nullopt if there are none.
  virtual Result<std::optional<TokenSet>> Load(std::string_view key) = 0;
  // Stores `tokens` if the stored version equals `expected_version` (0: nothing stored yet), and
  // returns the new version. kStorage with reason "conflict" if somebody else was faster: load
  // again.
  virtual Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                                     std::uint64_t expected_version) = 0;
};

}  // namespace understudy
