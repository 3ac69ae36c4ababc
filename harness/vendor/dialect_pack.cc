#include "harness/vendor/dialect_pack.h"

#include <algorithm>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "harness/vendor/builtin_dialects.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// Members in the order in which the pack has them: bodies look as the vendor's do.
using Json = nlohmann::ordered_json;

constexpr std::size_t kMergedBodyBytesMax = std::size_t{1} << 20U;
constexpr int kBodyDepthMax = 64;

std::optional<Json> ParseBounded(std::string_view text, int depth_max) {
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > depth_max;
    return !too_deep;
  };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) return std::nullopt;
  return json;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Error At(const std::string& pointer, const std::string& what) {
  return InvalidArgument((pointer.empty() ? "the pack" : pointer) + ": " + what);
}

std::string Child(const std::string& pointer, std::string_view key) {
  return pointer + "/" + EscapePointerToken(key);
}

std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string_view close = ClosestMatch(word, known);
  if (!close.empty()) return "; did you mean \"" + std::string(close) + "\"?";
  std::string text = "; there ";
  text += known.size() == 1 ? "is" : "are";
  for (std::size_t i = 0; i < known.size(); ++i) {
    text += i == 0 ? " \"" : ", \"";
    text.append(known[i]).append("\"");
  }
  return text;
}

Result<void> CheckKeys(const Json& json, const std::string& pointer,
                       const std::vector<std::string_view>& known) {
  if (!json.is_object()) return At(pointer, "must be an object");
  for (const auto& member : json.items()) {
    const std::string& key = member.key();
    if (std::find(known.begin(), known.end(), key) == known.end())
      return At(pointer, "unknown member \"" + key + "\"" + DidYouMean(key, known));
  }
  return {};
}

Result<std::string> TextAt(const Json& json, const std::string& pointer) {
  if (!json.is_string()) return At(pointer, "must be a text");
  return json.get<std::string>();
}

Result<LimitTemplate> TemplateAt(const Json& json, const std::string& pointer) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string text, TextAt(json, pointer));
  auto compiled = LimitTemplate::Compile(text);
  if (!compiled) return At(pointer, compiled.error().message);
  return compiled;
}

// JSON with places, as the pieces that make its text.
class BodyTemplate {
 public:
  static Result<BodyTemplate> Compile(const Json& json, const std::string& pointer) {
    BodyTemplate body;
    UNDERSTUDY_RETURN_IF_ERROR(body.Add(json, pointer));
    return body;
  }

  std::string Render(const LimitReading& reading) const {
    std::string text;
    for (const Piece& piece : pieces_) {
      text += piece.literal;
      if (piece.kind == Kind::kNumber) text += piece.place.Render(reading);
      if (piece.kind == Kind::kText) text += Dump(Json(piece.place.Render(reading)));
    }
    return text;
  }

 private:
  enum class Kind { kLiteral, kText, kNumber };
  struct Piece {
    std::string literal = {};  // Before the place.
    Kind kind = Kind::kLiteral;
    LimitTemplate place = {};
  };

  void Literal(std::string_view text) {
    if (pieces_.empty() || pieces_.back().kind != Kind::kLiteral) pieces_.emplace_back();
    pieces_.back().literal += text;
  }

  void Place(Kind kind, LimitTemplate place) {
    Literal("");
    pieces_.back().kind = kind;
    pieces_.back().place = std::move(place);
  }

  Result<void> AddText(const Json& json, const std::string& pointer) {
    std::string text = json.get<std::string>();
    const bool number = text.starts_with("{#");
    if (number) text.erase(1, 1);
    UNDERSTUDY_ASSIGN_OR_RETURN(LimitTemplate place, TemplateAt(Json(text), pointer));
    if (number && !place.IsNumber()) {
      return At(pointer,
                "\"{#...}\" stands alone and is a number; this is a text: leave the # out");
    }
    Place(number ? Kind::kNumber : Kind::kText, std::move(place));
    return {};
  }

