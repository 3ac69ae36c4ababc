#include "harness/admin/wiremock_request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/match/request_matcher.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kNestingMax = 10;  // Of and, or and not.

std::string Child(const std::string& pointer, std::string_view name) {
  return pointer + "/" + EscapePointerToken(name);
}

Error Bad(const std::string& pointer, const std::string& why) {
  return InvalidArgument((pointer.empty() ? "/" : pointer) + ": " + why);
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What WireMock makes of an operand that is no text: Jackson reads scalars as text.
std::optional<std::string> ScalarText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return Dump(value);
  return std::nullopt;
}

// Everything but letters, digits and UTF-8 escaped.
std::string QuoteRegex(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80;
    if (c == '\0') {
      quoted += "\\x00";
      continue;
    }
    if (!plain) quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted;
}

// The words that say which matcher an object is.
constexpr std::array<std::string_view, 26> kOperators = {"equalTo",
                                                         "contains",
                                                         "doesNotContain",
                                                         "matches",
                                                         "doesNotMatch",
                                                         "equalToJson",
                                                         "matchesJsonPath",
                                                         "matchesJsonSchema",
                                                         "equalToXml",
                                                         "matchesXPath",
                                                         "before",
                                                         "after",
                                                         "equalToDateTime",
                                                         "equalToNumber",
                                                         "greaterThanNumber",
                                                         "greaterThanEqualNumber",
                                                         "lessThanNumber",
                                                         "lessThanEqualNumber",
                                                         "absent",
                                                         "anything",
                                                         "and",
                                                         "or",
                                                         "not",
                                                         "matchesPathTemplate",
                                                         "binaryEqualTo",
                                                         "hasExactly"};
constexpr std::array<std::string_view, 20> kFlags = {"caseInsensitive",
                                                     "ignoreArrayOrder",
                                                     "ignoreExtraElements",
                                                     "schemaVersion",
                                                     "enablePlaceholders",
                                                     "placeholderOpeningDelimiterRegex",
                                                     "placeholderClosingDelimiterRegex",
                                                     "exemptedComparisons",
                                                     "ignoreOrderOfSameNode",
                                                     "namespaceAwareness",
                                                     "xPathNamespaces",
                                                     "actualFormat",
                                                     "truncateExpected",
                                                     "truncateActual",
                                                     "applyTruncationLast",
                                                     "expectedOffset",
                                                     "expectedOffsetUnit",
                                                     "expression",
                                                     "includes",
                                                     "name"};

