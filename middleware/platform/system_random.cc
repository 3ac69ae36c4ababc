#include "middleware/platform/system_random.h"

#include <array>
#include <bit>

#include <openssl/rand.h>

#include "middleware/base/check.h"

namespace understudy {

std::uint64_t SystemRandom::Next(std::string_view) {
  std::array<unsigned char, sizeof(std::uint64_t)> bytes = {};
  const int status = RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  UNDERSTUDY_CHECK(status == 1, "the system's random generator failed");
  return std::bit_cast<std::uint64_t>(bytes);
}

}  // namespace understudy
