// Fuzz target: any bytes as a WireMock mapping file. Nothing may crash; what is accepted makes a
// vendor, reads back as what was stored, and a stub that serves nothing says why.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./wiremock_mapping_fuzz corpus/
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "harness/admin/wiremock_import.h"
#include "harness/admin/wiremock_request.h"
#include "harness/admin/wiremock_template.h"
#include "harness/vendor/vendor_model.h"

namespace {

using namespace understudy::harness;  // NOLINT: one target, one namespace

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  static_cast<void>(JavaRegexToRe2(text).has_value());
  static_cast<void>(TranslateHandlebars(text, {}).has_value());
  static_cast<void>(TranslateHandlebars(text, {.json = true}).has_value());
  const auto import = ImportWireMockText(text, {.file = "fuzz.json"});
  if (!import) return 0;
  for (const WireMockStub& stub : import->stubs) {
    Require(!stub.id.empty());
    const auto again = ImportWireMockText(stub.json, {.file = "fuzz.json"});
    Require(again.has_value());
    Require(again->stubs.size() == 1 && again->stubs[0].id == stub.id);
    Require(again->stubs[0].json == stub.json && again->stubs[0].enabled == stub.enabled);
    if (!stub.enabled) {
      Require(std::any_of(
                  import->findings.begin(), import->findings.end(),
                  [](const auto& each) { return each.kind == WireMockFinding::Kind::kDisabled; }) ||
              import->findings.size() == WireMockNotes::kFindingsMax);
      continue;
    }
    VendorSpec spec;
    spec.routes.push_back(stub.route);
    Require(VendorModel::Check(spec).has_value());
  }
  return 0;
}
