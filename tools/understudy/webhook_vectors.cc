#include "tools/understudy/webhook_vectors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/http/form.h"
#include "middleware/webhook/handshake.h"
#include "middleware/webhook/signature.h"
#include "middleware/webhook/strict_json.h"

namespace understudy::tools {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kBytesMax = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kVectorsMax = 100'000;
constexpr double kMillisecondsFrom = 1e11;
constexpr double kSecondsMax = 9'223'372'036.0;

// ---- where something is wrong -------------------------------------------------------------------

// Only looks for the place of a syntax error.
class PlaceFinder final : public nlohmann::json_sax<Json> {
 public:
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
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    place = position;
    return false;
  }
  std::size_t place = 0;
};

// "12:5" of the last byte that was read, counted from 1.
std::string LineAndColumn(std::string_view text, std::size_t place) {
  const std::size_t last = std::min(std::max<std::size_t>(place, 1), text.size() + 1) - 1;
  const std::string_view before = text.substr(0, last);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return std::to_string(line) + ":" + std::to_string(column);
}

Result<Json> ParseFile(std::string_view file, std::string_view text) {
  auto parsed = ParseStrictJson(text, {.bytes_max = kBytesMax, .depth_max = 16});
  if (parsed) return parsed;
  std::string place;
  if (parsed.error().reason == "not-json") {
    PlaceFinder finder;
    Json::sax_parse(text, &finder);
    place = ":" + LineAndColumn(text, finder.place);
  }
  return InvalidArgument(std::string(file) + place + ": " + parsed.error().message);
}

// One vector of the file, and what its errors are called.
class Row {
 public:
  Row(std::string_view file, std::size_t index, const Json& json)
      : place_(std::string(file) + ": /" + std::to_string(index)), index_(index), json_(json) {}

  Error Wrong(std::string_view member, std::string_view what) const {
    std::string message = place_;
    if (!member.empty()) message.append("/").append(member);
    return InvalidArgument(message.append(": ").append(what));
  }
  std::size_t index() const { return index_; }
  const Json& json() const { return json_; }

  // nullptr for a member that is missing or null.
  const Json* Find(std::string_view member) const {
    const auto found = json_.find(member);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  Result<std::string> Text(std::string_view member, std::string_view fallback) const {
    const Json* const value = Find(member);
    if (value == nullptr) return std::string(fallback);
    if (!value->is_string()) return Wrong(member, "must be a text");
    return value->get<std::string>();
  }
  Result<bool> Flag(std::string_view member, std::optional<bool> fallback) const {
    const Json* const value = Find(member);
    if (value == nullptr && fallback) return *fallback;
    if (value == nullptr || !value->is_boolean()) return Wrong(member, "must be true or false");
    return value->get<bool>();
  }
  // A text or a list of texts.
  Result<std::vector<std::string>> Texts(std::string_view member, const Json& value) const {
    std::vector<std::string> texts;
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& item : list) {
      if (!item.is_string()) return Wrong(member, "must be a text or a list of texts");
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }

 private:
  std::string place_;
  std::size_t index_;
  const Json& json_;
};

// ---- which scheme -------------------------------------------------------------------------------

struct Alias {
  std::string_view vendor;
  std::string_view scheme;
};
// Vendors whose scheme has another name.
constexpr std::array kAliases = {
    Alias{"standardwebhooks", "standard-webhooks"}, Alias{"openai", "standard-webhooks"},
    Alias{"quickbooks", "intuit"}, Alias{"qbo", "intuit"}, Alias{"atlassian", "jira"}};

std::string_view Canonical(std::string_view vendor) {
  for (const Alias& alias : kAliases) {
    if (alias.vendor == vendor) return alias.scheme;
  }
  return vendor;
}

bool IsEd25519(const Row& row, std::string_view variant) {
  if (variant.starts_with("v1a") || variant.find("ed25519") != std::string_view::npos) return true;
  const Json* const secret = row.Find("secret");
  if (secret == nullptr || !secret->is_string()) return row.Find("public_key") != nullptr;
  const auto text = secret->get<std::string>();
  return text.starts_with("whpk_") || text.starts_with("whsk_");
}

Result<std::string> HubSpotName(const Row& row, const http::Headers& headers,
                                std::string_view variant) {
  std::string_view version = variant;
  if (version.empty() && !headers.Has("X-HubSpot-Signature-v3")) {
    version = headers.Get("X-HubSpot-Signature-Version").value_or("v3");
  }
  if (version.empty() || version == "v3") return std::string("hubspot");
  if (version == "v1" || version == "v2") return "hubspot-" + std::string(version);
  return row.Wrong("scheme", "must be v1, v2 or v3 for hubspot");
}

Result<std::string> SchemeName(const Row& row, const http::Headers& headers,
                               std::string_view vendor) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string variant, row.Text("scheme", ""));
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool legacy, row.Flag("legacy_sha1", false));
  const std::string name(Canonical(vendor));
  if (name == "hubspot") return HubSpotName(row, headers, variant);
  if (name == "github") {
    // The weaker header never counts beside the stronger.
    const bool sha1 = legacy || variant.find("sha1") != std::string::npos;
    return std::string(sha1 && !headers.Has("X-Hub-Signature-256") ? "github-sha1" : "github");
  }
  if ((name == "standard-webhooks" || name == "svix") && IsEd25519(row, variant)) {
    return name + "-v1a";
  }
  return name;
}