bool Flag(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// Where a value comes from that a matcher judges.
enum class Subject {
  kField,  // A header, parameter, cookie or form field: may be missing, is text.
  kBody,   // The body as text: never missing.
  kPath,   // What a JSONPath selects: may be of any type, and missing fits nothing but absent.
};

class RequestTranslator {
 public:
  explicit RequestTranslator(WireMockNotes& notes) : notes_(notes) {}

  Result<RequestMatch> Translate(const Json& pattern, const std::string& pointer);

 private:
  Result<void> ReadUrl(const Json& pattern, const std::string& pointer, RequestMatch& match);
  Result<void> ReadMethod(const Json& method, const std::string& pointer, RequestMatch& match);
  Result<void> ReadFields(const Json& fields, const std::string& pointer,
                          std::vector<FieldMatch>& into);
  Result<void> ReadBasicAuth(const Json& credentials, const std::string& pointer,
                             RequestMatch& match);
  Result<void> ReadBodyPatterns(const Json& patterns, const std::string& pointer,
                                RequestMatch& match);
  Result<RequestMatch> ReadBody(const Json& matcher, const std::string& pointer, std::size_t depth);
  Result<RequestMatch> ReadJson(const Json& matcher, const std::string& pointer);
  Result<RequestMatch> ReadJsonPath(const Json& operand, const std::string& pointer);
  Result<RequestMatch> ReadJsonSchema(const Json& matcher, const std::string& pointer);
  Result<std::vector<RequestMatch>> ReadBodies(const Json& list, const std::string& pointer,
                                               std::size_t depth);

  // The condition as ValuePredicate reads it.
  Result<Json> Condition(const Json& matcher, const std::string& pointer, Subject subject,
                         std::size_t depth = 0);
  Result<Json> ConditionOf(const std::string& word, const Json& matcher, const std::string& pointer,
                           Subject subject, std::size_t depth);
  Result<Json> MultiValue(const char* word, const Json& list, const std::string& pointer);
  Result<std::string> Operator(const Json& matcher, const std::string& pointer);
  // "and", "or": a list.
  Result<Json> Several(const char* word, const Json& list, const std::string& pointer,
                       Subject subject, std::size_t depth);
  // In place of a condition that cannot be had; the stub is disabled.
  Json Unsupported(const std::string& pointer, const std::string& why) {
    notes_.Disable(pointer, why);
    return {{"regex", "^"}};
  }
  static Json Negated(Json condition, Subject subject);
  Result<Json> Number(const std::string& word, const Json& operand, const std::string& pointer);

  WireMockNotes& notes_;
};

// A missing field meets a negation in WireMock; what a path does not select meets none.
Json RequestTranslator::Negated(Json condition, Subject subject) {
  Json negation = {{"not", std::move(condition)}};
  if (subject != Subject::kField) return negation;
  return {{"any_of", Json::array({{{"absent", true}}, std::move(negation)})}};
}

Result<std::string> RequestTranslator::Operator(const Json& matcher, const std::string& pointer) {
  std::string found;
  for (const auto& [key, value] : matcher.items()) {
    if (std::find(kOperators.begin(), kOperators.end(), key) != kOperators.end()) {
      if (!found.empty())
        return Bad(pointer, "it has both " + found + " and " + key + "; write {\"and\": [...]}");
      found = key;
    } else if (std::find(kFlags.begin(), kFlags.end(), key) == kFlags.end()) {
      const std::string_view close = ClosestMatch(key, kOperators);
      if (found.empty() && matcher.size() == 1)
        return Bad(pointer, "\"" + key + "\" is no matcher" +
                                (close.empty() ? std::string()
                                               : "; did you mean \"" + std::string(close) + "\"?"));
      notes_.Disable(Child(pointer, key), "unknown part of a matcher");
    }
  }
  if (found.empty()) return Bad(pointer, "it says no matcher such as equalTo");
  return found;
}

Result<Json> RequestTranslator::Condition(const Json& matcher, const std::string& pointer,
                                          Subject subject, std::size_t depth) {
  if (depth > kNestingMax) return Bad(pointer, "matchers are nested too deeply");
  if (const auto text = ScalarText(matcher); text && subject == Subject::kField) {
    return Json{{"equals", *text}};  // As WireMock's published schema has it for host.
  }
  if (!matcher.is_object()) return Bad(pointer, "a matcher is an object such as {\"equalTo\": ..}");
  if (subject == Subject::kField) {
    for (const char* const word : {"hasExactly", "includes"}) {
      if (!matcher.contains(word)) continue;
      if (depth > 0) return Unsupported(pointer, std::string(word) + " stands alone here");
      return MultiValue(word, matcher.at(word), Child(pointer, word));
    }
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string word, Operator(matcher, pointer));
  return ConditionOf(word, matcher, Child(pointer, word), subject, depth);
}

Result<Json> RequestTranslator::MultiValue(const char* word, const Json& list,
                                           const std::string& pointer) {
  if (!list.is_array() || list.empty()) return Bad(pointer, "it is a list of matchers");
  Json conditions = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        Json condition, Condition(list[i], Child(pointer, std::to_string(i)), Subject::kField, 1));
    conditions.push_back(std::move(condition));
  }
  return Json{
      {std::string_view(word) == "includes" ? "includes" : "exactly", std::move(conditions)}};
}

Result<Json> RequestTranslator::Several(const char* word, const Json& list,
                                        const std::string& pointer, Subject subject,
                                        std::size_t depth) {
  if (!list.is_array() || list.empty()) return Bad(pointer, "it is a list of matchers");
  Json conditions = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        Json condition, Condition(list[i], Child(pointer, std::to_string(i)), subject, depth + 1));
    conditions.push_back(std::move(condition));
  }
  return Json{{word, std::move(conditions)}};
}

