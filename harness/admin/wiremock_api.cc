#include "harness/admin/wiremock_api.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/admin/wiremock_request.h"
#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kAdmin = "/__admin";
// The release of WireMock whose API this is; some clients look at it.
constexpr const char* kVersion = "3.13.0";
constexpr std::string_view kEventIdPrefix = "00000000-0000-4000-8000-";

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

http::Response Reply(int status, const Json& json) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = Dump(json)};
}

http::Response Ok() { return Reply(200, Json::object()); }

http::Response Failure(int status, int code, const std::string& pointer, const std::string& title,
                       const std::string& detail) {
  Json error = {{"code", code}, {"title", title}, {"detail", detail}};
  if (!pointer.empty()) error["source"] = {{"pointer", pointer}};
  return Reply(status, {{"errors", Json::array({std::move(error)})}});
}

http::Response NotFound(const std::string& what) { return Failure(404, 40, "", "Not found", what); }

// "/request/url: why" has its pointer in front.
http::Response Unprocessable(const Error& error) {
  const std::size_t colon = error.message.find(": ");
  const bool placed = error.message.starts_with('/') && colon != std::string::npos;
  return Failure(422, 10, placed ? error.message.substr(0, colon) : "", "Error parsing JSON",
                 placed ? error.message.substr(colon + 2) : error.message);
}

std::string EventId(std::uint64_t number) {
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "%012llx",
                static_cast<unsigned long long>(number & 0xffffffffffffULL));
  return std::string(kEventIdPrefix) + digits.data();
}

std::optional<std::uint64_t> EventNumber(const std::string& id) {
  if (!IsUuid(id) || !AsciiLower(id).starts_with(kEventIdPrefix)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : id.substr(kEventIdPrefix.size())) {
    const char lower = AsciiLower(std::string(1, c))[0];
    number =
        number * 16 + static_cast<std::uint64_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
  }
  return number;
}

// A value alone, or a list where there are several.
Json HeadersJson(const http::Headers& headers) {
  Json json = Json::object();
  for (const auto& [name, value] : headers) {
    if (!json.contains(name)) {
      json[name] = value;
    } else if (json[name].is_array()) {
      json[name].push_back(value);
    } else {
      json[name] = Json::array({json[name], value});
    }
  }
  return json;
}

Json PairsJson(const http::FormPairs& pairs) {
  Json json = Json::object();
  for (const auto& [name, value] : pairs) {
    json[name]["key"] = name;
    json[name]["values"].push_back(value);
  }
  return json;
}

Json LoggedRequest(const http::Request& request, const std::string& id, SystemTime at) {
  const PreparedRequest prepared(request);
  Json cookies = Json::object();
  for (const auto& [name, value] : prepared.cookies()) cookies[std::string(name)] = value;
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  Json json = {{"url", request.url.target()},
               {"absoluteUrl", request.url.ToString()},
               {"method", request.method.name()},
               {"scheme", request.url.scheme()},
               {"host", request.url.host()},
               {"port", request.url.port()},
               {"clientIp", "127.0.0.1"},
               {"headers", HeadersJson(request.headers)},
               {"cookies", std::move(cookies)},
               {"queryParams", PairsJson(prepared.query())},
               {"formParams", PairsJson(prepared.form())},
               {"body", request.body},
               {"bodyAsBase64", Base64Encode(request.body)},
               {"browserProxyRequest", false},
               {"loggedDate", ms},
               {"loggedDateString", FormatIsoInstant(at, 3)},
               {"protocol", "HTTP/1.1"},
               {"multiparts", Json::array()}};
  if (!id.empty()) json["id"] = id;
  return json;
}

Json LoggedRequest(const JournalEntry& entry) {
  return LoggedRequest(entry.record->request, EventId(entry.number), entry.record->wall);
}

std::int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

Json StubJson(const WireMockStub& stub) { return Json::parse(stub.json, nullptr, false); }

std::string NameOf(const WireMockStub& stub) {
  const Json json = StubJson(stub);
  const auto name = json.find("name");
  return name != json.end() && name->is_string() ? name->get<std::string>() : stub.id;
}

