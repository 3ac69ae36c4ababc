#include "middleware/resilience/cache_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/http/date.h"
#include "middleware/resilience/outcome.h"

namespace understudy {
namespace {

using std::chrono::seconds;

constexpr std::size_t kVaryNamesMax = 32;

// Request fields that negotiate a representation (RFC 9110 12.5), or say how to answer, but not
// whose data is answered. They matter only where Vary says so.
constexpr std::array<std::string_view, 13> kNegotiation = {
    "accept",       "accept-charset", "accept-encoding", "accept-language", "user-agent",
    "content-type", "content-length", "cache-control",   "pragma",          "host",
    "connection",   "date",           "referer"};

// Request fields that name the call; different for each, and no matter for the answer.
constexpr std::array<std::string_view, 9> kCallNames = {
    "traceparent",  "tracestate",  "baggage",          "x-request-id",   "request-id",
    "x-b3-traceid", "x-b3-spanid", "x-correlation-id", "idempotency-key"};

// RFC 9111 3.1.
constexpr std::array<std::string_view, 9> kHopByHop = {
    "connection", "keep-alive",         "proxy-connection",          "te",     "transfer-encoding",
    "upgrade",    "proxy-authenticate", "proxy-authentication-info", "trailer"};

// Of the statuses whose meaning for a cache we know, only those that tell what the resource is.
// Heuristically cacheable are the first ones (RFC 9110 15.1); 206 would need range support.
constexpr std::array<int, 10> kHeuristic = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414};
constexpr std::array<int, 5> kExplicitOnly = {302, 303, 307, 451, 501};

template <typename List, typename T>
bool Contains(const List& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool IsHeuristic(int status) { return status == 501 || Contains(kHeuristic, status); }
bool IsUnderstood(int status) { return IsHeuristic(status) || Contains(kExplicitOnly, status); }

// a - b in whole seconds, within +-2^31 s: dates reach over all of 64 bits of nanoseconds.
Duration SecondsBetween(SystemTime a, SystemTime b) {
  constexpr seconds kMax = std::chrono::duration_cast<seconds>(kCacheSecondsMax);
  const seconds difference = std::chrono::floor<seconds>(a.time_since_epoch()) -
                             std::chrono::floor<seconds>(b.time_since_epoch());
  return std::clamp(difference, -kMax, kMax);
}

// now - then, within +-2^31 s.
Duration WallBetween(SystemTime now, SystemTime then) {
  const Duration whole = SecondsBetween(now, then);
  const bool fits = whole > -kCacheSecondsMax && whole < kCacheSecondsMax;
  return fits ? now - then : whole;
}

// nullopt if there is no well-formed one, or several different ones.
std::optional<SystemTime> DateField(const http::Headers& headers, std::string_view name,
                                    SystemTime now) {
  std::optional<SystemTime> found;
  for (const std::string_view value : headers.GetAll(name)) {
    const std::optional<SystemTime> date = http::ParseHttpDate(value, now);
    if (!date || (found && *found != *date)) return std::nullopt;
    found = date;
  }
  return found;
}

// 5.1: the first member of the first field; an invalid one is ignored.
Duration AgeField(const http::Headers& headers) {
  const std::optional<std::string_view> field = headers.Get("Age");
  if (!field) return Duration::zero();
  const std::string_view digits = TrimOws(field->substr(0, field->find(',')));
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) {
    return Duration::zero();
  }
  constexpr auto kMax =
      static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(kCacheSecondsMax).count());
  return seconds(static_cast<std::int64_t>(std::min(ParseUnsigned(digits).value_or(kMax), kMax)));
}

Duration InitialAge(const http::Headers& headers, const Moment& sent, const Moment& received) {
  Duration apparent = Duration::zero();
  if (const auto date = DateField(headers, "Date", received.wall)) {
    apparent = std::max(apparent, SecondsBetween(received.wall, *date));
  }
  const Duration delay = std::max(Duration::zero(), received.steady - sent.steady);
  return std::max(apparent, AgeField(headers) + delay);
}

struct Lifetime {
  Duration value{0};
  bool given = false;  // By max-age or Expires.
};

