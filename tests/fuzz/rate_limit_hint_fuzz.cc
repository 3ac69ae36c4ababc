// Fuzz target: any bytes as an answer, read in every dialect. The first line is the status, then
// come header fields up to an empty line, then the body. Nothing may crash, and every hint is
// within its bounds, whatever the clock shows; the case of a header name does not matter.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./rate_limit_hint_fuzz corpus/
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/text.h"
#include "middleware/http/retry_after.h"
#include "middleware/resilience/rate_limit_hint.h"

namespace {

using understudy::Duration;
using understudy::kQuotaCountMax;
using understudy::kQuotaNameMax;
using understudy::kQuotaReportsMax;
using understudy::kRetryAfterCap;
using understudy::ParseRateLimitHint;
using understudy::ParseUnsigned;
using understudy::QuotaReport;
using understudy::RateLimitDialect;
using understudy::RateLimitHint;
using understudy::SystemTime;
using understudy::http::Response;

constexpr SystemTime kNow = SystemTime(std::chrono::seconds(1'700'000'000));

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

Response ReadAnswer(std::string_view text) {
  Response response;
  response.status = static_cast<int>(ParseUnsigned(TakeLine(text)).value_or(429) % 600);
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    // What cannot be a field (a control character in it) is left out.
    static_cast<void>(
        response.headers.Add(line.substr(0, colon), line.substr(colon + 1)).has_value());
  }
  response.body = text;
  return response;
}

std::string SwapCase(std::string text) {
  for (char& c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter) c = static_cast<char>(c ^ 0x20);
  }
  return text;
}

Response WithSwappedNames(const Response& response) {
  Response swapped{.status = response.status, .body = response.body};
  for (const auto& [name, value] : response.headers)
    Require(swapped.headers.Add(SwapCase(name), value).has_value());
  return swapped;
}

const std::vector<RateLimitDialect>& Dialects() {
  static const std::vector<RateLimitDialect> kDialects = [] {
    std::vector<RateLimitDialect> dialects = {RateLimitDialect::Generic(), RateLimitDialect{}};
    for (const std::string_view vendor : RateLimitDialect::Vendors())
      dialects.push_back(RateLimitDialect::ForVendor(vendor).value());
    return dialects;
  }();
  return kDialects;
}

void CheckTime(const std::optional<Duration>& time) {
  Require(!time || (*time >= Duration::zero() && *time <= kRetryAfterCap));
}

void CheckName(const std::string& name) {
  Require(name.size() <= kQuotaNameMax);
  Require(std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

void CheckQuota(const QuotaReport& quota) {
  CheckName(quota.name);
  CheckTime(quota.reset_after);
  CheckTime(quota.window);
  Require(!quota.window || *quota.window > Duration::zero());
  Require(!quota.limit || (*quota.limit >= 1 && *quota.limit <= kQuotaCountMax));
  Require(!quota.remaining || (*quota.remaining >= 0 && *quota.remaining <= kQuotaCountMax));
  Require(quota.limit || quota.remaining || quota.reset_after);
}

void CheckHint(const RateLimitHint& hint, int status) {
  CheckTime(hint.retry_after);
  CheckName(hint.scope);
  Require(!hint.permanent || hint.throttled);
  Require(!hint.global || hint.scope.empty());
  Require(!hint.retry_after || hint.throttled || status >= 400);
  Require(hint.quotas.size() <= kQuotaReportsMax);
  std::set<std::string> names;
  for (const QuotaReport& quota : hint.quotas) {
    CheckQuota(quota);
    Require(names.insert(quota.name).second);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Response response = ReadAnswer(text);
  const Response swapped = WithSwappedNames(response);
  for (const RateLimitDialect& dialect : Dialects()) {
    const RateLimitHint hint = ParseRateLimitHint(response, kNow, dialect);
    CheckHint(hint, response.status);
    Require(ParseRateLimitHint(swapped, kNow, dialect) == hint);
    CheckHint(ParseRateLimitHint(response, SystemTime::min(), dialect), response.status);
    CheckHint(ParseRateLimitHint(response, SystemTime::max(), dialect), response.status);
  }
  return 0;
}