  Result<void> Add(const Json& json, const std::string& pointer) {
    if (json.is_string()) return AddText(json, pointer);
    if (!json.is_structured()) {
      Literal(Dump(json));
      return {};
    }
    Literal(json.is_object() ? "{" : "[");
    std::size_t index = 0;
    for (const auto& member : json.items()) {
      if (index > 0) Literal(",");
      if (json.is_object()) Literal(Dump(Json(member.key())) + ":");
      const std::string key = json.is_object() ? member.key() : std::to_string(index);
      UNDERSTUDY_RETURN_IF_ERROR(Add(member.value(), Child(pointer, key)));
      ++index;
    }
    Literal(json.is_object() ? "}" : "]");
    return {};
  }

  std::vector<Piece> pieces_ = {};
};

// Into objects all the way down; what is there already, stays.
void MergeMissing(const Json& from, Json& into) {
  for (const auto& member : from.items()) {
    const auto found = into.find(member.key());
    if (found == into.end()) {
      into[member.key()] = member.value();
    } else if (found->is_object() && member.value().is_object()) {
      MergeMissing(member.value(), *found);
    }
  }
}

struct HeaderTemplate {
  std::string name = {};
  LimitTemplate value = {};
  std::string join = {};
  bool removed = false;  // Of a refusal: `null`.
};

Result<HeaderTemplate> HeaderAt(const std::string& name, const Json& json,
                                const std::string& pointer) {
  if (!http::Headers().Add(name, "1")) {
    return At(pointer,
              "\"" + name + "\" is not a header name (letters, digits, - and a few signs)");
  }
  HeaderTemplate header{.name = name};
  Json value = json;
  std::string value_pointer = pointer;
  if (json.is_object()) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckKeys(json, pointer, {"value", "join"}));
    if (!json.contains("value")) return At(pointer, "has no \"value\"");
    value = json["value"];
    value_pointer = Child(pointer, "value");
    if (json.contains("join")) {
      UNDERSTUDY_ASSIGN_OR_RETURN(header.join, TextAt(json["join"], Child(pointer, "join")));
    }
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(header.value, TemplateAt(value, value_pointer));
  // Every place is filled with printable characters; what is left is the text around them.
  const bool sound = http::Headers().Add(name, header.value.Render({})).has_value() &&
                     http::Headers().Add(name, header.join).has_value();
  if (!sound) return At(value_pointer, "a header value has no line breaks or NUL");
  return header;
}

Result<std::vector<HeaderTemplate>> HeadersAt(const Json& json, const std::string& pointer,
                                              bool of_refusal) {
  if (!json.is_object()) return At(pointer, "must be an object: a header's name and its value");
  if (json.size() > DialectPack::kHeadersMax) {
    return At(pointer, "has " + std::to_string(json.size()) + " headers; at most " +
                           std::to_string(DialectPack::kHeadersMax) + " are allowed");
  }
  std::vector<HeaderTemplate> headers;
  for (const auto& member : json.items()) {
    const std::string place = Child(pointer, member.key());
    const Json value = member.value().is_null() && of_refusal ? Json("") : member.value();
    UNDERSTUDY_ASSIGN_OR_RETURN(HeaderTemplate header, HeaderAt(member.key(), value, place));
    header.removed = member.value().is_null();
    headers.push_back(std::move(header));
  }
  return headers;
}

const HeaderTemplate* FindHeader(const std::vector<HeaderTemplate>& headers,
                                 std::string_view name) {
  for (const HeaderTemplate& header : headers) {
    if (EqualsIgnoreAsciiCase(header.name, name)) return &header;
  }
  return nullptr;
}

}  // namespace

struct DialectForm::Data {
  struct Exceeded {
    int status = 429;
    std::vector<HeaderTemplate> headers = {};
    std::optional<BodyTemplate> json = {};
    std::optional<LimitTemplate> text = {};
    std::string content_type = {};
  };

  std::vector<HeaderTemplate> headers = {};
  std::optional<BodyTemplate> merge = {};
  Exceeded exceeded = {};

  static Result<Data> Parse(const Json& json, const std::string& pointer);
  static Result<Exceeded> ParseExceeded(const Json& json, const std::string& pointer);
};

