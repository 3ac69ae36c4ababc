// Fuzz target: any bytes as a URL, a header value or a message of a trail. What is shown is one
// line of valid UTF-8, bounded, and holds no planted user information, query value or fragment.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/audit/redaction.h"
#include "middleware/base/utf8.h"

namespace {

using understudy::Redactor;

constexpr std::string_view kPlanted = "pl4nted";

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckLine(std::string_view text) {
  while (!text.empty()) {
    const understudy::CodePoint point = understudy::DecodeUtf8(text);
    Require(point.valid && !understudy::IsControl(point.value));
    text.remove_prefix(point.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Redactor redactor = Redactor::Create().value();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string url = redactor.Url(text);
  CheckLine(url);
  Require(url.size() <= Redactor::kUrlBytesMax * 4);
  const std::string message = redactor.Message(text);
  CheckLine(message);
  Require(message.size() <= Redactor::kMessageBytesMax);
  for (const char* const name :
       {"content-type", "location", "x-request-id", "traceparent", "other"})
    CheckLine(redactor.HeaderValue(name, text));
  if (text.find(kPlanted) != std::string::npos) return 0;
  const std::string planted(kPlanted);
  for (const std::string& whole :
       {"https://u:" + planted + "@h.example/" + text,
        "https://h.example/?x=" + planted + "&" + text,
        "https://h.example/?" + text + "#" + planted, "/p?token=" + planted + text}) {
    Require(redactor.Url(whole).find(kPlanted) == std::string::npos);
  }
  return 0;
}