// A request as /near-misses/request describes it.
Result<http::Request> ReadRequest(const Json& json) {
  if (!json.is_object()) return InvalidArgument("/: a request is an object");
  const auto text = [&](const char* key, const char* otherwise) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string(otherwise);
  };
  http::Request request{.method = http::Method(text("method", "GET"))};
  std::string url = text("absoluteUrl", "");
  if (url.empty()) url = "http://localhost" + text("url", "/");
  const auto parsed = http::Url::Parse(url);
  if (!parsed) return InvalidArgument("/url: " + parsed.error().message);
  request.url = *parsed;
  request.body = Base64Decode(text("bodyAsBase64", "")).value_or("");
  if (request.body.empty()) request.body = text("body", "");
  const auto headers = json.find("headers");
  if (headers == json.end() || !headers->is_object()) return request;
  for (const auto& [name, value] : headers->items()) {
    for (const Json& each : value.is_array() ? value : Json::array({value})) {
      if (each.is_string())
        static_cast<void>(request.headers.Add(name, each.get<std::string>()).has_value());
    }
  }
  return request;
}

Result<RequestMatcher> ReadPattern(const Json& json) {
  WireMockNotes notes("");
  UNDERSTUDY_ASSIGN_OR_RETURN(const RequestMatch match, TranslateWireMockRequest(json, "", notes));
  if (notes.disabled()) {
    const auto& findings = notes.findings();
    const auto first =
        std::find_if(findings.begin(), findings.end(), [](const WireMockFinding& finding) {
          return finding.kind == WireMockFinding::Kind::kDisabled;
        });
    return InvalidArgument((first->pointer.empty() ? "/" : first->pointer) + ": " + first->text);
  }
  return RequestMatcher::Compile(match);
}

// An instant with its fraction of a second; what SystemTime cannot hold is its nearest end.
std::optional<SystemTime> ParseSince(std::string_view text) {
  const auto instant = ParseIsoInstant(text);
  if (!instant) return std::nullopt;
  constexpr std::int64_t kSecondsMax = 9'000'000'000;  // In nanoseconds, within 64 bits.
  const std::int64_t seconds =
      std::clamp<std::int64_t>(instant->time_since_epoch().count(), -kSecondsMax, kSecondsMax);
  std::int64_t nanoseconds = 0;
  const std::size_t point = text.find('.');
  for (std::size_t i = 1, unit = 100'000'000; point != std::string_view::npos && unit > 0; ++i) {
    if (point + i >= text.size() || text[point + i] < '0' || text[point + i] > '9') break;
    nanoseconds += (text[point + i] - '0') * static_cast<std::int64_t>(unit);
    unit /= 10;
  }
  return SystemTime(std::chrono::duration_cast<SystemTime::duration>(
      std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds)));
}

// Of a list in JSON, what `limit` and `offset` ask for.
template <typename List>
List Page(const List& list, std::optional<std::uint64_t> limit, std::uint64_t offset) {
  const std::size_t begin = std::min<std::size_t>(offset, list.size());
  const std::size_t count = std::min<std::size_t>(limit.value_or(list.size()), list.size() - begin);
  return List(list.begin() + static_cast<std::ptrdiff_t>(begin),
              list.begin() + static_cast<std::ptrdiff_t>(begin + count));
}

}  // namespace

// One call of the API.
struct WireMockApi::Call {
  const http::Request& request;
  std::vector<std::string> path = {};  // Below /__admin.
  http::FormPairs query = {};

  bool Is(std::string_view method) const { return request.method.name() == method; }
  std::optional<std::uint64_t> Number(std::string_view name) const {
    return ParseUnsigned(http::FormValue(query, name).value_or(""));
  }
  // The body, whatever its Content-Type says.
  Result<Json> Body() const {
    if (request.body.size() > kWireMockBytesMax) return InvalidArgument("the body is too large");
    // By its brackets, before anything recurses.
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < request.body.size(); ++i) {
      const char c = request.body[i];
      if (in_string && c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = !in_string;
      } else if (!in_string && (c == '{' || c == '[')) {
        if (++depth > kWireMockDepthMax) return InvalidArgument("the body is nested too deeply");
      } else if (!in_string && (c == '}' || c == ']') && depth > 0) {
        --depth;
      }
    }
    Json json = Json::parse(request.body, nullptr, false);
    if (json.is_discarded()) return InvalidArgument("the body is not JSON");
    return json;
  }
};

const WireMockStub* WireMockApi::Table::Find(std::string_view id) const {
  const auto found = std::find_if(stubs.begin(), stubs.end(),
                                  [&](const WireMockStub& stub) { return stub.id == id; });
  return found == stubs.end() ? nullptr : &*found;
}

WireMockApi::WireMockApi(WireMockApiOptions options, VendorEnvironment environment)
    : options_(std::move(options)),
      environment_(std::move(environment)),
      started_(environment_.clock.Now()),
      journal_(options_.journal),
      table_(std::make_shared<const Table>()) {}

WireMockApi::~WireMockApi() = default;

