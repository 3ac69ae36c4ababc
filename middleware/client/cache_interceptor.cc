#include "middleware/client/cache_interceptor.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/http/retry_after.h"
#include "middleware/store/in_memory_response_store.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kEntriesMax = 1'000'000;
constexpr std::size_t kRevalidationsMax = 64;
constexpr Duration kWindowMax = std::chrono::hours(24 * 3650);
// For so long equal requests do not wait for each other after an answer that cannot be shared.
constexpr Duration kAloneFor = seconds(10);
constexpr std::size_t kAloneMax = 1024;
constexpr Duration kPauseMax = std::chrono::minutes(5);

bool IsHead(const http::Request& request) { return request.method == http::Method::Head(); }

std::string Rough(Duration duration) {
  return FormatDuration(std::chrono::floor<milliseconds>(duration));
}

std::string Seconds(Duration duration) {
  return std::to_string(std::chrono::floor<seconds>(duration).count());
}

// Behind what caches between the vendor and us have said (RFC 9211 section 2).
void AddCacheStatus(http::Response& response, std::string_view parameters) {
  std::string value;
  value.reserve(64);
  for (const std::string_view member : response.headers.GetAll("Cache-Status")) {
    value.append(member).append(", ");
  }
  value.append("understudy; ").append(parameters);
  static_cast<void>(response.headers.Set("Cache-Status", value));  // Made of header values.
}

void SetAge(http::Response& response, Duration age) {
  static_cast<void>(response.headers.Set("Age", Seconds(age)));  // Digits.
}

void CheckWindow(Problems& problems, std::string_view name, Duration value, Duration min) {
  if (value >= min && value <= kWindowMax) return;
  problems.push_back("cache." + std::string(name) + " is " + FormatDuration(value) +
                     "; it must be " + FormatDuration(min) + " to " + FormatDuration(kWindowMax));
}

std::shared_ptr<ResponseStore> StoreOf(const CacheOptions& options) {
  if (options.store) return options.store;
  return std::make_shared<InMemoryResponseStore>(InMemoryResponseStore::Options{
      .entries_max = options.entries_max, .bytes_max = options.bytes_max});
}

}  // namespace

// A request on its way through the cache.
struct CacheInterceptor::Call {
  const http::Request& request;
  CacheControl wishes = {};
  ResponseKey key = {};
  std::string flight_key = {};  // Set when it is needed: a hit is quicker without.
  TimePoint asked = {};         // When this call began, or had last waited for an equal one.
  std::string_view operation = {};
  Deadline deadline = {};  // The caller's own, for waits.
  std::stop_token stop = {};
};

// What the store has for a call.
struct CacheInterceptor::Found {
  StoredResponsePtr stored = {};
  std::string_view forward = "uri-miss";  // Why the call goes on, as Cache-Status names it.
};

// What came of an inner call; shared by all who waited for it.
struct CacheInterceptor::Landed {
  Result<http::Response> result = http::Response();
  int forward_status = 0;  // If it is not that of `result`.
  bool revalidated = false;
  bool stored = false;
  bool fallback = false;  // Made up by an inner layer.
  bool may_share = false;
  Moment received = {};
  SelectingFields selecting = {};
  Deadline deadline = {};  // The leader's.
};

struct CacheInterceptor::Exchange {
  Moment sent = {};
  Moment received = {};
  Result<http::Response> result = http::Response();
};

Problems FindProblems(const CacheOptions& options) {
  Problems problems;
  if (!options.store && (options.entries_max < 1 || options.entries_max > kEntriesMax)) {
    problems.push_back("cache.entries_max is " + std::to_string(options.entries_max) +
                       "; it must be 1 to " + std::to_string(kEntriesMax));
  }
  if (!options.store && options.bytes_max < 1024) {
    problems.push_back("cache.bytes_max is " + std::to_string(options.bytes_max) +
                       "; it must be at least 1024");
  }
  if (options.methods.empty()) problems.push_back("cache.methods is empty; name GET, HEAD or both");
  for (const std::string& method : options.methods) {
    if (method == "GET" || method == "HEAD") continue;
    problems.push_back("cache.methods has \"" + method.substr(0, 40) +
                       "\"; only GET and HEAD can be cached");
  }
  if (options.default_ttl) CheckWindow(problems, "default_ttl", *options.default_ttl, Duration(0));
  CheckWindow(problems, "stale_while_revalidate", options.stale_while_revalidate, Duration(0));
  CheckWindow(problems, "stale_if_error", options.stale_if_error, Duration(0));
  CheckWindow(problems, "revalidation_timeout", options.revalidation_timeout, milliseconds(1));
  CheckWindow(problems, "revalidation_pause", options.revalidation_pause, Duration(0));
  if (options.revalidations_max < 1 || options.revalidations_max > kRevalidationsMax) {
    problems.push_back("cache.revalidations_max is " + std::to_string(options.revalidations_max) +
                       "; it must be 1 to " + std::to_string(kRevalidationsMax));
  }
  if (options.partition.find('\n') != std::string::npos) {
    problems.push_back("cache.partition holds a line break; choose a plain name");
  }
  return problems;
}