Result<Json> RequestTranslator::Number(const std::string& word, const Json& operand,
                                       const std::string& pointer) {
  Json number = operand;
  if (operand.is_string()) number = Json::parse(operand.get<std::string>(), nullptr, false);
  if (!number.is_number()) return Bad(pointer, "it is a number");
  if (word == "equalToNumber") return Json{{"gte", number}, {"lte", number}};
  if (word == "greaterThanNumber") return Json{{"gt", number}};
  if (word == "greaterThanEqualNumber") return Json{{"gte", number}};
  return Json{{word == "lessThanNumber" ? "lt" : "lte", number}};
}

Result<Json> RequestTranslator::ConditionOf(const std::string& word, const Json& matcher,
                                            const std::string& pointer, Subject subject,
                                            std::size_t depth) {
  const Json& operand = matcher.at(word);
  if (word == "and") return Several("all_of", operand, pointer, subject, depth);
  if (word == "or") return Several("any_of", operand, pointer, subject, depth);
  if (word == "not") {
    UNDERSTUDY_ASSIGN_OR_RETURN(Json inner, Condition(operand, pointer, subject, depth + 1));
    return Negated(std::move(inner), subject);
  }
  if (word == "absent") {
    if (subject == Subject::kField) return Json{{"absent", true}};
    if (subject == Subject::kBody) return Json{{"equals", ""}};
    return Json{
        {"any_of",
         Json::array({{{"absent", true}}, {{"equals", nullptr}}, {{"equals", Json::array()}}})}};
  }
  if (word == "anything") {
    return subject == Subject::kBody
               ? Json{{"regex", "^"}}
               : Json{{"any_of", Json::array({{{"absent", true}}, {{"absent", false}}})}};
  }
  if (word.ends_with("Number")) return Number(word, operand, pointer);
  if (word == "equalToJson" && subject == Subject::kPath) {
    Json value = operand;
    if (operand.is_string()) value = Json::parse(operand.get<std::string>(), nullptr, false);
    if (value.is_discarded()) return Bad(pointer, "it is not JSON");
    if (Flag(matcher, "ignoreArrayOrder") || Flag(matcher, "ignoreExtraElements"))
      return Unsupported(pointer,
                         "flags of equalToJson within matchesJsonPath have no counterpart");
    return Json{{"equals", std::move(value)}};
  }
  const bool textual = word == "equalTo" || word == "contains" || word == "doesNotContain" ||
                       word == "matches" || word == "doesNotMatch";
  if (!textual) return Unsupported(pointer, word + " has no counterpart here");
  const auto text = ScalarText(operand);
  if (!text) return Bad(pointer, "it is a text");
  if (word == "matches" || word == "doesNotMatch") {
    const auto expression = JavaRegexToRe2(*text);
    if (!expression) return Unsupported(pointer, expression.error().message);
    Json found = {{"regex", *expression}};
    return word == "matches" ? found : Negated(std::move(found), subject);
  }
  const bool ignore_case = Flag(matcher, "caseInsensitive");
  Json condition;
  if (subject == Subject::kPath) {
    // Numbers and booleans are compared as text, and durations are text.
    const std::string quoted = QuoteRegex(*text);
    condition = {{"regex", word == "equalTo" ? "\\A" + quoted + "\\z" : quoted}};
  } else {
    condition = {{word == "equalTo" ? "equals" : "contains", *text}};
  }
  if (ignore_case) condition["ignore_case"] = true;
  return word == "doesNotContain" ? Negated(std::move(condition), subject) : std::move(condition);
}

// ---- the parts of a pattern ---------------------------------------------------------------------

Result<void> RequestTranslator::ReadUrl(const Json& pattern, const std::string& pointer,
                                        RequestMatch& match) {
  std::string chosen;
  for (const char* const kind :
       {"url", "urlPattern", "urlPath", "urlPathPattern", "urlPathTemplate"}) {
    const auto found = pattern.find(kind);
    if (found == pattern.end() || found->is_null()) continue;
    const std::string place = Child(pointer, kind);
    if (!chosen.empty()) return Bad(place, "only one of " + chosen + " and " + kind + " may stand");
    chosen = kind;
    if (!found->is_string()) return Bad(place, "it is a text");
    const auto text = found->get<std::string>();
    if (chosen == "url") match.target = text;
    if (chosen == "urlPath") match.path_exact = text;
    if (chosen == "urlPathTemplate") match.path = text;
    if (chosen != "urlPattern" && chosen != "urlPathPattern") continue;
    const auto expression = JavaRegexToRe2(text);
    if (!expression) {
      notes_.Disable(place, expression.error().message);
    } else if (chosen == "urlPattern") {
      match.target_regex = *expression;
    } else {
      match.path_regex = *expression;
    }
  }
  return {};
}

