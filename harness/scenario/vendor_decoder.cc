#include "harness/scenario/vendor_decoder.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include <re2/re2.h>

#include "harness/vendor/dialect_pack.h"
#include "harness/vendor/response_sequence.h"
#include "harness/vendor/template.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr IntRange kResponseTimes = {0, 1'000'000};
constexpr IntRange kStatusRange = {100, 599};
constexpr IntRange kPriorityRange = {0, 1'000'000};
constexpr IntRange kLimitRange = {0, 1'000'000'000};

void ReadLatency(const NodeReader& reader, std::string_view key, std::optional<LatencySpec>& out) {
  if (const auto found = reader.Find(key)) out = DecodeLatency(*found);
}

// The media type a file name promises.
std::string ContentTypeOf(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const std::string_view extension =
      dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  if (extension == "json") return "application/json";
  if (extension == "xml") return "application/xml";
  if (extension == "html") return "text/html; charset=utf-8";
  if (extension == "txt") return "text/plain; charset=utf-8";
  return "application/octet-stream";
}

void ReadBodyFile(const NodeReader& reader, const FileAccess& files, ResponseSpec& response) {
  const auto found = reader.Find("body_file");
  if (!found) return;
  if (reader.Has("json"))
    reader.ErrorAtKey("body_file", "a response has \"json\" or \"body_file\", not both");
  const auto name = found->AsString();
  if (!name) return;
  if (name->empty() || name->front() == '/') {
    found->Error("\"body_file\" is a path relative to the folder of this file");
    return;
  }
  auto bytes = files.read(files.folder + *name);
  if (!bytes) {
    found->Error("cannot read \"" + *name + "\": " + bytes.error().message);
    return;
  }
  response.body = *std::move(bytes);
  response.content_type = ContentTypeOf(*name);
}

// `body` and `body_base64`: the other ways to say what a response's bytes are.
void ReadBodyText(const NodeReader& reader, ResponseSpec& response) {
  for (const std::string_view key : {"body", "body_base64"}) {
    const auto found = reader.Find(key);
    if (!found) continue;
    if (response.body) {
      reader.ErrorAtKey(key,
                        "a response has one of \"json\", \"body\", \"body_base64\" and "
                        "\"body_file\"");
      return;
    }
    auto text = found->AsString();
    if (!text) continue;
    response.content_type = "text/plain; charset=utf-8";
    if (key == "body_base64") {
      response.content_type = "application/octet-stream";
      auto bytes = Base64Decode(*text);
      if (!bytes) {
        found->Error("this is no base64 (RFC 4648 section 4, with padding)");
        continue;
      }
      text = *std::move(bytes);
    }
    response.body = *std::move(text);
  }
}

// What the file says of the body: with {{ in it, it is a template unless "template" says no. Files
// and binary bodies are only on request.
void ReadTemplate(const NodeReader& reader, ResponseSpec& response) {
  const bool written_here = reader.Has("json") || reader.Has("body");
  const bool has_some =
      (written_here && response.body && Template::HasPlaceholders(*response.body)) ||
      std::any_of(response.headers.begin(), response.headers.end(),
                  [](const auto& header) { return Template::HasPlaceholders(header.second); });
  response.templated = has_some;
  reader.Read("template", response.templated);
}

StateCondition DecodeWhenState(const NodeReader& reader) {
  StateCondition condition;
  for (const auto& [machine, value] : reader.Members()) {
    if (machine.empty()) value.Error("a state machine needs a name");
    std::vector<std::string>& states = condition[machine];
    if (!value.node().IsArray()) {
      if (auto state = value.AsString()) states.push_back(*std::move(state));
      continue;
    }
    for (const NodeReader& item : value.Items()) {
      if (auto state = item.AsString()) states.push_back(*std::move(state));
    }
    if (value.node().items().empty()) value.Error("name at least one state");
  }
  return condition;
}

StateChange DecodeSetState(const NodeReader& reader) {
  StateChange change;
  for (const auto& [machine, value] : reader.Members()) {
    auto state = value.AsString();
    if (!state) continue;
    if (machine.empty() || state->empty()) value.Error("a machine and its state need names");
    change[machine] = *std::move(state);
  }
  return change;
}

void ReadStates(const NodeReader& reader, StateCondition& when, StateChange& set) {
  if (const auto found = reader.Find("when_state")) when = DecodeWhenState(*found);
  if (const auto found = reader.Find("set_state")) set = DecodeSetState(*found);
}

// {"header": "X-Id"}, {"token": true}, ...
std::optional<CallerKey> DecodeCallerKey(const NodeReader& reader) {
  static constexpr Word<CallerKey::Kind> kKinds[] = {{"header", CallerKey::Kind::kHeader},
                                                     {"token", CallerKey::Kind::kToken},
                                                     {"query", CallerKey::Kind::kQuery},
                                                     {"cookie", CallerKey::Kind::kCookie},
                                                     {"path", CallerKey::Kind::kCapture}};
  if (!reader.ExpectKeys({"header", "token", "query", "cookie", "path"})) return std::nullopt;
  if (reader.node().members().size() != 1) {
    reader.Error("callers are told apart by one thing",
                 "write e.g. {\"header\": \"X-Client\"} or {\"token\": true}");
    return std::nullopt;
  }
  CallerKey key;
  const auto members = reader.Members();
  const auto& [name, value] = members.front();
  for (const auto& kind : kKinds) {
    if (kind.word == name) key.kind = kind.value;
  }
  if (key.kind == CallerKey::Kind::kToken) {
    if (const auto on = value.AsBoolean(); on && !*on) {
      value.Error("\"token\" can only be true", "leave \"per\" out");
    }
    return key;
  }
  if (auto text = value.AsString()) key.name = *std::move(text);
  if (key.name.empty() && value.node().IsString()) value.Error("a name is missing");
  return key;
}

std::optional<IsolationSpec> DecodeIsolation(const NodeReader& reader) {
  if (!reader.ExpectKeys({"header", "path_prefix"})) return std::nullopt;
  IsolationSpec isolation;
  reader.Read("header", isolation.header);
  reader.Read("path_prefix", isolation.path_prefix);
  const std::string& prefix = isolation.path_prefix;
  if (reader.node().members().size() != 1) {
    reader.Error("tests are told apart by one of \"header\" and \"path_prefix\"");
  } else if (!prefix.empty() &&
             (prefix.size() < 2 || prefix.front() != '/' || prefix.back() != '/')) {
    reader.Find("path_prefix")->Error("a prefix begins and ends with \"/\"", "write e.g. \"/t/\"");
  }
  return isolation;
}

ResponseSpec DecodeResponse(const NodeReader& reader, const FileAccess& files) {
  ResponseSpec response;
  if (!reader.ExpectKeys({"times", "status", "headers", "json", "body_file", "latency", "fault",
                          "body", "body_base64", "content_type", "template", "when_state",
                          "set_state"}))
    return response;
  if (reader.node().members().empty())
    reader.Error("an empty response says nothing", "give it a \"status\"");
  reader.ReadInt("times", response.times, kResponseTimes);
  reader.ReadInt("status", response.status, kStatusRange);
  reader.ReadStrings("headers", response.headers);
  reader.ReadJson("json", response.body);
  ReadBodyFile(reader, files, response);
  ReadBodyText(reader, response);
  reader.Read("content_type", response.content_type);
  ReadTemplate(reader, response);
  ReadStates(reader, response.when_state, response.set_state);
  ReadLatency(reader, "latency", response.latency);
  if (const auto fault = reader.Find("fault")) {
    DecodeFault(*fault, response.fault, response.fault_detail);
  }
  return response;
}

std::vector<FieldMatch> DecodeFields(const NodeReader& reader, std::string_view key) {
  std::vector<FieldMatch> fields;
  if (const auto found = reader.Find(key)) {
    for (const auto& [name, value] : found->Members())
      fields.push_back({name, value.node().Serialise()});
  }
  return fields;
}

// A string, or a list of strings.
void ReadMethods(const NodeReader& reader, RequestMatch& match) {
  const auto found = reader.Find("method");
  if (!found) return;
  if (!found->node().IsArray()) return reader.Read("method", match.method);
  for (const NodeReader& item : found->Items()) {
    if (auto method = item.AsString()) match.methods.push_back(*std::move(method));
  }
  if (found->node().items().empty()) found->Error("\"method\" needs at least one method");
}

void ReadPaths(const NodeReader& reader, RequestMatch& match) {
  reader.Read("path", match.path);
  reader.Read("path_exact", match.path_exact);
  reader.Read("path_regex", match.path_regex);
  reader.Read("target", match.target);
  reader.Read("target_regex", match.target_regex);
  for (const auto& [key, regex] : {std::pair("path_regex", &match.path_regex),
                                   std::pair("target_regex", &match.target_regex)}) {
    if (!*regex) continue;
    const RE2 compiled(**regex, RE2::Quiet);
    if (compiled.ok()) continue;
    reader.Find(key)->Error("RE2 refuses this regular expression: " + compiled.error());
  }
  for (const auto& [key, path] :
       {std::pair("path", &match.path), std::pair("path_exact", &match.path_exact),
        std::pair("target", &match.target)}) {
    if (!*path || (**path).substr(0, 1) == "/") continue;
    reader.Find(key)->Error("a path begins with \"/\"", "write \"/" + **path + "\"");
  }
}

void ReadJsonEqual(const NodeReader& reader, RequestMatch& match) {
  if (const auto expected = reader.Find("json_equal")) {
    match.json_equal = {.json = expected->node().Serialise()};
  }
  const auto ignored = reader.Find("json_ignore");
  if (!ignored) return;
  if (!match.json_equal) {
    reader.ErrorAtKey("json_ignore", "\"json_ignore\" says what \"json_equal\" ignores",
                      "add \"json_equal\"; \"json\" ignores further members by itself");
    return;
  }
  static constexpr Word<int> kIgnored[] = {{"order", 0}, {"extra", 1}};
  for (const NodeReader& item : ignored->Items()) {
    const auto word = item.AsWord(std::span<const Word<int>>(kIgnored));
    if (!word) continue;
    (*word == 0 ? match.json_equal->ignore_order : match.json_equal->ignore_extra) = true;
  }
}

void ReadBody(const NodeReader& reader, RequestMatch& match) {
  reader.ReadJson("text", match.text);
  reader.ReadJson("json", match.json);
  ReadJsonEqual(reader, match);
  match.json_path = DecodeFields(reader, "json_path");
  reader.ReadJson("json_schema", match.json_schema);
  const auto encoded = reader.Find("body_base64");
  const auto text = encoded ? encoded->AsString() : std::nullopt;
  if (!text) return;
  match.body = Base64Decode(*text);
  if (!match.body) encoded->Error("this is not base64 (RFC 4648 section 4, with padding)");
}

}  // namespace

