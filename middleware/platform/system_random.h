// SystemRandom: the Random of production: OpenSSL's cryptographically secure generator.
#pragma once

#include "middleware/runtime/random.h"

namespace understudy {

// Thread-safe and stateless; safe after fork(2) as OpenSSL reseeds. The site is ignored. Aborts if
// the generator fails: going on without randomness would make keys and nonces predictable.
class SystemRandom final : public Random {
 public:
  std::uint64_t Next(std::string_view site) override;
};

}  // namespace understudy