Result<void> RequestTranslator::ReadMethod(const Json& method, const std::string& pointer,
                                           RequestMatch& match) {
  const auto upper = [](std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  };
  if (method.is_string()) {
    const std::string name = upper(method.get<std::string>());
    if (name != "ANY") match.method = name;
    return {};
  }
  for (const char* const kind : {"oneOf", "noneOf"}) {
    if (!method.is_object() || !method.contains(kind)) continue;
    const Json& list = method.at(kind);
    const std::string place = Child(pointer, kind);
    if (!list.is_array() || list.empty()) return Bad(place, "it is a list of methods");
    std::vector<std::string> names;
    for (const Json& name : list) {
      if (!name.is_string()) return Bad(place, "it is a list of methods");
      names.push_back(upper(name.get<std::string>()));
    }
    if (std::string_view(kind) == "oneOf") {
      match.methods = std::move(names);
    } else {
      RequestMatch excluded;
      excluded.methods = std::move(names);
      match.none_of.push_back(std::move(excluded));
    }
    return {};
  }
  return Bad(pointer, "it is a method, \"ANY\", or {\"oneOf\": [...]} or {\"noneOf\": [...]}");
}

Result<void> RequestTranslator::ReadFields(const Json& fields, const std::string& pointer,
                                           std::vector<FieldMatch>& into) {
  if (!fields.is_object()) return Bad(pointer, "it is an object of matchers by name");
  for (const auto& [name, matcher] : fields.items()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const Json condition,
                                Condition(matcher, Child(pointer, name), Subject::kField));
    into.push_back({name, Dump(condition)});
  }
  return {};
}

Result<void> RequestTranslator::ReadBasicAuth(const Json& credentials, const std::string& pointer,
                                              RequestMatch& match) {
  const auto text = [&](const char* name) -> std::optional<std::string> {
    const auto found = credentials.find(name);
    return found != credentials.end() ? ScalarText(*found) : std::nullopt;
  };
  if (!credentials.is_object() || !text("username") || !text("password"))
    return Bad(pointer, "it is {\"username\": .., \"password\": ..}");
  match.headers.push_back(FieldMatch::Equals(
      "Authorization", "Basic " + Base64Encode(*text("username") + ":" + *text("password"))));
  return {};
}

Result<RequestMatch> RequestTranslator::Translate(const Json& pattern, const std::string& pointer) {
  if (!pattern.is_object()) return Bad(pointer, "a request pattern is an object");
  RequestMatch match;
  match.jayway = true;
  UNDERSTUDY_RETURN_IF_ERROR(ReadUrl(pattern, pointer, match));
  static const std::set<std::string, std::less<>> kUrls = {"url", "urlPattern", "urlPath",
                                                           "urlPathPattern", "urlPathTemplate"};
  for (const auto& [key, value] : pattern.items()) {
    if (kUrls.contains(key) || value.is_null()) continue;
    const std::string place = Child(pointer, key);
    if (key == "method") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadMethod(value, place, match));
    } else if (key == "headers") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadFields(value, place, match.headers));
    } else if (key == "queryParameters") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadFields(value, place, match.query));
    } else if (key == "formParameters") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadFields(value, place, match.form));
    } else if (key == "cookies") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadFields(value, place, match.cookies));
    } else if (key == "pathParameters") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadFields(value, place, match.path_parameters));
    } else if (key == "basicAuth" || key == "basicAuthCredentials") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadBasicAuth(value, place, match));
    } else if (key == "bodyPatterns") {
      UNDERSTUDY_RETURN_IF_ERROR(ReadBodyPatterns(value, place, match));
    } else if (key == "host") {
      UNDERSTUDY_ASSIGN_OR_RETURN(const Json condition, Condition(value, place, Subject::kField));
      match.host = Dump(condition);
    } else if (key == "multipartPatterns" && value.is_array() && value.empty()) {
      continue;
    } else if (key == "scheme" || key == "port" || key == "clientIp" || key == "customMatcher" ||
               key == "multipartPatterns") {
      notes_.Disable(place, key + " is a condition without a counterpart");
    } else {
      notes_.Warn(place, "unknown field \"" + key + "\"");
    }
  }
  if (!notes_.disabled()) {
    const auto compiled = RequestMatcher::Compile(match);
    if (!compiled) notes_.Disable(pointer, compiled.error().message);
  }
  return match;
}

