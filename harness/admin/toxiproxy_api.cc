#include "harness/admin/toxiproxy_api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

constexpr int kOk = 200;
constexpr int kCreated = 201;
constexpr int kNoContent = 204;
// The release of Toxiproxy whose API this is; clients look at its first number.
constexpr std::string_view kVersion = "2.12.0";
constexpr std::string_view kAnyFreePort = "127.0.0.1:0";

http::Response Json(int status, std::string body) {
  return {
      .status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

http::Response Failure(int status, std::string_view message) {
  return Json(status, ErrorJson(message, status) + "\n");
}

int StatusOf(const Error& error) {
  if (error.reason == "exists") return 409;
  if (error.code == ErrorCode::kNotFound) return 404;
  if (error.code == ErrorCode::kInvalidArgument) return 400;
  return 500;
}

http::Response Failure(const Error& error) { return Failure(StatusOf(error), error.message); }

http::Response NoMethod() { return Failure(405, "method not allowed"); }

http::Response NoContent() { return {.status = kNoContent}; }

Error Named(ErrorCode code, std::string message, std::string reason) {
  return {.code = code, .message = std::move(message), .reason = std::move(reason)};
}

Error ProxyNotFound() { return Named(ErrorCode::kNotFound, "proxy not found", ""); }
Error ToxicNotFound() { return Named(ErrorCode::kNotFound, "toxic not found", ""); }

std::vector<std::string> Segments(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (const std::string_view part : Split(path, '/'))
    segments.push_back(http::PercentDecode(part).value_or(std::string(part)));
  return segments;
}

bool IsUpdate(const http::Request& request) {
  return request.method == http::Method::Post() || request.method == http::Method::Patch();
}

// A label's value in the exposition format of Prometheus.
std::string Label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped.push_back('\\');
    escaped.append(c == '\n' ? "\\n" : std::string(1, c));
  }
  return escaped;
}

// A sentence of ours about an address or a toxic becomes the "error" of a 400 as the original
// writes it.
Error AsBadRequest(Error error) {
  if (error.code == ErrorCode::kInvalidArgument && error.reason != "exists" &&
      !error.message.starts_with("bad request body")) {
    error.message = "bad request body: " + error.message;
  }
  return error;
}

}  // namespace

ToxiproxyApi::ToxiproxyApi(Clock& clock, Random& random, Logger& logger,
                           ToxiproxyApiOptions options)
    : clock_(clock), random_(random), logger_(logger), options_(std::move(options)) {}

ToxiproxyApi::~ToxiproxyApi() = default;

http::Response ToxiproxyApi::Handle(const http::Request& request) {
  // A page in a browser must not change what listens on this machine.
  if (request.headers.Get("User-Agent").value_or("").starts_with("Mozilla/"))
    return Failure(403, "User agent not allowed");
  if (!Authorized(request)) {
    http::Response refusal = Failure(401, "the API's token is missing or wrong");
    static_cast<void>(refusal.headers.Add("WWW-Authenticate", "Bearer").has_value());
    return refusal;
  }
  const std::lock_guard lock(mutex_);
  return Route(request);
}

bool ToxiproxyApi::Authorized(const http::Request& request) const {
  if (options_.token.empty()) return true;
  const std::string_view credentials = request.headers.Get("Authorization").value_or("");
  const std::size_t space = credentials.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view scheme = credentials.substr(0, space);
  const std::string_view value = TrimOws(credentials.substr(space));
  if (EqualsIgnoreAsciiCase(scheme, "Bearer")) return options_.token.Equals(value);
  if (!EqualsIgnoreAsciiCase(scheme, "Basic")) return false;
  const auto pair = Base64Decode(value);
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  return colon != std::string::npos &&
         options_.token.Equals(std::string_view(*pair).substr(colon + 1));
}

