// Fuzz target: any bytes as a stored, encrypted record of tokens, and as the record within. Nothing
// may crash; a record that is read is written again as the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "middleware/base/text.h"
#include "middleware/store/encrypted_token_store.h"
#include "middleware/store/key_ring.h"
#include "middleware/store/token_record.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRecord(const std::string& bytes) {
  const auto tokens = understudy::internal::DecodeTokenRecord(bytes);
  if (!tokens) {
    Require(tokens.error().reason == "format");
    return;
  }
  Require(understudy::internal::EncodeTokenRecord(*tokens).Reveal() == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckRecord(text);
  if (const auto bytes = understudy::HexDecode(text)) CheckRecord(*bytes);
  const auto key = understudy::ParseAeadKey(understudy::Secret(text));
  Require(!key || key->Reveal().size() == 32);
  const auto parsed = understudy::ParseSealedTokens(text);
  if (!parsed) {
    Require(parsed.error().code == understudy::ErrorCode::kUnverified);
    return 0;
  }
  Require(understudy::IsKeyName(parsed->key_name));
  Require(parsed->sealed.size() < text.size());
  return 0;
}