// ---- the members --------------------------------------------------------------------------------

Result<void> ReadHeaders(const Row& row, WebhookVector& vector) {
  const Json* const headers = row.Find("headers");
  if (headers == nullptr) return {};
  if (!headers->is_object()) return row.Wrong("headers", "must be an object of texts");
  for (const auto& item : headers->items()) {
    const std::string place = "headers/" + EscapePointerToken(item.key());
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto values, row.Texts(place, item.value()));
    for (const std::string& value : values) {
      if (!vector.headers.Add(item.key(), value)) vector.headers_impossible = true;
    }
  }
  return {};
}

Result<std::string> FormOf(const Row& row, const Json& params) {
  if (!params.is_object()) return row.Wrong("params", "must be an object of texts");
  http::FormPairs pairs;
  for (const auto& item : params.items()) {
    const std::string place = "params/" + EscapePointerToken(item.key());
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto values, row.Texts(place, item.value()));
    for (const std::string& value : values) pairs.emplace_back(item.key(), value);
  }
  return http::EncodeForm(pairs);
}

Result<std::string> ReadBody(const Row& row) {
  if (row.Find("body") != nullptr) return row.Text("body", "");
  if (row.Find("body_base64") != nullptr) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string text, row.Text("body_base64", ""));
    auto bytes = Base64Decode(text);
    if (!bytes) return row.Wrong("body_base64", "must be base64");
    return *std::move(bytes);
  }
  if (const Json* const params = row.Find("params")) return FormOf(row, *params);
  return std::string();
}

Result<void> ReadSecrets(const Row& row, WebhookVector& vector) {
  for (const std::string_view member : {"secret", "secrets", "public_key", "webhook_id"}) {
    const Json* const value = row.Find(member);
    if (value == nullptr) continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto texts, row.Texts(member, *value));
    for (const std::string& text : texts) vector.secrets.emplace_back(text);
    return {};
  }
  if (vector.kind != "parse") return row.Wrong("secret", "is missing");
  vector.secrets.emplace_back("none");
  return {};
}

Result<void> ReadNow(const Row& row, WebhookVector& vector) {
  const Json* const value = row.Find("now");
  if (value == nullptr) return {};
  if (!value->is_number()) return row.Wrong("now", "must be a number");
  const auto number = value->get<double>();
  const double seconds = number >= kMillisecondsFrom ? number / 1000 : number;
  if (!(seconds >= 0 && seconds <= kSecondsMax)) {
    return row.Wrong("now", "must be seconds or milliseconds from 1970 to 2262");
  }
  vector.now = SystemTime(std::chrono::milliseconds(std::llround(seconds * 1000)));
  return {};
}

Result<void> ReadScheme(const Row& row, WebhookVector& vector) {
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.vendor, row.Text("vendor", ""));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string name,
                              SchemeName(row, vector.headers, vector.vendor));
  auto scheme = FindScheme(name);
  if (!scheme) {
    const std::string_view closest = ClosestMatch(name, SchemeNames());
    std::string message = "\"" + vector.vendor + "\" is no vendor that is known";
    if (!closest.empty()) message.append("; did you mean \"").append(closest).append("\"?");
    return row.Wrong("vendor", message);
  }
  vector.scheme = *std::move(scheme);
  return {};
}

Result<void> ReadKind(const Row& row, WebhookVector& vector) {
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.kind, row.Text("kind", ""));
  if (const Json* const expected = row.Find("expect_response")) {
    vector.expected_answer =
        expected->is_string() ? expected->get<std::string>() : expected->dump();
    if (vector.kind.empty()) vector.kind = "url_validation";
  }
  if (vector.kind == "signature" || vector.kind == "verify") vector.kind.clear();
  if (vector.kind == "url_verification" || vector.kind == "handshake") {
    vector.kind = "url_validation";
  }
  if (vector.kind.empty() || vector.kind == "url_validation" || vector.kind == "parse") return {};
  return row.Wrong("kind", "must be url_validation or parse, if it is there");
}

