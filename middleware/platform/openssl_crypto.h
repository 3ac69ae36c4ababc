// OpensslCrypto: Crypto on OpenSSL 3 (HMAC: RFC 2104; SHA-256, SHA-1: FIPS 180-4).
#pragma once

#include "middleware/runtime/crypto.h"

namespace understudy {

// Thread-safe and stateless. Aborts if the library refuses an algorithm (a provider was disabled):
// a signature check cannot be skipped.
class OpensslCrypto final : public Crypto {
 public:
  std::string HmacSha256(std::string_view key, std::string_view data) const override;
  std::string HmacSha1(std::string_view key, std::string_view data) const override;
  std::string Sha256(std::string_view data) const override;
};

}  // namespace understudy