Result<DialectForm::Data::Exceeded> DialectForm::Data::ParseExceeded(const Json& json,
                                                                     const std::string& pointer) {
  UNDERSTUDY_RETURN_IF_ERROR(
      CheckKeys(json, pointer, {"status", "headers", "json", "text", "content_type"}));
  Exceeded exceeded;
  if (json.contains("status")) {
    const Json& status = json["status"];
    const bool valid = status.is_number_integer() && status >= 200 && status <= 599 &&
                       status != 204 && status != 304;
    if (!valid) {
      return At(Child(pointer, "status"),
                "must be 200 to 599, and not 204 or 304: they have no body");
    }
    exceeded.status = status.get<int>();
  }
  if (json.contains("headers")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(exceeded.headers,
                                HeadersAt(json["headers"], Child(pointer, "headers"), true));
  }
  if (json.contains("json") && json.contains("text"))
    return At(pointer, "has \"json\" or \"text\", not both");
  if (json.contains("json")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(exceeded.json,
                                BodyTemplate::Compile(json["json"], Child(pointer, "json")));
    exceeded.content_type = "application/json";
  }
  if (json.contains("text")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(exceeded.text, TemplateAt(json["text"], Child(pointer, "text")));
    exceeded.content_type = "text/plain; charset=utf-8";
  }
  if (json.contains("content_type")) {
    const std::string place = Child(pointer, "content_type");
    UNDERSTUDY_ASSIGN_OR_RETURN(exceeded.content_type, TextAt(json["content_type"], place));
    if (!http::Headers().Add("Content-Type", exceeded.content_type))
      return At(place, "a header value has no line breaks or NUL");
  }
  return exceeded;
}

Result<DialectForm::Data> DialectForm::Data::Parse(const Json& json, const std::string& pointer) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckKeys(json, pointer, {"about", "headers", "merge", "exceeded"}));
  Data data;
  if (json.contains("about"))
    UNDERSTUDY_RETURN_IF_ERROR(TextAt(json["about"], Child(pointer, "about")));
  if (json.contains("headers")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(data.headers,
                                HeadersAt(json["headers"], Child(pointer, "headers"), false));
  }
  if (json.contains("merge")) {
    const std::string place = Child(pointer, "merge");
    if (!json["merge"].is_object()) return At(place, "must be an object");
    UNDERSTUDY_ASSIGN_OR_RETURN(data.merge, BodyTemplate::Compile(json["merge"], place));
  }
  if (json.contains("exceeded")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(data.exceeded,
                                ParseExceeded(json["exceeded"], Child(pointer, "exceeded")));
  }
  return data;
}

std::vector<DialectHeader> DialectForm::Headers(const LimitReading& reading) const {
  std::vector<DialectHeader> headers;
  const auto add = [&](const HeaderTemplate& header) {
    if (!header.removed)
      headers.push_back({header.name, header.value.Render(reading), header.join});
  };
  for (const HeaderTemplate& header : data_->headers) {
    const HeaderTemplate* instead =
        reading.exceeded ? FindHeader(data_->exceeded.headers, header.name) : nullptr;
    add(instead != nullptr ? *instead : header);
  }
  if (!reading.exceeded) return headers;
  for (const HeaderTemplate& header : data_->exceeded.headers) {
    if (FindHeader(data_->headers, header.name) == nullptr) add(header);
  }
  return headers;
}

bool DialectForm::has_merge() const { return data_->merge.has_value(); }

void DialectForm::MergeBody(const LimitReading& reading, std::string& body) const {
  if (!data_->merge || body.empty() || body.size() > kMergedBodyBytesMax) return;
  std::optional<Json> answer = ParseBounded(body, kBodyDepthMax);
  if (!answer || !answer->is_object()) return;
  const std::optional<Json> added = ParseBounded(data_->merge->Render(reading), kBodyDepthMax);
  UNDERSTUDY_CHECK(added.has_value(), "what a template renders is JSON");
  MergeMissing(*added, *answer);
  body = Dump(*answer);
}

http::Response DialectForm::Refusal(const LimitReading& reading) const {
  const Data::Exceeded& exceeded = data_->exceeded;
  http::Response response{.status = exceeded.status};
  if (exceeded.json) response.body = exceeded.json->Render(reading);
  if (exceeded.text) response.body = exceeded.text->Render(reading);
  if (!exceeded.content_type.empty()) {
    const auto added = response.headers.Add("Content-Type", exceeded.content_type);
    UNDERSTUDY_CHECK(added.has_value(), "it was tried when the pack was read");
  }
  return response;
}

