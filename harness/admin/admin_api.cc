#include "harness/admin/admin_api.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/scenario/vendor_fragment.h"
#include "harness/vendor/har.h"
#include "harness/vendor/journal_json.h"
#include "harness/vendor/verification.h"
#include "middleware/base/text.h"
#include "middleware/runtime/deadline.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDepthMax = 100;
constexpr std::string_view kNowhere = "there is nothing at this path; see docs/fake-vendor.md";

http::Response Answer(int status, std::string body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          .body = std::move(body)};
}

http::Response Answer(const Json& json) {
  return Answer(200, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

http::Response Failure(int status, std::string_view message) {
  const Json json = {{"error", {{"status", status}, {"message", message}}}};
  return Answer(status, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

http::Response Failure(const Error& error) {
  const bool missing = error.code == ErrorCode::kNotFound;
  const bool bad = error.code == ErrorCode::kInvalidArgument;
  return Failure(missing ? 404 : bad ? 400 : 500, error.message);
}

std::vector<std::string> Segments(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (const std::string_view part : Split(path, '/'))
    segments.push_back(http::PercentDecode(part).value_or(std::string(part)));
  return segments;
}

std::string_view KindName(VendorComplaint::Kind kind) {
  switch (kind) {
    case VendorComplaint::Kind::kUnmatched:
      return "unmatched";
    case VendorComplaint::Kind::kExhausted:
      return "exhausted";
    case VendorComplaint::Kind::kBadAnswer:
      return "bad-answer";
  }
  return "";
}

Json ToJson(const VendorComplaint& complaint) {
  Json json = {{"vendor", complaint.vendor}, {"kind", KindName(complaint.kind)}};
  if (!complaint.route.empty()) json["route"] = complaint.route;
  if (!complaint.test.empty()) json["test"] = complaint.test;
  json["method"] = complaint.method;
  json["path"] = complaint.path;
  json["text"] = complaint.text;
  return json;
}

Json ToJson(const std::vector<MachineState>& states) {
  Json json = Json::object();
  for (const MachineState& state : states) json[state.machine] = state.state;
  return json;
}

Json ToJson(const Verification& verification) {
  Json near = Json::array();
  for (const NearRequest& request : verification.near) {
    near.push_back(
        {{"number", request.number}, {"distance", request.distance}, {"text", request.text}});
  }
  return {{"ok", verification.ok},
          {"numbers", verification.numbers},
          {"near", std::move(near)},
          {"message", verification.message}};
}

// An object; nullopt for whatever else the bytes are.
std::optional<Json> ParseObject(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  if (deepest > kDepthMax) return std::nullopt;
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

// Members of the body of POST /v1/verify.
constexpr std::array<std::string_view, 9> kVerifyKeys = {
    "match", "times", "min", "max", "within", "vendor", "route", "test", "after"};

Error BadMember(std::string_view key, std::string_view what) {
  return InvalidArgument("\"" + std::string(key) + "\" is no " + std::string(what));
}

Result<std::optional<std::uint64_t>> ReadCount(const Json& body, std::string_view key) {
  const auto found = body.find(key);
  if (found == body.end()) return std::optional<std::uint64_t>();
  if (!found->is_number_unsigned()) return BadMember(key, "number of requests");
  return std::optional(found->get<std::uint64_t>());
}

Result<void> ReadText(const Json& body, std::string_view key, std::optional<std::string>& out) {
  const auto found = body.find(key);
  if (found == body.end()) return {};
  if (!found->is_string()) return BadMember(key, "string");
  out = found->get<std::string>();
  return {};
}

struct VerifyInput {
  RequestMatch match = {};
  Times times = {};
  Duration within = {};
  JournalQuery where = {};
};

Result<Times> ReadTimes(const Json& body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto times, ReadCount(body, "times"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto min, ReadCount(body, "min"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto max, ReadCount(body, "max"));
  if (times && (min || max)) return InvalidArgument("give \"times\", or \"min\" and \"max\"");
  if (times) return Times::Exactly(*times);
  if (!min && !max) return Times{};
  return Times::Between(min.value_or(0), max.value_or(Times::kUnbounded));
}

Result<Duration> ReadWithin(const Json& body) {
  std::optional<std::string> text;
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(body, "within", text));
  if (!text) return Duration::zero();
  const auto within = ParseDuration(*text);
  if (!within) return InvalidArgument("\"within\" is no duration such as \"500ms\" or \"2s\"");
  if (*within > AdminApi::kWithinMax) {
    return InvalidArgument("\"within\" is more than " + FormatDuration(AdminApi::kWithinMax));
  }
  return *within;
}

Result<VerifyInput> ReadVerify(const std::string& text) {
  const auto body = ParseObject(text);
  if (!body) return InvalidArgument("the body is no JSON object such as {\"match\": {...}}");
  for (const auto& member : body->items()) {
    const std::string& key = member.key();
    if (std::find(kVerifyKeys.begin(), kVerifyKeys.end(), key) != kVerifyKeys.end()) continue;
    const std::string_view close = ClosestMatch(key, kVerifyKeys);
    return InvalidArgument("unknown key \"" + key + "\"" +
                           (close.empty() ? "" : "; did you mean \"" + std::string(close) + "\"?"));
  }
  const auto match = body->find("match");
  if (match == body->end()) return InvalidArgument("\"match\" is missing: which requests?");
  VerifyInput input;
  UNDERSTUDY_ASSIGN_OR_RETURN(input.match, ReadRequestMatch(match->dump()));
  UNDERSTUDY_ASSIGN_OR_RETURN(input.times, ReadTimes(*body));
  UNDERSTUDY_ASSIGN_OR_RETURN(input.within, ReadWithin(*body));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(*body, "vendor", input.where.vendor));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(*body, "route", input.where.route));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(*body, "test", input.where.test));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto after, ReadCount(*body, "after"));
  input.where.after = after.value_or(0);
  return input;
}

// Sets all machines or none.
Result<void> SetStates(VendorModel& model, const Json& body, std::string_view test) {
  const std::vector<MachineState> before = model.States(test);
  const auto set = [&]() -> Result<void> {
    for (const auto& member : body.items()) {
      if (!member.value().is_string()) return BadMember(member.key(), "name of a state");
      UNDERSTUDY_RETURN_IF_ERROR(
          model.SetState(member.key(), member.value().get<std::string>(), test));
    }
    return {};
  };
  auto done = set();
  if (done) return done;
  for (const MachineState& state : before) {
    const bool restored = model.SetState(state.machine, state.state, test).has_value();
    static_cast<void>(restored);  // It was in this state a moment ago.
  }
  return done;
}

}  // namespace