CacheInterceptor::CacheInterceptor(CacheOptions options, std::optional<Duration> total,
                                   const Runtime& runtime)
    : options_(std::move(options)),
      rules_{options_.default_ttl, options_.stale_while_revalidate, options_.stale_if_error},
      total_(total),
      runtime_(runtime),
      store_(StoreOf(options_)),
      alone_(kAloneMax),
      flights_(runtime.clock),
      refreshes_("cache refresh", options_.revalidations_max, runtime) {
  const Problems problems = FindProblems(options_);
  UNDERSTUDY_CHECK(problems.empty(), "invalid cache options: " + problems.front());
}

Result<http::Response> CacheInterceptor::Intercept(http::Request& request, CallContext& context,
                                                   Next next) {
  const bool readable = request.method == http::Method::Get() || IsHead(request);
  if (!readable) return Forward(request, context, next);
  const auto& methods = options_.methods;
  if (std::find(methods.begin(), methods.end(), request.method.name()) == methods.end()) {
    return PassBy(request, context, next, "method not cached");
  }
  Call call = MakeCall(request, context);
  if (const std::string_view reason = ReasonToBypass(request, call.wishes); !reason.empty()) {
    return PassBy(request, context, next, reason);
  }
  const Deadline outer = context.deadline();
  Result<http::Response> result = Serve(call, context, next);
  context.RestoreDeadline(outer);
  return result;
}

Result<http::Response> CacheInterceptor::Forward(http::Request& request, CallContext& context,
                                                 Next next) {
  const http::Request original{request.method, request.url, {}, {}};  // Inner layers may change it.
  Result<http::Response> result = next(request, context);
  for (const http::Url& url : InvalidatedBy(original, result)) {
    Invalidate(url);
    context.Explain(context.Now(runtime_.clock), "cache", "forgot " + std::string(url.path()));
  }
  return result;
}

Result<http::Response> CacheInterceptor::PassBy(http::Request& request, CallContext& context,
                                                Next next, std::string_view reason) {
  context.Explain(context.Now(runtime_.clock), "cache", "passed by: " + std::string(reason));
  Result<http::Response> result = next(request, context);
  if (result) AddCacheStatus(*result, "fwd=bypass");
  return result;
}