// 4.2.1.
Lifetime LifetimeOf(const http::Response& response, const CacheControl& control,
                    SystemTime received, const CacheRules& rules) {
  if (control.max_age) return {*control.max_age, true};
  const SystemTime date = DateField(response.headers, "Date", received).value_or(received);
  if (response.headers.Has("Expires")) {
    const auto expires = DateField(response.headers, "Expires", received);
    if (!expires) return {Duration::zero(), true};  // "0", -1, or two of them: already stale.
    return {std::max(Duration::zero(), SecondsBetween(*expires, date)), true};
  }
  if (!IsHeuristic(response.status) && !control.is_public) return {};
  if (response.headers.Has("Last-Modified")) {
    const auto modified = DateField(response.headers, "Last-Modified", received);
    if (!modified) return {};
    const Duration tenth = SecondsBetween(date, *modified) / 10;
    return {std::clamp(tenth, Duration::zero(), kHeuristicLifetimeMax), false};
  }
  if (response.ok() && rules.default_ttl) return {*rules.default_ttl, false};
  return {};
}

// The names in all fields `field`, lower case.
std::vector<std::string> NamesIn(const http::Headers& headers, std::string_view field) {
  std::vector<std::string> names;
  for (const std::string_view value : headers.GetAll(field)) {
    for (const std::string_view member : Split(value, ',')) {
      const std::string_view name = TrimOws(member);
      if (!name.empty()) names.push_back(AsciiLower(name));
    }
  }
  return names;
}

// Several fields of a name are one list (RFC 9110 5.3). Nothing else is made equal: white space can
// have a meaning.
std::optional<std::string> CombinedValue(const http::Headers& headers, std::string_view name) {
  std::optional<std::string> combined;
  for (const std::string_view value : headers.GetAll(name)) {
    if (combined) {
      combined->append(", ").append(value);
    } else {
      combined = value;
    }
  }
  return combined;
}

// All fields but those that `leave_out` names, sorted, so that the order of the application does
// not matter. A name or value cannot hold a newline.
template <typename LeaveOut>
std::string Serialise(const http::Headers& headers, const LeaveOut& leave_out) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : headers) {
    std::string line = AsciiLower(name);
    if (leave_out(line)) continue;
    line.append(":").append(value).append("\n");
    lines.push_back(std::move(line));
  }
  // Stable: the order of several fields of a name has a meaning, so only names are compared.
  std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
    return std::string_view(a).substr(0, a.find(':')) < std::string_view(b).substr(0, b.find(':'));
  });
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

// Why the response, taken for itself, must not be stored.
std::string_view ReasonNotToStore(const http::Response& response, const CacheControl& control) {
  if (!IsUnderstood(response.status)) return "status";
  // 5.2.2.3: no-store is then only for caches that do not know the status.
  if (control.no_store && !control.must_understand) return "no-store";
  const std::vector<std::string> vary = NamesIn(response.headers, "Vary");
  if (Contains(vary, "*")) return "Vary: *";
  if (vary.size() > kVaryNamesMax) return "too long a Vary";
  const bool marked =
      control.is_public || control.is_private || control.max_age || response.headers.Has("Expires");
  if (!marked && !IsHeuristic(response.status)) return "status without a fresh time";
  return {};
}

// `reason_not_to_store`: of the response alone.
bool MayShare(const http::Response& response, const CacheControl& control,
              std::string_view reason_not_to_store, SystemTime received) {
  if (response.status >= 400) return true;
  if (!reason_not_to_store.empty() || control.no_cache) return false;
  const Lifetime lifetime = LifetimeOf(response, control, received, CacheRules{});
  return !(lifetime.given && lifetime.value == Duration::zero());
}

std::string_view ReasonNotToStore(const http::Request& request, const CacheControl& wishes,
                                  std::string_view reason_of_response) {
  if (request.method != http::Method::Get()) return "method";
  if (wishes.no_store) return "no-store in the request";
  return reason_of_response;
}

// Could a stored answer serve anything: fresh, stale by a rule, or by a validation? Most APIs say
// nothing about caching, and to keep what they answer would only cost.
bool IsOfUse(const http::Response& response, const CacheControl& control,
             const CacheControl& wishes, SystemTime received, const CacheRules& rules) {
  const auto window = [](std::optional<Duration> said, Duration rule) {
    return said.value_or(rule) > Duration::zero();
  };
  // Who asks with one of these wishes may ask with it again.
  if (wishes.max_stale || wishes.stale_if_error) return true;
  return response.headers.Has("ETag") || response.headers.Has("Last-Modified") ||
         window(control.stale_while_revalidate, rules.stale_while_revalidate) ||
         window(control.stale_if_error, rules.stale_if_error) ||
         LifetimeOf(response, control, received, rules).value > Duration::zero();
}

