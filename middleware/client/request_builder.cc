#include "middleware/client/request_builder.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/client/header_rules.h"
#include "middleware/client/json_body.h"
#include "middleware/client/utf8_text.h"

namespace understudy {
namespace {

// Names come from code, but may be wrong in any way; messages stay short and on one line.
std::string Shown(std::string_view text) { return CleanText(text, 200); }

bool IsControlCharacter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool IsNameCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-';
}

bool IsPathName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsNameCharacter);
}

// RFC 3986 section 3.3: pchar and "/"; escapes are checked apart.
bool IsPathCharacter(char c) {
  return IsNameCharacter(c) ||
         std::string_view("/.~!$&'()*+,;=:@%").find(c) != std::string_view::npos;
}

bool LeadsElsewhere(std::string_view segment) {
  // What a server may see that decodes first, and takes a backslash for a slash.
  std::string decoded = http::PercentDecode(segment).value_or(std::string(segment));
  std::replace(decoded.begin(), decoded.end(), '\\', '/');
  const auto pieces = Split(decoded, '/');
  return std::any_of(pieces.begin(), pieces.end(),
                     [](std::string_view piece) { return piece == "." || piece == ".."; });
}

std::string_view WhyNotLiteral(std::string_view literal) {
  if (literal.find_first_of("?#") != std::string_view::npos)
    return "holds a query or a fragment; use Query";
  if (!std::all_of(literal.begin(), literal.end(), IsPathCharacter))
    return "holds a character that must be percent-encoded, or an unmatched brace";
  if (!http::PercentDecode(literal)) return "holds a % without two hexadecimal digits";
  return "";
}

bool MayHaveBody(const http::Method& method) {
  return method != http::Method::Get() && method != http::Method::Head() &&
         method.name() != "TRACE";
}

}  // namespace

RequestBuilder::RequestBuilder(http::Method method, std::string_view path_template)
    : method_(std::move(method)), path_template_(path_template) {}

RequestBuilder& RequestBuilder::Path(std::string_view name, std::string_view value) {
  path_values_.emplace_back(name, value);
  return *this;
}

RequestBuilder& RequestBuilder::Query(std::string_view name, std::string_view value) {
  if (name.empty()) problems_.emplace_back("a query parameter has no name");
  query_.emplace_back(name, value);
  return *this;
}

RequestBuilder& RequestBuilder::Header(std::string_view name, std::string_view value) {
  headers_.emplace_back(name, value);
  return *this;
}

RequestBuilder& RequestBuilder::Accept(std::string_view media_type) {
  accept_ = media_type;
  return *this;
}

RequestBuilder& RequestBuilder::Json(const nlohmann::json& value, std::string_view content_type) {
  Result<std::string> text = WriteJson(value);
  if (!text) problems_.push_back("the JSON body: " + text.error().message);
  return SetBody(content_type, std::move(text).value_or(std::string()));
}

RequestBuilder& RequestBuilder::JsonText(std::string_view text, std::string_view content_type) {
  const JsonLimits limits{.bytes_max = kBodyBytesMax, .values_max = 10'000'000};
  if (const Result<nlohmann::json> parsed = ParseJsonText(text, limits); !parsed)
    problems_.push_back("the JSON body: " + parsed.error().message);
  return SetBody(content_type, std::string(text));
}

RequestBuilder& RequestBuilder::Form(const http::FormPairs& pairs) {
  if (!form_) form_.emplace();
  form_->insert(form_->end(), pairs.begin(), pairs.end());
  return *this;
}

RequestBuilder& RequestBuilder::FormField(std::initializer_list<std::string_view> path,
                                          std::string_view value) {
  std::string name;
  for (const std::string_view part : path) {
    const bool first = name.empty();
    if (part.find_first_of("[]") != std::string_view::npos)
      problems_.push_back("the form field " + Shown(name) +
                          "... has a bracket in one of its parts");
    if (first && part.empty()) problems_.emplace_back("a form field has no name");
    name += first ? std::string(part) : "[" + std::string(part) + "]";
  }
  if (path.size() == 0) problems_.emplace_back("a form field has no name");
  return Form(http::FormPairs{{std::move(name), std::string(value)}});
}

RequestBuilder& RequestBuilder::Fields(const nlohmann::json& fields, BodyCodec codec) {
  if (codec == BodyCodec::kJson) return Json(fields);
  Result<http::FormPairs> pairs = FlattenForm(fields);
  if (!pairs) problems_.push_back("the form: " + pairs.error().message);
  return Form(std::move(pairs).value_or(http::FormPairs()));
}

RequestBuilder& RequestBuilder::Body(std::string_view content_type, std::string bytes) {
  return SetBody(content_type, std::move(bytes));
}

RequestBuilder& RequestBuilder::SetBody(std::string_view content_type, std::string bytes) {
  if (body_) problems_.emplace_back("there is more than one body");
  if (content_type.empty()) problems_.emplace_back("the body has no content type");
  body_ = BodyPart{std::string(content_type), std::move(bytes)};
  return *this;
}