RequestMatch DecodeMatch(const NodeReader& reader) {
  RequestMatch match;
  const std::size_t before = reader.problems().problems().size();
  if (!reader.ExpectKeys({"method",      "path",         "path_exact",  "path_regex",
                          "target",      "target_regex", "host",        "path_parameters",
                          "query",       "query_exact",  "headers",     "cookies",
                          "form",        "text",         "json",        "json_equal",
                          "json_ignore", "json_path",    "json_schema", "body_base64",
                          "all_of",      "any_of",       "none_of"})) {
    return match;
  }
  ReadMethods(reader, match);
  ReadPaths(reader, match);
  reader.ReadJson("host", match.host);
  match.path_parameters = DecodeFields(reader, "path_parameters");
  match.query = DecodeFields(reader, "query");
  reader.Read("query_exact", match.query_exact);
  match.headers = DecodeFields(reader, "headers");
  match.cookies = DecodeFields(reader, "cookies");
  match.form = DecodeFields(reader, "form");
  ReadBody(reader, match);
  for (const auto& [key, list] :
       {std::pair("all_of", &match.all_of), std::pair("any_of", &match.any_of),
        std::pair("none_of", &match.none_of)}) {
    const auto found = reader.Find(key);
    if (!found) continue;
    for (const NodeReader& inner : found->Items()) list->push_back(DecodeMatch(inner));
    if (found->node().IsArray() && list->empty()) found->Error("the list is empty");
  }
  if (reader.problems().problems().size() != before) return match;
  if (const auto compiled = RequestMatcher::Compile(match); !compiled) {
    reader.Error(
        compiled.error().message);  // What only the matcher knows, e.g. a repeated path parameter.
  }
  return match;
}