http::Response ToxiproxyApi::Route(const http::Request& request) {
  const std::vector<std::string> path = Segments(request.url.path());
  const bool get = request.method == http::Method::Get();
  const bool post = request.method == http::Method::Post();
  if (path.size() == 1) {
    if (path[0] == "proxies") return ServeProxies(request);
    if (path[0] == "populate") return post ? ServePopulate(request) : NoMethod();
    if (path[0] == "reset") return post ? Reset() : NoMethod();
    if (path[0] == "metrics") return get ? Metrics() : NoMethod();
    if (path[0] == "version") {
      if (!get) return NoMethod();
      return {.headers = {{"Content-Type", "application/json;charset=utf-8"}},
              .body = "{\"version\": \"" + std::string(kVersion) + "\"}\n"};
    }
  }
  if (path.size() >= 2 && path[0] == "proxies" && !path[1].empty()) {
    if (path.size() == 2) return ServeProxy(request, path[1]);
    if (path.size() == 3 && path[2] == "toxics") return ServeToxics(request, path[1]);
    if (path.size() == 4 && path[2] == "toxics" && !path[3].empty())
      return ServeToxic(request, path[1], path[3]);
  }
  return Failure(404, "page not found");
}

// ---- proxies ------------------------------------------------------------------------------------

std::vector<TcpProxy::State> ToxiproxyApi::Snapshots() const {
  std::vector<TcpProxy::State> states;
  for (const auto& entry : proxies_) states.push_back(entry.second->Snapshot());
  return states;
}

Result<TcpProxy*> ToxiproxyApi::Find(std::string_view name) const {
  const auto found = proxies_.find(name);
  if (found == proxies_.end()) return ProxyNotFound();
  return found->second.get();
}

http::Response ToxiproxyApi::ServeProxies(const http::Request& request) {
  if (request.method == http::Method::Get()) return Json(kOk, ToJsonByName(Snapshots()));
  if (request.method != http::Method::Post()) return NoMethod();
  const auto created = CreateProxy(request);
  return created ? Json(kCreated, ToJson(*created)) : Failure(created.error());
}

Result<TcpProxy::State> ToxiproxyApi::CreateProxy(const http::Request& request) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const ProxyInput input, ParseProxy(request.body));
  if (proxies_.contains(*input.name))
    return Named(ErrorCode::kInvalidArgument, "proxy already exists", "exists");
  if (proxies_.size() >= options_.proxies_max)
    return InvalidArgument("bad request body: there are " + std::to_string(proxies_.size()) +
                           " proxies already; delete some");
  UNDERSTUDY_ASSIGN_OR_RETURN(auto proxy, NewProxy(input, /*started=*/true, {}));
  TcpProxy::State state = proxy->Snapshot();
  proxies_.emplace(*input.name, std::move(proxy));
  return state;
}

Result<std::unique_ptr<TcpProxy>> ToxiproxyApi::NewProxy(const ProxyInput& input, bool started,
                                                         std::optional<TcpListener> listener) {
  TcpProxyOptions options{.name = *input.name,
                          .listen = input.listen.value_or(""),
                          .upstream = *input.upstream,
                          .enabled = input.enabled.value_or(true),
                          .toxics = input.toxics.value_or(std::vector<Toxic>{}),
                          .limits = options_.limits};
  if (options.listen.empty()) options.listen = kAnyFreePort;
  auto proxy =
      TcpProxy::Create(clock_, random_, logger_, std::move(options), started, std::move(listener));
  if (!proxy) return AsBadRequest(std::move(proxy).error());
  return std::move(*proxy);
}

http::Response ToxiproxyApi::ServeProxy(const http::Request& request, const std::string& name) {
  const auto found = Find(name);
  if (!found) return Failure(found.error());
  TcpProxy& proxy = **found;
  if (request.method == http::Method::Get()) return Json(kOk, ToJson(proxy.Snapshot()));
  if (request.method == http::Method::Delete()) {
    proxies_.erase(proxies_.find(name));
    return NoContent();
  }
  if (!IsUpdate(request)) return NoMethod();
  auto input = ParseProxyUpdate(request.body);
  if (!input) return Failure(input.error());
  const auto updated = proxy.Update({.listen = std::move(input->listen),
                                     .upstream = std::move(input->upstream),
                                     .enabled = input->enabled});
  if (!updated) return Failure(AsBadRequest(updated.error()));
  return Json(kOk, ToJson(proxy.Snapshot()));
}

