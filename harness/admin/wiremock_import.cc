#include "harness/admin/wiremock_import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/admin/wiremock_request.h"
#include "harness/admin/wiremock_template.h"
#include "harness/plan/seeded_random.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kDelayMsMax = 24LL * 3600 * 1000;

std::string Child(const std::string& pointer, std::string_view name) {
  return pointer + "/" + EscapePointerToken(name);
}

Error Bad(const std::string& pointer, const std::string& why) {
  return InvalidArgument((pointer.empty() ? "/" : pointer) + ": " + why);
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// By its brackets, before anything recurses.
bool TooDeep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      if (++depth > kWireMockDepthMax) return true;
    } else if (!in_string && (c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Result<Json> Parse(std::string_view text) {
  if (text.size() > kWireMockBytesMax) return InvalidArgument("it has more than 16 MiB");
  if (TooDeep(text)) return InvalidArgument("it is nested too deeply");
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_discarded()) return json;
  // Where: the parser's own words name line and column, but only by exception.
  struct Locator : nlohmann::json_sax<Json> {
    std::string where;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t at, const std::string&,
                     const nlohmann::detail::exception&) override {
      where = std::to_string(at);
      return false;
    }
  };
  Locator locator;
  static_cast<void>(Json::sax_parse(text, &locator));
  const std::size_t at = std::min<std::size_t>(
      static_cast<std::size_t>(ParseUnsigned(locator.where).value_or(0)), text.size());
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return InvalidArgument("line " + std::to_string(line + 1) +
                         ": it is not JSON; two objects one after the other are none either, write "
                         "{\"mappings\": [...]}");
}

Result<std::int64_t> Milliseconds(const Json& value, const std::string& pointer) {
  if (!value.is_number()) return Bad(pointer, "it is a number of milliseconds");
  const double ms = value.get<double>();
  if (!(ms >= 0) || ms > static_cast<double>(kDelayMsMax))
    return Bad(pointer, "a delay is at least 0 and at most a day");
  return static_cast<std::int64_t>(ms);
}

Result<std::string> Text(const Json& value, const std::string& pointer) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return Dump(value);
  return Bad(pointer, "it is a text");
}

