// Crypto: the cryptographic operations that the middleware needs, as a seam (OpenSSL in platform/).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy {

// Certificates that are trusted, read once. Immutable and thread-safe.
class CertificateRoots {
 public:
  virtual ~CertificateRoots() = default;
  // Does a path lead from the first certificate of `chain_pem` over the others to one of these, all
  // valid at `now`, and does the first one carry a name that is `host` (RFC 6125; with a leading
  // dot: a name below it)? kUnverified with the library's reason if not; kInvalidArgument for PEM
  // that holds no certificate, and for an empty host. At most 16 certificates of a chain are read.
  // Revocation is not looked up.
  virtual Result<void> Check(std::string_view chain_pem, std::string_view host,
                             SystemTime now) const = 0;
};

// Pure functions over bytes; thread-safe; nothing here blocks on I/O. A broken cryptography library
// aborts: a check cannot be skipped. What depends on foreign bytes (keys, certificates, signatures)
// is total over any bytes: an unusable key is kInvalidArgument, a signature that does not match is
// `false`. Results are raw bytes (32 for SHA-256, 20 for SHA-1, 64 for SHA-512 and Ed25519), not
// hex.
class Crypto {
 public:
  virtual ~Crypto() = default;
  virtual std::string HmacSha256(std::string_view key, std::string_view data) const = 0;
  virtual std::string HmacSha1(std::string_view key, std::string_view data) const = 0;
  virtual std::string Sha256(std::string_view data) const = 0;
  virtual std::string HmacSha512(std::string_view key, std::string_view data) const = 0;

  // Ed25519 (RFC 8032). Keys are the raw 32 bytes: the public key, and the seed of the private one.
  // kInvalidArgument for a key of another length. A signature of another length than 64 bytes is a
  // wrong one.
  virtual Result<bool> VerifyEd25519(std::string_view public_key, std::string_view data,
                                     std::string_view signature) const = 0;
  virtual Result<std::string> SignEd25519(std::string_view seed, std::string_view data) const = 0;
  virtual Result<std::string> Ed25519PublicKey(std::string_view seed) const = 0;

  // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2), under the key of the first certificate
  // in `certificate_pem`. Says nothing about whom the certificate belongs to: see ReadRoots.
  // kInvalidArgument if there is no certificate, its key is not RSA, or is shorter than 2048 bits.
  virtual Result<bool> VerifyRsaSha256(std::string_view certificate_pem, std::string_view data,
                                       std::string_view signature) const = 0;
  // kInvalidArgument if `private_key_pem` holds no unencrypted RSA key.
  virtual Result<std::string> SignRsaSha256(std::string_view private_key_pem,
                                            std::string_view data) const = 0;

  // The certificates of `roots_pem`, at most 1024. A bundle of a system takes milliseconds to read:
  // do it once, not for each check. kInvalidArgument for PEM that holds no certificate.
  virtual Result<std::shared_ptr<const CertificateRoots>> ReadRoots(
      std::string_view roots_pem) const = 0;
};

}  // namespace understudy
