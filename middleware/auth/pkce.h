// PKCE (RFC 7636) with S256: an authorization code is of no use to whoever steals it on its way.
//
//   const Secret verifier = NewPkceVerifier(random);                      // Kept here.
//   const std::string challenge = PkceChallenge(crypto, verifier);        // Goes with the browser.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/random.h"

namespace understudy {

// RFC 4648 section 5, without padding.
std::string Base64UrlEncode(std::string_view bytes);

// `bytes` random bytes (at most 1024) as Base64UrlEncode writes them. Draws at `site`.
std::string RandomBase64Url(Random& random, std::string_view site, std::size_t bytes);

// 43 characters from 32 random bytes, as section 4.1 recommends.
Secret NewPkceVerifier(Random& random);

// base64url(SHA-256(verifier)); section 4.2.
std::string PkceChallenge(const Crypto& crypto, const Secret& verifier);

}  // namespace understudy
