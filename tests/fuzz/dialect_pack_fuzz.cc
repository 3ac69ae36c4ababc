// Fuzz target: any bytes as a dialect pack. Nothing may crash; what is accepted renders headers
// that HTTP allows, JSON where it promises JSON, and merges into a body without losing what was
// there.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./dialect_pack_fuzz corpus/
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "harness/vendor/dialect_pack.h"

namespace {

using namespace understudy;
using namespace understudy::harness;

void Require(bool condition) {
  if (!condition) std::abort();
}

void Try(const DialectForm& form, const LimitReading& reading) {
  for (const DialectHeader& header : form.Headers(reading))
    Require(http::Headers().Add(header.name, header.value).has_value());
  const http::Response refusal = form.Refusal(reading);
  Require(refusal.status >= 200 && refusal.status <= 599);
  std::string body = R"({"kept":[1,2]})";
  form.MergeBody(reading, body);
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  Require(json.is_object() && json["kept"] == nlohmann::json::parse("[1,2]"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pack = DialectPack::Parse("fuzz", {reinterpret_cast<const char*>(data), size});
  if (!pack) {
    Require(!pack.error().message.empty());
    return 0;
  }
  for (const std::string_view name : pack->form_names()) {
    const auto form = pack->Find(name);
    Require(form.has_value());
    for (const bool exceeded : {false, true}) {
      Try(*form, {.id = "l", .route = "r", .exceeded = exceeded});
      Try(*form, {.id = "l",
                  .route = "r",
                  .limit = 1'000'000'000,
                  .remaining = 1,
                  .cost = 5,
                  .window = Duration::max() / 2,
                  .reset_after = Duration::max() / 2,
                  .retry_after = Duration(1),
                  .now = SystemTime::max(),
                  .exceeded = exceeded});
    }
  }
  return 0;
}
