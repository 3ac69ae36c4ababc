// Fuzz target: any bytes as a trail of JSON lines. The verifier ends with a report without a piece
// of the trail; a line that fits is exactly the one that a chain seals.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/audit/hash_chain.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/store/audit_sink.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const understudy::OpensslCrypto crypto;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto report = understudy::VerifyChain(text, {}, crypto);
  Require(report.ok() == (report.broken_line == 0));
  Require(report.ToString().size() < 400);
  static_cast<void>(understudy::VerifyChain(text, {.any_start = true}, crypto));
  static_cast<void>(understudy::ChainPoint::Parse(text));
  const std::string line = text.substr(0, text.find('\n'));
  if (const auto entry = understudy::ParseAuditLine(line)) {
    Require(entry->text == line);
    Require(line.starts_with(understudy::AuditLineHead(entry->at, entry->id, entry->call_id)));
  }
  // Whatever a record holds, it seals to a line that fits.
  understudy::HashChain chain(crypto, {});
  const auto sealed = understudy::VerifyChain(chain.Seal(line + "}"), {}, crypto);
  Require(sealed.ok() && sealed.records == 1);
  return 0;
}
