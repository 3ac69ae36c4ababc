#include "middleware/store/encrypted_token_store.h"

#include <cstdint>

#include "middleware/base/text.h"
#include "middleware/store/token_record.h"

namespace understudy {
namespace {

constexpr std::string_view kPrefix = "ut1.";
constexpr int kRewrapTriesMax = 3;
constexpr std::size_t kPageSize = 100;

Error Unverified(std::string message, std::string reason) {
  return Error{
      .code = ErrorCode::kUnverified, .message = std::move(message), .reason = std::move(reason)};
}

// Binds a record to the name of its key and to the place where it is stored. A name holds no line
// end, so no two pairs give the same text.
std::string AssociatedData(std::string_view key_name, std::string_view key) {
  std::string data("understudy token record 1\n");
  return data.append(key_name).append("\n").append(key);
}

}  // namespace

Result<SealedTokens> ParseSealedTokens(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    return Unverified("the stored tokens are not encrypted (accept_plaintext takes them over)",
                      "not-encrypted");
  }
  text.remove_prefix(kPrefix.size());
  const std::size_t dot = text.find('.');
  const std::string_view name = text.substr(0, dot);
  if (dot == std::string_view::npos || !IsKeyName(name)) {
    return Unverified("the stored tokens do not name their key", "malformed");
  }
  auto sealed = Base64Decode(text.substr(dot + 1));
  if (!sealed) return Unverified("the stored tokens are not base64", "malformed");
  return SealedTokens{std::string(name), *std::move(sealed)};
}

Result<TokenSet> EncryptedTokenStore::Sealed(std::string_view key, const TokenSet& tokens) const {
  const std::string& name = keys_.current();
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const std::string sealed,
      aead_.Seal(*keys_.Find(name), internal::EncodeTokenRecord(tokens).Reveal(),
                 AssociatedData(name, key)));
  TokenSet row;
  row.access_token = Secret(std::string(kPrefix) + name + "." + Base64Encode(sealed));
  return row;
}

Result<TokenSet> EncryptedTokenStore::Opened(std::string_view key, const TokenSet& row) const {
  const auto parsed = ParseSealedTokens(row.access_token.Reveal());
  if (!parsed && parsed.error().reason == "not-encrypted" && options_.accept_plaintext) return row;
  if (!parsed) return parsed.error();
  const Secret* const secret = keys_.Find(parsed->key_name);
  if (secret == nullptr) {
    return Error{.code = ErrorCode::kStorage,
                 .message = "the stored tokens need the key \"" + parsed->key_name +
                            "\", which is not on the key ring",
                 .reason = "unknown-key"};
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const Secret bytes,
      aead_.Open(*secret, parsed->sealed, AssociatedData(parsed->key_name, key)));
  UNDERSTUDY_ASSIGN_OR_RETURN(TokenSet tokens, internal::DecodeTokenRecord(bytes.Reveal()));
  tokens.version = row.version;
  return tokens;
}

Result<std::optional<TokenSet>> EncryptedTokenStore::Load(std::string_view key) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto row, inner_.Load(key));
  if (!row) return std::optional<TokenSet>();
  UNDERSTUDY_ASSIGN_OR_RETURN(TokenSet tokens, Opened(key, *row));
  return std::optional(std::move(tokens));
}

Result<std::uint64_t> EncryptedTokenStore::Save(std::string_view key, const TokenSet& tokens,
                                                std::uint64_t expected_version) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSet row, Sealed(key, tokens));
  return inner_.Save(key, row, expected_version);
}

Result<std::vector<std::string>> EncryptedTokenStore::Keys(std::string_view after,
                                                           std::size_t limit) {
  return inner_.Keys(after, limit);
}

Result<LeaseAnswer> EncryptedTokenStore::AcquireRefreshLease(std::string_view key,
                                                             std::string_view owner, SystemTime now,
                                                             Duration ttl) {
  return inner_.AcquireRefreshLease(key, owner, now, ttl);
}

Result<void> EncryptedTokenStore::ReleaseRefreshLease(const RefreshLease& lease) {
  return inner_.ReleaseRefreshLease(lease);
}

Result<bool> EncryptedTokenStore::Rewrap(std::string_view key) {
  for (int tries = 1;; ++tries) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto row, inner_.Load(key));
    if (!row) return false;
    const auto parsed = ParseSealedTokens(row->access_token.Reveal());
    if (parsed && parsed->key_name == keys_.current()) return false;
    UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSet tokens, Opened(key, *row));
    UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSet moved, Sealed(key, tokens));
    const auto saved = inner_.Save(key, moved, row->version);
    if (saved) return true;
    // A conflict: somebody stores new tokens, under whichever key is theirs.
    if (saved.error().reason != "conflict" || tries == kRewrapTriesMax) return saved.error();
  }
}

Result<RewrapReport> EncryptedTokenStore::RewrapAll(const std::stop_token& stop) {
  RewrapReport report;
  std::string after;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> keys, inner_.Keys(after, kPageSize));
    for (const std::string& key : keys) {
      if (stop.stop_requested()) {
        return Error{.code = ErrorCode::kCancelled, .message = "stopped while rewrapping tokens"};
      }
      ++report.examined;
      const auto moved = Rewrap(key);
      if (moved && *moved) ++report.moved;
      if (moved) continue;
      ++report.failed;
      if (report.first_error) continue;
      report.first_error = moved.error();
      report.first_error->message.insert(0, key + ": ");
    }
    if (keys.size() < kPageSize) return report;
    after = keys.back();
  }
}

}  // namespace understudy