// The fields that belong to a connection (3.1), by the standard and as Connection names them.
void RemoveConnectionFields(http::Headers& headers) {
  for (const std::string& name : NamesIn(headers, "Connection")) headers.Remove(name);
  for (const std::string_view name : kHopByHop) headers.Remove(name);
}

// Every response has a Date (RFC 9110 6.6.1); age and Expires are counted from it.
void EnsureDate(http::Headers& headers, SystemTime received) {
  if (DateField(headers, "Date", received)) return;
  static_cast<void>(headers.Set("Date", http::FormatHttpDate(received)));  // It is well formed.
}

bool IsWeak(std::string_view etag) { return etag.starts_with("W/"); }

std::string_view Opaque(std::string_view etag) { return IsWeak(etag) ? etag.substr(2) : etag; }

// May a field of a 304 replace the stored one? The body stays, and so must what describes its form.
bool IsUpdatable(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kOfTheBody = {
      "content-length", "content-encoding", "content-range"};
  const std::string lower = AsciiLower(name);
  return !Contains(kOfTheBody, lower) && !Contains(kHopByHop, lower);
}

}  // namespace

Duration TimeBetween(const Moment& since, const Moment& now) {
  return std::max({Duration::zero(), now.steady - since.steady, WallBetween(now.wall, since.wall)});
}

CacheControl ParseRequestCacheControl(const http::Request& request) {
  CacheControl wishes = ParseCacheControl(request.headers);
  if (request.headers.Has("Cache-Control")) return wishes;
  for (const std::string& directive : NamesIn(request.headers, "Pragma")) {
    if (directive == "no-cache") wishes.no_cache = true;
  }
  return wishes;
}

std::string_view ReasonToBypass(const http::Request& request, const CacheControl& wishes) {
  if (wishes.no_store) return "no-store";
  if (!request.body.empty()) return "request with a body";
  static constexpr std::array<std::string_view, 7> kOwn = {
      "Range",  "If-Match", "If-None-Match", "If-Modified-Since", "If-Range", "If-Unmodified-Since",
      "Upgrade"};
  for (const std::string_view name : kOwn) {
    if (request.headers.Has(name)) return name == "Range" ? "range request" : "own precondition";
  }
  return {};
}

std::string IdentityOf(const http::Headers& request) {
  return Serialise(request, [](const std::string& name) {
    return Contains(kNegotiation, name) || Contains(kCallNames, name);
  });
}

std::string FingerprintOf(const http::Headers& request) {
  return Serialise(request, [](const std::string& name) { return Contains(kCallNames, name); });
}

std::string_view ReasonNotToStore(const http::Request& request, const http::Response& response) {
  return ReasonNotToStore(request, ParseRequestCacheControl(request), ReasonNotToStore(response));
}

std::string_view ReasonNotToStore(const http::Response& response) {
  return ReasonNotToStore(response, ParseCacheControl(response.headers));
}

bool MayShare(const http::Response& response, SystemTime received) {
  const CacheControl control = ParseCacheControl(response.headers);
  return MayShare(response, control, ReasonNotToStore(response, control), received);
}

AnswerVerdict JudgeAnswer(const http::Request& request, const CacheControl& wishes,
                          const http::Response& response, SystemTime received,
                          const CacheRules& rules) {
  const CacheControl control = ParseCacheControl(response.headers);
  AnswerVerdict verdict;
  const std::string_view reason = ReasonNotToStore(response, control);
  verdict.may_share = MayShare(response, control, reason, received);
  verdict.reason_not_to_store = ReasonNotToStore(request, wishes, reason);
  if (verdict.reason_not_to_store.empty() && !IsOfUse(response, control, wishes, received, rules)) {
    verdict.reason_not_to_store = "of no use later";
  }
  return verdict;
}