// ---- bodies -------------------------------------------------------------------------------------

// Several patterns of one kind cannot share a RequestMatch.
void Merge(RequestMatch part, RequestMatch& match) {
  const bool clash = (part.text && match.text) || (part.body && match.body) ||
                     (part.json_equal && match.json_equal) ||
                     (part.json_schema && match.json_schema) ||
                     (!part.any_of.empty() && !match.any_of.empty());
  if (clash) {
    match.all_of.push_back(std::move(part));
    return;
  }
  if (part.text) match.text = std::move(part.text);
  if (part.body) match.body = std::move(part.body);
  if (part.json_equal) match.json_equal = std::move(part.json_equal);
  if (part.json_schema) match.json_schema = std::move(part.json_schema);
  if (!part.any_of.empty()) match.any_of = std::move(part.any_of);
  for (FieldMatch& field : part.json_path) match.json_path.push_back(std::move(field));
  for (RequestMatch& each : part.all_of) match.all_of.push_back(std::move(each));
  for (RequestMatch& each : part.none_of) match.none_of.push_back(std::move(each));
}

Result<void> RequestTranslator::ReadBodyPatterns(const Json& patterns, const std::string& pointer,
                                                 RequestMatch& match) {
  if (!patterns.is_array()) return Bad(pointer, "it is a list of matchers");
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatch part,
                                ReadBody(patterns[i], Child(pointer, std::to_string(i)), 0));
    Merge(std::move(part), match);
  }
  return {};
}

Result<std::vector<RequestMatch>> RequestTranslator::ReadBodies(const Json& list,
                                                                const std::string& pointer,
                                                                std::size_t depth) {
  if (!list.is_array() || list.empty()) return Bad(pointer, "it is a list of matchers");
  std::vector<RequestMatch> parts;
  for (std::size_t i = 0; i < list.size(); ++i) {
    UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatch part,
                                ReadBody(list[i], Child(pointer, std::to_string(i)), depth + 1));
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<RequestMatch> RequestTranslator::ReadBody(const Json& matcher, const std::string& pointer,
                                                 std::size_t depth) {
  if (depth > kNestingMax) return Bad(pointer, "matchers are nested too deeply");
  if (!matcher.is_object()) return Bad(pointer, "a matcher is an object such as {\"equalTo\": ..}");
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string word, Operator(matcher, pointer));
  const std::string place = Child(pointer, word);
  const Json& operand = matcher.at(word);
  RequestMatch match;
  match.jayway = true;
  if (word == "equalToJson") return ReadJson(matcher, place);
  if (word == "matchesJsonPath") return ReadJsonPath(operand, place);
  if (word == "matchesJsonSchema") return ReadJsonSchema(matcher, place);
  if (word == "and") {
    UNDERSTUDY_ASSIGN_OR_RETURN(match.all_of, ReadBodies(operand, place, depth));
    return match;
  }
  if (word == "or") {
    UNDERSTUDY_ASSIGN_OR_RETURN(match.any_of, ReadBodies(operand, place, depth));
    return match;
  }
  if (word == "not") {
    UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatch inner, ReadBody(operand, place, depth + 1));
    match.none_of.push_back(std::move(inner));
    return match;
  }
  if (word == "anything") return match;
  if (word == "absent") {
    match.body = "";
    return match;
  }
  if (word == "binaryEqualTo") {
    const auto bytes =
        operand.is_string() ? Base64Decode(operand.get<std::string>()) : std::nullopt;
    if (!bytes) return Bad(place, "it is a text in base64");
    match.body = *bytes;
    return match;
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json condition,
                              ConditionOf(word, matcher, place, Subject::kBody, depth));
  match.text = Dump(condition);
  return match;
}

