#include "harness/vendor/rate_limiter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using Kind = LimitSpec::Kind;
using Per = LimitScope::Per;

bool Fits(const std::vector<std::string>& words, std::string_view word) {
  return words.empty() || std::find(words.begin(), words.end(), word) != words.end();
}

bool InScope(const LimitScope& scope, const LimitedRequest& request) {
  return Fits(scope.routes, request.route) && Fits(scope.methods, request.request.method.name());
}

std::int64_t PointsOf(const std::vector<LimitCost>& costs, const LimitedRequest& request) {
  for (const LimitCost& cost : costs) {
    if (Fits(cost.routes, request.route) && Fits(cost.methods, request.request.method.name()))
      return cost.points;
  }
  return 1;
}

// FNV-1a: a name that was cut must be the same one in every run.
std::string Bounded(std::string_view name) {
  if (name.size() <= RateLimiter::kCallerNameMax) return std::string(name);
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return std::string(name.substr(0, RateLimiter::kCallerNameMax)) + "#" + std::to_string(hash);
}

std::string_view BearerToken(const http::Headers& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = headers.Get("Authorization").value_or("");
  if (!EqualsIgnoreAsciiCase(value.substr(0, kScheme.size()), kScheme)) return {};
  return TrimOws(value.substr(kScheme.size()));
}

std::string CallerOf(const LimitScope& scope, const LimitedRequest& request) {
  switch (scope.per) {
    case Per::kVendor:
      return {};
    case Per::kToken:
      return Bounded(BearerToken(request.request.headers));
    case Per::kHeader:
      return Bounded(request.request.headers.Get(scope.name).value_or(""));
    case Per::kQuery:
      for (const auto& [name, value] : http::ParseForm(request.request.url.query())) {
        if (name == scope.name) return Bounded(value);
      }
      return {};
    case Per::kAddress:
      return Bounded(request.client_address);
  }
  return {};
}

// Callers of different routes are told apart by a byte that no route id and no header has.
std::string KeyOf(const LimitScope& scope, const LimitedRequest& request) {
  std::string key = CallerOf(scope, request);
  if (scope.each_route) key.append(1, '\0').append(request.route);
  return key;
}

// Whole in a header and in a quoted string of one (RFC 9651 section 3.3.3).
bool CanStandInAHeader(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string_view close = ClosestMatch(word, views);
  return close.empty() ? std::string() : "; did you mean \"" + std::string(close) + "\"?";
}

Result<void> CheckRoutes(const std::vector<std::string>& named,
                         const std::vector<std::string>& routes) {
  for (const std::string& route : named) {
    if (!Fits(routes, route) || routes.empty()) {
      return InvalidArgument("there is no route \"" + route + "\"" + DidYouMean(route, routes));
    }
  }
  return {};
}

Result<void> CheckScope(const LimitSpec& spec, const std::vector<std::string>& routes) {
  const LimitScope& scope = spec.scope;
  UNDERSTUDY_RETURN_IF_ERROR(CheckRoutes(scope.routes, routes));
  if ((scope.per == Per::kHeader || scope.per == Per::kQuery) && scope.name.empty())
    return InvalidArgument("the scope does not say which header or query parameter it means");
  if (scope.per == Per::kHeader && !http::Headers().Add(scope.name, "1"))
    return InvalidArgument("\"" + scope.name + "\" is not a header name");
  if (scope.callers < 1 || scope.callers > LimitScope::kCallersMax) {
    return InvalidArgument("callers must be 1 to " + std::to_string(LimitScope::kCallersMax));
  }
  const bool many = scope.per != Per::kVendor || scope.each_route;
  if (spec.kind == Kind::kSliding && many &&
      spec.max > RateLimiter::kSlidingEntriesMax / scope.callers) {
    return InvalidArgument("a sliding limit of " + std::to_string(spec.max) + " for each of " +
                           std::to_string(scope.callers) + " callers would remember more than " +
                           std::to_string(RateLimiter::kSlidingEntriesMax) +
                           " requests; lower \"callers\" or use \"token-bucket\"");
  }
  return {};
}

Result<void> CheckCosts(const LimitSpec& spec, const std::vector<std::string>& routes) {
  for (const LimitCost& cost : spec.costs) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckRoutes(cost.routes, routes));
    if (cost.points < 0 || cost.points > RateLimiter::kCostMax)
      return InvalidArgument("a cost must be 0 to " + std::to_string(RateLimiter::kCostMax));
  }
  return {};
}