// A request, and which of its query's parameters somebody has read.
class AdminApi::Call {
 public:
  explicit Call(const http::Request& request)
      : request_(request), query_(http::ParseForm(request.url.query())) {}

  const http::Request& request() const { return request_; }
  bool Is(std::string_view method) const { return request_.method.name() == method; }

  std::optional<std::string> Text(std::string_view name) {
    known_.insert(name);
    const auto value = http::FormValue(query_, name);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  Result<std::optional<std::uint64_t>> Number(std::string_view name) {
    const auto text = Text(name);
    if (!text) return std::optional<std::uint64_t>();
    const auto number = ParseUnsigned(*text);
    if (!number) return InvalidArgument("?" + std::string(name) + "= is no number");
    return number;
  }
  Result<bool> Flag(std::string_view name) {
    const auto text = Text(name);
    if (!text || *text == "false" || *text == "0") return false;
    if (text->empty() || *text == "true" || *text == "1") return true;
    return InvalidArgument("?" + std::string(name) + "= is neither true nor false");
  }
  // What vendor, route, test and unmatched say.
  Result<JournalQuery> Conditions() {
    JournalQuery query;
    query.vendor = Text("vendor");
    query.route = Text("route");
    query.test = Text("test");
    UNDERSTUDY_ASSIGN_OR_RETURN(query.unmatched_only, Flag("unmatched"));
    return query;
  }
  // kInvalidArgument for a parameter that nobody has asked for: ignored, it would mislead.
  Result<void> NothingElse() const {
    for (const auto& parameter : query_) {
      if (known_.contains(parameter.first)) continue;
      const std::vector<std::string_view> names(known_.begin(), known_.end());
      const std::string_view close = ClosestMatch(parameter.first, names);
      return InvalidArgument(
          "unknown parameter \"" + parameter.first + "\"" +
          (close.empty() ? "" : "; did you mean \"" + std::string(close) + "\"?"));
    }
    return {};
  }

 private:
  const http::Request& request_;
  const http::FormPairs query_;
  std::set<std::string_view, std::less<>> known_;
};

namespace {

http::Response NoMethod(std::string_view allowed) {
  http::Response response = Failure(405, "this path takes " + std::string(allowed));
  static_cast<void>(response.headers.Add("Allow", allowed).has_value());
  return response;
}

}  // namespace

AdminApi::AdminApi(Clock& clock, Journal& journal, AdminApiOptions options)
    : clock_(clock), journal_(journal), options_(std::move(options)) {}

AdminApi::~AdminApi() { Stop(); }

void AdminApi::Add(AdminVendor vendor) {
  const MutexLock lock(mutex_);
  std::string name = vendor.name;
  vendors_.erase(name);
  vendors_.emplace(std::move(name), std::move(vendor));
}

void AdminApi::Remove(std::string_view name) {
  const MutexLock lock(mutex_);
  const auto found = vendors_.find(name);
  if (found != vendors_.end()) vendors_.erase(found);
}

void AdminApi::Stop() { stop_.request_stop(); }

bool AdminApi::Authorized(const http::Request& request) const {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = request.headers.Get("Authorization").value_or("");
  return given.size() > kScheme.size() &&
         EqualsIgnoreAsciiCase(given.substr(0, kScheme.size()), kScheme) &&
         options_.token.Equals(TrimOws(given.substr(kScheme.size())));
}

http::Response AdminApi::Handle(const http::Request& request) {
  if (options_.token.empty()) {
    if (!request.url.IsLoopback() || request.headers.Get("Origin"))
      return Failure(403, "this is for programs on this machine, not for pages in a browser");
  } else if (!Authorized(request)) {
    http::Response refusal = Failure(401, "the admin API's token is missing or wrong");
    static_cast<void>(refusal.headers.Add("WWW-Authenticate", "Bearer").has_value());
    return refusal;
  }
  Call call(request);
  return Route(call);
}

http::Response AdminApi::Route(Call& call) {
  const std::vector<std::string> path = Segments(call.request().url.path());
  if (path.size() < 2 || path[0] != "v1") return Failure(404, kNowhere);
  const std::string& what = path[1];
  if (path.size() == 2) {
    if (what == "requests") return ServeRequests(call);
    if (what == "verify") return call.Is("POST") ? ServeVerify(call) : NoMethod("POST");
    if (what == "reset") return call.Is("POST") ? ServeReset(call) : NoMethod("POST");
    const bool get = call.Is("GET");
    if (what == "health") return get ? ServeHealth() : NoMethod("GET");
    if (what == "vendors") return get ? ServeVendors() : NoMethod("GET");
    if (what == "har") return get ? ServeHar(call) : NoMethod("GET");
    if (what == "complaints") return get ? ServeComplaints(call) : NoMethod("GET");
  }
  if (path.size() == 3 && what == "requests")
    return call.Is("GET") ? ServeRequest(call, path[2]) : NoMethod("GET");
  if (path.size() == 4 && what == "vendors" && path[3] == "states")
    return ServeStates(call, path[2]);
  if (path.size() == 6 && what == "vendors" && path[3] == "routes" && path[5] == "responses")
    return call.Is("PUT") ? ServeResponses(call, path[2], path[4]) : NoMethod("PUT");
  return Failure(404, kNowhere);
}

http::Response AdminApi::ServeHealth() {
  const JournalStats stats = journal_.stats();
  const MutexLock lock(mutex_);
  return Answer(Json{{"status", "ok"},
                     {"vendors", vendors_.size()},
                     {"journal",
                      {{"entries", stats.entries},
                       {"bytes", stats.bytes},
                       {"added", stats.added},
                       {"dropped", stats.dropped}}}});
}

http::Response AdminApi::ServeVendors() {
  Json vendors = Json::array();
  const MutexLock lock(mutex_);
  for (const auto& [name, vendor] : vendors_) {
    vendors.push_back({{"name", name},
                       {"url", vendor.url},
                       {"requests", vendor.vendor.request_count()},
                       {"complaints", vendor.vendor.complaint_count()},
                       {"states", ToJson(vendor.vendor.model()->States())}});
  }
  return Answer(Json{{"vendors", std::move(vendors)}});
}

http::Response AdminApi::ServeRequests(Call& call) {
  const bool get = call.Is("GET");
  if (!get && !call.Is("DELETE")) return NoMethod("GET, DELETE");
  auto query = call.Conditions();
  if (!query) return Failure(query.error());
  std::size_t limit = kLimitDefault;
  bool onward = false;  // Then the first ones after a number, else the last ones.
  if (get) {
    const auto after = call.Number("after");
    if (!after) return Failure(after.error());
    const auto asked = call.Number("limit");
    if (!asked) return Failure(asked.error());
    onward = after->has_value();
    query->after = after->value_or(0);
    limit = asked->value_or(kLimitDefault);
    if (!onward) query->limit = limit;
  }
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  if (!get) return Answer(Json{{"removed", journal_.Remove(*query)}});
  std::vector<JournalEntry> entries = journal_.Find(*query);
  const bool more = entries.size() > limit;
  if (more) entries.resize(limit);
  const std::uint64_t last = entries.empty() ? query->after : entries.back().number;
  std::string body = "{\"requests\":[";
  for (const JournalEntry& entry : entries) {
    if (body.back() == '}') body += ",";
    body += ToJson(entry);
  }
  body.append("],\"last\":").append(std::to_string(last));
  body.append(",\"more\":").append(onward && more ? "true}\n" : "false}\n");
  return Answer(200, std::move(body));
}

http::Response AdminApi::ServeRequest(Call& call, std::string_view number) {
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  const auto n = ParseUnsigned(number);
  if (!n) return Failure(400, "a request has a number, from 1");
  const auto entry = journal_.Get(*n);
  if (!entry) return Failure(404, "the journal has no request " + std::to_string(*n));
  return Answer(200, harness::ToJson(*entry) + "\n");
}

http::Response AdminApi::ServeHar(Call& call) {
  const auto query = call.Conditions();
  if (!query) return Failure(query.error());
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  return Answer(200, ToHar(journal_.Find(*query)));
}

http::Response AdminApi::ServeVerify(Call& call) {
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  const auto input = ReadVerify(call.request().body);
  if (!input) return Failure(input.error());
  const bool waits = input->within > Duration::zero();
  if (waits) {
    const MutexLock lock(mutex_);
    if (waiting_ >= options_.waiting_max) return Failure(503, "too many verifications wait");
    ++waiting_;
  }
  const auto verified = waits ? AwaitRequests(journal_, input->match, input->times,
                                              Deadline::After(clock_.Now(), input->within), clock_,
                                              input->where, stop_.get_token())
                              : Verify(journal_, input->match, input->times, input->where);
  if (waits) {
    const MutexLock lock(mutex_);
    --waiting_;
  }
  if (!verified) return Failure(verified.error());
  return Answer(ToJson(*verified));
}

std::string AdminApi::NoSuchVendor(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& vendor : vendors_) names.push_back(vendor.first);
  const std::string_view close = ClosestMatch(name, names);
  std::string text = "there is no vendor \"" + std::string(name) + "\"";
  if (!close.empty()) text.append("; did you mean \"").append(close).append("\"?");
  return text;
}

