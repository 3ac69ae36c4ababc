#include "middleware/platform/openssl_crypto.h"

#include <array>
#include <limits>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "middleware/base/check.h"

namespace understudy {
namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string ToBytes(const Digest& digest, unsigned int size) {
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

std::string Hmac(const EVP_MD* hash, std::string_view key, std::string_view data) {
  UNDERSTUDY_CHECK(key.size() <= std::size_t{std::numeric_limits<int>::max()},
                   "an HMAC key must be smaller than 2 GiB");
  // A null pointer means "no key given" to OpenSSL; an empty key is a key.
  const std::string_view some_key = key.data() == nullptr ? std::string_view("") : key;
  Digest digest = {};
  unsigned int size = 0;
  const unsigned char* const done = HMAC(hash, some_key.data(), static_cast<int>(some_key.size()),
                                         Bytes(data), data.size(), digest.data(), &size);
  UNDERSTUDY_CHECK(done != nullptr, "OpenSSL refused to compute an HMAC");
  return ToBytes(digest, size);
}

}  // namespace

std::string OpensslCrypto::HmacSha256(std::string_view key, std::string_view data) const {
  return Hmac(EVP_sha256(), key, data);
}

std::string OpensslCrypto::HmacSha1(std::string_view key, std::string_view data) const {
  return Hmac(EVP_sha1(), key, data);
}

std::string OpensslCrypto::Sha256(std::string_view data) const {
  Digest digest = {};
  unsigned int size = 0;
  const int status =
      EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  UNDERSTUDY_CHECK(status == 1, "OpenSSL refused to compute SHA-256");
  return ToBytes(digest, size);
}

}  // namespace understudy