// ---- populate -----------------------------------------------------------------------------------

bool ToxiproxyApi::Stays(const ProxyInput& input) const {
  const auto found = proxies_.find(*input.name);
  if (found == proxies_.end()) return false;
  const std::string listen = input.listen.value_or("");
  return found->second->Matches(listen.empty() ? kAnyFreePort : std::string_view(listen),
                                *input.upstream);
}

std::optional<TcpListener> ToxiproxyApi::Inherited(const std::vector<ProxyInput>& inputs,
                                                   const ProxyInput& input) const {
  for (const ProxyInput& other : inputs) {
    const auto found = proxies_.find(*other.name);
    if (found == proxies_.end() || Stays(other)) continue;
    auto listener = found->second->ListenerOn(input.listen.value_or(""));
    if (listener) return listener;
  }
  return std::nullopt;
}

Result<std::vector<TcpProxy::State>> ToxiproxyApi::Populate(std::string_view json) {
  const std::lock_guard lock(mutex_);
  return PopulateAll(json);
}

Result<std::vector<TcpProxy::State>> ToxiproxyApi::PopulateAll(std::string_view json) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<ProxyInput> inputs, ParseProxies(json));
  // Everything that can fail comes first, and takes no connection yet.
  Proxies fresh;
  std::size_t added = 0;
  for (const ProxyInput& input : inputs) {
    if (input.toxics && input.toxics->size() > options_.limits.toxics_max)
      return InvalidArgument("bad request body: a proxy has at most " +
                             std::to_string(options_.limits.toxics_max) + " toxics");
    if (Stays(input)) continue;
    if (!proxies_.contains(*input.name)) ++added;
    UNDERSTUDY_ASSIGN_OR_RETURN(auto proxy,
                                NewProxy(input, /*started=*/false, Inherited(inputs, input)));
    fresh.emplace(*input.name, std::move(proxy));
  }
  if (proxies_.size() + added > options_.proxies_max)
    return InvalidArgument("bad request body: more than " + std::to_string(options_.proxies_max) +
                           " proxies");
  for (const auto& [name, proxy] : fresh) proxies_[name].reset();
  for (auto& [name, proxy] : fresh) proxies_[name] = std::move(proxy);
  std::vector<TcpProxy::State> states;
  for (const ProxyInput& input : inputs) {
    TcpProxy& proxy = *proxies_.at(*input.name);
    UNDERSTUDY_RETURN_IF_ERROR(proxy.Start());
    // One that stays gets the toxics that are given with it.
    if (input.toxics && !fresh.contains(*input.name))
      UNDERSTUDY_RETURN_IF_ERROR(proxy.SetToxics(*input.toxics));
    states.push_back(proxy.Snapshot());
  }
  return states;
}

http::Response ToxiproxyApi::ServePopulate(const http::Request& request) {
  const auto populated = PopulateAll(request.body);
  if (populated) return Json(kCreated, PopulatedJson(*populated, nullptr, kCreated));
  const int status = StatusOf(populated.error());
  return Json(status, PopulatedJson({}, &populated.error(), status));
}

// All toxics go before a proxy is enabled: no connection meets an old one.
http::Response ToxiproxyApi::Reset() {
  for (const auto& entry : proxies_) static_cast<void>(entry.second->SetToxics({}).has_value());
  std::optional<Error> failure;
  for (const auto& entry : proxies_) {
    const auto enabled = entry.second->Update({.enabled = true});
    if (!enabled && !failure) failure = enabled.error();
  }
  return failure ? Failure(*failure) : NoContent();
}

// ---- toxics -------------------------------------------------------------------------------------

