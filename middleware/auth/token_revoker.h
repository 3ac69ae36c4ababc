// TokenRevoker: how a vendor is told that tokens must not work any more; the seam between
// TokenManager and a revocation endpoint.
#pragma once

#include <stop_token>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

enum class TokenKind { kAccess, kRefresh };

// What has become of one token.
enum class Revoked {
  kAbsent,       // There was no such token; nothing was sent.
  kConfirmed,    // The vendor has confirmed that it does not work any more.
  kUnsupported,  // The vendor revokes no tokens of this kind; it works until it expires.
};

// Thread-safe. Must not throw.
class TokenRevoker {
 public:
  virtual ~TokenRevoker() = default;

  // Revokes `token`, which is not empty. Blocks until `deadline` or a stop. kConfirmed or
  // kUnsupported; never kAbsent. Errors: kConnection and kTimeout are transient, with `retry_after`
  // if the vendor said so, and the call may be repeated; kAuth (the client's own credentials are
  // refused), kProtocol, kTls, kCancelled.
  virtual Result<Revoked> Revoke(const Secret& token, TokenKind kind, Deadline deadline,
                                 const std::stop_token& stop) = 0;
};

}  // namespace understudy