http::Response AdminApi::With(std::string_view name, const Use& use) {
  const MutexLock lock(mutex_);
  const auto found = vendors_.find(name);
  if (found == vendors_.end()) return Failure(404, NoSuchVendor(name));
  return use(found->second.vendor);
}

http::Response AdminApi::ServeComplaints(Call& call) {
  const auto wanted = call.Text("vendor");
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  Json complaints = Json::array();
  std::uint64_t count = 0;
  const MutexLock lock(mutex_);
  if (wanted && !vendors_.contains(*wanted)) return Failure(404, NoSuchVendor(*wanted));
  for (const auto& [name, vendor] : vendors_) {
    if (wanted && name != *wanted) continue;
    count += vendor.vendor.complaint_count();
    for (const VendorComplaint& complaint : vendor.vendor.complaints())
      complaints.push_back(ToJson(complaint));
  }
  return Answer(Json{{"count", count}, {"complaints", std::move(complaints)}});
}

http::Response AdminApi::ServeReset(Call& call) {
  const auto wanted = call.Text("vendor");
  const auto test = call.Text("test");
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  const MutexLock lock(mutex_);
  if (wanted && !vendors_.contains(*wanted)) return Failure(404, NoSuchVendor(*wanted));
  for (const auto& [name, vendor] : vendors_) {
    if (wanted && name != *wanted) continue;
    if (test) {
      vendor.vendor.model()->ResetTest(*test);
    } else {
      vendor.vendor.Reset();
    }
    journal_.Remove({.vendor = name, .test = test});
  }
  return Answer(Json{{"reset", true}});
}

