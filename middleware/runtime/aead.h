// Aead: authenticated encryption with associated data, as a seam (AES-256-GCM on OpenSSL in
// platform/openssl_aead.h).
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const std::string sealed, aead.Seal(key, "text", "record 7"));
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Secret text, aead.Open(key, sealed, "record 7"));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"

namespace understudy {

// Thread-safe. Never blocks. Keys are exactly kKeyBytes raw bytes from a good random generator; a
// password is no key.
//
// Each Seal draws a fresh random nonce of 96 bits, so that the same text never looks the same. One
// key must not seal more than 2^32 texts (NIST SP 800-38D section 8.3): rotate keys long before.
class Aead {
 public:
  static constexpr std::size_t kKeyBytes = 32;

  virtual ~Aead() = default;

  // What Open needs: nonce, encrypted text and tag together. `associated_data` is not part of it,
  // but Open must be given the same. kInvalidArgument for a key of another length or a text above
  // 1 GiB.
  virtual Result<std::string> Seal(const Secret& key, std::string_view text,
                                   std::string_view associated_data) const = 0;

  // kUnverified, without a byte of the text, if the key or the associated data is another one, or
  // if one bit of `sealed` has changed. kInvalidArgument for a key of another length.
  virtual Result<Secret> Open(const Secret& key, std::string_view sealed,
                              std::string_view associated_data) const = 0;
};

}  // namespace understudy
