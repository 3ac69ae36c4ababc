// Fuzz target: a request to the admin API. The first line is "METHOD /path?query", the rest the
// body. Nothing may crash or hang, every answer is JSON, and no error passes for a success.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./admin_api_fuzz corpus/admin_api
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "harness/admin/admin_api.h"
#include "harness/plan/seeded_random.h"
#include "harness/vendor/reloadable_vendor.h"
#include "tests/support/fake_clock.h"

namespace {

using namespace understudy;           // NOLINT(google-build-using-namespace)
using namespace understudy::harness;  // NOLINT(google-build-using-namespace)

void Require(bool condition) {
  if (!condition) std::abort();
}

VendorSpec Acme() {
  RouteSpec route{.id = "orders", .responses = {{.status = 200}}};
  route.match.path = "/v1/orders";
  route.set_state["cart"] = "Full";
  return {.name = "acme", .routes = {std::move(route)}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string head = text.substr(0, line);
  const std::size_t space = head.find(' ');
  if (space == std::string::npos) return 0;
  const auto url = http::Url::Parse("http://127.0.0.1:9000" + head.substr(space + 1));
  if (!url) return 0;
  test::FakeClock clock;
  SeededRandom random(1);
  NullEventSink events;
  Journal journal;
  auto vendor = ReloadableVendor::Create(
      Acme(), {.clock = clock, .random = random, .events = events, .journal = &journal});
  Require(vendor.has_value());
  (*vendor)->Handle({.url = *http::Url::Parse("http://127.0.0.1:1/v1/orders")});
  AdminApi api(clock, journal, {});
  api.Add({"acme", "http://127.0.0.1:1", **vendor});
  api.Stop();  // So that nothing waits.
  const http::Response response =
      api.Handle({.method = http::Method(head.substr(0, space)),
                  .url = *url,
                  .body = line == std::string::npos ? std::string() : text.substr(line + 1)});
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  Require(json.is_object());
  Require((response.status >= 400) == json.contains("error"));
  return 0;
}