PreparedResponse TooManyRequests(std::string_view limit, Duration retry_after) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  const nlohmann::json body = {{"error", "rate limit exceeded"}, {"limit", limit}};
  PreparedResponse prepared;
  prepared.response = {
      .status = 429,
      .headers = {{"Content-Type", "application/json"}, {"Retry-After", std::to_string(seconds)}},
      .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  return prepared;
}

// What the user says of a refusal, over what the dialect says.
void Override(const ResponseSpec& spec, const PreparedResponse& by, PreparedResponse& refusal) {
  if (spec.status) refusal.response.status = by.response.status;
  if (spec.body) {
    refusal.response.body = by.response.body;
    refusal.response.headers.Remove("Content-Type");
  }
  for (const auto& [name, value] : by.response.headers) refusal.response.headers.Remove(name);
  for (const auto& [name, value] : by.response.headers) {
    const auto added = refusal.response.headers.Add(name, value);
    UNDERSTUDY_CHECK(added.has_value(), "it was a header before");
  }
  refusal.latency = by.latency;
  refusal.fault = by.fault;
}

// A before b: a refused, or has the smaller part left.
bool Tighter(const LimitReading& a, const LimitReading& b) {
  if (a.exceeded != b.exceeded) return a.exceeded;
  __extension__ using Wide = __int128;
  return Wide{a.remaining} * b.limit < Wide{b.remaining} * a.limit;
}

// The headers of several limits, made into one answer's.
class HeaderMixer {
 public:
  void Add(const DialectHeader& header, const LimitReading& reading) {
    const auto same = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
      return EqualsIgnoreAsciiCase(slot.header.name, header.name);
    });
    if (same == slots_.end()) {
      slots_.push_back({header, reading});
    } else if (!header.join.empty() && !same->header.join.empty()) {
      same->header.value += header.join + header.value;
    } else if (Tighter(reading, same->reading)) {
      *same = {header, reading};
    }
  }

  void WriteTo(http::Headers& headers) const {
    for (const Slot& slot : slots_) {
      if (headers.Has(slot.header.name)) continue;
      const auto added = headers.Add(slot.header.name, slot.header.value);
      UNDERSTUDY_CHECK(added.has_value(), "packs and ids were checked");
    }
  }

 private:
  struct Slot {
    DialectHeader header;
    LimitReading reading;
  };
  std::vector<Slot> slots_ = {};
};

}  // namespace

Result<RateLimiter::Limit> RateLimiter::MakeLimit(const LimitSpec& spec, const DialectBook& book,
                                                  const std::vector<std::string>& routes) {
  UNDERSTUDY_ASSIGN_OR_RETURN(RateWindow fresh, RateWindow::Create(spec));
  UNDERSTUDY_RETURN_IF_ERROR(CheckScope(spec, routes));
  UNDERSTUDY_RETURN_IF_ERROR(CheckCosts(spec, routes));
  Limit limit{.spec = spec, .fresh = std::move(fresh), .dialect = {}, .on_exceed = {}};
  if (!spec.dialect.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(limit.dialect, book.Find(spec.dialect));
    if (!CanStandInAHeader(spec.id)) {
      return InvalidArgument(
          "with a dialect, an id is printable ASCII without quotes: it may stand "
          "in a header");
    }
    for (const std::string& route : routes) {
      if (!CanStandInAHeader(route)) {
        return InvalidArgument("with a dialect, the id of route \"" + route +
                               "\" must be printable ASCII without quotes");
      }
    }
  }
  if (spec.on_exceed) {
    UNDERSTUDY_ASSIGN_OR_RETURN(PreparedResponse prepared, Prepare(*spec.on_exceed, 429));
    limit.on_exceed = std::make_shared<const PreparedResponse>(std::move(prepared));
  }
  return limit;
}

Result<std::unique_ptr<RateLimiter>> RateLimiter::Create(const VendorSpec& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const DialectBook book, DialectBook::Create(spec.dialects));
  std::vector<std::string> routes;
  for (const RouteSpec& route : spec.routes) routes.push_back(route.id);
  std::vector<Limit> limits;
  for (const LimitSpec& limit : spec.limits) {
    auto made = MakeLimit(limit, book, routes);
    if (!made) return InvalidArgument("limit \"" + limit.id + "\": " + made.error().message);
    limits.push_back(*std::move(made));
  }
  return std::unique_ptr<RateLimiter>(new RateLimiter(std::move(limits), std::move(routes)));
}

