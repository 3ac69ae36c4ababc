// Verifying and making webhook signatures.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       const SignatureVerifier verifier,
//       SignatureVerifier::Create(crypto, *FindScheme("stripe"), {Secret("whsec_...")}));
//   const auto verified = verifier.Verify(request.headers, request.body, clock.SystemNow());
//   if (!verified) return Unauthorized();     // kUnverified
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/http/headers.h"
#include "middleware/runtime/crypto.h"
#include "middleware/webhook/signature_scheme.h"

namespace understudy {

struct SignatureVerifierOptions {
  // Instead of the scheme's own.
  std::optional<Duration> tolerance_past = {};
  std::optional<Duration> tolerance_future = {};
};

// What the signature proves. Empty where the scheme has none.
struct Verified {
  std::optional<SystemTime> timestamp = {};
  std::string id = {};
};

// Immutable and thread-safe; does not block. `crypto` is borrowed.
class SignatureVerifier {
 public:
  // `secrets`: the current one and, during a rotation, the others; a signature by any of them
  // counts. kInvalidArgument without a secret, for an empty or malformed one, for more than 16, and
  // for a scheme without header or content.
  static Result<SignatureVerifier> Create(const Crypto& crypto, SignatureScheme scheme,
                                          const std::vector<Secret>& secrets,
                                          SignatureVerifierOptions options = {});

  // Total over any headers and bytes. `body` is the body exactly as received: verify first, parse
  // afterwards. Every signature is compared with every secret in constant time. The error is
  // kUnverified with one of the reasons "missing-header", "malformed" (also: a header twice, or
  // more than 64 signatures), "no-match", "too-old" and "in-future"; the last two only for a
  // signature that is right. A timestamp exactly at the tolerance passes.
  Result<Verified> Verify(const http::Headers& headers, std::string_view body,
                          SystemTime now) const;

  const SignatureScheme& scheme() const { return scheme_; }

 private:
  SignatureVerifier(const Crypto& crypto, SignatureScheme scheme, std::vector<Secret> keys)
      : crypto_(&crypto), scheme_(std::move(scheme)), keys_(std::move(keys)) {}

  bool AnyMatches(const std::vector<std::string>& candidates, std::string_view content) const;

  const Crypto* crypto_;
  SignatureScheme scheme_;
  std::vector<Secret> keys_;  // Decoded.
};

// The headers with which a sender signs `body`: the inverse of Verify, with the event id in its
// header if the scheme has one (the scheme's `event_id.header`). Several secrets sign side by side,
// as during a rotation; kPrefixed uses the first. `timestamp` is cut to seconds. kInvalidArgument
// for no or malformed secrets, an id that is empty although it is signed or that does not fit into
// a header, and a timestamp before 1970.
Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, std::string_view id,
                           SystemTime timestamp, std::string_view body);
Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           const Secret& secret, std::string_view id, SystemTime timestamp,
                           std::string_view body);

}  // namespace understudy