Result<WebhookVector> ReadVector(const Row& row) {
  if (!row.json().is_object()) return row.Wrong("", "must be an object");
  WebhookVector vector;
  const Json* const number = row.Find("n");
  vector.number = number == nullptr     ? std::to_string(row.index() + 1)
                  : number->is_string() ? number->get<std::string>()
                                        : number->dump();
  UNDERSTUDY_RETURN_IF_ERROR(ReadHeaders(row, vector));
  UNDERSTUDY_RETURN_IF_ERROR(ReadScheme(row, vector));
  UNDERSTUDY_RETURN_IF_ERROR(ReadKind(row, vector));
  UNDERSTUDY_RETURN_IF_ERROR(ReadSecrets(row, vector));
  UNDERSTUDY_RETURN_IF_ERROR(ReadNow(row, vector));
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.method, row.Text("method", "POST"));
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.url, row.Text("url", ""));
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.certificate, row.Text("certificate", ""));
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.note, row.Text("note", ""));
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.body, ReadBody(row));
  const bool judged = vector.kind.empty();
  UNDERSTUDY_ASSIGN_OR_RETURN(vector.valid,
                              row.Flag("valid", judged ? std::nullopt : std::optional<bool>(true)));
  return vector;
}

// ---- the verdict --------------------------------------------------------------------------------

SignatureVerifierOptions OptionsFor(const WebhookVector& vector) {
  SignatureVerifierOptions options;
  options.tolerance_future = std::max(vector.scheme.tolerance_past, vector.scheme.tolerance_future);
  if (!vector.now) options.tolerance_past = options.tolerance_future = Duration::max();
  if (!vector.certificate.empty()) {
    auto pinned = std::make_shared<PinnedCertificates>();
    pinned->PinForEveryUrl(vector.certificate);
    options.certificates = std::move(pinned);
    options.certificates_pinned = true;
  }
  return options;
}

WebhookVerdict JudgeSignature(const Crypto& crypto, const WebhookVector& vector) {
  SignatureScheme scheme = vector.scheme;
  if (!vector.now) {
    // No time is judged, so the body need not have one; and Discord's is just a signed text.
    scheme.timestamp_pointer.clear();
    if (scheme.name == "discord") scheme.timestamp_unit = TimestampUnit::kText;
  }
  const auto verifier =
      SignatureVerifier::Create(crypto, std::move(scheme), vector.secrets, OptionsFor(vector));
  if (!verifier) return {false, verifier.error().message};
  const auto verified = verifier->Verify(
      {.method = vector.method, .url = vector.url, .headers = vector.headers, .body = vector.body},
      vector.now.value_or(SystemTime()));
  if (verified) return {true, ""};
  const Error& error = verified.error();
  return {false, error.reason.empty() ? error.message : error.reason};
}

bool SameAnswer(const std::string& actual, const std::string& expected) {
  if (actual == expected || expected.empty()) return true;
  const Json left = Json::parse(actual, nullptr, /*allow_exceptions=*/false);
  const Json right = Json::parse(expected, nullptr, /*allow_exceptions=*/false);
  return !left.is_discarded() && left == right;
}

WebhookVerdict JudgeHandshake(const Crypto& crypto, const WebhookVector& vector) {
  if (vector.headers.Has(vector.scheme.signature_header)) {
    WebhookVerdict verdict = JudgeSignature(crypto, vector);
    if (!verdict.valid) return verdict;
  }
  if (vector.secrets.empty()) return {false, "no-secret"};
  const auto answer = AnswerHandshake(crypto, vector.scheme.handshake, vector.secrets.front(),
                                      vector.headers, vector.body);
  if (!answer) return {false, "no-handshake"};
  if (SameAnswer(answer->body, vector.expected_answer)) return {true, ""};
  return {false, "other-answer"};
}

}  // namespace

Result<std::vector<WebhookVector>> ParseWebhookVectors(std::string_view file,
                                                       std::string_view text) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Json rows, ParseFile(file, text));
  const std::string name(file);
  if (!rows.is_array()) return InvalidArgument(name + ":1:1: must be a list of vectors");
  if (rows.empty()) return InvalidArgument(name + ":1:1: there is no vector in the list");
  if (rows.size() > kVectorsMax) return InvalidArgument(name + ": more than 100,000 vectors");
  std::vector<WebhookVector> vectors;
  vectors.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    UNDERSTUDY_ASSIGN_OR_RETURN(WebhookVector vector, ReadVector(Row(file, i, rows[i])));
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

WebhookVerdict JudgeVector(const Crypto& crypto, const WebhookVector& vector) {
  if (vector.headers_impossible) return {false, "impossible-header"};
  if (vector.kind == "url_validation") return JudgeHandshake(crypto, vector);
  WebhookVerdict verdict = JudgeSignature(crypto, vector);
  if (vector.kind != "parse") return verdict;
  // That nothing matches is known only after everything was read.
  if (verdict.reason == "no-match") return {true, ""};
  return verdict;
}

}  // namespace understudy::tools