Result<http::Response> CacheInterceptor::Serve(Call& call, CallContext& context, Next next) {
  bool alone = false;
  // Ends: each round but the last has waited for another caller's call, within the own deadline.
  for (;;) {
    Found found = Lookup(call);
    if (found.stored) {
      const CacheVerdict verdict = Judge(call.wishes, *found.stored, Now());
      if (verdict.use == CacheUse::kStaleWhileRevalidate && !call.wishes.only_if_cached) {
        const TaskStart refresh = StartRevalidation(call, *found.stored, next);
        context.Explain(context.Now(runtime_.clock), "cache",
                        "refresh in background: " + std::string(ToString(refresh)));
      }
      if (verdict.use != CacheUse::kValidate) return ServeStored(call, found, verdict, context);
      found.forward = verdict.demanded ? "request" : "stale";
    }
    if (call.wishes.only_if_cached) return OnlyIfCached(call, context);
    if (call.flight_key.empty()) call.flight_key = FlightKeyOf(call);
    FlightGroup::Entry entry = alone || GoesAlone(call)
                                   ? flights_.EnterAlone(call.key.resource)
                                   : flights_.Enter(call.flight_key, call.key.resource);
    if (entry.leads()) {
      return Finish(call, found, Lead(call, found, entry, context, next), false, context);
    }
    Landed gave_up;
    const FlightGroup::WaitEnd end = flights_.Await(entry, call.deadline, call.stop);
    context.Waited();
    switch (end) {
      case FlightGroup::WaitEnd::kLanded: {
        const auto landed = entry.value<Landed>();
        if (IsForWaiter(call, *landed)) return Finish(call, found, *landed, true, context);
        alone = true;
        break;
      }
      case FlightGroup::WaitEnd::kAbandoned:
        break;
      case FlightGroup::WaitEnd::kDeadline:
        gave_up.result = Error{.code = ErrorCode::kDeadlineExceeded,
                               .message = "the deadline passed while waiting for an equal call",
                               .reason = "cache"};
        return Finish(call, found, std::move(gave_up), false, context);
      case FlightGroup::WaitEnd::kStopped:
        gave_up.result = Error{.code = ErrorCode::kCancelled,
                               .message = "stopped while waiting for an equal call"};
        return Finish(call, found, std::move(gave_up), false, context);
    }
    // The time spent waiting is the caller's: the inner layers must not count from here again.
    context.TightenDeadline(call.deadline);
    call.asked = context.Now(runtime_.clock);
  }
}

Result<http::Response> CacheInterceptor::ServeStored(const Call& call, const Found& found,
                                                     const CacheVerdict& verdict,
                                                     CallContext& context) {
  http::Response response = found.stored->response;
  if (IsHead(call.request)) response.body.clear();
  SetAge(response, verdict.age);
  const bool fresh = verdict.use == CacheUse::kFresh;
  std::string status = "hit; ttl=" + Seconds(verdict.ttl);
  if (verdict.use == CacheUse::kStaleWhileRevalidate) status += "; detail=stale-while-revalidate";
  AddCacheStatus(response, status);
  const std::string_view result = fresh ? "hit" : "stale";
  context.Explain(context.Now(runtime_.clock), "cache",
                  std::string(result) + ", " +
                      (fresh ? "fresh for " + Rough(verdict.ttl) : "since " + Rough(-verdict.ttl)));
  Publish(call.operation, result);
  return response;
}

Result<http::Response> CacheInterceptor::OnlyIfCached(const Call& call, CallContext& context) {
  http::Response response{504, {}, {}};
  AddCacheStatus(response, "detail=only-if-cached");
  context.Explain(context.Now(runtime_.clock), "cache", "nothing to serve, and only-if-cached");
  Publish(call.operation, "only-if-cached");
  return response;
}

Result<http::Response> CacheInterceptor::Finish(const Call& call, const Found& found, Landed landed,
                                                bool shared, CallContext& context) {
  if (auto stale = StaleInstead(call, landed, context)) return *std::move(stale);
  const std::string_view result = shared ? "shared" : (landed.revalidated ? "revalidated" : "miss");
  std::string what(result);
  what.append(" (").append(found.forward).append(")").append(landed.stored ? ", stored" : "");
  context.Explain(context.Now(runtime_.clock), "cache", std::move(what));
  Publish(call.operation, result);
  if (landed.fallback) context.set_served_by_fallback();
  if (!landed.result) return std::move(landed.result);
  http::Response response = *std::move(landed.result);
  std::string status = "fwd=";
  status.append(found.forward);
  if (landed.forward_status != 0) status += "; fwd-status=" + std::to_string(landed.forward_status);
  if (landed.stored) status += "; stored";
  if (shared) status += "; collapsed";
  AddCacheStatus(response, status);
  return response;
}

std::optional<http::Response> CacheInterceptor::StaleInstead(const Call& call, const Landed& landed,
                                                             CallContext& context) {
  if (!IsFailureForStale(landed.result)) return std::nullopt;
  // Once more: it may have been changed or invalidated meanwhile.
  const Found found = Lookup(call);
  const Moment now = Now();
  if (!found.stored || !MayServeOnError(call.wishes, *found.stored, now)) return std::nullopt;
  const Duration age = AgeOf(*found.stored, now);
  http::Response response = found.stored->response;
  if (IsHead(call.request)) response.body.clear();
  SetAge(response, age);
  std::string status = "fwd=stale; ttl=" + Seconds(found.stored->freshness.lifetime - age);
  if (landed.result) status += "; fwd-status=" + std::to_string(landed.result->status);
  AddCacheStatus(response, status + "; detail=stale-if-error");
  const std::string failure = landed.result ? std::to_string(landed.result->status)
                                            : std::string(ToString(landed.result.error().code));
  context.Explain(now.steady, "cache", "stale-if-error, instead of " + failure);
  Publish(call.operation, "stale-if-error");
  return response;
}

