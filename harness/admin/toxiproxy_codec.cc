#include "harness/admin/toxiproxy_codec.h"

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::size_t kBodyBytesMax = std::size_t{1024} * 1024;
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kNameBytesMax = 256;
// Beyond it, a double does not hold every whole number.
constexpr double kWholeMax = 9007199254740992.0;

Error Bad(std::string_view why) { return InvalidArgument("bad request body: " + std::string(why)); }

Error Missing(std::string_view field) {
  return InvalidArgument("missing required field: " + std::string(field));
}

// ---- reading ------------------------------------------------------------------------------------

// The first value of the text if it is an object or an array, found by its brackets.
Result<std::string_view> FirstValue(std::string_view text) {
  if (text.size() > kBodyBytesMax) return Bad("it has more than 1 MiB");
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return Bad("EOF");
  if (text[begin] != '{' && text[begin] != '[') return Bad("it is neither an object nor an array");
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    if (c == '"') in_string = true;
    if ((c == '{' || c == '[') && ++depth > kDepthMax) return Bad("it is nested too deeply");
    if ((c == '}' || c == ']') && --depth == 0) return text.substr(begin, i + 1 - begin);
  }
  return Bad("unexpected EOF");
}

Result<Json> Parse(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string_view text, FirstValue(body));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Bad("it is not JSON");
  return json;
}

Result<Json> ParseObject(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(Json json, Parse(body));
  if (!json.is_object()) return Bad("it is not an object");
  return json;
}

// nullptr if it is absent or null. The exact name comes first.
const Json* Find(const Json& object, std::string_view name) {
  const Json* found = nullptr;
  for (const auto& [key, value] : object.items()) {
    if (key == name) return value.is_null() ? nullptr : &value;
    if (EqualsIgnoreAsciiCase(key, name)) found = &value;
  }
  return found == nullptr || found->is_null() ? nullptr : found;
}

Result<void> ReadText(const Json& object, std::string_view name, std::optional<std::string>& into) {
  const Json* const value = Find(object, name);
  if (value == nullptr) return {};
  if (!value->is_string()) return Bad(std::string(name) + " is not a string");
  into = value->get<std::string>();
  return {};
}

Result<void> ReadFlag(const Json& object, std::string_view name, std::optional<bool>& into) {
  const Json* const value = Find(object, name);
  if (value == nullptr) return {};
  if (!value->is_boolean()) return Bad(std::string(name) + " is not true or false");
  into = value->get<bool>();
  return {};
}

