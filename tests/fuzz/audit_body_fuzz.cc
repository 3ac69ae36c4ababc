// Fuzz target: any bytes as a body, JSON or form, whole or cut. Nothing may crash, hang or grow
// without bound; a preview is one line of valid UTF-8 within its bound, and a secret planted under
// a secret's name is in none.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/audit/redaction.h"
#include "middleware/base/utf8.h"

namespace {

using understudy::BodyPreview;
using understudy::Redactor;

constexpr std::size_t kPreviewMax = 200;
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

void CheckBody(const Redactor& redactor, std::string_view type, const std::string& body) {
  for (const bool complete : {true, false}) {
    const BodyPreview preview = redactor.Body(type, body, complete);
    Require(preview.text.size() <= kPreviewMax);
    Require(preview.hidden.empty() || preview.text.empty());
    CheckLine(preview.text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Redactor redactor =
      Redactor::Create({.secret_pointers = {"/a/*/b"}, .preview_bytes_max = kPreviewMax}).value();
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckBody(redactor, "application/json", text);
  CheckBody(redactor, "application/x-www-form-urlencoded", text);
  if (text.find(kPlanted) != std::string::npos) return 0;
  // A well-formed neighbour does not open the secret's member.
  const std::string planted = "{\"password\":\"" + std::string(kPlanted) + "\",\"x\":" + text + "}";
  const BodyPreview preview = redactor.Body("application/json", planted, true);
  Require(preview.text.find(kPlanted) == std::string::npos);
  const std::string form = "client_secret=" + std::string(kPlanted) + "&" + text;
  const BodyPreview shown = redactor.Body("application/x-www-form-urlencoded", form, true);
  Require(shown.text.find(kPlanted) == std::string::npos);
  return 0;
}
