// Fuzz target: any bytes as a file of webhook vectors. Nothing may crash, throw or hang: there are
// vectors, each with a verdict, or an error that names the file.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./webhook_vectors_fuzz
//   tests/fuzz/corpus/webhook_vectors
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "middleware/platform/openssl_crypto.h"
#include "tools/understudy/webhook_vectors.h"

namespace {

using understudy::OpensslCrypto;
using understudy::tools::JudgeVector;
using understudy::tools::ParseWebhookVectors;
using understudy::tools::WebhookVector;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto vectors =
      ParseWebhookVectors("v.json", std::string_view(reinterpret_cast<const char*>(data), size));
  if (!vectors) {
    Require(vectors.error().message.starts_with("v.json:"));
    return 0;
  }
  const OpensslCrypto crypto;
  for (const WebhookVector& vector : *vectors) {
    const auto verdict = JudgeVector(crypto, vector);
    Require(verdict.valid == verdict.reason.empty());
  }
  return 0;
}
