// Fuzz target: any bytes as the query that a browser brings back from an authorization server.
// Nothing may crash; what is read is either a code or an error, with a state; an error's words are
// printable and bounded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/auth/authorization_callback.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string query(reinterpret_cast<const char*>(data), size);
  const auto callback = understudy::ParseAuthorizationCallback(query);
  if (!callback) {
    Require(callback.error().reason == "callback" && IsPrintable(callback.error().message));
    return 0;
  }
  Require(!callback->state.empty() && IsPrintable(callback->state.Reveal()));
  Require(callback->code.empty() != callback->error.empty());
  Require(IsPrintable(callback->code.Reveal()));
  Require(callback->error.size() <= 64 && IsPrintable(callback->error));
  Require(callback->error_description.size() <= 200 && IsPrintable(callback->error_description));
  Require(!callback->issuer || IsPrintable(*callback->issuer));
  Require(callback->others.size() <= 64);
  return 0;
}
