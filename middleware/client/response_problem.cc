#include "middleware/client/response_problem.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/client/json_body.h"
#include "middleware/client/utf8_text.h"

namespace understudy {
namespace {

using Json = nlohmann::json;
using Paths = std::span<const std::string_view>;

constexpr std::size_t kBodyBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kTypeBytesMax = 200;
constexpr std::size_t kCodeBytesMax = 100;
constexpr std::size_t kTitleBytesMax = 200;
constexpr std::size_t kDetailBytesMax = 500;
constexpr std::size_t kRequestIdBytesMax = 100;

// Where vendors put it, the most telling place first; the first usable value counts. Google's
// error.status is finer than its error.code, which repeats the HTTP status.
constexpr std::array<std::string_view, 14> kCodePaths = {"error/status",
                                                         "error/errors/0/reason",
                                                         "error/code",
                                                         "errors/0/code",
                                                         "errors/0/extensions/code",
                                                         "Fault/Error/0/code",
                                                         "fault/error/0/code",
                                                         "0/errorCode",
                                                         "errorCode",
                                                         "code",
                                                         "error",
                                                         "ErrorNumber",
                                                         "name",
                                                         "category"};
constexpr std::array<std::string_view, 7> kTypePaths = {
    "error/type", "type", "Type", "Fault/type", "fault/type", "errors/0/category", "errors/0/type"};
constexpr std::array<std::string_view, 5> kTitlePaths = {
    "title", "Title", "error/title", "Fault/Error/0/Message", "fault/error/0/message"};
constexpr std::array<std::string_view, 16> kDetailPaths = {"detail",
                                                           "Detail",
                                                           "error_description",
                                                           "error/message",
                                                           "message",
                                                           "Message",
                                                           "errorSummary",
                                                           "Fault/Error/0/Detail",
                                                           "errors/0/message",
                                                           "0/message",
                                                           "fault/error/0/detail",
                                                           "errors/0/detail",
                                                           "description",
                                                           "errorMessages/0",
                                                           "errors/0",
                                                           "errors"};

constexpr std::array<std::string_view, 9> kRequestIdHeaders = {
    "Request-Id",     "X-Request-Id",        "X-GitHub-Request-Id",
    "intuit_tid",     "PayPal-Debug-Id",     "X-Okta-Request-Id",
    "X-Slack-Req-Id", "Xero-Correlation-Id", "X-Correlation-Id"};

constexpr std::array<std::string_view, 19> kSecretPrefixes = {
    "sk_",  "rk_",  "pk_",  "whsec_",      "whsk_",  "sk-",    "xox", "xapp-", "ghp_", "gho_",
    "ghu_", "ghs_", "ghr_", "github_pat_", "shpat_", "shpss_", "eyJ", "AKIA",  "ya29."};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// nullptr if there is nothing at that place.
const Json* Find(const Json& root, std::string_view path) {
  const Json* value = &root;
  for (const std::string_view step : Split(path, '/')) {
    if (value->is_object()) {
      const auto member = value->find(std::string(step));
      if (member == value->end()) return nullptr;
      value = &*member;
    } else if (value->is_array() && step == "0" && !value->empty()) {
      value = &value->front();
    } else {
      return nullptr;
    }
  }
  return value;
}

// A text or a whole number as text; empty for anything else.
std::string TextOf(const Json* value) {
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number_integer()) return value->dump();
  return {};
}

// The first place whose text `accept` makes something of.
template <typename Accept>
std::string First(const Json& body, Paths paths, Accept accept) {
  for (const std::string_view path : paths) {
    std::string text = accept(TextOf(Find(body, path)));
    if (!text.empty()) return text;
  }
  return {};
}

std::string AcceptCode(const std::string& text) {
  const bool plain =
      text.size() <= kCodeBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
        return IsDigit(c) || IsLetter(c) ||
               std::string_view("._-:/").find(c) != std::string_view::npos;
      });
  return plain ? text : std::string();
}

std::string AcceptType(const std::string& text) {
  const std::string uri = text.substr(0, text.find_first_of("?#"));
  const bool plain =
      uri.size() <= kTypeBytesMax && uri.find('@') == std::string::npos &&
      std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c <= '~'; });
  return plain ? uri : std::string();
}

bool LooksSecret(std::string_view word) {
  constexpr std::size_t kMixedMin = 20;
  constexpr std::size_t kDigitsMin = 13;  // A card number.
  constexpr std::size_t kPrefixedMin = 8;
  if (word.find('@') != std::string_view::npos) return true;
  if (word.size() >= kPrefixedMin &&
      std::any_of(kSecretPrefixes.begin(), kSecretPrefixes.end(),
                  [&](std::string_view prefix) { return word.starts_with(prefix); })) {
    return true;
  }
  const auto digits = static_cast<std::size_t>(std::count_if(word.begin(), word.end(), IsDigit));
  const bool mixed = digits > 0 && std::any_of(word.begin(), word.end(), IsLetter);
  return digits >= kDigitsMin || (mixed && word.size() >= kMixedMin);
}

