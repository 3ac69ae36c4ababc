// Fuzz target: any bytes as the body of a journalled request. Redacting does not crash, twice is as
// once, and nothing of a secret's value is left.
//
//   The input: the first line is the content type, the rest the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "harness/vendor/journal_redaction.h"

namespace {

using understudy::harness::JournalRedaction;
using understudy::harness::JournalSecrets;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view type = input.substr(0, line);
  const std::string_view body =
      line == std::string_view::npos ? std::string_view() : input.substr(line + 1);
  const JournalRedaction redaction;
  const std::string once = redaction.Body(type, body);
  Require(redaction.Body(type, once) == once);
  Require(JournalRedaction(JournalSecrets::kShown).Body(type, body) == body);
  // As the value of a secret form field, nothing of it is left.
  std::string field = "password=";
  for (const char c : body) field.push_back(c == '&' ? '+' : c);
  Require(redaction.Query(field) == "password=[redacted]");
  static_cast<void>(redaction.Query(body));
  static_cast<void>(redaction.Header(type, body));
  return 0;
}
