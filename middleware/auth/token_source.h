// TokenSource: where new access tokens come from; the seam between TokenManager and a vendor's
// token endpoint.
#pragma once

#include <stop_token>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/deadline.h"
#include "middleware/store/token_store.h"

namespace understudy {

// Thread-safe. Must not throw.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  // Fetches new tokens with `refresh_token` (empty: the grant has none). Blocks until `deadline` or
  // a stop.
  //
  // In the result `issued_at` is the wall-clock time at which the request was sent, so that the
  // latency is on the safe side of `expires_at`; `refresh_token` and `scope` are empty if the
  // vendor did not say, which means "as before"; `version` is 0.
  //
  // Errors: kAuth with reason "invalid_grant" (the grant is dead: log in again) or another reason
  // (configuration); kConnection and kTimeout are transient, with `retry_after` if the vendor said
  // so; kProtocol (the answer makes no sense); kTls; kCancelled. `delivery` kMaybeSent means that
  // the vendor may have rotated the refresh token already.
  virtual Result<TokenSet> Fetch(const Secret& refresh_token, Deadline deadline,
                                 const std::stop_token& stop) = 0;
};

}  // namespace understudy