Result<DialectPack> DialectPack::Parse(std::string_view name, std::string_view json) {
  if (json.size() > kDocumentBytesMax) {
    return At("", "has " + std::to_string(json.size()) + " bytes; at most " +
                      std::to_string(kDocumentBytesMax) + " are read");
  }
  const std::optional<Json> root = ParseBounded(json, kDepthMax);
  if (!root) {
    return At("", "is not JSON, or nested more than " + std::to_string(kDepthMax) + " levels deep");
  }
  UNDERSTUDY_RETURN_IF_ERROR(CheckKeys(*root, "", {"about", "source", "forms"}));
  DialectPack pack;
  pack.name_ = name;
  if (root->contains("source")) {
    UNDERSTUDY_ASSIGN_OR_RETURN(pack.source_, TextAt((*root)["source"], "/source"));
  }
  if (root->contains("about")) UNDERSTUDY_RETURN_IF_ERROR(TextAt((*root)["about"], "/about"));
  if (!root->contains("forms") || !(*root)["forms"].is_object() || (*root)["forms"].empty()) {
    return At("/forms", "must be an object with at least one form: {\"forms\": {\"main\": {...}}}");
  }
  const Json& forms = (*root)["forms"];
  if (forms.size() > kFormsMax)
    return At("/forms", "has more than " + std::to_string(kFormsMax) + " forms");
  for (const auto& member : forms.items()) {
    const std::string pointer = Child("/forms", member.key());
    if (member.key().empty() || member.key().find('/') != std::string::npos)
      return At(pointer, "a form's name is not empty and has no \"/\"");
    UNDERSTUDY_ASSIGN_OR_RETURN(DialectForm::Data data,
                                DialectForm::Data::Parse(member.value(), pointer));
    pack.forms_.emplace_back(
        member.key(), DialectForm(std::make_shared<const DialectForm::Data>(std::move(data))));
  }
  return pack;
}

std::vector<std::string_view> DialectPack::form_names() const {
  std::vector<std::string_view> names;
  for (const auto& form : forms_) names.push_back(form.first);
  return names;
}

Result<DialectForm> DialectPack::Find(std::string_view form) const {
  if (form.empty()) return forms_.front().second;
  for (const auto& candidate : forms_) {
    if (candidate.first == form) return candidate.second;
  }
  return Error{.code = ErrorCode::kNotFound,
               .message = "the dialect \"" + name_ + "\" has no form \"" + std::string(form) +
                          "\"" + DidYouMean(form, form_names())};
}

Result<DialectBook> DialectBook::Create(const std::vector<DialectSpec>& specs) {
  DialectBook book;
  std::set<std::string_view> seen;
  for (const DialectSpec& spec : specs) {
    if (spec.name.empty() || spec.name.find('/') != std::string::npos) {
      return InvalidArgument("the dialect name \"" + spec.name +
                             "\" must not be empty and has no \"/\"");
    }
    if (!seen.insert(spec.name).second)
      return InvalidArgument("the dialect \"" + spec.name + "\" is there twice");
    auto pack = DialectPack::Parse(spec.name, spec.json);
    if (!pack) return InvalidArgument("dialect \"" + spec.name + "\": " + pack.error().message);
    book.own_.push_back(*std::move(pack));
  }
  return book;
}

Result<DialectForm> DialectBook::Find(std::string_view dialect) const {
  const std::size_t slash = dialect.find('/');
  const std::string_view name = dialect.substr(0, slash);
  const std::string_view form =
      slash == std::string_view::npos ? std::string_view() : dialect.substr(slash + 1);
  for (const DialectPack& pack : own_) {
    if (pack.name() == name) return pack.Find(form);
  }
  for (const BuiltinDialect& builtin : BuiltinDialects()) {
    if (builtin.name != name) continue;
    const auto pack = DialectPack::Parse(builtin.name, builtin.json);
    UNDERSTUDY_CHECK(pack.has_value(), "a built-in dialect pack is malformed");
    return pack->Find(form);
  }
  return Error{
      .code = ErrorCode::kNotFound,
      .message = "there is no dialect \"" + std::string(name) + "\"" + DidYouMean(name, names())};
}

std::vector<std::string_view> DialectBook::names() const {
  std::vector<std::string_view> names;
  for (const DialectPack& pack : own_) names.push_back(pack.name());
  for (const BuiltinDialect& builtin : BuiltinDialects()) names.push_back(builtin.name);
  return names;
}

}  // namespace understudy::harness