http::Response AdminApi::ServeResponses(Call& call, std::string_view vendor,
                                        std::string_view route) {
  const std::string test = call.Text("test").value_or("");
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  const auto responses = ReadResponses(call.request().body);
  if (!responses) return Failure(responses.error());
  return With(vendor, [&](ReloadableVendor& found) {
    const auto set = found.model()->SetResponses(route, *responses, test);
    if (!set) return Failure(set.error());
    return Answer(Json{{"route", route}, {"responses", responses->size()}});
  });
}

http::Response AdminApi::ServeStates(Call& call, std::string_view vendor) {
  const bool put = call.Is("PUT");
  const bool clear = call.Is("DELETE");
  if (!put && !clear && !call.Is("GET")) return NoMethod("GET, PUT, DELETE");
  const std::string test = call.Text("test").value_or("");
  if (const auto fine = call.NothingElse(); !fine) return Failure(fine.error());
  const auto body = put ? ParseObject(call.request().body) : std::nullopt;
  if (put && !body) return Failure(400, "the body is no JSON object such as {\"cart\": \"Full\"}");
  return With(vendor, [&](ReloadableVendor& found) {
    const auto model = found.model();
    if (clear) model->ResetStates(test);
    if (put) {
      if (const auto set = SetStates(*model, *body, test); !set) return Failure(set.error());
    }
    return Answer(Json{{"states", ToJson(model->States(test))}});
  });
}

}  // namespace understudy::harness