http::Response ToxiproxyApi::ServeToxics(const http::Request& request, const std::string& name) {
  const auto found = Find(name);
  if (!found) return Failure(found.error());
  TcpProxy& proxy = **found;
  if (request.method == http::Method::Get()) return Json(kOk, ToJson(proxy.Snapshot().toxics));
  if (request.method != http::Method::Post()) return NoMethod();
  const auto toxic = ParseToxic(request.body);
  if (!toxic) return Failure(toxic.error());
  const auto added = proxy.AddToxic(*toxic);
  if (added) return Json(kOk, ToJson(*toxic));
  if (added.error().reason == "exists") return Failure(409, "toxic already exists");
  return Failure(AsBadRequest(added.error()));
}

http::Response ToxiproxyApi::ServeToxic(const http::Request& request, const std::string& name,
                                        const std::string& toxic_name) {
  const auto found = Find(name);
  if (!found) return Failure(found.error());
  TcpProxy& proxy = **found;
  const std::vector<Toxic> toxics = proxy.Snapshot().toxics;
  const auto toxic = std::find_if(toxics.begin(), toxics.end(),
                                  [&](const Toxic& each) { return each.name == toxic_name; });
  if (toxic == toxics.end()) return Failure(ToxicNotFound());
  if (request.method == http::Method::Get()) return Json(kOk, ToJson(*toxic));
  if (request.method == http::Method::Delete()) {
    const auto removed = proxy.RemoveToxic(toxic_name);
    return removed ? NoContent() : Failure(ToxicNotFound());
  }
  if (!IsUpdate(request)) return NoMethod();
  const auto changed = ParseToxicUpdate(request.body, *toxic);
  if (!changed) return Failure(changed.error());
  const auto updated = proxy.UpdateToxic(*changed);
  return updated ? Json(kOk, ToJson(*changed)) : Failure(AsBadRequest(updated.error()));
}

// ---- metrics ------------------------------------------------------------------------------------

http::Response ToxiproxyApi::Metrics() const {
  std::string received =
      "# HELP toxiproxy_proxy_received_bytes_total Bytes that came from the source.\n"
      "# TYPE toxiproxy_proxy_received_bytes_total counter\n";
  std::string sent =
      "# HELP toxiproxy_proxy_sent_bytes_total Bytes that went to the destination.\n"
      "# TYPE toxiproxy_proxy_sent_bytes_total counter\n";
  std::string connections =
      "# HELP understudy_proxy_connections_total Connections that were accepted.\n"
      "# TYPE understudy_proxy_connections_total counter\n";
  std::string applied =
      "# HELP understudy_proxy_toxics_applied_total Directions of connections that drew a toxic.\n"
      "# TYPE understudy_proxy_toxics_applied_total counter\n";
  for (const auto& [name, proxy] : proxies_) {
    const TcpProxy::State state = proxy->Snapshot();
    const TcpProxyCounters& counters = proxy->counters();
    const std::string of_proxy = "{proxy=\"" + Label(name) + "\"} ";
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string_view direction = i == 0 ? "upstream" : "downstream";
      const std::string labels = "{direction=\"" + std::string(direction) + "\",listener=\"" +
                                 Label(state.listen) + "\",proxy=\"" + Label(name) +
                                 "\",upstream=\"" + Label(state.upstream) + "\"} ";
      received += "toxiproxy_proxy_received_bytes_total" + labels +
                  std::to_string(counters.received.at(i).load()) + "\n";
      sent += "toxiproxy_proxy_sent_bytes_total" + labels +
              std::to_string(counters.sent.at(i).load()) + "\n";
    }
    connections += "understudy_proxy_connections_total" + of_proxy +
                   std::to_string(counters.connections.load()) + "\n";
    applied += "understudy_proxy_toxics_applied_total" + of_proxy +
               std::to_string(counters.toxics_applied.load()) + "\n";
  }
  return {.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
          .body = received + sent + connections + applied};
}

}  // namespace understudy::harness
