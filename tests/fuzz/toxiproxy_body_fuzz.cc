// Fuzz target: any bytes as the body of a request to Toxiproxy's API. Nothing may crash; what is
// accepted satisfies its own checks, and reads back as what was written.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./toxiproxy_body_fuzz corpus/
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "harness/admin/toxiproxy_codec.h"

namespace {

using namespace understudy::harness;  // NOLINT: one target, one namespace

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRoundTrip(const Toxic& toxic) {
  Require(CheckToxic(toxic).has_value());
  const std::string written = ToJson(toxic);
  const auto again = ParseToxic(written);
  Require(again.has_value());
  Require(ToJson(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(data, data + size);
  const auto toxic = ParseToxic(body);
  if (toxic) {
    CheckRoundTrip(*toxic);
    const auto updated = ParseToxicUpdate(body, *toxic);
    if (updated) CheckRoundTrip(*updated);
  }
  const auto proxy = ParseProxy(body);
  if (proxy) Require(!proxy->name->empty() && !proxy->upstream->empty());
  static_cast<void>(ParseProxyUpdate(body).has_value());
  const auto proxies = ParseProxies(body);
  if (proxies) {
    for (const ProxyInput& each : *proxies) {
      for (const Toxic& one : each.toxics.value_or(std::vector<Toxic>{})) CheckRoundTrip(one);
    }
  }
  return 0;
}