namespace {

// Templates know the captures of their route, so only the route can check them.
void CheckTemplates(const NodeReader& respond, const RouteSpec& route) {
  const TemplateScope scope{.captures = VendorModel::CapturesOf(route.match)};
  const std::vector<NodeReader> items =
      respond.node().IsArray() ? respond.Items() : std::vector<NodeReader>();
  for (std::size_t i = 0; i < items.size() && i < route.responses.size(); ++i) {
    if (!route.responses[i].templated) continue;
    if (const auto prepared = Prepare(route.responses[i], 200, scope); !prepared) {
      items[i].Error(prepared.error().message);
    }
  }
}

void DecodeRoute(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                 VendorIds& ids, Places& places) {
  static constexpr Word<WhenExhausted> kWhenExhausted[] = {
      {"fail-scenario", WhenExhausted::kFailScenario},
      {"repeat-last", WhenExhausted::kRepeatLast},
      {"cycle", WhenExhausted::kCycle}};
  if (!reader.ExpectKeys({"id", "match", "latency", "requires_token", "respond", "when_exhausted",
                          "priority", "when_state", "set_state", "per"}))
    return;
  RouteSpec route;
  route.id = ids.routes.Read(reader, "id", "route");
  if (route.id == "oauth") {
    reader.Find("id")->Error("\"oauth\" is the id of the token endpoint",
                             "give the route another id");
  }
  if (const auto match = reader.Require("match")) route.match = DecodeMatch(*match);
  ReadLatency(reader, "latency", route.latency);
  reader.Read("requires_token", route.requires_token);
  if (const auto respond = reader.Require("respond")) {
    route.responses = DecodeResponses(*respond, files);
    CheckTemplates(*respond, route);
  }
  reader.ReadInt("priority", route.priority, kPriorityRange);
  ReadStates(reader, route.when_state, route.set_state);
  if (const auto per = reader.Find("per")) route.per = DecodeCallerKey(*per);
  reader.ReadWord("when_exhausted", route.when_exhausted, kWhenExhausted);
  places.emplace("route " + vendor.name + "/" + route.id, reader.Location());
  vendor.routes.push_back(std::move(route));
}

void DecodeOAuth(const NodeReader& reader, VendorSpec& vendor, VendorIds& ids) {
  static constexpr Word<OAuthSpec::Initial> kInitial[] = {
      {"none", OAuthSpec::Initial::kNone},
      {"valid", OAuthSpec::Initial::kValid},
      {"expired", OAuthSpec::Initial::kExpired}};
  if (ids.oauth) {
    reader.Error("the vendor \"" + vendor.name + "\" has an \"oauth\" already, at " +
                 ids.oauth->ToString());
    return;
  }
  ids.oauth = reader.Location();
  if (!reader.ExpectKeys({"path", "ttl", "initial", "rotate_refresh_token", "latency"})) return;
  OAuthSpec oauth;
  reader.Require("path");
  reader.Require("ttl");
  reader.Read("path", oauth.path);
  reader.Read("ttl", oauth.ttl);
  reader.ReadWord("initial", oauth.initial, kInitial);
  reader.Read("rotate_refresh_token", oauth.rotate_refresh_token);
  ReadLatency(reader, "latency", oauth.latency);
  if (!oauth.path.empty() && oauth.path.front() != '/') {
    reader.Find("path")->Error("a path begins with \"/\"", "write \"/" + oauth.path + "\"");
  }
  vendor.oauth = std::move(oauth);
}

std::vector<std::string> DecodeTexts(const NodeReader& reader, std::string_view key) {
  std::vector<std::string> texts;
  const auto found = reader.Find(key);
  if (!found) return texts;
  for (const NodeReader& item : found->Items()) {
    if (auto text = item.AsString()) texts.push_back(*std::move(text));
  }
  if (found->node().IsArray() && texts.empty() && found->Items().empty())
    found->Error("an empty list means nothing at all", "leave it out to mean every one");
  return texts;
}

std::vector<std::string> DecodeRouteIds(const NodeReader& reader, VendorIds& ids) {
  std::vector<std::string> routes = DecodeTexts(reader, "routes");
  if (routes.empty()) return routes;
  for (const NodeReader& route : reader.Find("routes")->Items()) ids.limit_routes.push_back(route);
  return routes;
}

// "token", "address", {"header": "X-Api-Key"} or {"query": "api_key"}.
void DecodePer(const NodeReader& reader, LimitScope& scope) {
  static constexpr Word<LimitScope::Per> kWords[] = {{"vendor", LimitScope::Per::kVendor},
                                                     {"token", LimitScope::Per::kToken},
                                                     {"address", LimitScope::Per::kAddress}};
  if (!reader.node().IsObject()) {
    if (const auto per = reader.AsWord(std::span<const Word<LimitScope::Per>>(kWords)))
      scope.per = *per;
    return;
  }
  if (!reader.ExpectKeys({"header", "query"})) return;
  const bool header = reader.Has("header");
  if (header == reader.Has("query")) {
    reader.Error("\"per\" names one header or one query parameter",
                 R"(write {"header": "X-Api-Key"} or {"query": "api_key"})");
    return;
  }
  scope.per = header ? LimitScope::Per::kHeader : LimitScope::Per::kQuery;
  reader.Read(header ? "header" : "query", scope.name);
  if (scope.name.empty()) reader.Error("\"per\" needs the name of a header or query parameter");
}

void DecodeScope(const NodeReader& reader, LimitScope& scope, VendorIds& ids) {
  if (!reader.ExpectKeys({"routes", "methods", "each_route", "per", "callers"})) return;
  scope.routes = DecodeRouteIds(reader, ids);
  scope.methods = DecodeTexts(reader, "methods");
  reader.Read("each_route", scope.each_route);
  if (const auto per = reader.Find("per")) DecodePer(*per, scope);
  reader.ReadInt("callers", scope.callers, {1, LimitScope::kCallersMax});
}

// A number, or a list of rules of which the first that fits counts.
void DecodeCosts(const NodeReader& reader, LimitSpec& limit, VendorIds& ids) {
  if (!reader.node().IsArray()) {
    if (const auto points = reader.AsInteger(kLimitRange)) limit.costs = {{.points = *points}};
    return;
  }
  for (const NodeReader& item : reader.Items()) {
    if (!item.ExpectKeys({"routes", "methods", "points"})) continue;
    LimitCost cost;
    cost.routes = DecodeRouteIds(item, ids);
    cost.methods = DecodeTexts(item, "methods");
    item.Require("points");
    item.ReadInt("points", cost.points, kLimitRange);
    limit.costs.push_back(std::move(cost));
  }
}

// `every` is another way to write the window of a bucket: how long one point takes to come back.
void DecodeEvery(const NodeReader& reader, LimitSpec& limit) {
  const auto every = reader.Find("every");
  if (!every) return;
  const bool bucket =
      limit.kind == LimitSpec::Kind::kTokenBucket || limit.kind == LimitSpec::Kind::kLeakyBucket;
  if (!bucket) {
    reader.ErrorAtKey("every", "only a bucket gives points back one by one",
                      "write \"window\", or a \"kind\" of \"token-bucket\" or \"leaky-bucket\"");
    return;
  }
  const auto time = every->AsDuration();
  if (!time) return;
  if (*time <= Duration::zero()) {
    every->Error("\"every\" must be longer than zero, e.g. \"500ms\"");
  } else if (limit.max > 0 && *time > Duration::max() / limit.max) {
    every->Error("a bucket of " + std::to_string(limit.max) + " would take for ever to fill");
  } else {
    limit.window = *time * std::max<std::int64_t>(limit.max, 1);
  }
}

void DecodeWindow(const NodeReader& reader, LimitSpec& limit) {
  if (reader.Has("every")) {
    if (reader.Has("window"))
      reader.ErrorAtKey("every", "a limit has \"window\" or \"every\", not both");
    DecodeEvery(reader, limit);
    return;
  }
  if (limit.kind != LimitSpec::Kind::kConcurrency) reader.Require("window");
  reader.Read("window", limit.window);
}

void DecodeLimit(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                 VendorIds& ids) {
  static constexpr Word<LimitSpec::Kind> kKinds[] = {
      {"fixed", LimitSpec::Kind::kFixed},
      {"sliding", LimitSpec::Kind::kSliding},
      {"token-bucket", LimitSpec::Kind::kTokenBucket},
      {"leaky-bucket", LimitSpec::Kind::kLeakyBucket},
      {"concurrency", LimitSpec::Kind::kConcurrency}};
  static constexpr Word<LimitSpec::Align> kAligns[] = {
      {"first-request", LimitSpec::Align::kFirstRequest},
      {"utc-day", LimitSpec::Align::kUtcDay},
      {"utc-hour", LimitSpec::Align::kUtcHour}};
  if (!reader.ExpectKeys({"id", "max", "window", "every", "kind", "align", "on_exceed", "dialect",
                          "scope", "cost"}))
    return;
  LimitSpec limit;
  limit.id = ids.limits.Read(reader, "id", "limit");
  reader.Require("max");
  reader.ReadInt("max", limit.max, kLimitRange);
  reader.ReadWord("kind", limit.kind, kKinds);
  DecodeWindow(reader, limit);
  reader.ReadWord("align", limit.align, kAligns);
  if (const auto response = reader.Find("on_exceed"))
    limit.on_exceed = DecodeResponse(*response, files);
  reader.Read("dialect", limit.dialect);
  if (const auto dialect = reader.Find("dialect")) ids.limit_dialects.push_back(*dialect);
  if (const auto scope = reader.Find("scope")) DecodeScope(*scope, limit.scope, ids);
  if (const auto cost = reader.Find("cost")) DecodeCosts(*cost, limit, ids);
  vendor.limits.push_back(std::move(limit));
}

// The node that a pack's error is about: its message begins with the JSON pointer.
NodeReader PlaceIn(NodeReader reader, std::string_view pointer) {
  if (!pointer.starts_with('/')) return reader;
  for (const std::string_view token : Split(pointer.substr(1), '/')) {
    std::optional<NodeReader> next;
    if (reader.node().IsArray()) {
      const std::vector<NodeReader> items = reader.Items();
      const auto index = ParseUnsigned(token);
      if (index && *index < items.size()) next = items[*index];
    } else if (reader.node().IsObject()) {
      next = reader.Find(UnescapePointerToken(token));
    }
    if (!next) break;
    reader = *next;
  }
  return reader;
}

void DecodeDialect(const std::string& name, const NodeReader& reader, const FileAccess& files,
                   VendorSpec& vendor) {
  for (const DialectSpec& other : vendor.dialects) {
    if (other.name != name) continue;
    reader.Error("the dialect \"" + name + "\" is there twice", "rename one of them");
    return;
  }
  DialectSpec dialect{.name = name};
  const auto file = reader.node().IsObject() ? reader.Find("file") : std::nullopt;
  if (file) {
    if (!reader.ExpectKeys({"file"})) return;
    const auto path = file->AsString();
    if (!path) return;
    if (path->empty() || path->front() == '/') {
      file->Error("\"file\" is a path relative to the folder of this file");
      return;
    }
    auto text = files.read(files.folder + *path);
    if (!text) {
      file->Error("cannot read \"" + *path + "\": " + text.error().message);
      return;
    }
    dialect.json = *std::move(text);
  } else {
    dialect.json = reader.node().Serialise();
  }
  if (const auto pack = DialectPack::Parse(name, dialect.json); !pack) {
    const std::string& message = pack.error().message;
    const std::size_t colon = message.find(": ");
    if (file) {
      file->Error(message);
    } else if (message.starts_with('/') && colon != std::string::npos) {
      PlaceIn(reader, std::string_view(message).substr(0, colon)).Error(message.substr(colon + 2));
    } else {
      reader.Error(message);
    }
    return;
  }
  vendor.dialects.push_back(std::move(dialect));
}

void DecodeSign(const NodeReader& reader, WebhookSpec& webhook) {
  if (!reader.ExpectKeys({"scheme", "secret", "secrets"})) return;
  reader.Require("scheme");
  reader.Read("scheme", webhook.scheme);
  reader.Read("secret", webhook.secret);
  const auto secrets = reader.Find("secrets");
  if (!secrets) return;
  if (reader.Has("secret")) {
    reader.ErrorAtKey("secrets", "a webhook has \"secret\" or \"secrets\", not both");
  }
  std::vector<std::string> all;
  for (const NodeReader& item : secrets->Items()) {
    if (auto secret = item.AsString()) all.push_back(*std::move(secret));
  }
  if (all.empty()) {
    if (secrets->node().IsArray()) secrets->Error("\"secrets\" needs at least one secret");
    return;
  }
  webhook.secret = std::move(all.front());
  webhook.more_secrets.assign(std::make_move_iterator(all.begin() + 1),
                              std::make_move_iterator(all.end()));
}

void DecodeWebhook(const NodeReader& reader, VendorSpec& vendor, VendorIds& ids) {
  static constexpr Word<WebhookSpec::Order> kOrders[] = {{"fifo", WebhookSpec::Order::kFifo},
                                                         {"any", WebhookSpec::Order::kAny}};
  if (!reader.ExpectKeys({"id", "to", "sign", "ack_timeout", "retry", "order"})) return;
  WebhookSpec webhook;
  webhook.id = ids.webhooks.Read(reader, "id", "webhook");
  reader.Require("to");
  reader.Read("to", webhook.to);
  if (const auto sign = reader.Find("sign")) DecodeSign(*sign, webhook);
  reader.Read("ack_timeout", webhook.ack_timeout);
  if (const auto retry = reader.Find("retry")) {
    for (const NodeReader& wait : retry->Items()) {
      if (const auto duration = wait.AsDuration()) webhook.retry.push_back(*duration);
    }
  }
  reader.ReadWord("order", webhook.order, kOrders);
  vendor.webhooks.push_back(std::move(webhook));
}

}  // namespace

