// Fuzz target: any bytes as the body of a refusal, in every dialect and with several statuses. Each
// gives an error whose texts are bounded and of the letters of identifiers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/adapter/error_mapper.h"

namespace {

using understudy::DomainError;
using understudy::ErrorDialect;
using understudy::MapVendorError;
using understudy::http::Response;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckText(std::string_view text, std::size_t size_max) {
  Require(text.size() <= size_max);
  Require(std::all_of(text.begin(), text.end(),
                      [](char c) { return c > ' ' && c < 0x7f && c != '@' && c != '<'; }));
}

void Check(const DomainError& error) {
  CheckText(error.vendor_code, 300);
  CheckText(error.field, 100);
  CheckText(error.request_id, 128);
  Require(error.retry_hint.size() < 100);
  Require(error.ToString().size() < 800);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (int dialect = 0; dialect <= static_cast<int>(ErrorDialect::kProblemDetails); ++dialect) {
    for (const int status : {200, 400, 403, 429, 502}) {
      const auto error = MapVendorError(Response{.status = status, .body = body},
                                        static_cast<ErrorDialect>(dialect));
      Require(error.has_value() || status == 200);
      if (error) Check(*error);
    }
  }
  static_cast<void>(understudy::QuickBooksBatchFaults(Response{.body = body}));
  return 0;
}