Result<RequestMatch> RequestTranslator::ReadJson(const Json& matcher, const std::string& pointer) {
  const Json& operand = matcher.at("equalToJson");
  Json value = operand;
  if (operand.is_string()) value = Json::parse(operand.get<std::string>(), nullptr, false);
  if (value.is_discarded()) return Bad(pointer, "it is not JSON");
  RequestMatch match;
  match.json_equal = JsonEqualMatch{.json = Dump(value),
                                    .ignore_order = Flag(matcher, "ignoreArrayOrder"),
                                    .ignore_extra = Flag(matcher, "ignoreExtraElements")};
  if (match.json_equal->json.find("${json-unit") != std::string::npos)
    notes_.Disable(pointer, "placeholders of json-unit have no counterpart");
  return match;
}

// Whether a path can select several values.
bool IsIndefinite(std::string_view path) {
  return path.find_first_of("*?:,") != std::string_view::npos ||
         path.find("..") != std::string_view::npos;
}

Result<RequestMatch> RequestTranslator::ReadJsonPath(const Json& operand,
                                                     const std::string& pointer) {
  RequestMatch match;
  match.jayway = true;
  if (operand.is_string()) {
    // As WireMock does: a definite path selects something that is not null, which may be empty; an
    // indefinite one selects anything at all.
    const auto path = operand.get<std::string>();
    match.json_path.push_back(
        {path, IsIndefinite(path) ? R"({"absent":false})" : R"({"not":{"equals":null}})"});
    return match;
  }
  if (!operand.is_object() || !operand.contains("expression") ||
      !operand.at("expression").is_string()) {
    return Bad(pointer, "it is a JSONPath, or {\"expression\": \"$..\", <matcher>}");
  }
  const auto path = operand.at("expression").get<std::string>();
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string word, Operator(operand, pointer));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json condition, Condition(operand, pointer, Subject::kPath));
  match.json_path.push_back({path, Dump(condition)});
  // A list that a path selects is judged by its elements.
  const bool by_element = word == "equalTo" || word == "contains" || word == "matches";
  if (!by_element || IsIndefinite(path)) return match;
  RequestMatch either;
  RequestMatch elements;
  elements.jayway = true;
  elements.json_path.push_back({path + "[*]", Dump(condition)});
  // Only of a list: [*] selects the members of an object, too.
  elements.json_path.push_back({path + "[0]", R"({"absent":false})"});
  either.any_of = {std::move(match), std::move(elements)};
  return either;
}

Result<RequestMatch> RequestTranslator::ReadJsonSchema(const Json& matcher,
                                                       const std::string& pointer) {
  const Json& operand = matcher.at("matchesJsonSchema");
  Json schema = operand;
  if (operand.is_string()) schema = Json::parse(operand.get<std::string>(), nullptr, false);
  if (schema.is_discarded()) return Bad(pointer, "it is not JSON");
  const std::string version = matcher.value("schemaVersion", Json("V202012")).is_string()
                                  ? matcher.value("schemaVersion", std::string("V202012"))
                                  : std::string("?");
  if (schema.is_object() && !schema.contains("$schema")) {
    if (version == "V4") schema["$schema"] = "http://json-schema.org/draft-04/schema#";
    if (version == "V7" || version == "V6")
      schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    if (version == "V6") notes_.Warn(pointer, "draft 6 is read as draft 7");
    if (version == "V201909") notes_.Warn(pointer, "draft 2019-09 is read as 2020-12");
  }
  RequestMatch match;
  match.json_schema = Dump(schema);
  return match;
}

// ---- expressions --------------------------------------------------------------------------------

// Reads a Java expression, and writes what RE2 reads alike.
class RegexConverter {
 public:
  explicit RegexConverter(std::string_view java) : java_(java) {}