void DecodeVendor(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                  VendorIds& ids, Places& places) {
  if (!reader.ExpectKeys(
          {"routes", "oauth", "limits", "webhooks", "faults", "dialects", "per", "isolate_by"}))
    return;
  if (const auto per = reader.Find("per")) vendor.per = DecodeCallerKey(*per);
  if (const auto by = reader.Find("isolate_by")) vendor.isolate_by = DecodeIsolation(*by);
  if (const auto routes = reader.Find("routes")) {
    for (const NodeReader& route : routes->Items()) DecodeRoute(route, files, vendor, ids, places);
  }
  if (const auto oauth = reader.Find("oauth")) DecodeOAuth(*oauth, vendor, ids);
  if (const auto dialects = reader.Find("dialects")) {
    for (const auto& [name, dialect] : dialects->Members())
      DecodeDialect(name, dialect, files, vendor);
  }
  if (const auto limits = reader.Find("limits")) {
    for (const NodeReader& limit : limits->Items()) DecodeLimit(limit, files, vendor, ids);
  }
  if (const auto webhooks = reader.Find("webhooks")) {
    for (const NodeReader& webhook : webhooks->Items()) DecodeWebhook(webhook, vendor, ids);
  }
  if (const auto faults = reader.Find("faults")) {
    for (const NodeReader& fault : faults->Items()) {
      vendor.faults.push_back(DecodeFaultRule(fault, ids.faults));
    }
  }
}

void CheckLimitNames(const VendorSpec& vendor, const VendorIds& ids) {
  for (const NodeReader& route : ids.limit_routes) {
    const auto id = route.AsString();
    if (!id || ids.routes.Contains(*id)) continue;
    const std::string vendor_name = "the vendor \"" + vendor.name + "\"";
    route.Error(vendor_name + " has no route \"" + *id + "\"", DidYouMean(*id, ids.routes.All()));
  }
  if (ids.limit_dialects.empty()) return;
  const auto book = DialectBook::Create(vendor.dialects);
  for (const NodeReader& dialect : ids.limit_dialects) {
    const auto name = dialect.AsString();
    if (!name || name->empty()) continue;
    if (!book) {
      dialect.Error(book.error().message);
    } else if (const auto found = book->Find(*name); !found) {
      dialect.Error(found.error().message);
    }
  }
}

std::vector<ResponseSpec> DecodeResponses(const NodeReader& reader, const FileAccess& files) {
  std::vector<ResponseSpec> responses;
  for (const NodeReader& item : reader.Items()) responses.push_back(DecodeResponse(item, files));
  if (reader.node().IsArray() && responses.empty())
    reader.Error("\"respond\" needs at least one response");
  return responses;
}

}  // namespace understudy::harness