CacheInterceptor::Landed CacheInterceptor::Lead(const Call& call, const Found& found,
                                                FlightGroup::Entry& entry, CallContext& context,
                                                Next next) {
  Landed landed = Fetch(call, found, entry, context, next);
  landed.deadline = call.deadline;
  if (landed.result) RememberSharing(call, landed.may_share, landed.received.steady);
  const bool abandoned = !landed.result && IsLeadersOwn(landed.result.error());
  if (abandoned) {
    entry.Land(nullptr);
  } else if (!entry.EndIfAlone()) {
    entry.Land(std::make_shared<const Landed>(landed));
  }
  return landed;
}

CacheInterceptor::Landed CacheInterceptor::Fetch(const Call& call, const Found& found,
                                                 FlightGroup::Entry& entry, CallContext& context,
                                                 Next next) {
  http::Request request = call.request;
  const bool conditional =
      found.stored && !IsHead(request) && AddValidators(*found.stored, request);
  Exchange exchange = Send(std::move(request), call.asked, context, next);
  if (!conditional || !exchange.result || exchange.result->status != 304) {
    return Absorb(call, found, std::move(exchange), entry, context);
  }
  if (Confirms(*exchange.result, *found.stored)) return Refresh(call, found, exchange, entry);
  EraseStored(call, *found.stored);  // The vendor confirms something that we do not have.
  return Absorb(call, found, Send(call.request, context.Now(runtime_.clock), context, next), entry,
                context);
}

CacheInterceptor::Exchange CacheInterceptor::Send(http::Request request, TimePoint sent,
                                                  CallContext& context, Next next) {
  Exchange exchange;
  exchange.result = next(request, context);
  exchange.received = {context.Now(runtime_.clock), runtime_.clock.SystemNow()};
  // By the wall clock of now: one that is set meanwhile does not change how long it took.
  exchange.sent = {sent, exchange.received.wall - (exchange.received.steady - sent)};
  return exchange;
}

// The vendor has confirmed the stored answer with a 304.
CacheInterceptor::Landed CacheInterceptor::Refresh(const Call& call, const Found& found,
                                                   const Exchange& exchange,
                                                   FlightGroup::Entry& entry) {
  auto fresh = std::make_shared<const StoredResponse>(Freshened(*found.stored, call.request.headers,
                                                                *exchange.result, exchange.sent,
                                                                exchange.received, rules_));
  Landed landed;
  landed.result = fresh->response;
  SetAge(*landed.result, AgeOf(*fresh, exchange.received));
  landed.received = exchange.received;
  landed.forward_status = 304;
  landed.revalidated = true;
  landed.may_share = MayShare(fresh->response, exchange.received.wall);
  landed.selecting = fresh->selecting;
  landed.stored = StoreOrErase(call, *found.stored, std::move(fresh), entry);
  return landed;
}

// Any other end of an inner call.
CacheInterceptor::Landed CacheInterceptor::Absorb(const Call& call, const Found& found,
                                                  Exchange exchange, FlightGroup::Entry& entry,
                                                  const CallContext& context) {
  Landed landed;
  landed.fallback = context.served_by_fallback();
  landed.may_share = true;
  landed.received = exchange.received;
  if (exchange.result && !landed.fallback) {
    const http::Response& response = *exchange.result;
    const AnswerVerdict verdict =
        JudgeAnswer(call.request, call.wishes, response, exchange.received.wall, rules_);
    landed.may_share = verdict.may_share;
    landed.selecting = SelectingFieldsOf(response.headers, call.request.headers);
    if (IsHead(call.request)) {
      AbsorbHead(call, found, exchange, entry);
    } else if (verdict.reason_not_to_store.empty()) {
      landed.stored =
          Store(call,
                std::make_shared<const StoredResponse>(MakeStored(
                    call.request.headers, response, exchange.sent, exchange.received, rules_)),
                entry);
    } else if (found.stored && Supersedes(response.status)) {
      EraseStored(call, *found.stored);
    }
  }
  landed.result = std::move(exchange.result);
  return landed;
}

