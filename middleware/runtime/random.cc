#include "middleware/runtime/random.h"

#include <limits>

namespace understudy {

double Random::UnitInterval(std::string_view site) {
  constexpr double kScale = 1.0 / static_cast<double>(1ULL << 53U);
  return static_cast<double>(Next(site) >> 11U) * kScale;
}

std::uint64_t Random::Below(std::string_view site, std::uint64_t bound) {
  if (bound == 0) return 0;
  // Values under the remainder would make small results more likely; draw again. Terminates: each
  // draw succeeds with a probability above one half.
  const std::uint64_t unfair = (std::numeric_limits<std::uint64_t>::max() - bound + 1) % bound;
  for (;;) {
    const std::uint64_t value = Next(site);
    if (value >= unfair) return value % bound;
  }
}

Duration Random::Between(std::string_view site, Duration low, Duration high) {
  if (high <= low) return low;
  const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + Duration(static_cast<Duration::rep>(Below(site, span)));
}

std::string Random::Uuid(std::string_view site) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::uint64_t words[2] = {Next(site), Next(site)};
  std::string uuid = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
  unsigned nibble = 0;
  for (char& c : uuid) {
    if (c != 'x' && c != 'y') continue;
    const auto value = static_cast<unsigned>(words[nibble / 16] >> (nibble % 16 * 4)) & 15U;
    c = kDigits[c == 'y' ? (value & 3U) | 8U : value];
    ++nibble;
  }
  return uuid;
}

}  // namespace understudy
