// Verifying and making webhook signatures.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       const SignatureVerifier verifier,
//       SignatureVerifier::Create(crypto, *FindScheme("stripe"), {Secret("whsec_...")}));
//   const auto verified = verifier.Verify(request.headers, request.body, clock.SystemNow());
//   if (!verified) return Unauthorized();     // kUnverified
//
//   // Vendors that sign the URL too (Twilio, Square, HubSpot): as they call it, not as your server
//   // sees it behind its proxy.
//   verifier.Verify({.method = "POST", .url = "https://me.example/hooks/square",
//                    .headers = request.headers, .body = request.body}, clock.SystemNow());
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/http/headers.h"
#include "middleware/http/response.h"
#include "middleware/runtime/crypto.h"
#include "middleware/webhook/signature_certificate.h"
#include "middleware/webhook/signature_scheme.h"

namespace understudy {

struct SignatureVerifierOptions {
  // Instead of the scheme's own. Not negative.
  std::optional<Duration> tolerance_past = {};
  std::optional<Duration> tolerance_future = {};
  // For kRsaSha256 only, which needs a resolver and one of the two others.
  std::shared_ptr<const CertificateResolver> certificates = {};
  // PEM: whoever a certificate must lead to. Then its name and dates are checked, too.
  std::string certificate_roots = {};
  // Whatever the resolver gives is trusted as it is: somebody checked it before.
  bool certificates_pinned = false;
};

// A request as the vendor sent it. Views: valid for the call.
struct SignedRequest {
  std::string_view method = {};  // "POST"
  // The whole URL that the vendor was told, with scheme, host and query.
  std::string_view url = {};
  const http::Headers& headers;
  std::string_view body = {};  // Exactly as received: verify first, parse afterwards.
};

// What the signature proves. Empty where the scheme has none.
struct Verified {
  std::optional<SystemTime> timestamp = {};
  std::string id = {};
};

// Immutable and thread-safe. Does not block, except for the certificate resolver of a scheme that
// needs one. `crypto` is borrowed.
class SignatureVerifier {
 public:
  // `secrets`: the current one and, during a rotation, the others; a signature by any of them
  // counts. For PayPal they are the ids of the webhook, which its signatures contain.
  // kInvalidArgument without a secret, for an empty or malformed one, for more than 16, for an
  // incomplete scheme (CheckScheme), a negative tolerance, and a scheme with certificates without
  // what it needs or with roots that hold none.
  static Result<SignatureVerifier> Create(const Crypto& crypto, SignatureScheme scheme,
                                          const std::vector<Secret>& secrets,
                                          SignatureVerifierOptions options = {});

  // Total over any headers and bytes; never throws. Every signature is compared with every secret
  // in constant time, without an early end. Takes time in proportion to the body times the secrets;
  // bound the body before. A timestamp exactly at the tolerance passes.
  //
  // kUnverified, with one of the reasons
  //   "missing-header"  also of a header that only accompanies the signature (Shopify's topic)
  //   "malformed"       also: a header twice, more than 64 signatures (8 of a public key scheme), a
  //                     timestamp that is none, a body that the signature cannot cover
  //   "no-match"        wrong secret, or somebody changed what is signed
  //   "too-old", "in-future"  only for a signature that is right
  //   "certificate-host", "certificate-unavailable", "certificate-untrusted"
  // kInvalidArgument "needs-url" or "needs-method" if the scheme signs what `request` leaves out:
  // an error of the program, not of the sender.
  Result<Verified> Verify(const SignedRequest& request, SystemTime now) const;
  // The same for schemes that sign neither URL nor method.
  Result<Verified> Verify(const http::Headers& headers, std::string_view body,
                          SystemTime now) const;

  const SignatureScheme& scheme() const { return scheme_; }

  // Of a request that Verify has accepted: the answer, if it is a handshake of the scheme's kind
  // (handshake.h), made with the first secret.
  std::optional<http::Response> AnswerHandshake(const http::Headers& headers,
                                                std::string_view body) const;
  // The same for a body that is parsed already.
  std::optional<http::Response> AnswerParsedHandshake(const nlohmann::json& body) const;

 private:
  struct Claims;  // What the headers say, before anything is checked.

  SignatureVerifier(const Crypto& crypto, SignatureScheme scheme, std::vector<Secret> keys,
                    SignatureVerifierOptions options, std::shared_ptr<const CertificateRoots> roots)
      : crypto_(&crypto),
        scheme_(std::move(scheme)),
        keys_(std::move(keys)),
        options_(std::move(options)),
        roots_(std::move(roots)) {}

  Result<Claims> ReadClaims(const SignedRequest& request) const;
  Result<bool> AnyMatches(const Claims& claims, const SignedRequest& request,
                          std::string_view certificate) const;
  Result<std::string> FindCertificate(const http::Headers& headers) const;
  Result<void> CheckTrust(std::string_view certificate, SystemTime now) const;

  const Crypto* crypto_;
  SignatureScheme scheme_;
  std::vector<Secret> keys_;  // Decoded.
  SignatureVerifierOptions options_;
  std::shared_ptr<const CertificateRoots> roots_;  // Only where certificates are checked.
};

// What a sender signs. Views: valid for the call.
struct SigningInput {
  std::string_view method = "POST";
  std::string_view url = {};   // Needed by schemes that sign it.
  std::string_view id = {};    // Of the event.
  SystemTime timestamp = {};   // Cut to the scheme's unit.
  std::string_view body = {};  // A timestamp that the scheme wants in there is the caller's.
  // What is sent along anyway. {params} looks at the Content-Type.
  http::Headers headers = {};
  // kRsaSha256: PEM, and where the receiver finds the certificate.
  Secret private_key = {};
  std::string_view certificate_url = {};
};

// `input.headers`, and those with which a sender signs: the inverse of Verify, with the event id in
// its header if the scheme has one (the scheme's `event_id.header`), and the required headers.
// Several secrets sign side by side, as during a rotation; kPrefixed uses the first.
// kInvalidArgument for no or malformed secrets, a secret that can only verify (a public key), an id
// that is empty although it is signed or that does not fit into a header, a timestamp before 1970,
// a missing URL, and a body that the scheme cannot cover.
Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, const SigningInput& input);
Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, std::string_view id,
                           SystemTime timestamp, std::string_view body);
Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           const Secret& secret, std::string_view id, SystemTime timestamp,
                           std::string_view body);

}  // namespace understudy
