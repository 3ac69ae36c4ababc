// Fuzz target: any bytes as JSON. Nothing may crash or hang; a canonical text is JSON, means the
// same to another parser, and is its own canonical form.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./canonical_json_fuzz
//   tests/fuzz/corpus/canonical_json
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "middleware/webhook/canonical_json.h"

namespace {

using nlohmann::json;
using understudy::CanonicalJson;
using understudy::ErrorCode;
using understudy::StrictJsonLimits;

constexpr StrictJsonLimits kLimits = {.bytes_max = 4096, .depth_max = 32};

void Require(bool condition) {
  if (!condition) std::abort();
}

// Numbers are compared as doubles: 1 and 1.0 are one number here, two to the library.
bool Same(const json& a, const json& b) {
  if (a.is_number() && b.is_number()) return a.get<double>() == b.get<double>();
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_object()) {
    for (const auto& item : a.items()) {
      const auto other = b.find(item.key());
      if (other == b.end() || !Same(item.value(), *other)) return false;
    }
    return true;
  }
  if (a.is_array()) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!Same(a[i], b[i])) return false;
    }
    return true;
  }
  return a == b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto canonical = CanonicalJson(text, kLimits);
  if (!canonical) {
    Require(canonical.error().code == ErrorCode::kProtocol && !canonical.error().reason.empty());
    return 0;
  }
  const json original = json::parse(text, nullptr, false);
  const json written = json::parse(*canonical, nullptr, false);
  Require(!original.is_discarded() && !written.is_discarded());
  Require(Same(original, written));
  // A number may be written longer than it was ("1e20"), at most 25 bytes for 3.
  Require(canonical->size() <= 10 * size + 10);
  Require(CanonicalJson(*canonical).value() == *canonical);
  return 0;
}
