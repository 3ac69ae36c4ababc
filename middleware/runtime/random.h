// Random: the only source of randomness (jitter, nonces, idempotency keys).
//
// Each draw names its site, e.g. "retry/jitter". Production ignores the name (OpenSSL's generator);
// simulation derives the value from seed, actor, site and visit, so that one more draw elsewhere
// does not reshuffle everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  // 64 uniformly distributed bits.
  virtual std::uint64_t Next(std::string_view site) = 0;

  // Uniform in [0, 1).
  double UnitInterval(std::string_view site);
  // Uniform in [0, bound); 0 if bound is 0. Without modulo bias.
  std::uint64_t Below(std::string_view site, std::uint64_t bound);
  // Uniform in [low, high]; low if high <= low.
  Duration Between(std::string_view site, Duration low, Duration high);
  // A random UUID, version 4 (RFC 9562 section 5.4).
  std::string Uuid(std::string_view site);
};

}  // namespace understudy