SelectingFields SelectingFieldsOf(const http::Headers& response, const http::Headers& request) {
  SelectingFields fields;
  std::vector<std::string> names = NamesIn(response, "Vary");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (std::string& name : names) {
    std::optional<std::string> value = CombinedValue(request, name);
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

Freshness FreshnessOf(const http::Response& response, const Moment& sent, const Moment& received,
                      const CacheRules& rules) {
  const CacheControl control = ParseCacheControl(response.headers);
  Freshness freshness;
  freshness.initial_age = InitialAge(response.headers, sent, received);
  freshness.lifetime = LifetimeOf(response, control, received.wall, rules).value;
  // no-cache="field" asks for validation only because of that field; 5.2.2.4 allows to take it for
  // all.
  freshness.always_validate = control.no_cache;
  freshness.never_stale = control.no_cache || control.must_revalidate;
  freshness.stale_while_revalidate =
      control.stale_while_revalidate.value_or(rules.stale_while_revalidate);
  freshness.stale_if_error = control.stale_if_error.value_or(rules.stale_if_error);
  return freshness;
}

StoredResponse MakeStored(const http::Headers& request, const http::Response& response,
                          const Moment& sent, const Moment& received, const CacheRules& rules) {
  StoredResponse stored;
  stored.response = response;
  stored.selecting = SelectingFieldsOf(response.headers, request);
  stored.sent = sent;
  stored.received = received;
  RemoveConnectionFields(stored.response.headers);
  EnsureDate(stored.response.headers, received.wall);
  stored.freshness = FreshnessOf(stored.response, sent, received, rules);
  return stored;
}

bool Matches(const StoredResponse& stored, const http::Headers& request) {
  return std::all_of(stored.selecting.begin(), stored.selecting.end(), [&](const auto& field) {
    return field.second == CombinedValue(request, field.first);
  });
}

Duration AgeOf(const StoredResponse& stored, const Moment& now) {
  return stored.freshness.initial_age + TimeBetween(stored.received, now);
}

CacheVerdict Judge(const CacheControl& wishes, const StoredResponse& stored, const Moment& now) {
  const Freshness& freshness = stored.freshness;
  CacheVerdict verdict;
  verdict.age = AgeOf(stored, now);
  verdict.ttl = freshness.lifetime - verdict.age;
  const bool fresh = verdict.ttl > Duration::zero();
  // max-age=0 asks for validation, also of what has just arrived.
  const bool young =
      !wishes.max_age || (verdict.age <= *wishes.max_age && *wishes.max_age > Duration::zero());
  const bool lasting = !wishes.min_fresh || verdict.ttl >= *wishes.min_fresh;
  verdict.demanded = wishes.no_cache || (fresh && !(young && lasting));
  if (wishes.no_cache || freshness.always_validate) return verdict;
  if (fresh && young && lasting) {
    verdict.use = CacheUse::kFresh;
    return verdict;
  }
  if ((!fresh && freshness.never_stale) || wishes.min_fresh) return verdict;
  if (wishes.max_stale) {
    const Duration too_old = young ? Duration::zero() : verdict.age - *wishes.max_age;
    if (std::max(-verdict.ttl, too_old) <= *wishes.max_stale) verdict.use = CacheUse::kStale;
    if (verdict.use == CacheUse::kStale) return verdict;
  }
  // A request with max-age accepts nothing stale unless it says max-stale (5.2.1.1).
  if (!wishes.max_age && -verdict.ttl < freshness.stale_while_revalidate) {
    verdict.use = CacheUse::kStaleWhileRevalidate;
  }
  return verdict;
}

bool MayServeOnError(const CacheControl& wishes, const StoredResponse& stored, const Moment& now) {
  const Freshness& freshness = stored.freshness;
  if (wishes.no_cache || freshness.always_validate) return false;
  const Duration staleness = AgeOf(stored, now) - freshness.lifetime;
  if (staleness >= Duration::zero() && freshness.never_stale) return false;
  if (wishes.stale_if_error) return staleness < *wishes.stale_if_error;
  if (wishes.max_age || wishes.min_fresh) return false;  // The request wants no stale one.
  return staleness < freshness.stale_if_error;
}

bool IsFailureForStale(const Result<http::Response>& result) {
  if (!result) return IsUnavailable(result.error());
  return result->status == 500 || (result->status >= 502 && result->status <= 504);
}

bool AddValidators(const StoredResponse& stored, http::Request& request) {
  const http::Headers& headers = stored.response.headers;
  const auto etag = headers.Get("ETag");
  const auto modified = headers.Get("Last-Modified");
  bool added = false;
  if (etag && !etag->empty()) {
    added = request.headers.Set("If-None-Match", *etag).has_value();
  }
  if (modified && !modified->empty()) {
    added = request.headers.Set("If-Modified-Since", *modified).has_value() || added;
  }
  return added;
}

bool Confirms(const http::Response& not_modified, const StoredResponse& stored) {
  const auto etag = not_modified.headers.Get("ETag");
  const auto stored_etag = stored.response.headers.Get("ETag");
  if (etag) {
    if (!stored_etag) return false;
    return IsWeak(*etag) ? Opaque(*etag) == Opaque(*stored_etag) : *etag == *stored_etag;
  }
  // The stored ETag was sent, so the vendor has compared that one.
  if (stored_etag) return true;
  const auto modified = not_modified.headers.Get("Last-Modified");
  return !modified || modified == stored.response.headers.Get("Last-Modified");
}

bool ConfirmsHead(const http::Response& head, const StoredResponse& stored) {
  const http::Headers& kept = stored.response.headers;
  const auto agrees = [&](std::string_view name) {
    const auto received = head.headers.Get(name);
    return !received || received == kept.Get(name);
  };
  if (!agrees("ETag") || !agrees("Last-Modified")) return false;
  // Without a stored one there is nothing to compare: the body may have been decoded.
  return !kept.Has("Content-Length") || agrees("Content-Length");
}

StoredResponse Freshened(const StoredResponse& stored, const http::Headers& request,
                         const http::Response& update, const Moment& sent, const Moment& received,
                         const CacheRules& rules) {
  http::Headers fields = update.headers;
  RemoveConnectionFields(fields);
  StoredResponse fresh = stored;
  http::Headers& headers = fresh.response.headers;
  // These tell about the exchange, not about the representation: the old ones are wrong now.
  headers.Remove("Age");
  headers.Remove("Date");
  headers.Remove("Cache-Status");
  for (const auto& [name, value] : fields) {
    if (IsUpdatable(name)) headers.Remove(name);
  }
  for (const auto& [name, value] : fields) {
    if (IsUpdatable(name)) static_cast<void>(headers.Add(name, value));  // It was a field before.
  }
  EnsureDate(headers, received.wall);
  fresh.selecting = SelectingFieldsOf(headers, request);
  fresh.sent = sent;
  fresh.received = received;
  fresh.freshness = FreshnessOf(fresh.response, sent, received, rules);
  return fresh;
}

bool Supersedes(int status) {
  return status >= 200 && status < 500 && status != 304 && status != 408 && status != 425 &&
         status != 429;
}

std::vector<http::Url> InvalidatedBy(const http::Request& request,
                                     const Result<http::Response>& result) {
  if (request.method.IsSafe()) return {};
  if (!result) {
    if (result.error().delivery != Delivery::kMaybeSent) return {};
    return {request.url};
  }
  if (result->status < 200 || result->status >= 400) return {};
  std::vector<http::Url> urls = {request.url};
  for (const std::string_view name : {"Location", "Content-Location"}) {
    const auto reference = result->headers.Get(name);
    if (!reference) continue;
    Result<http::Url> url = request.url.Resolve(*reference);
    // Of another origin, it could be a way to empty somebody else's cache.
    if (url && url->HasOriginOf(request.url)) urls.push_back(*std::move(url));
  }
  return urls;
}

ModelFreshness FreshnessOf(const http::Response& response, SystemTime now,
                           const CacheRules& rules) {
  if (!ReasonNotToStore(response, ParseCacheControl(response.headers)).empty()) return {};
  const Moment received{TimePoint(), now};
  const Freshness freshness = FreshnessOf(response, received, received, rules);
  if (freshness.always_validate) return {};
  const Duration left = freshness.lifetime - freshness.initial_age;
  // What it was stale already when it arrived is gone from the windows.
  const Duration late = std::max(Duration::zero(), -left);
  const auto window = [&](Duration duration) {
    return freshness.never_stale ? Duration::zero() : std::max(Duration::zero(), duration - late);
  };
  return {std::max(Duration::zero(), left), window(freshness.stale_while_revalidate),
          window(freshness.stale_if_error)};
}

}  // namespace understudy