bool IsJsonType(std::string_view content_type) {
  const std::string type = AsciiLower(TrimOws(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

// ---- one stub -----------------------------------------------------------------------------------

class StubReader {
 public:
  StubReader(const WireMockTextOptions& options, WireMockNotes& notes)
      : options_(options), notes_(notes) {}

  Result<WireMockStub> Read(const Json& json, const std::string& pointer);

 private:
  Result<void> ReadId(const Json& json, const std::string& pointer, WireMockStub& stub);
  Result<void> ReadScenario(const Json& json, const std::string& pointer, WireMockStub& stub);
  void NoteHooks(const Json& json, const std::string& pointer);
  Result<ResponseSpec> ReadResponse(const Json& json, const std::string& pointer, RouteSpec& route);
  Result<void> ReadHeaders(const Json& headers, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadBody(const Json& json, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadBodyObject(const Json& body, const std::string& pointer, ResponseSpec& response);
  void ReadBodyFile(const Json& name, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadDelays(const Json& json, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadDribble(const Json& dribble, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadFault(const Json& fault, const std::string& pointer, ResponseSpec& response);
  Result<void> ReadTransformers(const Json& json, const std::string& pointer,
                                const RouteSpec& route, ResponseSpec& response);
  void NoteRest(const Json& json, const std::string& pointer);

  const WireMockTextOptions& options_;
  WireMockNotes& notes_;
};

Result<void> StubReader::ReadId(const Json& json, const std::string& pointer, WireMockStub& stub) {
  for (const char* const key : {"id", "uuid"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_string() || found->get_ref<const std::string&>().empty())
      return Bad(Child(pointer, key), "it is a UUID");
    const std::string id = AsciiLower(found->get<std::string>());
    if (!stub.id.empty() && stub.id != id)
      notes_.Warn(Child(pointer, key), "it differs from \"id\", which counts");
    if (stub.id.empty()) stub.id = id;
  }
  if (!stub.id.empty() && !IsUuid(stub.id))
    notes_.Warn(Child(pointer, "id"), "\"" + stub.id + "\" is no UUID; WireMock refuses it");
  if (stub.id.empty())
    stub.id = options_.new_id ? options_.new_id() : UuidOf(options_.file + "#" + pointer);
  return {};
}

Result<void> StubReader::ReadScenario(const Json& json, const std::string& pointer,
                                      WireMockStub& stub) {
  const auto text = [&](const char* key) -> Result<std::string> {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return std::string();
    return Text(*found, Child(pointer, key));
  };
  UNDERSTUDY_ASSIGN_OR_RETURN(stub.scenario, text("scenarioName"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string required, text("requiredScenarioState"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string next, text("newScenarioState"));
  if (stub.scenario.empty()) {
    if (!required.empty() || !next.empty())
      return Bad(Child(pointer, "scenarioName"), "states need the name of their scenario");
    return {};
  }
  if (!required.empty()) stub.route.when_state = {{stub.scenario, {required}}};
  if (!next.empty()) stub.route.set_state = {{stub.scenario, next}};
  return {};
}

void StubReader::NoteHooks(const Json& json, const std::string& pointer) {
  for (const char* const key : {"serveEventListeners", "postServeActions"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null() || found->empty()) continue;
    const std::string place = Child(pointer, key);
    const std::string why = "no webhook is sent; declare it as the vendor's webhook";
    if (found->is_array()) {
      for (std::size_t i = 0; i < found->size(); ++i)
        notes_.Lose(Child(place, std::to_string(i)), why);
    } else if (found->is_object()) {
      for (const auto& [name, action] : found->items()) notes_.Lose(Child(place, name), why);
    } else {
      notes_.Lose(place, why);
    }
  }
}

Result<WireMockStub> StubReader::Read(const Json& json, const std::string& pointer) {
  if (!json.is_object()) return Bad(pointer, "a mapping is an object");
  if (json.contains("mappings")) {
    return Bad(Child(pointer, "mappings"),
               "a mapping has none of its own; post a list to /__admin/mappings/import");
  }
  notes_.BeginStub();
  WireMockStub stub;
  UNDERSTUDY_RETURN_IF_ERROR(ReadId(json, pointer, stub));
  UNDERSTUDY_RETURN_IF_ERROR(ReadScenario(json, pointer, stub));
  NoteHooks(json, pointer);
  static const std::set<std::string, std::less<>> kKnown = {"id",
                                                            "uuid",
                                                            "name",
                                                            "request",
                                                            "response",
                                                            "priority",
                                                            "persistent",
                                                            "scenarioName",
                                                            "metadata",
                                                            "insertionIndex",
                                                            "$schema",
                                                            "requiredScenarioState",
                                                            "serveEventListeners",
                                                            "postServeActions",
                                                            "newScenarioState"};
  for (const auto& [key, value] : json.items()) {
    if (!kKnown.contains(key)) notes_.Warn(Child(pointer, key), "unknown field \"" + key + "\"");
  }
  stub.route.id = stub.id;
  stub.route.when_exhausted = WhenExhausted::kRepeatLast;
  if (const auto priority = json.find("priority"); priority != json.end() && !priority->is_null()) {
    if (!priority->is_number_integer() || std::abs(priority->get<double>()) > 1e9)
      return Bad(Child(pointer, "priority"), "it is a whole number, 1 the highest");
    stub.route.priority = priority->get<int>();
  }
  static const Json kEmpty = Json::object();
  const auto part = [&](const char* key) -> const Json& {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? kEmpty : *found;
  };
  UNDERSTUDY_ASSIGN_OR_RETURN(
      stub.route.match,
      TranslateWireMockRequest(part("request"), Child(pointer, "request"), notes_));
  UNDERSTUDY_ASSIGN_OR_RETURN(
      ResponseSpec response,
      ReadResponse(part("response"), Child(pointer, "response"), stub.route));
  stub.no_answer = notes_.no_answer();
  if (!stub.no_answer.empty()) {
    response = {.status = 500,
                .body = "this stub's answer was not carried over: " + stub.no_answer + "\n",
                .content_type = "text/plain; charset=utf-8"};
  }
  stub.route.responses.push_back(std::move(response));
  stub.enabled = !notes_.disabled();
  if (stub.enabled) {
    VendorSpec probe;
    probe.routes.push_back(stub.route);
    if (const auto checked = VendorModel::Check(probe); !checked) {
      notes_.Disable(pointer, checked.error().message);
      stub.enabled = false;
    }
  }
  if (!stub.enabled) stub.route = {.id = stub.id};
  Json stored = json;
  stored.erase("uuid");
  stored["id"] = stub.id;
  stub.json = Dump(stored);
  return stub;
}

// ---- the response -------------------------------------------------------------------------------

Result<ResponseSpec> StubReader::ReadResponse(const Json& json, const std::string& pointer,
                                              RouteSpec& route) {
  if (!json.is_object()) return Bad(pointer, "a response is an object");
  ResponseSpec response;
  response.content_type = "";  // WireMock adds none.
  response.status = 200;
  if (const auto status = json.find("status"); status != json.end() && !status->is_null()) {
    if (!status->is_number_integer()) return Bad(Child(pointer, "status"), "it is a whole number");
    const double number = status->get<double>();
    if (number < 200 || number > 599) {
      notes_.NoAnswer(Child(pointer, "status"), "a final status is in 200..599");
    } else {
      response.status = status->get<int>();
    }
  }
  if (const auto headers = json.find("headers"); headers != json.end() && !headers->is_null())
    UNDERSTUDY_RETURN_IF_ERROR(ReadHeaders(*headers, Child(pointer, "headers"), response));
  UNDERSTUDY_RETURN_IF_ERROR(ReadBody(json, pointer, response));
  if ((response.status == 204 || response.status == 304) && response.body &&
      !response.body->empty()) {
    notes_.Lose(Child(pointer, "body"), "an answer of this status carries no body");
    response.body.reset();
  }
  UNDERSTUDY_RETURN_IF_ERROR(ReadTransformers(json, pointer, route, response));
  UNDERSTUDY_RETURN_IF_ERROR(ReadDelays(json, pointer, response));
  if (const auto fault = json.find("fault"); fault != json.end() && !fault->is_null())
    UNDERSTUDY_RETURN_IF_ERROR(ReadFault(*fault, Child(pointer, "fault"), response));
  if (const auto proxy = json.find("proxyBaseUrl"); proxy != json.end() && !proxy->is_null())
    notes_.NoAnswer(Child(pointer, "proxyBaseUrl"), "requests are not passed on to another server");
  NoteRest(json, pointer);
  return response;
}

void StubReader::NoteRest(const Json& json, const std::string& pointer) {
  static const std::set<std::string, std::less<>> kKnown = {"status",
                                                            "headers",
                                                            "body",
                                                            "jsonBody",
                                                            "base64Body",
                                                            "bodyFileName",
                                                            "fault",
                                                            "fixedDelayMilliseconds",
                                                            "transformers",
                                                            "delayDistribution",
                                                            "proxyBaseUrl",
                                                            "chunkedDribbleDelay",
                                                            "fromConfiguredStub",
                                                            "transformerParameters"};
  static const std::set<std::string, std::less<>> kProxy = {
      "proxyUrlPrefixToRemove", "additionalProxyRequestHeaders", "removeProxyRequestHeaders",
      "additionalResponseHeaders"};
  for (const auto& [key, value] : json.items()) {
    if (kKnown.contains(key) || value.is_null()) continue;
    const std::string place = Child(pointer, key);
    if (key == "statusMessage") {
      if (!value.is_string() || !value.get_ref<const std::string&>().empty())
        notes_.Lose(place, "the reason phrase is the status's own");
    } else if (kProxy.contains(key)) {
      if (!value.empty()) notes_.Lose(place, "requests are not passed on to another server");
    } else {
      notes_.Warn(place, "unknown field \"" + key + "\"");
    }
  }
}

Result<void> StubReader::ReadHeaders(const Json& headers, const std::string& pointer,
                                     ResponseSpec& response) {
  if (!headers.is_object()) return Bad(pointer, "it is an object of values by name");
  const auto add = [&](const std::string& name, const Json& value,
                       const std::string& place) -> Result<void> {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::string text, Text(value, place));
    if (EqualsIgnoreAsciiCase(name, "Content-Length") ||
        EqualsIgnoreAsciiCase(name, "Transfer-Encoding")) {
      notes_.Warn(place, "the server frames the body itself");
      return {};
    }
    if (!http::Headers().Add(name, text)) return Bad(place, "no header field can be so");
    response.headers.emplace_back(name, std::move(text));
    return {};
  };
  for (const auto& [name, value] : headers.items()) {
    const std::string place = Child(pointer, name);
    if (!value.is_array()) {
      UNDERSTUDY_RETURN_IF_ERROR(add(name, value, place));
      continue;
    }
    for (std::size_t i = 0; i < value.size(); ++i)
      UNDERSTUDY_RETURN_IF_ERROR(add(name, value[i], Child(place, std::to_string(i))));
  }
  return {};
}

void StubReader::ReadBodyFile(const Json& name, const std::string& pointer,
                              ResponseSpec& response) {
  const std::string path = name.is_string() ? name.get<std::string>() : "";
  if (path.find("{{") != std::string::npos) {
    notes_.NoAnswer(pointer, "the name of a body file cannot be computed");
    return;
  }
  for (const std::string_view part : Split(path, '/')) {
    if (part == ".." || path.find('\\') != std::string::npos) {
      notes_.NoAnswer(pointer, "the file is outside of __files");
      return;
    }
  }
  if (!options_.read_body || path.empty()) {
    notes_.NoAnswer(pointer, "there are no body files here");
    return;
  }
  auto bytes = options_.read_body(path);
  if (!bytes) {
    notes_.NoAnswer(pointer, bytes.error().message);
    return;
  }
  response.body = std::move(*bytes);
}

Result<void> StubReader::ReadBodyObject(const Json& body, const std::string& pointer,
                                        ResponseSpec& response) {
  for (const auto& [key, value] : body.items()) {
    if (key == "data") {
      if (value.is_string()) {
        response.body = value.get<std::string>();
      } else {
        response.body = Dump(value);
      }
    } else if (key == "base64Data") {
      const auto bytes = value.is_string() ? Base64Decode(value.get<std::string>()) : std::nullopt;
      if (!bytes) return Bad(Child(pointer, key), "it is a text in base64");
      response.body = *bytes;
    } else if (key == "filePath") {
      ReadBodyFile(value, Child(pointer, key), response);
    } else if (key == "compression" && value != "none") {
      notes_.NoAnswer(Child(pointer, key), "bodies are sent as they are written");
    } else if (key == "dataStore" || key == "dataRef") {
      notes_.NoAnswer(Child(pointer, key), "there are no data stores here");
    }
  }
  return {};
}

// The order in which WireMock's code looks for a body.
Result<void> StubReader::ReadBody(const Json& json, const std::string& pointer,
                                  ResponseSpec& response) {
  const auto given = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && !found->is_null();
  };
  std::string chosen;
  for (const char* const key : {"jsonBody", "base64Body", "bodyFileName", "body"}) {
    const auto found = json.find(key);
    const bool there = std::string_view(key) == "jsonBody" ? found != json.end() : given(key);
    if (!there) continue;
    const std::string place = Child(pointer, key);
    if (!chosen.empty()) {
      notes_.Warn(place, "not used; \"" + chosen + "\" comes first");
      continue;
    }
    chosen = key;
    if (chosen == "jsonBody") {
      response.body = Dump(*found);
    } else if (chosen == "base64Body") {
      const auto bytes =
          found->is_string() ? Base64Decode(found->get<std::string>()) : std::nullopt;
      if (!bytes) return Bad(place, "it is a text in base64");
      response.body = *bytes;
    } else if (chosen == "bodyFileName") {
      ReadBodyFile(*found, place, response);
    } else if (found->is_object()) {
      UNDERSTUDY_RETURN_IF_ERROR(ReadBodyObject(*found, place, response));
    } else {
      UNDERSTUDY_ASSIGN_OR_RETURN(response.body, Text(*found, place));
    }
  }
  return {};
}

Result<void> StubReader::ReadDelays(const Json& json, const std::string& pointer,
                                    ResponseSpec& response) {
  Duration fixed = {};
  if (const auto delay = json.find("fixedDelayMilliseconds");
      delay != json.end() && !delay->is_null()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t ms,
                                Milliseconds(*delay, Child(pointer, "fixedDelayMilliseconds")));
    fixed = std::chrono::milliseconds(ms);
    response.latency = LatencySpec::Fixed(fixed);
  }
  if (const auto random = json.find("delayDistribution");
      random != json.end() && !random->is_null()) {
    const std::string place = Child(pointer, "delayDistribution");
    UNDERSTUDY_ASSIGN_OR_RETURN(LatencySpec latency, ReadWireMockDelay(*random, place));
    if (latency.shape == LatencySpec::Shape::kUniform) {
      latency.low += fixed;  // Both count.
      latency.high += fixed;
    } else if (fixed > Duration::zero()) {
      notes_.Lose(Child(pointer, "fixedDelayMilliseconds"),
                  "it is not added to a log-normal delay");
    }
    response.latency = latency;
  }
  if (const auto dribble = json.find("chunkedDribbleDelay");
      dribble != json.end() && !dribble->is_null()) {
    return ReadDribble(*dribble, Child(pointer, "chunkedDribbleDelay"), response);
  }
  return {};
}

Result<void> StubReader::ReadDribble(const Json& dribble, const std::string& pointer,
                                     ResponseSpec& response) {
  const auto chunks = dribble.is_object() ? dribble.find("numberOfChunks") : dribble.end();
  if (!dribble.is_object() || chunks == dribble.end() || !chunks->is_number_integer() ||
      chunks->get<double>() < 1 || chunks->get<double>() > 1e6) {
    return Bad(Child(pointer, "numberOfChunks"), "it is a whole number, at least 1");
  }
  if (!dribble.contains("totalDuration"))
    return Bad(Child(pointer, "totalDuration"), "it is a number of milliseconds");
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const std::int64_t total,
      Milliseconds(dribble.at("totalDuration"), Child(pointer, "totalDuration")));
  const auto wanted = chunks->get<std::size_t>();
  const std::size_t bytes = response.body ? response.body->size() : 0;
  if (bytes == 0) {
    notes_.Lose(pointer, "there is no body to send in pieces");
    return {};
  }
  if (response.templated)
    notes_.Warn(pointer, "the pieces are as large as those of the template's text");
  const std::size_t count = std::min(wanted, bytes);
  response.fault = FaultKind::kSlowDrip;
  response.fault_detail.drip = {
      .piece_bytes = (bytes + count - 1) / count,
      .pause = std::chrono::milliseconds(total / static_cast<std::int64_t>(wanted))};
  return {};
}

Result<void> StubReader::ReadFault(const Json& fault, const std::string& pointer,
                                   ResponseSpec& response) {
  const std::string name = fault.is_string() ? fault.get<std::string>() : "";
  response.fault_detail = {};
  if (name == "CONNECTION_RESET_BY_PEER") {
    response.fault = FaultKind::kReset;
  } else if (name == "EMPTY_RESPONSE") {
    response.fault = FaultKind::kClose;
  } else if (name == "MALFORMED_RESPONSE_CHUNK") {
    response.fault = FaultKind::kMalformedChunk;
    response.fault_detail.bad_chunk = 1;
    response.status = 200;
    if (!response.body || response.body->empty()) response.body = "understudy";
  } else if (name == "RANDOM_DATA_THEN_CLOSE") {
    response.fault = FaultKind::kGarbage;
    response.fault_detail.garbage_bytes = 36;
  } else {
    constexpr std::array<std::string_view, 4> kFaults = {
        "CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK",
        "RANDOM_DATA_THEN_CLOSE"};
    const std::string_view close = ClosestMatch(name, kFaults);
    return Bad(pointer, "\"" + name + "\" is no fault" +
                            (close.empty() ? std::string()
                                           : "; did you mean \"" + std::string(close) + "\"?"));
  }
  return {};
}

Result<void> StubReader::ReadTransformers(const Json& json, const std::string& pointer,
                                          const RouteSpec& route, ResponseSpec& response) {
  const auto transformers = json.find("transformers");
  if (transformers == json.end() || transformers->is_null()) return {};
  const std::string place = Child(pointer, "transformers");
  if (!transformers->is_array()) return Bad(place, "it is a list of names");
  bool templated = false;
  for (std::size_t i = 0; i < transformers->size(); ++i) {
    const Json& name = (*transformers)[i];
    if (name == "response-template") {
      templated = true;
    } else {
      notes_.NoAnswer(Child(place, std::to_string(i)), "the transformer has no counterpart");
    }
  }
  if (!templated) return {};
  HandlebarsScope scope;
  scope.captures = VendorModel::CapturesOf(route.match);
  const auto parameters = json.find("transformerParameters");
  if (parameters != json.end() && parameters->is_object()) {
    for (const auto& [key, value] : parameters->items()) {
      if (value.is_string()) scope.parameters.emplace_back(key, value.get<std::string>());
      if (value.is_number() || value.is_boolean()) scope.parameters.emplace_back(key, Dump(value));
    }
  }
  std::string type;
  for (auto& [name, value] : response.headers) {
    if (EqualsIgnoreAsciiCase(name, "Content-Type")) type = value;
    const auto text = TranslateHandlebars(value, scope);
    if (!text) {
      notes_.NoAnswer(Child(Child(pointer, "headers"), name), text.error().message);
      return {};
    }
    value = *text;
  }
  response.templated = true;
  if (!response.body) return {};
  scope.json = IsJsonType(type);
  const auto text = TranslateHandlebars(*response.body, scope);
  if (!text) {
    notes_.NoAnswer(pointer, text.error().message);
    return {};
  }
  response.body = *text;
  return {};
}

// ---- files --------------------------------------------------------------------------------------

Error InFile(const Error& error, const std::string& file) {
  Error named = error;
  if (!file.empty()) named.message = file + ": " + named.message;
  return named;
}

// The objects of a file with their pointers.
Result<std::vector<std::pair<std::string, const Json*>>> MappingsOf(const Json& document) {
  std::vector<std::pair<std::string, const Json*>> found;
  if (!document.is_object()) return Bad("", "a mapping file is an object");
  const auto list = document.find("mappings");
  if (list == document.end()) {
    found.emplace_back("", &document);
    return found;
  }
  if (!list->is_array()) return Bad("/mappings", "it is a list of mappings");
  for (std::size_t i = 0; i < list->size(); ++i)
    found.emplace_back("/mappings/" + std::to_string(i), &(*list)[i]);
  return found;
}

}  // namespace

Result<LatencySpec> ReadWireMockDelay(const Json& distribution, const std::string& pointer) {
  if (!distribution.is_object() || !distribution.contains("type"))
    return Bad(pointer, "it is {\"type\": \"fixed\", \"uniform\" or \"lognormal\", ...}");
  const auto ms = [&](const char* key) -> Result<Duration> {
    if (!distribution.contains(key)) return Bad(Child(pointer, key), "it is missing");
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t value,
                                Milliseconds(distribution.at(key), Child(pointer, key)));
    return Duration(std::chrono::milliseconds(value));
  };
  const Json& type = distribution.at("type");
  LatencySpec latency;
  if (type == "fixed") {
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration delay, ms("milliseconds"));
    latency = LatencySpec::Fixed(delay);
  } else if (type == "uniform") {
    UNDERSTUDY_ASSIGN_OR_RETURN(latency.low, ms("lower"));
    UNDERSTUDY_ASSIGN_OR_RETURN(latency.high, ms("upper"));
  } else if (type == "lognormal") {
    UNDERSTUDY_ASSIGN_OR_RETURN(const Duration median, ms("median"));
    const auto sigma = distribution.find("sigma");
    if (sigma == distribution.end() || !sigma->is_number())
      return Bad(Child(pointer, "sigma"), "it is a number");
    std::optional<Duration> greatest;
    if (distribution.contains("maxValue") && !distribution.at("maxValue").is_null()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(greatest, ms("maxValue"));
    }
    latency = LatencySpec::LogNormal(median, sigma->get<double>(), greatest);
  } else {
    return Bad(Child(pointer, "type"), "it is \"fixed\", \"uniform\" or \"lognormal\"");
  }
  if (const auto checked = CheckLatency(latency); !checked)
    return Bad(pointer, checked.error().message);
  return latency;
}

Result<WireMockStub> ImportWireMockStub(const Json& stub, const std::string& pointer,
                                        const WireMockTextOptions& options, WireMockNotes& notes) {
  return StubReader(options, notes).Read(stub, pointer);
}

Result<WireMockImport> ImportWireMockText(std::string_view text,
                                          const WireMockTextOptions& options) {
  auto document = Parse(text);
  if (!document) return InFile(document.error(), options.file);
  const auto mappings = MappingsOf(*document);
  if (!mappings) return InFile(mappings.error(), options.file);
  WireMockNotes notes(options.file);
  WireMockImport import;
  for (const auto& [pointer, json] : *mappings) {
    auto stub = ImportWireMockStub(*json, pointer, options, notes);
    if (!stub) return InFile(stub.error(), options.file);
    import.stubs.push_back(std::move(*stub));
  }
  import.findings = notes.findings();
  return import;
}

Result<WireMockImport> ImportWireMockDirectory(const std::string& folder,
                                               const WireMockFiles& files) {
  const std::string root = folder.ends_with('/') || folder.empty() ? folder : folder + "/";
  std::vector<std::string> paths = files.list(root + "mappings");
  if (paths.empty()) {
    return Error{.code = ErrorCode::kNotFound,
                 .message = root +
                            "mappings: there is no *.json file; give the folder that has "
                            "mappings/ and __files/"};
  }
  std::sort(paths.begin(), paths.end());
  WireMockImport all;
  std::set<std::string> ids;
  for (const std::string& path : paths) {
    const auto text = files.read(path);
    if (!text) return InFile(text.error(), path);
    WireMockTextOptions options{.file = path};
    options.read_body = [&](const std::string& name) {
      return files.read(root + "__files/" + name);
    };
    auto import = ImportWireMockText(*text, options);
    if (!import) return import.error();
    for (WireMockStub& stub : import->stubs) {
      if (!ids.insert(stub.id).second)
        return InFile(InvalidArgument("the id " + stub.id + " is another stub's already"), path);
      all.stubs.push_back(std::move(stub));
    }
    for (WireMockFinding& finding : import->findings) all.findings.push_back(std::move(finding));
  }
  return all;
}

std::vector<RouteSpec> RoutesOf(std::span<const WireMockStub> stubs) {
  std::vector<RouteSpec> routes;
  for (std::size_t i = stubs.size(); i > 0; --i) {
    if (stubs[i - 1].enabled) routes.push_back(stubs[i - 1].route);
  }
  return routes;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string UuidOf(std::string_view text) {
  const std::uint64_t high = Mix64(HashText(text));
  const std::uint64_t low = Mix64(high ^ HashText(text, 0x9e3779b97f4a7c15ULL));
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%08x-%04x-4%03x-8%03x-%012llx",
                static_cast<unsigned>(high >> 32U), static_cast<unsigned>((high >> 16U) & 0xffffU),
                static_cast<unsigned>(high & 0xfffU), static_cast<unsigned>((low >> 48U) & 0xfffU),
                static_cast<unsigned long long>(low & 0xffffffffffffULL));
  return out.data();
}

}  // namespace understudy::harness