// The answer to HEAD is not stored, but tells about what GET has stored.
void CacheInterceptor::AbsorbHead(const Call& call, const Found& found, const Exchange& exchange,
                                  FlightGroup::Entry& entry) {
  const http::Response& response = *exchange.result;
  if (!found.stored) return;
  if (response.status == 200 && ConfirmsHead(response, *found.stored)) {
    StoreOrErase(call, *found.stored,
                 std::make_shared<const StoredResponse>(
                     Freshened(*found.stored, call.request.headers, response, exchange.sent,
                               exchange.received, rules_)),
                 entry);
  } else if (Supersedes(response.status)) {
    EraseStored(call, *found.stored);
  }
}

bool CacheInterceptor::StoreOrErase(const Call& call, const StoredResponse& old,
                                    StoredResponsePtr fresh, FlightGroup::Entry& entry) {
  // A request with no-store has passed the cache by.
  if (ReasonNotToStore(fresh->response).empty()) return Store(call, std::move(fresh), entry);
  EraseStored(call, old);
  return false;
}

bool CacheInterceptor::Store(const Call& call, StoredResponsePtr response,
                             FlightGroup::Entry& entry) {
  if (entry.outdated()) return false;
  const StoredResponse& stored = *response;
  if (const auto put = store_->Put(call.key, response); !put) {
    LogStoreError(put.error());
    return false;
  }
  // Invalidate outdates first and erases then; so either it or we remove an answer from before.
  if (!entry.outdated()) return true;
  EraseStored(call, stored);
  return false;
}

void CacheInterceptor::EraseStored(const Call& call, const StoredResponse& stored) {
  if (const auto erased = store_->Erase(call.key, stored.selecting); !erased) {
    LogStoreError(erased.error());
  }
}

bool CacheInterceptor::IsForWaiter(const Call& call, const Landed& landed) const {
  if (!landed.result) {
    return HoldsForWaiter(landed.result.error(), landed.deadline, call.deadline);
  }
  StoredResponse as_stored;
  as_stored.selecting = landed.selecting;
  return landed.may_share && Matches(as_stored, call.request.headers);
}

TaskStart CacheInterceptor::StartRevalidation(const Call& call, const StoredResponse& stored,
                                              Next next) {
  http::Request request = call.request;
  request.method = http::Method::Get();  // Also for a HEAD: the answer to GET is stale.
  std::string key = call.key.resource + "\n" + call.key.identity;
  for (const auto& [name, value] : stored.selecting) {
    key.append("\n").append(name).append(":").append(value.value_or("\n"));
  }
  return refreshes_.TryStart(
      key, [this, next, request = std::move(request), operation = std::string(call.operation)](
               const std::stop_token& stop) { return Revalidate(request, operation, next, stop); });
}

Duration CacheInterceptor::Revalidate(const http::Request& request, const std::string& operation,
                                      Next next, const std::stop_token& stop) {
  CallOptions options;
  options.operation = operation;
  options.timeout = options_.revalidation_timeout;
  options.stop = stop;
  CallContext context(std::move(options));
  context.TightenDeadline(Deadline::After(runtime_.clock.Now(), options_.revalidation_timeout));
  Call call = MakeCall(request, context);
  call.flight_key = FlightKeyOf(call);
  const Found found = Lookup(call);
  // Invalidated or refreshed since.
  if (!found.stored) return Duration::zero();
  if (Judge(call.wishes, *found.stored, Now()).use == CacheUse::kFresh) return Duration::zero();
  FlightGroup::Entry entry = flights_.Enter(call.flight_key, call.key.resource);
  if (!entry.leads()) return Duration::zero();  // Somebody asks already.
  const Landed landed = Lead(call, found, entry, context, next);
  const bool answered = landed.result && !landed.fallback && Supersedes(landed.result->status);
  Publish(call.operation, answered ? "revalidated" : "failed", true);
  if (answered) return Duration::zero();
  std::optional<Duration> hint;
  if (landed.result) {
    hint = ParseRetryAfter(landed.result->headers, runtime_.clock.SystemNow(), kPauseMax);
  } else {
    hint = landed.result.error().retry_after;
  }
  return std::max(options_.revalidation_pause,
                  std::min(hint.value_or(Duration::zero()), kPauseMax));
}

