// Crypto: the cryptographic operations that the middleware needs, as a seam (OpenSSL in platform/).
#pragma once

#include <string>
#include <string_view>

namespace understudy {

// Pure functions over bytes; thread-safe; no failure other than a broken cryptography library,
// which aborts. Results are raw bytes (32 for SHA-256, 20 for SHA-1), not hex.
class Crypto {
 public:
  virtual ~Crypto() = default;
  virtual std::string HmacSha256(std::string_view key, std::string_view data) const = 0;
  virtual std::string HmacSha1(std::string_view key, std::string_view data) const = 0;
  virtual std::string Sha256(std::string_view data) const = 0;
};

}  // namespace understudy