  Result<std::string> Run() {
    out_ = "\\A(?:";
    while (at_ < java_.size()) {
      const char c = java_[at_];
      if (c == '\\') {
        UNDERSTUDY_RETURN_IF_ERROR(Escape());
      } else if (in_class_) {
        UNDERSTUDY_RETURN_IF_ERROR(InClass(c));
      } else if (java_.substr(at_).starts_with("(?")) {
        UNDERSTUDY_RETURN_IF_ERROR(Group());
      } else {
        if (c == '[') OpenClass();
        Take();
      }
    }
    if (in_class_) return Fail("a [ is not closed");
    return out_ + ")\\z";
  }

 private:
  Error Fail(const std::string& why) const {
    return InvalidArgument("the expression \"" + std::string(java_) + "\": " + why);
  }
  void Take() { out_.push_back(java_[at_++]); }
  void OpenClass() {
    in_class_ = true;
    class_begin_ = at_ + (java_.substr(at_).starts_with("[^") ? 2 : 1);
  }

  Result<void> InClass(char c) {
    if (c == '[') return Fail("a class within a class has no counterpart");
    if (c == '&' && java_.substr(at_).starts_with("&&"))
      return Fail("&& within a class has no counterpart");
    if (c == ']' && at_ == class_begin_) return Fail("write \\] for a bracket");
    if (c == '^' && at_ + 1 == class_begin_) {
      Take();
      return {};
    }
    if (c == ']') in_class_ = false;
    Take();
    return {};
  }

  Result<void> Group() {
    const std::string_view rest = java_.substr(at_);
    if (rest.starts_with("(?=") || rest.starts_with("(?!") || rest.starts_with("(?<=") ||
        rest.starts_with("(?<!")) {
      return Fail("look-around has no counterpart");
    }
    if (rest.starts_with("(?>")) return Fail("(?>...) has no counterpart");
    if (rest.starts_with("(?<")) {
      out_ += "(?P<";
      at_ += 3;
      return {};
    }
    // Flags, up to ":" or ")".
    const std::size_t end = rest.find_first_of(":)");
    const std::string_view flags = rest.substr(2, end == std::string_view::npos ? end : end - 2);
    if (flags.find_first_not_of("ims-") != std::string_view::npos)
      return Fail("the flags \"" + std::string(flags) + "\" have no counterpart");
    out_ += "(?";
    at_ += 2;
    return {};
  }

  Result<void> Escape() {
    if (at_ + 1 >= java_.size()) return Fail("it ends in a backslash");
    const char c = java_[at_ + 1];
    if (c == 'Q') {
      const std::size_t end = java_.find("\\E", at_ + 2);
      const std::size_t length = end == std::string_view::npos ? end : end - at_ - 2;
      out_ += QuoteRegex(java_.substr(at_ + 2, length));
      at_ = end == std::string_view::npos ? java_.size() : end + 2;
      return {};
    }
    if (c == 'u') {
      const auto digits = java_.substr(at_ + 2, 4);
      if (digits.size() != 4 || !HexDecode(digits)) return Fail("\\u needs four hex digits");
      out_ += "\\x{" + std::string(digits) + "}";
      at_ += 6;
      return {};
    }
    if (c == 's' || c == 'S') {
      // Java's has the vertical tab, RE2's has not.
      if (c == 'S' && in_class_) return Fail("\\S within a class has no counterpart");
      out_ += in_class_  ? "\\t\\n\\x0B\\f\\r "
              : c == 's' ? "[\\t\\n\\x0B\\f\\r ]"
                         : "[^\\t\\n\\x0B\\f\\r ]";
      at_ += 2;
      return {};
    }
    // What RE2 would read as something else.
    if (c == 'v' || c == 'C' || c == 'Z' || (c >= '0' && c <= '9'))
      return Fail(std::string("\\") + c + " has no counterpart");
    Take();
    Take();
    return {};
  }

  std::string_view java_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::size_t class_begin_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> JavaRegexToRe2(std::string_view java) { return RegexConverter(java).Run(); }

Result<RequestMatch> TranslateWireMockRequest(const Json& pattern, const std::string& pointer,
                                              WireMockNotes& notes) {
  return RequestTranslator(notes).Translate(pattern, pointer);
}

}  // namespace understudy::harness
