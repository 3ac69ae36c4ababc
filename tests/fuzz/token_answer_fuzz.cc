// Fuzz target: any bytes as the answer of an OAuth token endpoint and of a revocation endpoint. The
// first line is the status, the second one Retry-After, the rest the body. Nothing may crash;
// tokens that are read fit into a header and expire after they were issued; an error holds no
// secret that was sent and nothing but printable text.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/auth/credential_text.h"
#include "middleware/auth/oauth_endpoint.h"
#include "middleware/auth/oauth_revoker.h"
#include "middleware/base/text.h"

namespace {

using understudy::Error;
using understudy::IsVisibleAscii;
using understudy::ParseRevocationAnswer;
using understudy::ParseTokenAnswer;
using understudy::SystemTime;

constexpr SystemTime kSent = SystemTime(std::chrono::seconds(1'700'000'000));
constexpr SystemTime kNow = kSent + std::chrono::seconds(1);
constexpr std::string_view kSecret = "s3cr3t";

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckError(const Error& error) {
  const std::string text = error.ToString() + error.reason;
  Require(text.find(kSecret) == std::string::npos);
  Require(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; }));
  Require(text.size() < 1000);
  Require(!error.retry_after || *error.retry_after >= understudy::Duration::zero());
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  understudy::http::Response response;
  const auto status = understudy::ParseUnsigned(TakeLine(text));
  response.status = status && *status < 1000 ? static_cast<int>(*status) : 200;
  const std::string_view retry_after = TakeLine(text);
  if (!retry_after.empty() && !response.headers.Set("Retry-After", retry_after)) return 0;
  response.body = text;
  const std::array<std::string_view, 2> secrets = {kSecret, ""};
  const auto tokens = ParseTokenAnswer(response, kSent, kNow, secrets);
  if (tokens) {
    Require(response.ok());
    Require(IsVisibleAscii(tokens->access_token.Reveal()));
    Require(tokens->issued_at == kSent && tokens->expires_at.value_or(kSent) >= kSent);
  } else {
    CheckError(tokens.error());
  }
  const auto revoked = ParseRevocationAnswer(response, kNow, secrets);
  if (!revoked) CheckError(revoked.error());
  return 0;
}
