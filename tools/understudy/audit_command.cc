#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/audit/hash_chain.h"
#include "middleware/platform/file.h"
#include "middleware/platform/openssl_crypto.h"
#include "tools/understudy/commands.h"

namespace understudy::tools {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{2} * 1024 * 1024 * 1024;
constexpr std::size_t kKeyBytesMax = 4096;

int Refuse(Console& console, const std::string& what) {
  console.err << what << "\n";
  return kExitUsage;
}

// Without the line feed that editors leave at the end.
Result<Secret> ReadKey(const std::string& path) {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kKeyBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return InvalidArgument(path + " holds no key");
  return Secret(std::move(text));
}

Result<ChainVerifyOptions> ToVerifyOptions(const AuditVerifyOptions& options) {
  ChainVerifyOptions verify{.any_start = options.any_start};
  if (!options.key_file.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(verify.key, ReadKey(options.key_file));
  }
  if (!options.start.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(verify.start, ChainPoint::Parse(options.start));
  }
  if (!options.anchor.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(verify.end, ChainPoint::Parse(options.anchor));
  }
  return verify;
}

}  // namespace

int VerifyAudit(const AuditVerifyOptions& options, Console& console) {
  Result<ChainVerifyOptions> verify = ToVerifyOptions(options);
  if (!verify) return Refuse(console, verify.error().message);
  const OpensslCrypto crypto;
  ChainVerifier verifier(*std::move(verify), crypto);
  for (const std::string& path : options.files) {
    const Result<std::string> text = ReadFile(path, kFileBytesMax);
    if (!text) return Refuse(console, text.error().message);
    std::string_view rest = *text;
    std::size_t line_number = 0;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      ++line_number;
      if (!verifier.Add(line)) {
        console.out << path << ":" << line_number << ": " << verifier.Finish().ToString() << "\n";
        return 1;
      }
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
  }
  const ChainReport report = verifier.Finish();
  console.out << report.ToString() << "\n";
  if (!report.ok()) return 1;
  if (options.anchor.empty())
    console.out << "without --anchor, records cut off at the end do not show\n";
  return 0;
}

}  // namespace understudy::tools
