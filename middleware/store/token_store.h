// TokenStore: where OAuth tokens survive a restart, and where processes that share a grant agree on
// who refreshes it.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const LeaseAnswer answer,
//                               store.AcquireRefreshLease(key, owner, clock.SystemNow(), 15s));
//   if (!answer.lease) return WaitUntil(answer.held_until);
//   ... read the tokens again, refresh them if they are still stale, Save them ...
//   UNDERSTUDY_RETURN_IF_ERROR(store.ReleaseRefreshLease(*answer.lease));
//
// Who just needs a token uses TokenManager (auth/token_manager.h), which does all of this.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // Not to be used any more: a revocation was asked for. The tokens are kept until the vendor has
  // confirmed it, then they are empty.
  bool revoked = false;
};

// The right to refresh the tokens of one key, for a while. It is advice among processes that keep
// to it (RFC 9700 section 4.14.2: a refresh token that is used twice can end the whole grant); what
// keeps the stored tokens right, even from a holder that was too slow, is the version of Save.
struct RefreshLease {
  std::string key = {};
  std::string owner = {};
  std::uint64_t fence = 0;     // Grows with every lease of the key.
  SystemTime expires_at = {};  // From this moment on somebody else can get it.
};

struct LeaseAnswer {
  std::optional<RefreshLease> lease = {};
  SystemTime held_until = {};  // Without a lease: when the holder's ends, unless given back before.
};

// The longest lease that a store gives, and the longest that it believes in: a holder whose clock
// was far ahead, or a clock that was set back, does not block a key for longer than this.
inline constexpr Duration kRefreshLeaseMax = std::chrono::minutes(5);

// kInvalidArgument for a lease that no store gives: no key, no owner, or a `ttl` that is not
// between zero and kRefreshLeaseMax.
Result<void> CheckRefreshLease(std::string_view key, std::string_view owner, Duration ttl);

// Thread-safe. Calls may block for the I/O of the store; do not make them with a Mutex held. Errors
// are kStorage, unless said otherwise; no message holds a token. A store that cannot tell whether
// there are tokens must return an error, never "none".
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

  // Up to `limit` keys that have tokens (revoked ones included), in the order of their bytes,
  // beginning behind `after` (empty: from the first). For schedulers and Rewrap.
  virtual Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) = 0;

  // Gives the refresh of `key` to `owner` until `now + ttl`, unless somebody, also the same owner,
  // holds it. The key needs no tokens yet. `now` is the caller's wall clock: processes on several
  // machines must agree on the time better than the margin that their leases have. kInvalidArgument
  // as CheckRefreshLease says.
  virtual Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                                  SystemTime now, Duration ttl) = 0;
  // Ends a lease early. A lease that is over, or that somebody else has got since, is no error:
  // nothing happens.
  virtual Result<void> ReleaseRefreshLease(const RefreshLease& lease) = 0;
};

}  // namespace understudy
