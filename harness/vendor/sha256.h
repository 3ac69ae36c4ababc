// SHA-256 (FIPS 180-4), to name a body that is not kept whole so that `sha256sum` agrees.
//
// Not for secrets and not fast; what signs or verifies uses Crypto (middleware/runtime/crypto.h).
#pragma once

#include <string>
#include <string_view>

namespace understudy::harness {

// 64 lower-case hexadecimal digits. Pure, total over any bytes.
std::string Sha256Hex(std::string_view bytes);

}  // namespace understudy::harness
