// Fuzz target: any bytes as header fields of a response, and as Cache-Control of a request. Nothing
// may crash, all durations are in range, and nothing that is added makes a cache forget a
// restriction.
//
//   The input: one field per line, "Name: value"; lines without a colon are Cache-Control.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/text.h"
#include "middleware/resilience/cache_control.h"
#include "middleware/resilience/cache_policy.h"

namespace {

using understudy::CacheControl;
using understudy::CacheVerdict;
using understudy::Duration;
using understudy::kCacheSecondsMax;
using understudy::Moment;
using understudy::ParseCacheControl;
using understudy::StoredResponse;
using understudy::SystemTime;
using understudy::TimePoint;
using understudy::http::Headers;
using understudy::http::Request;
using understudy::http::Response;

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireInRange(const std::optional<Duration>& value, Duration max = kCacheSecondsMax) {
  if (value) Require(*value >= Duration::zero() && *value <= max);
}

void CheckRanges(const CacheControl& control) {
  RequireInRange(control.max_age);
  RequireInRange(control.s_maxage);
  RequireInRange(control.min_fresh);
  RequireInRange(control.max_stale, Duration::max());
  RequireInRange(control.stale_if_error);
  RequireInRange(control.stale_while_revalidate);
}

// Lines as fields; what cannot be a field is left out, as a transport would.
Headers FieldsOf(std::string_view text) {
  Headers headers;
  for (const std::string_view line : understudy::Split(text, '\n')) {
    const std::size_t colon = line.find(':');
    const bool named = colon != std::string_view::npos;
    static_cast<void>(headers.Add(named ? line.substr(0, colon) : "Cache-Control",
                                  named ? line.substr(colon + 1) : line));
  }
  return headers;
}

void CheckRestrictionsStay(const Headers& headers, const CacheControl& control) {
  // In a field of its own, and behind each field there is.
  Headers more = headers;
  Require(more.Add("Cache-Control", "no-store, no-cache").has_value());
  Require(ParseCacheControl(more).no_store);
  for (const std::string_view value : headers.GetAll("Cache-Control")) {
    Headers one;
    Require(one.Add("Cache-Control", std::string(value) + ", no-store").has_value());
    Require(ParseCacheControl(one).no_store);
  }
  if (control.no_cache) Require(ParseCacheControl(more).no_cache);
}

void CheckPolicy(const Headers& headers, const CacheControl& control) {
  const Moment sent{TimePoint(std::chrono::hours(1)), SystemTime(std::chrono::seconds(784111777))};
  const Moment received{sent.steady + std::chrono::seconds(1), sent.wall + std::chrono::seconds(1)};
  Request request;
  request.headers = headers;
  const Response response{200, headers, "body"};
  StoredResponse stored = understudy::MakeStored(headers, response, sent, received);
  Require(stored.freshness.initial_age >= Duration::zero());
  Require(stored.freshness.lifetime >= Duration::zero());
  Require(stored.response.headers.Has("Date"));
  const bool storable = understudy::ReasonNotToStore(request, response).empty();
  if (storable) {
    Require(!control.no_store || control.must_understand);
    Require(understudy::Matches(stored, headers));
  }
  const CacheVerdict verdict = understudy::Judge(control, stored, received);
  if (control.no_cache) Require(verdict.use == understudy::CacheUse::kValidate);
  if (verdict.use == understudy::CacheUse::kFresh) Require(verdict.ttl > Duration::zero());
  static_cast<void>(understudy::MayServeOnError(control, stored, received));
  static_cast<void>(understudy::AddValidators(stored, request));
  static_cast<void>(understudy::Confirms(response, stored));
  static_cast<void>(understudy::ConfirmsHead(response, stored));
  static_cast<void>(understudy::Freshened(stored, headers, response, sent, received));
  static_cast<void>(understudy::FreshnessOf(response, received.wall));
  static_cast<void>(understudy::IdentityOf(headers));
  request.method = understudy::http::Method::Post();
  request.url = understudy::http::Url::Parse("https://api.vendor.example/v1/things").value();
  for (const auto& url : understudy::InvalidatedBy(request, response)) {
    Require(url.origin() == request.url.origin());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Headers headers = FieldsOf({reinterpret_cast<const char*>(data), size});
  const CacheControl control = ParseCacheControl(headers);
  CheckRanges(control);
  CheckRestrictionsStay(headers, control);
  CheckPolicy(headers, control);
  return 0;
}
