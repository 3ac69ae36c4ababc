// Fuzz target: any bytes as a compressed request body; the first byte says in which coding. Nothing
// may crash, and nothing longer than the bound may come out.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./content_decoder_fuzz corpus/
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "harness/server/content_decoder.h"

namespace {

using understudy::harness::DecodeContent;
using understudy::harness::Refusal;

constexpr std::size_t kBytesMax = 100'000;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 6> kCodings = {"gzip",       "deflate",  "br",
                                                        "gzip, gzip", "br, gzip", "identity"};
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto decoded = DecodeContent({kCodings[data[0] % kCodings.size()]}, body, kBytesMax);
  if (const auto* refusal = std::get_if<Refusal>(&decoded)) {
    Require(refusal->status == 400 || refusal->status == 413);
  } else {
    Require(std::get<std::string>(decoded).size() <= std::max(kBytesMax, body.size()));
  }
  return 0;
}