Result<void> ReadWhole(const Json& object, std::string_view name, std::int64_t& into) {
  const Json* const value = Find(object, name);
  if (value == nullptr) return {};
  if (value->is_number_unsigned() &&
      value->get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return Bad(std::string(name) + " is too large");
  if (value->is_number_integer()) {
    into = value->get<std::int64_t>();
    return {};
  }
  const double number = value->is_number_float() ? value->get<double>() : 0.5;
  if (std::abs(number) > kWholeMax || std::trunc(number) != number)
    return Bad(std::string(name) + " is not a whole number");
  into = static_cast<std::int64_t>(number);
  return {};
}

// How the attributes of each type are called, for reading and for writing.
template <typename Visitor>
Result<void> Visit(LatencyToxic& toxic, Visitor& visitor) {
  UNDERSTUDY_RETURN_IF_ERROR(visitor.template Time<milliseconds>("latency", toxic.latency));
  return visitor.template Time<milliseconds>("jitter", toxic.jitter);
}
template <typename Visitor>
Result<void> Visit(BandwidthToxic& toxic, Visitor& visitor) {
  return visitor.Number("rate", toxic.rate);
}
template <typename Visitor>
Result<void> Visit(SlowCloseToxic& toxic, Visitor& visitor) {
  return visitor.template Time<milliseconds>("delay", toxic.delay);
}
template <typename Visitor>
Result<void> Visit(TimeoutToxic& toxic, Visitor& visitor) {
  return visitor.template Time<milliseconds>("timeout", toxic.timeout);
}
template <typename Visitor>
Result<void> Visit(ResetPeerToxic& toxic, Visitor& visitor) {
  return visitor.template Time<milliseconds>("timeout", toxic.timeout);
}
template <typename Visitor>
Result<void> Visit(SlicerToxic& toxic, Visitor& visitor) {
  UNDERSTUDY_RETURN_IF_ERROR(visitor.Number("average_size", toxic.average_size));
  UNDERSTUDY_RETURN_IF_ERROR(visitor.Number("size_variation", toxic.size_variation));
  return visitor.template Time<microseconds>("delay", toxic.delay);
}
template <typename Visitor>
Result<void> Visit(LimitDataToxic& toxic, Visitor& visitor) {
  return visitor.Number("bytes", toxic.bytes);
}
template <typename Visitor>
Result<void> Visit(NoopToxic&, Visitor&) {
  return {};
}

class AttributeReader {
 public:
  explicit AttributeReader(const Json& attributes) : attributes_(attributes) {}

  Result<void> Number(std::string_view name, std::int64_t& into) {
    return ReadWhole(attributes_, name, into);
  }
  template <typename Unit>
  Result<void> Time(std::string_view name, Duration& into) {
    std::int64_t count = duration_cast<Unit>(into).count();
    UNDERSTUDY_RETURN_IF_ERROR(ReadWhole(attributes_, name, count));
    // Before the multiplication, which could overflow.
    if (count < 0 || count > duration_cast<Unit>(kToxicDurationMax).count())
      return Bad("the attribute " + std::string(name) + " must be a time from 0 to 31 years");
    into = Unit(count);
    return {};
  }

 private:
  const Json& attributes_;
};

Result<void> ReadAttributes(const Json& object, ToxicEffect& effect) {
  const Json* const attributes = Find(object, "attributes");
  if (attributes == nullptr) return {};
  if (!attributes->is_object()) return Bad("attributes is not an object");
  AttributeReader reader(*attributes);
  return std::visit([&](auto& toxic) { return Visit(toxic, reader); }, effect);
}

Result<void> ReadToxicity(const Json& object, double& into) {
  const Json* const value = Find(object, "toxicity");
  if (value == nullptr) return {};
  if (!value->is_number()) return Bad("toxicity is not a number");
  into = value->get<double>();
  return {};
}

Result<void> Check(const Toxic& toxic) {
  auto checked = CheckToxic(toxic);
  if (checked) return {};
  return Bad(checked.error().message);
}

Result<Toxic> ReadToxic(const Json& object) {
  if (!object.is_object()) return Bad("a toxic is not an object");
  std::optional<std::string> name;
  std::optional<std::string> type;
  std::optional<std::string> stream;
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "name", name));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "type", type));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "stream", stream));
  Toxic toxic;
  UNDERSTUDY_RETURN_IF_ERROR(ReadToxicity(object, toxic.toxicity));
  const auto parsed = ParseToxicStream(stream.value_or("downstream"));
  if (!parsed) return InvalidArgument("stream was invalid, can be either upstream or downstream");
  toxic.stream = *parsed;
  auto effect = MakeToxicEffect(type.value_or(""));
  if (!effect) return InvalidArgument("invalid toxic type");
  toxic.effect = std::move(*effect);
  toxic.name = name.value_or("");
  if (toxic.name.empty()) toxic.name = *type + "_" + std::string(ToString(toxic.stream));
  if (toxic.name.size() > kNameBytesMax) return Bad("the name is longer than 256 bytes");
  UNDERSTUDY_RETURN_IF_ERROR(ReadAttributes(object, toxic.effect));
  UNDERSTUDY_RETURN_IF_ERROR(Check(toxic));
  return toxic;
}

Result<void> ReadToxics(const Json& object, ProxyInput& input) {
  const Json* const array = Find(object, "toxics");
  if (array == nullptr) return {};
  if (!array->is_array()) return Bad("toxics is not an array");
  std::vector<Toxic> toxics;
  std::set<std::string> names;
  for (const Json& each : *array) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Toxic toxic, ReadToxic(each));
    if (!names.insert(toxic.name).second)
      return Bad("two toxics are called \"" + toxic.name + "\"");
    toxics.push_back(std::move(toxic));
  }
  if (!toxics.empty()) input.toxics = std::move(toxics);
  return {};
}

Result<ProxyInput> ReadProxy(const Json& object) {
  if (!object.is_object()) return Bad("a proxy is not an object");
  ProxyInput input;
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "name", input.name));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "listen", input.listen));
  UNDERSTUDY_RETURN_IF_ERROR(ReadText(object, "upstream", input.upstream));
  UNDERSTUDY_RETURN_IF_ERROR(ReadFlag(object, "enabled", input.enabled));
  return input;
}