RateLimiter::RateLimiter(std::vector<Limit> limits, std::vector<std::string> routes)
    : RateLimiter(std::make_shared<const std::vector<Limit>>(std::move(limits)),
                  std::make_shared<const std::vector<std::string>>(std::move(routes))) {}

RateLimiter::RateLimiter(std::shared_ptr<const std::vector<Limit>> limits,
                         std::shared_ptr<const std::vector<std::string>> routes)
    : limits_(std::move(limits)), routes_(std::move(routes)), counts_(limits_->size()) {}

std::shared_ptr<RateLimiter> RateLimiter::Fresh() const {
  return std::shared_ptr<RateLimiter>(new RateLimiter(limits_, routes_));
}

void RateLimiter::Adopt(const RateLimiter& previous) {
  struct Kept {
    std::size_t limit;
    std::string key;
    RateWindow window;
  };
  std::vector<Kept> kept;
  {
    const MutexLock lock(previous.mutex_);
    for (std::size_t i = 0; i < limits_->size(); ++i) {
      const std::optional<std::size_t> then = previous.Like((*limits_)[i].spec);
      if (!then) continue;
      const auto& used = previous.counts_[*then].used;
      for (auto count = used.rbegin(); count != used.rend(); ++count) {
        kept.push_back({i, count->key, count->window});
      }
    }
  }
  const MutexLock lock(mutex_);
  for (Kept& one : kept) CountOf(one.limit, one.key) = std::move(one.window);
}

std::optional<std::size_t> RateLimiter::Like(const LimitSpec& spec) const {
  // Permits are given back to the limiter that gave them.
  if (spec.kind == Kind::kConcurrency) return std::nullopt;
  const auto found = std::find_if(limits_->begin(), limits_->end(), [&](const Limit& limit) {
    const LimitSpec& other = limit.spec;
    return other.id == spec.id && other.kind == spec.kind && other.max == spec.max &&
           other.window == spec.window && other.align == spec.align;
  });
  if (found == limits_->end()) return std::nullopt;
  return static_cast<std::size_t>(found - limits_->begin());
}

RateWindow& RateLimiter::CountOf(std::size_t limit, const std::string& key) {
  Counts& counts = counts_[limit];
  const auto found = counts.by_key.find(key);
  if (found != counts.by_key.end()) {
    counts.used.splice(counts.used.begin(), counts.used, found->second);
    return found->second->window;
  }
  // A count of permits is forgotten when the last one is given back, and never before.
  const bool bounded = (*limits_)[limit].spec.kind != Kind::kConcurrency;
  const auto callers = static_cast<std::size_t>((*limits_)[limit].spec.scope.callers);
  if (bounded && counts.used.size() >= callers) {
    counts.by_key.erase(counts.used.back().key);
    counts.used.pop_back();
  }
  counts.used.push_front({key, (*limits_)[limit].fresh});
  counts.by_key.emplace(counts.used.front().key, counts.used.begin());
  return counts.used.front().window;
}

std::vector<RateLimiter::Asked> RateLimiter::Ask(const LimitedRequest& request, TimePoint now,
                                                 SystemTime wall) {
  std::vector<Asked> asked;
  for (std::size_t i = 0; i < limits_->size(); ++i) {
    const LimitSpec& spec = (*limits_)[i].spec;
    if (!InScope(spec.scope, request)) continue;
    Asked one{
        .limit = i, .key = KeyOf(spec.scope, request), .points = PointsOf(spec.costs, request)};
    one.window = &CountOf(i, one.key);
    one.decision = one.window->Ask(now, wall, one.points);
    asked.push_back(std::move(one));
  }
  return asked;
}

// The limiter's own copy of the id, which outlives the request.
std::string_view RateLimiter::RouteId(std::string_view route) const {
  const auto found = std::find(routes_->begin(), routes_->end(), route);
  return found == routes_->end() ? std::string_view() : std::string_view(*found);
}