bool IsWordCharacter(char c) {
  return IsDigit(c) || IsLetter(c) ||
         std::string_view("_-.+/=~@%:?&#*").find(c) != std::string_view::npos;
}

// Host and path of an address, secret-looking segments hidden (an incoming-webhook address is a
// credential), and no query.
void AppendAddress(std::string& out, std::string_view address) {
  address = address.substr(0, address.find_first_of("?#"));
  bool first = true;
  for (const std::string_view segment : Split(address, '/')) {
    if (!first) out.push_back('/');
    first = false;
    out.append(LooksSecret(segment) ? "[hidden]" : segment);
  }
}

// "scheme:secret" and "key=secret" are judged by their parts as well as whole.
bool AnyPartLooksSecret(std::string_view word) {
  if (LooksSecret(word)) return true;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = std::min(word.find_first_of(":=?&#", begin), word.size());
    if (LooksSecret(word.substr(begin, end - begin))) return true;
    begin = end + 1;
  }
  return false;
}

std::string HideSecrets(std::string_view text) {
  std::string out;
  bool after_scheme = false;
  while (!text.empty()) {
    const auto* const end = std::find_if_not(text.begin(), text.end(), IsWordCharacter);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    if (word.empty()) {
      if (text.front() != ' ') after_scheme = false;
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    if (word.starts_with("https://") || word.starts_with("http://")) {
      AppendAddress(out, word);
    } else {
      out.append(after_scheme || AnyPartLooksSecret(word) ? "[hidden]" : word);
    }
    after_scheme = EqualsIgnoreAsciiCase(word, "Bearer") || EqualsIgnoreAsciiCase(word, "Basic");
    text.remove_prefix(word.size());
  }
  return out;
}

// Hidden before it is cut: half a credential would not look like one. Cleaned before that, so that
// nothing invisible splits one.
std::string AcceptText(const std::string& text, std::size_t bytes_max) {
  return CleanText(HideSecrets(CleanText(text, text.size())), bytes_max);
}

std::string RequestIdOf(const http::Headers& headers) {
  for (const std::string_view name : kRequestIdHeaders) {
    if (const auto value = headers.Get(name)) {
      std::string id = AcceptType(std::string(*value));
      if (!id.empty() && id.size() <= kRequestIdBytesMax) return id;
    }
  }
  return {};
}

// null if the body is no JSON list or object.
Json ReadBody(const http::Response& response) {
  const std::size_t first = response.body.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (first == std::string::npos || response.body.size() > kBodyBytesMax) return {};
  if (response.body[first] != '{' && response.body[first] != '[') return {};
  return ParseJsonText(response.body, {.bytes_max = kBodyBytesMax}).value_or(Json());
}

// For an answer below 400.
bool SaysItFailed(const Json& body) {
  if (!body.is_object()) return false;
  if (const Json* ok = Find(body, "ok"); ok != nullptr && ok->is_boolean() && !ok->get<bool>())
    return true;
  if (body.contains("Fault") || body.contains("fault")) return true;
  if (const Json* errors = Find(body, "errors"); errors != nullptr && errors->is_array())
    return !errors->empty();
  const Json* error = Find(body, "error");
  return error != nullptr && (error->is_object() || !TextOf(error).empty());
}

}  // namespace

std::optional<ResponseProblem> ResponseProblem::From(const http::Response& response) {
  const Json body = ReadBody(response);
  if (response.status < 400 && !SaysItFailed(body)) return std::nullopt;
  ResponseProblem problem;
  problem.status = response.status;
  problem.type = First(body, kTypePaths, AcceptType);
  problem.code = First(body, kCodePaths, AcceptCode);
  problem.title = First(body, kTitlePaths,
                        [](const std::string& text) { return AcceptText(text, kTitleBytesMax); });
  problem.detail = First(body, kDetailPaths,
                         [](const std::string& text) { return AcceptText(text, kDetailBytesMax); });
  // {"error": "a sentence"}: no code, but something to read.
  if (problem.detail.empty() && problem.code.empty())
    problem.detail = AcceptText(TextOf(Find(body, "error")), kDetailBytesMax);
  problem.request_id = RequestIdOf(response.headers);
  return problem;
}

std::string ResponseProblem::ToString() const {
  std::string text = std::to_string(status);
  if (const std::string& kind = code.empty() ? type : code; !kind.empty())
    text.append(" ").append(kind);
  if (const std::string& words = detail.empty() ? title : detail; !words.empty())
    text.append(": ").append(words);
  if (!request_id.empty()) text.append(" (request ").append(request_id).append(")");
  return text;
}

}  // namespace understudy
