// OpensslAead: Aead with AES-256-GCM (NIST SP 800-38D) on OpenSSL 3.
#pragma once

#include "middleware/runtime/aead.h"

namespace understudy {

// Thread-safe and stateless. A sealed text is 12 bytes of nonce (from OpenSSL's generator), as many
// bytes as the text has, and 16 bytes of tag. Aborts if the library refuses the algorithm or has no
// random numbers: secrets must not be stored otherwise.
class OpensslAead final : public Aead {
 public:
  Result<std::string> Seal(const Secret& key, std::string_view text,
                           std::string_view associated_data) const override;
  Result<Secret> Open(const Secret& key, std::string_view sealed,
                      std::string_view associated_data) const override;
};

}  // namespace understudy