LimitReading RateLimiter::Read(const Asked& asked, std::string_view route, SystemTime wall,
                               bool exceeded) const {
  const LimitSpec& spec = (*limits_)[asked.limit].spec;
  return {.index = asked.limit,
          .id = spec.id,
          .route = RouteId(route),
          .limit = spec.max,
          .remaining = asked.decision.remaining,
          .cost = asked.points,
          .window = (*limits_)[asked.limit].fresh.window(),
          .reset_after = asked.decision.reset_after,
          .retry_after = asked.decision.retry_after,
          .now = wall,
          .exceeded = exceeded};
}

RateVerdict RateLimiter::Admit(const LimitedRequest& request, TimePoint now, SystemTime wall) {
  RateVerdict verdict;
  if (limits_->empty()) return verdict;
  std::vector<Asked> asked;
  const Asked* refused = nullptr;
  {
    const MutexLock lock(mutex_);
    asked = Ask(request, now, wall);
    const auto found = std::find_if(asked.begin(), asked.end(),
                                    [](const Asked& one) { return !one.decision.admitted; });
    if (found != asked.end()) refused = &*found;
    for (Asked& one : asked) {
      const bool permits = (*limits_)[one.limit].spec.kind == Kind::kConcurrency;
      if (refused == nullptr) {
        one.window->Take(now, wall, one.points);
        const bool said = (*limits_)[one.limit].dialect.has_value();
        if (said) one.decision = one.window->Ask(now, wall, one.points);
        one.decision.retry_after = Duration::zero();
      }
      if (permits && one.window->held() == 0) {
        Counts& counts = counts_[one.limit];
        const auto place = counts.by_key.find(one.key);
        const auto count = place->second;
        counts.by_key.erase(place);
        counts.used.erase(count);
      } else if (permits && refused == nullptr && one.points > 0) {
        verdict.permits.push_back({one.limit, one.key, one.points});
      }
      one.window = nullptr;  // Another request may forget it from here on.
    }
  }
  for (const Asked& one : asked) {
    if (!(*limits_)[one.limit].dialect) continue;
    verdict.readings.push_back(Read(one, request.route, wall, &one == refused));
  }
  if (refused == nullptr) return verdict;
  verdict.limit = (*limits_)[refused->limit].spec.id;
  verdict.remaining = refused->decision.remaining;
  verdict.refusal = Refuse(*refused, verdict, request.route, wall);
  return verdict;
}

ResponseSequence::Entry RateLimiter::Refuse(const Asked& asked, const RateVerdict& verdict,
                                            std::string_view route, SystemTime wall) const {
  const Limit& limit = (*limits_)[asked.limit];
  PreparedResponse refusal;
  if (limit.dialect) {
    refusal.response = limit.dialect->Refusal(Read(asked, route, wall, true));
    if (limit.on_exceed) Override(*limit.spec.on_exceed, *limit.on_exceed, refusal);
  } else if (limit.on_exceed != nullptr) {
    if (verdict.readings.empty()) return limit.on_exceed;
    refusal = *limit.on_exceed;
  } else {
    refusal = TooManyRequests(limit.spec.id, asked.decision.retry_after);
  }
  Annotate(verdict, refusal.response);
  return std::make_shared<const PreparedResponse>(std::move(refusal));
}

void RateLimiter::Annotate(const RateVerdict& verdict, http::Response& response) const {
  HeaderMixer mixer;
  for (const LimitReading& reading : verdict.readings) {
    const DialectForm& dialect = *(*limits_)[reading.index].dialect;
    for (const DialectHeader& header : dialect.Headers(reading)) mixer.Add(header, reading);
    dialect.MergeBody(reading, response.body);
  }
  mixer.WriteTo(response.headers);
}

void RateLimiter::Release(const std::vector<LimitPermit>& permits) {
  if (permits.empty()) return;
  const MutexLock lock(mutex_);
  for (const LimitPermit& permit : permits) {
    Counts& counts = counts_[permit.limit];
    const auto place = counts.by_key.find(permit.key);
    UNDERSTUDY_CHECK(place != counts.by_key.end(), "a permit is given back that was not taken");
    const auto count = place->second;
    count->window.Release(permit.points);
    if (count->window.held() > 0) continue;
    counts.by_key.erase(place);
    counts.used.erase(count);
  }
}

std::size_t RateLimiter::counts() const {
  const MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const Counts& counts : counts_) count += counts.used.size();
  return count;
}

}  // namespace understudy::harness
