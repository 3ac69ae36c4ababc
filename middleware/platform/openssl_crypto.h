// OpensslCrypto: Crypto on OpenSSL 3 (HMAC: RFC 2104; SHA: FIPS 180-4; Ed25519: RFC 8032; RSA: RFC
// 8017; certificate paths: RFC 5280).
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
  std::string HmacSha512(std::string_view key, std::string_view data) const override;

  Result<bool> VerifyEd25519(std::string_view public_key, std::string_view data,
                             std::string_view signature) const override;
  Result<std::string> SignEd25519(std::string_view seed, std::string_view data) const override;
  Result<std::string> Ed25519PublicKey(std::string_view seed) const override;

  Result<bool> VerifyRsaSha256(std::string_view certificate_pem, std::string_view data,
                               std::string_view signature) const override;
  Result<std::string> SignRsaSha256(std::string_view private_key_pem,
                                    std::string_view data) const override;
  Result<std::shared_ptr<const CertificateRoots>> ReadRoots(
      std::string_view roots_pem) const override;
};

}  // namespace understudy
