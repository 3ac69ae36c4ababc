#include "harness/scenario/vendor_decoder.h"

#include <cstdint>
#include <utility>

#include <re2/re2.h>

namespace understudy::harness {
namespace {

constexpr IntRange kResponseTimes = {0, 1'000'000};
constexpr IntRange kStatusRange = {100, 599};
constexpr IntRange kLimitRange = {0, 1'000'000'000};

constexpr Word<FaultKind> kFaults[] = {
    {"reset", FaultKind::kReset},      {"reset-mid-body", FaultKind::kResetMidBody},
    {"hang", FaultKind::kHang},        {"truncate", FaultKind::kTruncate},
    {"bad-gzip", FaultKind::kBadGzip}, {"slow-drip", FaultKind::kSlowDrip},
    {"refuse", FaultKind::kRefuse},    {"dns-fail", FaultKind::kDnsFail},
};

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

ResponseSpec DecodeResponse(const NodeReader& reader, const FileAccess& files) {
  ResponseSpec response;
  if (!reader.ExpectKeys({"times", "status", "headers", "json", "body_file", "latency", "fault"}))
    return response;
  if (reader.node().members().empty())
    reader.Error("an empty response says nothing", "give it a \"status\"");
  reader.ReadInt("times", response.times, kResponseTimes);
  reader.ReadInt("status", response.status, kStatusRange);
  reader.ReadStrings("headers", response.headers);
  reader.ReadJson("json", response.body);
  ReadBodyFile(reader, files, response);
  ReadLatency(reader, "latency", response.latency);
  if (const auto fault = reader.Find("fault")) {
    response.fault = fault->AsWord(std::span<const Word<FaultKind>>(kFaults));
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

RequestMatch DecodeMatch(const NodeReader& reader) {
  RequestMatch match;
  const std::size_t before = reader.problems().problems().size();
  if (!reader.ExpectKeys({"method", "path", "path_regex", "query", "headers", "json"}))
    return match;
  reader.Read("method", match.method);
  reader.Read("path", match.path);
  reader.Read("path_regex", match.path_regex);
  match.query = DecodeFields(reader, "query");
  match.headers = DecodeFields(reader, "headers");
  reader.ReadJson("json", match.json);
  if (match.path_regex) {
    const RE2 compiled(*match.path_regex, RE2::Quiet);
    if (!compiled.ok()) {
      reader.Find("path_regex")->Error("RE2 refuses this regular expression: " + compiled.error());
    }
  }
  if (match.path && (match.path->empty() || match.path->front() != '/')) {
    reader.Find("path")->Error("a path begins with \"/\"", "write \"/" + *match.path + "\"");
  }
  if (reader.problems().problems().size() != before) return match;
  if (const auto compiled = RequestMatcher::Compile(match); !compiled) {
    reader.Error(
        compiled.error().message);  // What only the matcher knows, e.g. a repeated path parameter.
  }
  return match;
}

void DecodeRoute(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                 VendorIds& ids, Places& places) {
  static constexpr Word<WhenExhausted> kWhenExhausted[] = {
      {"fail-scenario", WhenExhausted::kFailScenario},
      {"repeat-last", WhenExhausted::kRepeatLast},
      {"cycle", WhenExhausted::kCycle}};
  if (!reader.ExpectKeys({"id", "match", "latency", "requires_token", "respond", "when_exhausted"}))
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
  if (const auto respond = reader.Require("respond"))
    route.responses = DecodeResponses(*respond, files);
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

void DecodeLimit(const NodeReader& reader, const FileAccess& files, VendorSpec& vendor,
                 VendorIds& ids) {
  static constexpr Word<LimitSpec::Kind> kKinds[] = {
      {"fixed", LimitSpec::Kind::kFixed},
      {"sliding", LimitSpec::Kind::kSliding},
      {"token-bucket", LimitSpec::Kind::kTokenBucket}};
  static constexpr Word<LimitSpec::Align> kAligns[] = {
      {"first-request", LimitSpec::Align::kFirstRequest},
      {"utc-day", LimitSpec::Align::kUtcDay},
      {"utc-hour", LimitSpec::Align::kUtcHour}};
  if (!reader.ExpectKeys({"id", "max", "window", "kind", "align", "on_exceed"})) return;
  LimitSpec limit;
  limit.id = ids.limits.Read(reader, "id", "limit");
  reader.Require("max");
  reader.Require("window");
  reader.ReadInt("max", limit.max, kLimitRange);
  reader.Read("window", limit.window);
  reader.ReadWord("kind", limit.kind, kKinds);
  reader.ReadWord("align", limit.align, kAligns);
  if (const auto response = reader.Find("on_exceed"))
    limit.on_exceed = DecodeResponse(*response, files);
  vendor.limits.push_back(std::move(limit));
}

void DecodeWebhook(const NodeReader& reader, VendorSpec& vendor, VendorIds& ids) {
  static constexpr Word<WebhookSpec::Order> kOrders[] = {{"fifo", WebhookSpec::Order::kFifo},
                                                         {"any", WebhookSpec::Order::kAny}};
  if (!reader.ExpectKeys({"id", "to", "sign", "ack_timeout", "retry", "order"})) return;
  WebhookSpec webhook;
  webhook.id = ids.webhooks.Read(reader, "id", "webhook");
  reader.Require("to");
  reader.Read("to", webhook.to);
  if (const auto sign = reader.Find("sign"); sign && sign->ExpectKeys({"scheme", "secret"})) {
    sign->Require("scheme");
    sign->Read("scheme", webhook.scheme);
    sign->Read("secret", webhook.secret);
  }
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
  if (!reader.ExpectKeys({"routes", "oauth", "limits", "webhooks"})) return;
  if (const auto routes = reader.Find("routes")) {
    for (const NodeReader& route : routes->Items()) DecodeRoute(route, files, vendor, ids, places);
  }
  if (const auto oauth = reader.Find("oauth")) DecodeOAuth(*oauth, vendor, ids);
  if (const auto limits = reader.Find("limits")) {
    for (const NodeReader& limit : limits->Items()) DecodeLimit(limit, files, vendor, ids);
  }
  if (const auto webhooks = reader.Find("webhooks")) {
    for (const NodeReader& webhook : webhooks->Items()) DecodeWebhook(webhook, vendor, ids);
  }
}

std::vector<ResponseSpec> DecodeResponses(const NodeReader& reader, const FileAccess& files) {
  std::vector<ResponseSpec> responses;
  for (const NodeReader& item : reader.Items()) responses.push_back(DecodeResponse(item, files));
  if (reader.node().IsArray() && responses.empty())
    reader.Error("\"respond\" needs at least one response");
  return responses;
}

std::optional<LatencySpec> DecodeLatency(const NodeReader& reader) {
  if (!reader.node().IsObject()) {
    const auto fixed = reader.AsDuration();
    return fixed ? std::optional(LatencySpec::Fixed(*fixed)) : std::nullopt;
  }
  reader.ExpectKeys({"between"});
  const auto between = reader.Require("between");
  if (!between) return std::nullopt;
  const std::vector<NodeReader> ends = between->Items();
  if (ends.size() != 2) {
    if (between->node().IsArray()) {
      between->Error("expected two durations, from and to; got " + std::to_string(ends.size()));
    }
    return std::nullopt;
  }
  const auto low = ends[0].AsDuration();
  const auto high = ends[1].AsDuration();
  if (!low || !high) return std::nullopt;
  if (*low > *high) {
    between->Error("the first duration is longer than the second", "swap them");
    return std::nullopt;
  }
  return LatencySpec{*low, *high};
}

}  // namespace understudy::harness
