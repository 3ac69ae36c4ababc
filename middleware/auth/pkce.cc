#include "middleware/auth/pkce.h"

#include <algorithm>
#include <cstdint>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::size_t kVerifierBytes = 32;
constexpr std::size_t kRandomBytesMax = 1024;

}  // namespace

std::string Base64UrlEncode(std::string_view bytes) {
  std::string text = Base64Encode(bytes);
  text.erase(text.find_last_not_of('=') + 1);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string RandomBase64Url(Random& random, std::string_view site, std::size_t bytes) {
  bytes = std::min(bytes, kRandomBytesMax);
  std::string raw;
  while (raw.size() < bytes) {
    std::uint64_t word = random.Next(site);
    for (std::size_t i = 0; i < sizeof word && raw.size() < bytes; ++i, word >>= 8U) {
      raw.push_back(static_cast<char>(word & 0xffU));
    }
  }
  return Base64UrlEncode(raw);
}

Secret NewPkceVerifier(Random& random) {
  return Secret(RandomBase64Url(random, "oauth/pkce-verifier", kVerifierBytes));
}

std::string PkceChallenge(const Crypto& crypto, const Secret& verifier) {
  return Base64UrlEncode(crypto.Sha256(verifier.Reveal()));
}

}  // namespace understudy