Result<std::unique_ptr<WireMockApi>> WireMockApi::Create(WireMockApiOptions options,
                                                         VendorEnvironment environment) {
  std::unique_ptr<WireMockApi> api(new WireMockApi(std::move(options), std::move(environment)));
  VendorEnvironment inner = api->environment_;
  inner.journal = &api->journal_;
  UNDERSTUDY_ASSIGN_OR_RETURN(api->vendor_,
                              ReloadableVendor::Create({.name = "wiremock"}, std::move(inner)));
  const MutexLock lock(api->admin_mutex_);
  UNDERSTUDY_RETURN_IF_ERROR(api->LoadAgain());
  return api;
}

// ---- stubs --------------------------------------------------------------------------------------

std::shared_ptr<const WireMockApi::Table> WireMockApi::table() const {
  const MutexLock lock(table_mutex_);
  return table_;
}

std::size_t WireMockApi::stub_count() const { return table()->stubs.size(); }

std::vector<WireMockFinding> WireMockApi::findings() const {
  const MutexLock lock(table_mutex_);
  return findings_;
}

VendorSpec WireMockApi::SpecOf(const Stubs& stubs) const {
  VendorSpec spec{.name = "wiremock", .routes = RoutesOf(stubs)};
  for (RouteSpec& route : spec.routes) {
    if (settings_.delay) route.latency = settings_.delay;
    if (settings_.fixed_delay_ms)
      route.latency = LatencySpec::Fixed(std::chrono::milliseconds(*settings_.fixed_delay_ms));
  }
  return spec;
}

Result<void> WireMockApi::Install(Stubs stubs, const std::set<std::string>& changed) {
  if (stubs.size() > options_.stubs_max)
    return InvalidArgument("there are more than " + std::to_string(options_.stubs_max) + " stubs");
  auto table = std::make_shared<Table>();
  for (std::size_t i = 0; i < stubs.size(); ++i) {
    if (!stubs[i].enabled) continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatcher matcher,
                                RequestMatcher::Compile(stubs[i].route.match));
    table->matchers.push_back(std::move(matcher));
    table->stub_of.push_back(i);
  }
  UNDERSTUDY_RETURN_IF_ERROR(vendor_->Update(SpecOf(stubs), changed));
  table->stubs = std::move(stubs);
  const MutexLock lock(table_mutex_);
  table_ = std::move(table);
  return {};
}

Result<void> WireMockApi::LoadAgain() {
  WireMockImport import;
  if (options_.load) {
    UNDERSTUDY_ASSIGN_OR_RETURN(import, options_.load());
  }
  std::set<std::string> changed;
  for (const WireMockStub& stub : import.stubs) changed.insert(stub.id);
  UNDERSTUDY_RETURN_IF_ERROR(Install(std::move(import.stubs), changed));
  const MutexLock lock(table_mutex_);
  findings_ = std::move(import.findings);
  return {};
}

// A stub that would not do what it says is refused: its author is there to read why.
Result<WireMockStub> WireMockApi::ReadStub(const Json& json, const std::string& pointer) {
  WireMockNotes notes("");
  WireMockTextOptions options;
  options.new_id = [this] { return environment_.random.Uuid("wiremock/stub"); };
  UNDERSTUDY_ASSIGN_OR_RETURN(WireMockStub stub, ImportWireMockStub(json, pointer, options, notes));
  for (const WireMockFinding& finding : notes.findings()) {
    if (finding.kind == WireMockFinding::Kind::kDisabled ||
        finding.kind == WireMockFinding::Kind::kNoAnswer) {
      return InvalidArgument((finding.pointer.empty() ? "/" : finding.pointer) + ": " +
                             finding.text);
    }
  }
  if (options_.report && !notes.findings().empty())
    options_.report("stub " + stub.id + ":\n" + WireMockReport(notes.findings()));
  return stub;
}

// ---- requests to the stubs ----------------------------------------------------------------------

ResponsePlan WireMockApi::Handle(const http::Request& request) {
  const std::string_view path = request.url.path();
  if (path == kAdmin || path.starts_with("/__admin/")) return {.response = Serve(request)};
  ResponsePlan plan = vendor_->Handle(request);
  if (plan.response.status == 404 && !plan.fault) Explain(request, plan);
  return plan;
}

void WireMockApi::Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
  if (plan.id != 0) vendor_->Completed(plan, outcome);
}

void WireMockApi::Explain(const http::Request& request, ResponsePlan& plan) const {
  const auto entry = journal_.Get(plan.journal);
  if (!entry || entry->matched()) return;
  plan.response = {.status = 404,
                   .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                   .body = DiffOf(request)};
}

