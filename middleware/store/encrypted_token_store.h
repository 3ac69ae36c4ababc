// EncryptedTokenStore: keeps tokens encrypted in any other TokenStore.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto rows, SqliteTokenStore::Open("/var/lib/app/tokens.db"));
//   OpensslAead aead;
//   EncryptedTokenStore store(*rows, aead, std::move(key_ring));
//   TokenManager manager(runtime, source, store, {.key = "quickbooks/realm-1"});
//
// Who reads the database, or a backup of it, finds keys ("quickbooks/realm-1"), versions and
// leases, but no token, scope or time. Who writes to it cannot plant tokens or move a record to
// another key: a record is bound to the key that it is stored under. What encryption alone cannot
// tell is an older record of the same key put back in place of a newer one.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/runtime/aead.h"
#include "middleware/store/key_ring.h"
#include "middleware/store/token_store.h"

namespace understudy {

struct EncryptedTokenStoreOptions {
  // Takes records that were stored without encryption as they are, so that Rewrap can encrypt them.
  // Whoever can write to the database can plant tokens as long as this is on.
  bool accept_plaintext = false;
};

// What RewrapAll has done.
struct RewrapReport {
  std::size_t examined = 0;
  std::size_t moved = 0;  // Now under the current key.
  std::size_t failed = 0;
  std::optional<Error> first_error = {};  // Its message begins with the record's key.
};

// One stored record, taken apart: "ut1.<name of the key>.<base64>".
struct SealedTokens {
  std::string key_name = {};
  std::string sealed = {};
};

// Total over any bytes. kUnverified with reason "not-encrypted" if it is not such a record at all,
// "malformed" if it begins like one.
Result<SealedTokens> ParseSealedTokens(std::string_view text);

// Thread-safe, and blocks, as the inner store, which is borrowed as `aead` is.
//
// Errors beside those of the inner store, none of which is ever taken for "no tokens": kStorage
// with reason "unknown-key" (the record names a key that is not on the ring: add it) or "format"
// (written by a newer program); kUnverified with reason "undecryptable" (another key under the same
// name, or a record that was changed or moved), "malformed" or "not-encrypted". Such a record stays
// as it is; delete its row to begin with a new login.
class EncryptedTokenStore final : public TokenStore {
 public:
  EncryptedTokenStore(TokenStore& inner, const Aead& aead, KeyRing keys,
                      EncryptedTokenStoreOptions options = {})
      : inner_(inner), aead_(aead), keys_(std::move(keys)), options_(options) {}

  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override;
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override;
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override;

  // Encrypts the record of `key` with the current key if it is under another one; true if it was.
  // Its version grows; processes that have the tokens in memory are not disturbed, except that a
  // refresh that ends at the same moment stores its tokens at the second try.
  Result<bool> Rewrap(std::string_view key);
  // Rewraps every record, and goes on after a failure. An error of its own only if the keys cannot
  // be listed, or kCancelled.
  Result<RewrapReport> RewrapAll(const std::stop_token& stop);

 private:
  Result<TokenSet> Sealed(std::string_view key, const TokenSet& tokens) const;
  Result<TokenSet> Opened(std::string_view key, const TokenSet& row) const;

  TokenStore& inner_;
  const Aead& aead_;
  const KeyRing keys_;
  const EncryptedTokenStoreOptions options_;
};

}  // namespace understudy