Result<http::Request> RequestBuilder::Build(const http::Url& base) const {
  const std::string subject = "request " + Shown(method_.name()) + " " + Shown(path_template_);
  Problems problems = problems_;
  const bool token = http::Headers().Add(method_.name(), "").has_value();
  if (!token) problems.emplace_back("the method is no token");
  if (base.host().empty()) problems.emplace_back("there is no base URL");
  const std::string path = ExpandPath(problems);
  http::Request request;
  request.method = method_;
  FillHeaders(request.headers, problems);
  FillBody(request, problems);
  UNDERSTUDY_RETURN_IF_ERROR(ToResult(subject, problems));
  UNDERSTUDY_ASSIGN_OR_RETURN(request.url, MakeUrl(base, path));
  if (request.url.target().size() > kTargetBytesMax) {
    return ToResult(subject, {"path and query have more than " + std::to_string(kTargetBytesMax) +
                              " bytes; send them in a body"})
        .error();
  }
  return request;
}

std::string RequestBuilder::ExpandPath(Problems& problems) const {
  std::string path;
  std::string_view rest = path_template_;
  if (rest.starts_with("//")) problems.emplace_back("the path starts with //, which names a host");
  while (!rest.empty()) {
    const std::size_t open = rest.find('{');
    const std::string_view literal = rest.substr(0, open);
    if (const std::string_view why = WhyNotLiteral(literal); !why.empty())
      problems.push_back("the path template " + std::string(why));
    path += literal;
    if (open == std::string_view::npos) break;
    const std::size_t close = rest.find('}', open);
    if (close == std::string_view::npos) {
      problems.emplace_back("the path template has an unmatched brace");
      break;
    }
    AppendValue(rest.substr(open + 1, close - open - 1), path, problems);
    rest.remove_prefix(close + 1);
  }
  for (const auto& [name, value] : path_values_) {
    const std::string place = "{" + name + "}";
    if (path_template_.find(place) == std::string::npos)
      problems.push_back("the path has no " + Shown(place));
  }
  const auto segments = Split(path, '/');
  if (std::any_of(segments.begin(), segments.end(), LeadsElsewhere))
    problems.emplace_back("a segment of the path is \".\" or \"..\", which leads elsewhere");
  return path;
}

void RequestBuilder::AppendValue(std::string_view name, std::string& path,
                                 Problems& problems) const {
  const std::string shown = "the path parameter {" + Shown(name) + "}";
  if (!IsPathName(name)) {
    problems.push_back(shown + " must be named with letters, digits, - and _");
    return;
  }
  const auto is_named = [&](const auto& pair) { return pair.first == name; };
  const auto found = std::find_if(path_values_.begin(), path_values_.end(), is_named);
  if (found == path_values_.end()) {
    problems.push_back(shown + " has no value");
    return;
  }
  if (std::count_if(path_values_.begin(), path_values_.end(), is_named) > 1)
    problems.push_back(shown + " has several values");
  if (found->second.empty()) problems.push_back(shown + " is empty");
  if (std::any_of(found->second.begin(), found->second.end(), IsControlCharacter))
    problems.push_back(shown + " holds a control character");
  path += http::PercentEncode(found->second);
}

Result<http::Url> RequestBuilder::MakeUrl(const http::Url& base, const std::string& path) const {
  std::string absolute = path;
  if (!path.starts_with('/')) {
    // Below the base's path, whether or not that ends in a slash; a plain resolution would drop its
    // last segment.
    absolute = base.path();
    if (!path.empty() && !absolute.ends_with('/')) absolute += '/';
    absolute += path;
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, base.Resolve(absolute));
  if (!url.HasOriginOf(base)) return InvalidArgument("the path leads away from " + base.origin());
  for (const auto& [name, value] : query_) url.AddQuery(name, value);
  return url;
}

void RequestBuilder::FillHeaders(http::Headers& headers, Problems& problems) const {
  for (const auto& [name, value] : headers_) {
    if (const std::string_view why = WhyNotFromCaller(name); !why.empty()) {
      problems.push_back("the header " + name + " " + std::string(why));
    } else if (const Result<void> added = headers.Add(name, value); !added) {
      problems.push_back(added.error().message);
    }
  }
  if (!accept_) return;
  if (const Result<void> set = headers.Set("Accept", *accept_); !set)
    problems.push_back(set.error().message);
}

void RequestBuilder::FillBody(http::Request& request, Problems& problems) const {
  if (!body_ && !form_) return;
  if (body_ && form_) problems.emplace_back("there is more than one body");
  if (!MayHaveBody(method_))
    problems.push_back("a " + std::string(method_.name()) + " has no body; use Query");
  const std::string_view type = body_ ? body_->content_type : ContentTypeOf(BodyCodec::kForm);
  request.body = body_ ? body_->bytes : http::EncodeForm(*form_);
  if (request.body.size() > kBodyBytesMax) {
    problems.push_back("the body has more than " + std::to_string(kBodyBytesMax) +
                       " bytes; send a reference to it, or parts");
  }
  if (const Result<void> set = request.headers.Set("Content-Type", type); !set)
    problems.push_back(set.error().message);
}

}  // namespace understudy