std::string WireMockApi::DiffOf(const http::Request& request) const {
  const std::shared_ptr<const Table> table = this->table();
  if (table->matchers.empty())
    return "Request was not matched\n\nThere are no stub mappings to match it with.\n";
  const PreparedRequest prepared(request);
  const std::string title = "Request was not matched\n=======================\n\n";
  for (std::size_t i = 0; i < table->matchers.size(); ++i) {
    if (!table->matchers[i].Fits(prepared)) continue;
    const WireMockStub& stub = table->stubs[table->stub_of[i]];
    return title + "The stub " + NameOf(stub) + " fits it, but its scenario \"" + stub.scenario +
           "\" is in another state; see /__admin/scenarios\n";
  }
  const auto misses = FindNearMisses(table->matchers, prepared, 1);
  if (misses.empty()) return title;
  const NearMiss& miss = misses.front();
  return title + "Closest stub: " + NameOf(table->stubs[table->stub_of[miss.route]]) + "\n" +
         RenderDiff(table->matchers[miss.route], miss.result);
}

// ---- the API ------------------------------------------------------------------------------------

http::Response WireMockApi::Serve(const http::Request& request) {
  Call call{.request = request, .query = http::ParseForm(request.url.query())};
  std::string_view rest = request.url.path().substr(kAdmin.size());
  if (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  for (const std::string_view part : Split(rest, '/'))
    call.path.push_back(http::PercentDecode(part).value_or(std::string(part)));
  const std::vector<std::string>& path = call.path;
  const std::string& first = path[0];
  const MutexLock lock(admin_mutex_);
  if (first == "mappings") return Mappings(call);
  if (first == "requests") return Requests(call);
  if (first == "near-misses" && path.size() == 2 && call.Is("POST")) return NearMisses(call);
  if (first == "scenarios") return Scenarios(call);
  if (first == "settings" && path.size() == 1) return ServeSettings(call);
  if (first == "reset" && path.size() == 1 && call.Is("POST")) {
    if (const auto loaded = LoadAgain(); !loaded) return Unprocessable(loaded.error());
    journal_.Clear();
    vendor_->model()->ResetStates();
    return Ok();
  }
  if (first == "version" && path.size() == 1 && call.Is("GET"))
    return Reply(200, {{"version", kVersion}});
  if (first == "health" && path.size() == 1 && call.Is("GET")) {
    const Duration up = environment_.clock.Now() - started_;
    return Reply(200, {{"status", "healthy"},
                       {"message", "the stubs are served by Understudy"},
                       {"version", kVersion},
                       {"uptimeInSeconds", Milliseconds(up) / 1000},
                       {"timestamp", FormatIsoInstant(environment_.clock.SystemNow(), 3)}});
  }
  if (first == "shutdown" && path.size() == 1 && call.Is("POST")) {
    if (options_.shutdown) options_.shutdown();
    return Ok();
  }
  if (first == "recordings" && path.size() == 2 && path[1] == "status" && call.Is("GET"))
    return Reply(200, {{"status", "NeverStarted"}});
  if (first == "recordings" || first == "files")
    return Failure(422, 10, "", "Not supported", "/__admin/" + first + " has no counterpart");
  return NotFound("there is no " + std::string(request.method.name()) + " " +
                  std::string(request.url.path()));
}

http::Response WireMockApi::Mappings(const Call& call) {
  const std::shared_ptr<const Table> table = this->table();
  if (call.path.size() == 1) {
    if (call.Is("POST")) return AddMapping(call);
    if (call.Is("DELETE")) {
      const auto installed = Install({}, {});
      return installed ? Ok() : Unprocessable(installed.error());
    }
    if (!call.Is("GET")) return NotFound("no such call");
    const Stubs newest_first(table->stubs.rbegin(), table->stubs.rend());
    Json list = Json::array();
    for (const WireMockStub& stub :
         Page(newest_first, call.Number("limit"), call.Number("offset").value_or(0))) {
      list.push_back(StubJson(stub));
    }
    return Reply(200, {{"mappings", list}, {"meta", {{"total", table->stubs.size()}}}});
  }
  if (call.path.size() != 2) return NotFound("no such call");
  const std::string& what = call.path[1];
  if (call.Is("POST")) {
    if (what == "reset") {
      const auto loaded = LoadAgain();
      if (!loaded) return Unprocessable(loaded.error());
      vendor_->model()->ResetStates();
      return Ok();
    }
    if (what == "import") return Import(call);
    if (what == "remove") return RemoveMapping(call);
    if (what == "find-by-metadata") return ByMetadata(call, false);
    if (what == "remove-by-metadata") return ByMetadata(call, true);
    if (what == "save")
      return Failure(422, 10, "", "Not supported", "stubs are not written back to files");
  }
  if (what == "unmatched") return UnmatchedMappings(call);
  return Mapping(call, AsciiLower(what));
}

http::Response WireMockApi::AddMapping(const Call& call) {
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  auto stub = ReadStub(*json, "");
  if (!stub) return Unprocessable(stub.error());
  Stubs stubs = table()->stubs;
  std::erase_if(stubs, [&](const WireMockStub& each) { return each.id == stub->id; });
  const Json shown = StubJson(*stub);
  const std::set<std::string> changed = {stub->id};
  stubs.push_back(std::move(*stub));
  const auto installed = Install(std::move(stubs), changed);
  return installed ? Reply(201, shown) : Unprocessable(installed.error());
}

http::Response WireMockApi::Mapping(const Call& call, const std::string& id) {
  const std::shared_ptr<const Table> table = this->table();
  const WireMockStub* const found = table->Find(id);
  if (found == nullptr) {
    if (!IsUuid(id)) return Failure(400, 10, "", "Bad request", "\"" + id + "\" is no UUID");
    return NotFound("there is no stub " + id);
  }
  if (call.Is("GET")) return Reply(200, StubJson(*found));
  Stubs stubs = table->stubs;
  if (call.Is("DELETE")) {
    std::erase_if(stubs, [&](const WireMockStub& each) { return each.id == id; });
    const auto installed = Install(std::move(stubs), {});
    return installed ? Ok() : Unprocessable(installed.error());
  }
  if (!call.Is("PUT")) return NotFound("no such call");
  auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  if (json->is_object()) {
    json->erase("uuid");
    (*json)["id"] = id;  // The URL says which one it is.
  }
  auto stub = ReadStub(*json, "");
  if (!stub) return Unprocessable(stub.error());
  const Json shown = StubJson(*stub);
  for (WireMockStub& each : stubs) {
    if (each.id == id) each = *stub;
  }
  const auto installed = Install(std::move(stubs), {id});
  return installed ? Reply(200, shown) : Unprocessable(installed.error());
}

// The one of the same id, or else of the same request.
http::Response WireMockApi::RemoveMapping(const Call& call) {
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  if (!json->is_object()) return Unprocessable(InvalidArgument("/: a mapping is an object"));
  std::string id = json->contains("id") && (*json)["id"].is_string()
                       ? AsciiLower((*json)["id"].get<std::string>())
                       : "";
  Stubs stubs = table()->stubs;
  const std::size_t before = stubs.size();
  std::erase_if(stubs, [&](const WireMockStub& each) { return each.id == id; });
  if (stubs.size() == before) {
    const Json request = json->value("request", Json::object());
    const auto same = std::find_if(stubs.rbegin(), stubs.rend(), [&](const WireMockStub& each) {
      return StubJson(each).value("request", Json::object()) == request;
    });
    if (same != stubs.rend()) stubs.erase(std::next(same).base());
  }
  const auto installed = Install(std::move(stubs), {});
  return installed ? Ok() : Unprocessable(installed.error());
}

http::Response WireMockApi::Import(const Call& call) {
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  const auto list = json->is_object() ? json->find("mappings") : json->end();
  if (!json->is_object() || list == json->end() || !list->is_array())
    return Unprocessable(InvalidArgument("/mappings: it is a list of mappings"));
  const auto options = json->find("importOptions");
  const Json none = Json::object();
  const Json& how = options != json->end() && options->is_object() ? *options : none;
  const bool ignore = how.contains("duplicatePolicy") && how["duplicatePolicy"] == "IGNORE";
  const bool only = how.contains("deleteAllNotInImport") && how["deleteAllNotInImport"] == true;
  Stubs stubs = table()->stubs;
  std::set<std::string> imported;
  std::set<std::string> changed;
  // The first of the list is to be the one that is tried first.
  for (std::size_t i = list->size(); i > 0; --i) {
    auto stub = ReadStub((*list)[i - 1], "/mappings/" + std::to_string(i - 1));
    if (!stub) return Unprocessable(stub.error());
    imported.insert(stub->id);
    const auto same = std::find_if(stubs.begin(), stubs.end(),
                                   [&](const WireMockStub& each) { return each.id == stub->id; });
    if (same != stubs.end() && ignore) continue;
    changed.insert(stub->id);
    if (same != stubs.end()) {
      *same = std::move(*stub);
    } else {
      stubs.push_back(std::move(*stub));
    }
  }
  if (only) {
    std::erase_if(stubs, [&](const WireMockStub& each) { return !imported.contains(each.id); });
  }
  const auto installed = Install(std::move(stubs), changed);
  return installed ? Ok() : Unprocessable(installed.error());
}

// The body is a matcher of the metadata's JSON text.
http::Response WireMockApi::ByMetadata(const Call& call, bool remove) {
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  const auto matcher = ReadPattern({{"bodyPatterns", Json::array({*json})}});
  if (!matcher) return Unprocessable(matcher.error());
  http::Request carrier{.url = *http::Url::Parse("http://localhost/")};
  const auto fits = [&](const WireMockStub& stub) {
    const Json stored = StubJson(stub);
    if (!stored.contains("metadata")) return false;
    carrier.body = Dump(stored["metadata"]);
    return matcher->Match(carrier).matched;
  };
  Stubs stubs = table()->stubs;
  if (remove) {
    std::erase_if(stubs, fits);
    const auto installed = Install(std::move(stubs), {});
    return installed ? Ok() : Unprocessable(installed.error());
  }
  Json list = Json::array();
  for (const WireMockStub& stub : stubs) {
    if (fits(stub)) list.push_back(StubJson(stub));
  }
  const std::size_t total = list.size();
  return Reply(200, {{"mappings", std::move(list)}, {"meta", {{"total", total}}}});
}

http::Response WireMockApi::UnmatchedMappings(const Call& call) {
  std::set<std::string> used;
  for (const JournalEntry& entry : journal_.Find()) used.insert(entry.record->route);
  Stubs stubs = table()->stubs;
  if (call.Is("DELETE")) {
    std::erase_if(stubs, [&](const WireMockStub& stub) { return !used.contains(stub.id); });
    const auto installed = Install(std::move(stubs), {});
    return installed ? Ok() : Unprocessable(installed.error());
  }
  Json list = Json::array();
  for (const WireMockStub& stub : stubs) {
    if (!used.contains(stub.id)) list.push_back(StubJson(stub));
  }
  const std::size_t total = list.size();
  return Reply(200, {{"mappings", std::move(list)}, {"meta", {{"total", total}}}});
}

// ---- the journal --------------------------------------------------------------------------------

Json WireMockApi::ServeEvent(const JournalEntry& entry) const {
  const JournalRecord& record = *entry.record;
  const std::int64_t delay = Milliseconds(record.latency);
  Json event = {{"id", EventId(entry.number)},
                {"request", LoggedRequest(entry)},
                {"wasMatched", entry.matched()},
                {"subEvents", Json::array()},
                {"timing",
                 {{"addedDelay", delay},
                  {"processTime", 0},
                  {"responseSendTime", 0},
                  {"serveTime", 0},
                  {"totalTime", Milliseconds(entry.duration().value_or(record.latency))}}}};
  if (const WireMockStub* const stub = table()->Find(record.route); stub != nullptr) {
    event["stubMapping"] = StubJson(*stub);
    event["responseDefinition"] = event["stubMapping"].value("response", Json{{"status", 200}});
  } else {
    event["responseDefinition"] = {{"status", record.status}, {"fromConfiguredStub", false}};
  }
  Json response = {{"status", record.status}};
  if (record.response != nullptr && entry.matched()) {
    response["headers"] = HeadersJson(record.response->headers);
    response["body"] = record.response->body;
    response["bodyAsBase64"] = Base64Encode(record.response->body);
  }
  if (record.fault) response["fault"] = ToString(*record.fault);
  event["response"] = std::move(response);
  return event;
}

http::Response WireMockApi::Requests(const Call& call) {
  const std::vector<std::string>& path = call.path;
  if (path.size() == 1) {
    if (call.Is("DELETE")) {
      journal_.Clear();
      return Ok();
    }
    if (!call.Is("GET")) return NotFound("no such call");
    JournalQuery query;
    query.unmatched_only = http::FormValue(call.query, "unmatched") == "true";
    if (const auto stub = http::FormValue(call.query, "matchingStub"))
      query.route = AsciiLower(*stub);
    if (const auto since = http::FormValue(call.query, "since")) {
      query.since = ParseSince(*since);
      if (!query.since)
        return Failure(422, 10, "", "Bad query",
                       "since is no instant such as 2026-01-02T03:04:05Z");
    }
    const std::size_t total = journal_.Count(query);
    query.limit = std::min<std::size_t>(call.Number("limit").value_or(total), total);
    std::vector<JournalEntry> entries = journal_.Find(query);
    Json list = Json::array();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
      list.push_back(ServeEvent(*entry));
    return Reply(200, {{"requests", std::move(list)},
                       {"meta", {{"total", total}}},
                       {"requestJournalDisabled", false}});
  }
  if (path.size() == 2 && call.Is("POST")) return FindRequests(call, path[1]);
  if (path.size() == 2 && path[1] == "unmatched" && call.Is("GET")) {
    Json list = Json::array();
    for (const JournalEntry& entry : journal_.Find({.unmatched_only = true}))
      list.push_back(LoggedRequest(entry));
    return Reply(200, {{"requests", std::move(list)}, {"requestJournalDisabled", false}});
  }
  if (path.size() == 3 && path[1] == "unmatched" && path[2] == "near-misses" && call.Is("GET"))
    return UnmatchedNearMisses();
  if (path.size() == 2) return OneRequest(call, path[1]);
  return NotFound("no such call");
}

http::Response WireMockApi::OneRequest(const Call& call, const std::string& id) {
  if (!IsUuid(id)) return Failure(400, 10, "", "Bad request", "\"" + id + "\" is no UUID");
  const auto number = EventNumber(id);
  const auto entry = number ? journal_.Get(*number) : std::nullopt;
  if (!entry) return NotFound("there is no request " + id);
  if (call.Is("GET")) return Reply(200, ServeEvent(*entry));
  if (!call.Is("DELETE")) return NotFound("no such call");
  return Failure(422, 10, "", "Not supported",
                 "single requests are not removed; use POST /__admin/requests/remove");
}

http::Response WireMockApi::FindRequests(const Call& call, std::string_view what) {
  // The old names of two calls, which older clients use.
  if (what == "reset") {
    journal_.Clear();
    return Ok();
  }
  if (what != "count" && what != "find" && what != "remove") return NotFound("no such call");
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  auto matcher = ReadPattern(*json);
  if (!matcher) return Unprocessable(matcher.error());
  JournalQuery query;
  query.matching = *std::move(matcher);
  if (what == "count") {
    return Reply(200, {{"count", journal_.Count(query)}, {"requestJournalDisabled", false}});
  }
  Json list = Json::array();
  for (const JournalEntry& entry : journal_.Find(query))
    list.push_back(what == "find" ? LoggedRequest(entry) : ServeEvent(entry));
  if (what == "find")
    return Reply(200, {{"requests", std::move(list)}, {"requestJournalDisabled", false}});
  static_cast<void>(journal_.Remove(query));
  return Reply(200, {{"serveEvents", std::move(list)}});
}

// ---- near misses --------------------------------------------------------------------------------

void WireMockApi::AddNearMisses(const http::Request& request, const Json& shown, Json& into) const {
  const std::shared_ptr<const Table> table = this->table();
  const PreparedRequest prepared(request);
  for (const NearMiss& miss : FindNearMisses(table->matchers, prepared)) {
    const WireMockStub& stub = table->stubs[table->stub_of[miss.route]];
    into.push_back({{"request", shown},
                    {"stubMapping", StubJson(stub)},
                    {"matchResult", {{"distance", miss.result.distance}}}});
  }
}

http::Response WireMockApi::UnmatchedNearMisses() const {
  Json list = Json::array();
  for (const JournalEntry& entry : journal_.Find({.unmatched_only = true}))
    AddNearMisses(entry.record->request, LoggedRequest(entry), list);
  return Reply(200, {{"nearMisses", std::move(list)}});
}

http::Response WireMockApi::NearMisses(const Call& call) {
  const auto json = call.Body();
  if (!json) return Unprocessable(json.error());
  Json list = Json::array();
  if (call.path[1] == "request") {
    const auto request = ReadRequest(*json);
    if (!request) return Unprocessable(request.error());
    AddNearMisses(*request, LoggedRequest(*request, "", environment_.clock.SystemNow()), list);
    return Reply(200, {{"nearMisses", std::move(list)}});
  }
  if (call.path[1] != "request-pattern") return NotFound("no such call");
  const auto matcher = ReadPattern(*json);
  if (!matcher) return Unprocessable(matcher.error());
  std::vector<std::pair<double, JournalEntry>> ranked;
  for (JournalEntry& entry : journal_.Find()) {
    const MatchResult result = matcher->Match(entry.record->request);
    if (!result.matched) ranked.emplace_back(result.distance, std::move(entry));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < std::min(ranked.size(), kNearMissesMax); ++i) {
    list.push_back({{"request", LoggedRequest(ranked[i].second)},
                    {"requestPattern", *json},
                    {"matchResult", {{"distance", ranked[i].first}}}});
  }
  return Reply(200, {{"nearMisses", std::move(list)}});
}

// ---- scenarios and settings ---------------------------------------------------------------------

http::Response WireMockApi::Scenarios(const Call& call) {
  if (call.path.size() == 2 && call.path[1] == "reset" && call.Is("POST")) {
    vendor_->model()->ResetStates();
    return Ok();
  }
  if (call.path.size() == 3 && call.path[2] == "state" && call.Is("PUT"))
    return ScenarioState(call, call.path[1]);
  if (call.path.size() != 1 || !call.Is("GET")) return NotFound("no such call");
  std::map<std::string, Json> scenarios;
  const std::shared_ptr<const Table> table = this->table();
  for (const WireMockStub& stub : table->stubs) {
    if (stub.scenario.empty()) continue;
    Json& scenario = scenarios[stub.scenario];
    if (scenario.is_null()) {
      scenario = {{"id", UuidOf("scenario " + stub.scenario)},
                  {"name", stub.scenario},
                  {"state", kInitialState},
                  {"possibleStates", Json::array({kInitialState})},
                  {"mappings", Json::array()}};
    }
    const Json json = StubJson(stub);
    for (const char* const key : {"requiredScenarioState", "newScenarioState"}) {
      Json& states = scenario["possibleStates"];
      if (json.contains(key) && json[key].is_string() &&
          std::find(states.begin(), states.end(), json[key]) == states.end()) {
        states.push_back(json[key]);
      }
    }
    scenario["mappings"].push_back(json);
  }
  for (const MachineState& machine : vendor_->model()->States()) {
    const auto found = scenarios.find(machine.machine);
    if (found != scenarios.end()) found->second["state"] = machine.state;
  }
  Json list = Json::array();
  for (auto& [name, scenario] : scenarios) list.push_back(std::move(scenario));
  return Reply(200, {{"scenarios", std::move(list)}});
}

http::Response WireMockApi::ScenarioState(const Call& call, const std::string& name) {
  std::string state(kInitialState);
  if (!call.request.body.empty()) {
    const auto json = call.Body();
    if (!json) return Unprocessable(json.error());
    const bool given = json->is_object() && json->contains("state") && !(*json)["state"].is_null();
    if (given && !(*json)["state"].is_string())
      return Unprocessable(InvalidArgument("/state: it is a text"));
    if (given) state = (*json)["state"].get<std::string>();
  }
  const std::shared_ptr<const Table> table = this->table();
  const bool known = std::any_of(table->stubs.begin(), table->stubs.end(),
                                 [&](const WireMockStub& stub) { return stub.scenario == name; });
  if (!known) return NotFound("Scenario " + name + " does not exist");
  const auto set = vendor_->model()->SetState(name, state);
  if (set) return Ok();
  if (state == kInitialState) return Ok();  // It has no other state.
  return Failure(422, 11, "/state", "Scenario state is not known", set.error().message);
}

http::Response WireMockApi::ServeSettings(const Call& call) {
  if (call.Is("POST") || call.Is("PUT")) {
    const auto json = call.Body();
    if (!json) return Unprocessable(json.error());
    if (!json->is_object()) return Unprocessable(InvalidArgument("/: settings are an object"));
    Settings settings;
    const auto fixed = json->find("fixedDelay");
    if (fixed != json->end() && !fixed->is_null()) {
      if (!fixed->is_number() || fixed->get<double>() < 0 || fixed->get<double>() > 86'400'000)
        return Unprocessable(InvalidArgument("/fixedDelay: it is a number of milliseconds"));
      settings.fixed_delay_ms = static_cast<std::int64_t>(fixed->get<double>());
    }
    const auto random = json->find("delayDistribution");
    if (random != json->end() && !random->is_null()) {
      auto delay = ReadWireMockDelay(*random, "/delayDistribution");
      if (!delay) return Unprocessable(delay.error());
      settings.delay = *delay;
      settings.delay_json = random->dump();
    }
    std::swap(settings, settings_);
    if (const auto installed = Install(table()->stubs, {}); !installed) {
      std::swap(settings, settings_);
      return Unprocessable(installed.error());
    }
    return Ok();
  }
  if (!call.Is("GET")) return NotFound("no such call");
  Json settings = {{"extended", Json::object()}, {"proxyPassThrough", true}};
  settings["fixedDelay"] =
      settings_.fixed_delay_ms ? Json(*settings_.fixed_delay_ms) : Json(nullptr);
  settings["delayDistribution"] = settings_.delay_json.empty()
                                      ? Json(nullptr)
                                      : Json::parse(settings_.delay_json, nullptr, false);
  return Reply(200, {{"settings", std::move(settings)}});
}

}  // namespace understudy::harness