void CacheInterceptor::Invalidate(const http::Url& url) {
  const std::string resource = ResourceOf(url);
  flights_.Outdate(resource);
  if (const auto erased = store_->EraseResource(resource); !erased) LogStoreError(erased.error());
}

bool CacheInterceptor::GoesAlone(const Call& call) {
  const MutexLock lock(mutex_);
  return alone_.Holds(call.flight_key, call.asked);
}

void CacheInterceptor::RememberSharing(const Call& call, bool may_share, TimePoint now) {
  const MutexLock lock(mutex_);
  if (may_share) {
    alone_.Remove(call.flight_key);
  } else if (!alone_.Holds(call.flight_key, now + kAloneFor / 2)) {  // Else it is known.
    alone_.Add(call.flight_key, SaturatingAdd(now, kAloneFor), now);
  }
}

CacheInterceptor::Found CacheInterceptor::Lookup(const Call& call) {
  Found found;
  const auto variants = store_->Find(call.key);
  if (!variants) {
    LogStoreError(variants.error());
    return found;
  }
  if (!variants->empty()) found.forward = "vary-miss";
  for (const StoredResponsePtr& stored : *variants) {
    if (!Matches(*stored, call.request.headers)) continue;
    found.stored = stored;
    break;
  }
  return found;
}

CacheInterceptor::Call CacheInterceptor::MakeCall(const http::Request& request,
                                                  CallContext& context) const {
  const TimePoint now = context.Now(runtime_.clock);
  Call call{.request = request};
  call.asked = now;
  call.wishes = ParseRequestCacheControl(request);
  call.key = {ResourceOf(request.url), IdentityOf(request.headers)};
  call.operation = context.operation();
  call.stop = context.stop();
  call.deadline = context.deadline().Tightened(context.options().deadline);
  if (total_) call.deadline = call.deadline.Tightened(Deadline::After(now, *total_));
  if (const auto& timeout = context.options().timeout) {
    call.deadline = call.deadline.Tightened(Deadline::After(now, *timeout));
  }
  return call;
}

std::string CacheInterceptor::FlightKeyOf(const Call& call) {
  const std::string fingerprint = FingerprintOf(call.request.headers);
  const std::string_view method = call.request.method.name();
  std::string key;
  key.reserve(method.size() + call.key.resource.size() + fingerprint.size() + 2);
  key.append(method).append("\n").append(call.key.resource);
  return key.append("\n").append(fingerprint);
}

// Neither part can hold a line break.
std::string CacheInterceptor::ResourceOf(const http::Url& url) const {
  std::string resource = options_.partition;
  resource.append("\n");
  url.AppendTo(resource);
  return resource;
}

Moment CacheInterceptor::Now() const {
  return Moment{runtime_.clock.Now(), runtime_.clock.SystemNow()};
}

void CacheInterceptor::LogStoreError(const Error& error) {
  runtime_.logger.Log(LogLevel::kWarning, "cache", "the store failed: " + error.ToString());
}

void CacheInterceptor::Publish(std::string_view operation, std::string_view result,
                               bool background) {
  runtime_.events.Publish(
      "cache", {{"operation", operation}, {"result", result}, {"background", background}});
}

std::string CacheInterceptor::Describe() const {
  std::string text = "cache:";
  for (const std::string& method : options_.methods) text += " " + method;
  text += options_.store ? std::string(", in a shared store")
                         : ", " + std::to_string(options_.entries_max) + " answers, " +
                               std::to_string(options_.bytes_max) + " bytes";
  if (options_.default_ttl) text += ", fresh for " + FormatDuration(*options_.default_ttl);
  if (options_.stale_while_revalidate > Duration::zero()) {
    text += ", stale-while-revalidate " + FormatDuration(options_.stale_while_revalidate);
  }
  if (options_.stale_if_error > Duration::zero()) {
    text += ", stale-if-error " + FormatDuration(options_.stale_if_error);
  }
  return text;
}

}  // namespace understudy