Result<ProxyInput> ReadNewProxy(const Json& object, const std::string& where) {
  UNDERSTUDY_ASSIGN_OR_RETURN(ProxyInput input, ReadProxy(object));
  if (input.name.value_or("").empty()) return Missing("name" + where);
  if (input.name->size() > kNameBytesMax) return Bad("the name is longer than 256 bytes");
  if (input.upstream.value_or("").empty()) return Missing("upstream" + where);
  UNDERSTUDY_RETURN_IF_ERROR(ReadToxics(object, input));
  return input;
}

// ---- writing ------------------------------------------------------------------------------------

class AttributeWriter {
 public:
  explicit AttributeWriter(OrderedJson& attributes) : attributes_(attributes) {}

  Result<void> Number(std::string_view name, std::int64_t number) {
    attributes_[std::string(name)] = number;
    return {};
  }
  template <typename Unit>
  Result<void> Time(std::string_view name, Duration time) {
    return Number(name, duration_cast<Unit>(time).count());
  }

 private:
  OrderedJson& attributes_;
};

OrderedJson Encode(const Toxic& toxic) {
  OrderedJson attributes = OrderedJson::object();
  AttributeWriter writer(attributes);
  ToxicEffect effect = toxic.effect;
  static_cast<void>(
      std::visit([&](auto& each) { return Visit(each, writer); }, effect).has_value());
  OrderedJson json;
  json["attributes"] = std::move(attributes);
  json["name"] = toxic.name;
  json["type"] = TypeName(toxic.effect);
  json["stream"] = ToString(toxic.stream);
  // Go writes 1, not 1.0.
  if (toxic.toxicity == std::trunc(toxic.toxicity)) {
    json["toxicity"] = static_cast<int>(toxic.toxicity);
  } else {
    json["toxicity"] = toxic.toxicity;
  }
  return json;
}

OrderedJson Encode(const std::vector<Toxic>& toxics) {
  OrderedJson array = OrderedJson::array();
  for (const Toxic& toxic : toxics) array.push_back(Encode(toxic));
  return array;
}

OrderedJson Encode(const TcpProxy::State& proxy) {
  OrderedJson json;
  json["name"] = proxy.name;
  json["listen"] = proxy.listen;
  json["upstream"] = proxy.upstream;
  json["enabled"] = proxy.enabled;
  json["toxics"] = Encode(proxy.toxics);
  return json;
}

std::string Dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

Result<ProxyInput> ParseProxy(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
  return ReadNewProxy(json, "");
}

Result<ProxyInput> ParseProxyUpdate(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
  return ReadProxy(json);
}

Result<std::vector<ProxyInput>> ParseProxies(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json json, Parse(body));
  if (!json.is_array()) return Bad("it is not an array of proxies");
  std::vector<ProxyInput> proxies;
  std::set<std::string> names;
  for (const Json& each : json) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        ProxyInput input, ReadNewProxy(each, " at proxy " + std::to_string(proxies.size() + 1)));
    if (!names.insert(*input.name).second)
      return Bad("two proxies are called \"" + *input.name + "\"");
    proxies.push_back(std::move(input));
  }
  return proxies;
}

Result<Toxic> ParseToxic(std::string_view body) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
  return ReadToxic(json);
}

Result<Toxic> ParseToxicUpdate(std::string_view body, Toxic toxic) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
  UNDERSTUDY_RETURN_IF_ERROR(ReadToxicity(json, toxic.toxicity));
  UNDERSTUDY_RETURN_IF_ERROR(ReadAttributes(json, toxic.effect));
  UNDERSTUDY_RETURN_IF_ERROR(Check(toxic));
  return toxic;
}

std::string ToJson(const TcpProxy::State& proxy) { return Dump(Encode(proxy)); }

std::string ToJsonByName(const std::vector<TcpProxy::State>& proxies) {
  OrderedJson json = OrderedJson::object();
  for (const TcpProxy::State& proxy : proxies) json[proxy.name] = Encode(proxy);
  return Dump(json);
}

std::string PopulatedJson(const std::vector<TcpProxy::State>& proxies, const Error* error,
                          int status) {
  OrderedJson json;
  if (error != nullptr) {
    json["error"] = error->message;
    json["status"] = status;
  }
  json["proxies"] = OrderedJson::array();
  for (const TcpProxy::State& proxy : proxies) json["proxies"].push_back(Encode(proxy));
  return Dump(json);
}

std::string ToJson(const Toxic& toxic) { return Dump(Encode(toxic)); }

std::string ToJson(const std::vector<Toxic>& toxics) { return Dump(Encode(toxics)); }

std::string ErrorJson(std::string_view message, int status) {
  OrderedJson json;
  json["error"] = message;
  json["status"] = status;
  return Dump(json);
}

}  // namespace understudy::harness
