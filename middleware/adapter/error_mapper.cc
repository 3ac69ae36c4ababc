#include "middleware/adapter/error_mapper.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "middleware/adapter/exact_json.h"
#include "middleware/adapter/vendor_text.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

using Kind = DomainErrorKind;

constexpr std::size_t kFieldMax = 100;
constexpr std::size_t kRequestIdMax = 128;
// As many digits in a row are a card, an account or a phone, and no code or name of a field.
constexpr std::size_t kDigitRun = 9;

// What an envelope says, before the status has its say.
struct Envelope {
  std::optional<Kind> kind = {};
  std::string code = {};
  std::string field = {};
  std::string request_id = {};
  std::string retry_hint = {};
};

struct CodeRow {
  std::string_view code = {};
  Kind kind = Kind::kUnknown;
};

std::optional<Kind> KindOf(std::span<const CodeRow> rows, std::string_view code) {
  for (const CodeRow& row : rows)
    if (EqualsIgnoreAsciiCase(row.code, code)) return row.kind;
  return std::nullopt;
}

// The text of a string or a number, without anything that could be a person's.
std::string CodeAt(const ExactJson& json, std::string_view path) {
  const ExactJson* member = json.FindPath(path);
  if (member == nullptr) return {};
  const std::string_view text = member->StringText().value_or(member->NumberText().value_or(""));
  return HasDigitRun(text, kDigitRun) ? std::string()
                                      : IdentifierOrEmpty(text, "_-.:", kVendorWordMax);
}

std::string FieldFrom(std::string_view text) {
  return HasDigitRun(text, kDigitRun) ? std::string()
                                      : IdentifierOrEmpty(text, "_-.[]/#$", kFieldMax);
}

std::string FieldAt(const ExactJson& json, std::string_view path) {
  const ExactJson* member = json.FindPath(path);
  return member == nullptr ? std::string() : FieldFrom(member->StringText().value_or(""));
}

std::string RequestIdFrom(std::string_view text) {
  return IdentifierOrEmpty(text, "_-.:/=+", kRequestIdMax);
}

// "a/b" of what there is.
std::string JoinCodes(std::string a, const std::string& b) {
  if (a.empty()) return b;
  return b.empty() || a == b ? a : a + "/" + b;
}

// The first element of the list at that path, if it is an object.
const ExactJson* FirstObject(const ExactJson& json, std::string_view path) {
  const ExactJson* list = json.FindPath(path);
  if (list == nullptr || list->elements().empty()) return nullptr;
  const ExactJson& first = list->elements().front();
  return first.IsObject() ? &first : nullptr;
}

// RFC 6749 section 5.2 and 4.1.2.1, RFC 8628 section 3.5, RFC 6750 section 3.1.
constexpr CodeRow kOAuthCodes[] = {{"invalid_grant", Kind::kAuthentication},
                                   {"invalid_client", Kind::kAuthentication},
                                   {"unauthorized_client", Kind::kAuthentication},
                                   {"invalid_token", Kind::kAuthentication},
                                   {"insufficient_scope", Kind::kPermission},
                                   {"access_denied", Kind::kPermission},
                                   {"invalid_request", Kind::kValidation},
                                   {"invalid_scope", Kind::kValidation},
                                   {"unsupported_grant_type", Kind::kValidation},
                                   {"unsupported_response_type", Kind::kValidation},
                                   {"slow_down", Kind::kRateLimited},
                                   {"temporarily_unavailable", Kind::kVendorDown},
                                   {"server_error", Kind::kVendorDown}};

std::optional<Envelope> ReadOAuth(const ExactJson& body) {
  const ExactJson* error = body.Find("error");
  if (error == nullptr || !error->StringText()) return std::nullopt;
  Envelope envelope;
  envelope.code = CodeAt(body, "error");
  envelope.kind = KindOf(kOAuthCodes, envelope.code);
  return envelope;
}

constexpr CodeRow kStripeCodes[] = {{"resource_missing", Kind::kNotFound},
                                    {"idempotency_key_in_use", Kind::kConflict},
                                    {"rate_limit", Kind::kRateLimited},
                                    {"lock_timeout", Kind::kRateLimited},
                                    {"secret_key_required", Kind::kAuthentication},
                                    {"api_key_expired", Kind::kAuthentication},
                                    {"platform_api_key_expired", Kind::kAuthentication}};
constexpr CodeRow kStripeTypes[] = {{"card_error", Kind::kCardDeclined},
                                    {"idempotency_error", Kind::kConflict},
                                    {"authentication_error", Kind::kAuthentication},
                                    {"rate_limit_error", Kind::kRateLimited},
                                    {"api_error", Kind::kVendorDown}};

std::string StripeHint(const std::string& advice) {
  if (advice == "try_again_later") return "the issuer says: try again later";
  if (advice == "do_not_try_again") return "the issuer says: do not try this card again";
  if (advice == "confirm_card_data") return "the issuer says: check the card's data";
  return {};
}

std::optional<Envelope> ReadStripe(const ExactJson& body) {
  const ExactJson* error = body.Find("error");
  if (error == nullptr || !error->IsObject()) return ReadOAuth(body);
  const std::string type = CodeAt(*error, "type");
  if (type.empty()) return std::nullopt;
  const std::string code = CodeAt(*error, "code");
  Envelope envelope;
  // A declined card has code card_declined and one of many decline codes.
  envelope.code = JoinCodes(code.empty() ? type : code, CodeAt(*error, "decline_code"));
  envelope.field = FieldAt(*error, "param");
  envelope.retry_hint = StripeHint(CodeAt(*error, "advice_code"));
  envelope.kind = KindOf(kStripeCodes, code);
  if (!envelope.kind) envelope.kind = KindOf(kStripeTypes, type);
  return envelope;
}

// Numbers as text, without leading zeros ("003200").
constexpr CodeRow kQuickBooksCodes[] = {
    {"5010", Kind::kConflict},        // Stale SyncToken.
    {"6140", Kind::kConflict},        // Duplicate document number.
    {"6240", Kind::kConflict},        // Duplicate name.
    {"610", Kind::kNotFound},         // Object not found, or made inactive.
    {"3200", Kind::kAuthentication},  // Token expired or revoked.
    {"3100", Kind::kPermission},      // Application not authorised for the company.
    {"5030", Kind::kPermission}};     // The subscription or user may not.
constexpr CodeRow kQuickBooksTypes[] = {{"ValidationFault", Kind::kValidation},
                                        {"AuthenticationFault", Kind::kAuthentication},
                                        {"AUTHENTICATION", Kind::kAuthentication},
                                        {"AuthorizationFault", Kind::kPermission},
                                        {"AUTHORIZATION", Kind::kPermission},
                                        {"SystemFault", Kind::kVendorDown},
                                        {"SERVICE", Kind::kVendorDown}};

std::string_view WithoutZeros(std::string_view code) {
  return code.substr(std::min(code.find_first_not_of('0'), code.size()));
}

// Also for a batch item. Both spellings of every member occur.
std::optional<Envelope> ReadQuickBooks(const ExactJson& body) {
  const ExactJson* fault = body.Find("Fault");
  if (fault == nullptr) fault = body.Find("fault");
  if (fault == nullptr || !fault->IsObject()) return std::nullopt;
  const ExactJson* error = FirstObject(*fault, "Error");
  if (error == nullptr) error = FirstObject(*fault, "error");
  Envelope envelope;
  if (error != nullptr) {
    envelope.code = CodeAt(*error, "code");
    envelope.field = FieldAt(*error, "element");
    envelope.kind = KindOf(kQuickBooksCodes, WithoutZeros(envelope.code));
  }
  if (!envelope.kind) envelope.kind = KindOf(kQuickBooksTypes, CodeAt(*fault, "type"));
  if (envelope.code.empty()) envelope.code = CodeAt(*fault, "type");
  return envelope;
}

constexpr CodeRow kGitHubCodes[] = {{"already_exists", Kind::kConflict}};

std::optional<Envelope> ReadGitHub(const ExactJson& body) {
  const ExactJson* message = body.Find("message");
  if (message == nullptr || body.Find("documentation_url") == nullptr) return std::nullopt;
  Envelope envelope;
  if (const ExactJson* error = FirstObject(body, "errors")) {
    envelope.code = CodeAt(*error, "code");
    envelope.field = FieldAt(*error, "field");
    envelope.kind = KindOf(kGitHubCodes, envelope.code);
  }
  // Both rate limits come as 403 or 429, and only the prose tells the secondary one from a missing
  // permission.
  const std::string prose = AsciiLower(message->StringText().value_or(""));
  if (prose.find("rate limit") != std::string::npos) envelope.kind = Kind::kRateLimited;
  return envelope;
}

constexpr CodeRow kGoogleStatuses[] = {
    {"INVALID_ARGUMENT", Kind::kValidation},  {"OUT_OF_RANGE", Kind::kValidation},
    {"UNIMPLEMENTED", Kind::kValidation},     {"UNAUTHENTICATED", Kind::kAuthentication},
    {"PERMISSION_DENIED", Kind::kPermission}, {"NOT_FOUND", Kind::kNotFound},
    {"ALREADY_EXISTS", Kind::kConflict},      {"ABORTED", Kind::kConflict},
    {"FAILED_PRECONDITION", Kind::kConflict}, {"RESOURCE_EXHAUSTED", Kind::kRateLimited},
    {"UNAVAILABLE", Kind::kVendorDown},       {"INTERNAL", Kind::kVendorDown},
    {"DEADLINE_EXCEEDED", Kind::kVendorDown}, {"DATA_LOSS", Kind::kVendorDown}};
// Of errors[] in older services, which use 403 for quotas.
constexpr CodeRow kGoogleReasons[] = {{"rateLimitExceeded", Kind::kRateLimited},
                                      {"userRateLimitExceeded", Kind::kRateLimited},
                                      {"quotaExceeded", Kind::kRateLimited},
                                      {"dailyLimitExceeded", Kind::kRateLimited}};

// "3.5s" of a RetryInfo, google.protobuf.Duration in JSON.
std::string GoogleHint(const ExactJson& detail) {
  const ExactJson* delay = detail.Find("retryDelay");
  const std::string_view text = delay == nullptr ? "" : delay->StringText().value_or("");
  if (text.size() < 2 || text.size() > 12 || text.back() != 's') return {};
  const std::string_view seconds = text.substr(0, text.size() - 1);
  if (seconds.find_first_not_of("0123456789.") != std::string_view::npos) return {};
  return "retry after " + std::string(seconds) + " s";
}

void ReadGoogleDetail(const ExactJson& detail, Envelope& envelope) {
  if (const ExactJson* violation = FirstObject(detail, "fieldViolations"))
    envelope.field = FieldAt(*violation, "field");
  envelope.code = JoinCodes(std::move(envelope.code), CodeAt(detail, "reason"));
  if (std::string hint = GoogleHint(detail); !hint.empty()) envelope.retry_hint = std::move(hint);
  if (std::string id = CodeAt(detail, "requestId"); !id.empty())
    envelope.request_id = std::move(id);
}

std::optional<Envelope> ReadGoogle(const ExactJson& body) {
  const ExactJson* error = body.Find("error");
  if (error == nullptr || !error->IsObject()) return ReadOAuth(body);
  const std::string status = CodeAt(*error, "status");
  const ExactJson* reason = FirstObject(*error, "errors");
  if (status.empty() && reason == nullptr) return std::nullopt;
  Envelope envelope;
  envelope.code = status;
  if (reason != nullptr) {
    const std::string word = CodeAt(*reason, "reason");
    envelope.kind = KindOf(kGoogleReasons, word);
    envelope.code = JoinCodes(std::move(envelope.code), word);
  }
  constexpr std::size_t kDetailsMax = 20;
  const ExactJson* details = error->Find("details");
  if (details != nullptr) {
    const auto elements = details->elements();
    for (const ExactJson& detail : elements.first(std::min(elements.size(), kDetailsMax)))
      ReadGoogleDetail(detail, envelope);
  }
  if (!envelope.kind) envelope.kind = KindOf(kGoogleStatuses, status);
  return envelope;
}

constexpr CodeRow kSalesforceCodes[] = {{"INVALID_SESSION_ID", Kind::kAuthentication},
                                        {"INVALID_LOGIN", Kind::kAuthentication},
                                        {"API_DISABLED_FOR_ORG", Kind::kPermission},
                                        {"REQUEST_LIMIT_EXCEEDED", Kind::kRateLimited},
                                        {"NOT_FOUND", Kind::kNotFound},
                                        {"ENTITY_IS_DELETED", Kind::kNotFound},
                                        {"UNABLE_TO_LOCK_ROW", Kind::kConflict},
                                        {"DUPLICATE_VALUE", Kind::kConflict},
                                        {"DUPLICATES_DETECTED", Kind::kConflict},
                                        {"SERVER_UNAVAILABLE", Kind::kVendorDown},
                                        {"UNKNOWN_EXCEPTION", Kind::kVendorDown}};

std::optional<Envelope> ReadSalesforce(const ExactJson& body) {
  const ExactJson* first = FirstObject(body, "");
  if (first == nullptr || first->Find("errorCode") == nullptr) return std::nullopt;
  Envelope envelope;
  envelope.code = CodeAt(*first, "errorCode");
  const ExactJson* fields = first->Find("fields");
  if (fields != nullptr && !fields->elements().empty())
    envelope.field = FieldFrom(fields->elements().front().StringText().value_or(""));
  envelope.kind = KindOf(kSalesforceCodes, envelope.code);
  if (!envelope.kind && envelope.code.starts_with("INSUFFICIENT_ACCESS"))
    envelope.kind = Kind::kPermission;
  return envelope;
}

constexpr CodeRow kSlackCodes[] = {{"ratelimited", Kind::kRateLimited},
                                   {"rate_limited", Kind::kRateLimited},
                                   {"invalid_auth", Kind::kAuthentication},
                                   {"not_authed", Kind::kAuthentication},
                                   {"token_revoked", Kind::kAuthentication},
                                   {"token_expired", Kind::kAuthentication},
                                   {"account_inactive", Kind::kAuthentication},
                                   {"missing_scope", Kind::kPermission},
                                   {"not_allowed_token_type", Kind::kPermission},
                                   {"no_permission", Kind::kPermission},
                                   {"access_denied", Kind::kPermission},
                                   {"ekm_access_denied", Kind::kPermission},
                                   {"restricted_action", Kind::kPermission},
                                   {"internal_error", Kind::kVendorDown},
                                   {"fatal_error", Kind::kVendorDown},
                                   {"service_unavailable", Kind::kVendorDown},
                                   {"request_timeout", Kind::kVendorDown},
                                   {"name_taken", Kind::kConflict}};

std::optional<Envelope> ReadSlack(const ExactJson& body) {
  const ExactJson* ok = body.Find("ok");
  if (ok == nullptr || ok->BooleanValue() != false) return std::nullopt;
  Envelope envelope;
  envelope.code = CodeAt(body, "error");
  envelope.kind = KindOf(kSlackCodes, envelope.code);
  if (envelope.kind) return envelope;
  // Families: channel_not_found, already_in_channel, invalid_cursor.
  if (envelope.code.ends_with("_not_found")) envelope.kind = Kind::kNotFound;
  if (envelope.code.starts_with("already_")) envelope.kind = Kind::kConflict;
  if (envelope.code.starts_with("invalid_")) envelope.kind = Kind::kValidation;
  return envelope;
}

constexpr CodeRow kTwilioCodes[] = {
    {"20003", Kind::kAuthentication}, {"20404", Kind::kNotFound}, {"20429", Kind::kRateLimited}};

std::optional<Envelope> ReadTwilio(const ExactJson& body) {
  const ExactJson* code = body.Find("code");
  if (code == nullptr || !code->NumberText() || body.Find("message") == nullptr)
    return std::nullopt;
  Envelope envelope;
  envelope.code = CodeAt(body, "code");
  envelope.kind = KindOf(kTwilioCodes, envelope.code);
  return envelope;
}

constexpr CodeRow kPayPalCodes[] = {
    {"INSTRUMENT_DECLINED", Kind::kCardDeclined}, {"PAYER_CANNOT_PAY", Kind::kCardDeclined},
    {"DUPLICATE_INVOICE_ID", Kind::kConflict},    {"ORDER_ALREADY_CAPTURED", Kind::kConflict},
    {"RESOURCE_CONFLICT", Kind::kConflict},       {"RESOURCE_NOT_FOUND", Kind::kNotFound},
    {"INVALID_RESOURCE_ID", Kind::kNotFound},     {"AUTHENTICATION_FAILURE", Kind::kAuthentication},
    {"NOT_AUTHORIZED", Kind::kPermission},        {"PERMISSION_DENIED", Kind::kPermission},
    {"RATE_LIMIT_REACHED", Kind::kRateLimited},   {"INTERNAL_SERVER_ERROR", Kind::kVendorDown},
    {"SERVICE_UNAVAILABLE", Kind::kVendorDown}};

std::optional<Envelope> ReadPayPal(const ExactJson& body) {
  const std::string name = CodeAt(body, "name");
  if (name.empty() || body.Find("debug_id") == nullptr) return ReadOAuth(body);
  Envelope envelope;
  envelope.code = name;
  if (const ExactJson* id = body.Find("debug_id"))
    envelope.request_id = RequestIdFrom(id->StringText().value_or(""));
  if (const ExactJson* detail = FirstObject(body, "details")) {
    const std::string issue = CodeAt(*detail, "issue");
    envelope.field = FieldAt(*detail, "field");
    envelope.kind = KindOf(kPayPalCodes, issue);
    envelope.code = JoinCodes(std::move(envelope.code), issue);
  }
  if (!envelope.kind) envelope.kind = KindOf(kPayPalCodes, name);
  return envelope;
}

// RFC 9457 section 3: all members are optional; `type` identifies the problem.
std::optional<Envelope> ReadProblemDetails(const ExactJson& body) {
  if (!body.IsObject()) return std::nullopt;
  const ExactJson* type = body.Find("type");
  const ExactJson* title = body.Find("title");
  if (type == nullptr && title == nullptr) return std::nullopt;
  Envelope envelope;
  envelope.code = CodeAt(body, "code");
  const std::string_view uri = type == nullptr ? "" : type->StringText().value_or("");
  if (envelope.code.empty() && uri != "about:blank" && !HasDigitRun(uri, kDigitRun)) {
    // The last part of its path, or of its fragment.
    const std::size_t cut = uri.find_last_of("/#:");
    envelope.code = IdentifierOrEmpty(cut == std::string_view::npos ? uri : uri.substr(cut + 1),
                                      "_-.", kVendorWordMax);
  }
  // The extension of the RFC's own example.
  if (const ExactJson* error = FirstObject(body, "errors")) {
    envelope.field = FieldAt(*error, "pointer");
    if (envelope.field.empty()) envelope.field = FieldAt(*error, "field");
  }
  return envelope;
}

using Reader = std::optional<Envelope> (*)(const ExactJson&);

// In the order in which shapes tell: what has the most particular members first.
constexpr Reader kReaders[] = {ReadQuickBooks, ReadSalesforce, ReadSlack,
                               ReadGoogle,     ReadStripe,     ReadPayPal,
                               ReadGitHub,     ReadTwilio,     ReadProblemDetails};

Reader ReaderOf(ErrorDialect dialect) {
  switch (dialect) {
    case ErrorDialect::kStripe:
      return ReadStripe;
    case ErrorDialect::kQuickBooks:
      return ReadQuickBooks;
    case ErrorDialect::kGitHub:
      return ReadGitHub;
    case ErrorDialect::kGoogle:
      return ReadGoogle;
    case ErrorDialect::kSalesforce:
      return ReadSalesforce;
    case ErrorDialect::kSlack:
      return ReadSlack;
    case ErrorDialect::kTwilio:
      return ReadTwilio;
    case ErrorDialect::kPayPal:
      return ReadPayPal;
    case ErrorDialect::kProblemDetails:
      return ReadProblemDetails;
    case ErrorDialect::kGeneric:
      break;
  }
  return nullptr;
}

std::optional<Envelope> ReadEnvelope(const ExactJson& body, ErrorDialect dialect) {
  if (const Reader own = ReaderOf(dialect)) {
    if (auto envelope = own(body)) return envelope;
  }
  for (const Reader reader : kReaders)
    if (auto envelope = reader(body)) return envelope;
  return std::nullopt;
}

// A refusal that calls itself a success.
std::optional<Envelope> ReadHiddenError(const ExactJson& body, ErrorDialect dialect) {
  const bool generic = dialect == ErrorDialect::kGeneric;
  if (generic || dialect == ErrorDialect::kQuickBooks) {
    if (auto envelope = ReadQuickBooks(body)) return envelope;
  }
  if (generic || dialect == ErrorDialect::kSlack) {
    if (auto envelope = ReadSlack(body)) return envelope;
  }
  return std::nullopt;
}

// null for what is no JSON of a reasonable size: a proxy's page, nothing, garbage.
ExactJson BodyOf(const http::Response& response) {
  Result<ExactJson> body = ExactJson::Parse(
      response.body, {.bytes_max = kErrorBodyMax, .depth_max = 32, .values_max = 20'000});
  return body ? *std::move(body) : ExactJson();
}

Kind KindOfStatus(int status) {
  switch (status) {
    case 400:
    case 411:
    case 413:
    case 414:
    case 415:
    case 422:
      return Kind::kValidation;
    case 401:
      return Kind::kAuthentication;
    case 402:
      return Kind::kPaymentRequired;
    case 403:
    case 451:
      return Kind::kPermission;
    case 404:
    case 410:
      return Kind::kNotFound;
    case 409:
    case 412:
    case 423:
    case 428:
      return Kind::kConflict;
    case 429:
      return Kind::kRateLimited;
    case 408:
    case 424:  // Stripe: something it depends on failed.
      return Kind::kVendorDown;
    default:
      return status >= 500 && status <= 599 ? Kind::kVendorDown : Kind::kUnknown;
  }
}

// GitHub and others refuse the surplus with 403.
bool IsQuota(const http::Response& response) {
  if (response.status != 403) return false;
  const auto left = response.headers.Get("x-ratelimit-remaining");
  return left == "0" || response.headers.Has("Retry-After");
}

std::string RequestIdOf(const http::Headers& headers) {
  for (const std::string_view name :
       {"Request-Id", "X-Request-Id", "intuit_tid", "X-GitHub-Request-Id", "X-Slack-Req-Id",
        "Twilio-Request-Id", "Paypal-Debug-Id", "X-Amzn-RequestId", "X-Correlation-Id"}) {
    std::string id = RequestIdFrom(headers.Get(name).value_or(""));
    if (!id.empty()) return id;
  }
  return {};
}

std::string HintOf(Kind kind, const http::Headers& headers) {
  const auto after = headers.Get("Retry-After");
  if (after && (kind == Kind::kRateLimited || kind == Kind::kVendorDown)) {
    constexpr std::uint64_t kSecondsMax = 31'536'000;
    const auto seconds = ParseUnsigned(*after);
    if (!seconds) return "retry at the time that Retry-After names";
    if (*seconds <= kSecondsMax) return "retry after " + std::to_string(*seconds) + " s";
  }
  switch (kind) {
    case Kind::kCardDeclined:
      return "ask the customer for another way to pay";
    case Kind::kPaymentRequired:
      return "settle the account with the vendor first";
    case Kind::kValidation:
      return "correct the request; give it a new idempotency key";
    case Kind::kNotFound:
      return "check the id, and whether the credentials may see it";
    case Kind::kConflict:
      return "read the object again before repeating";
    case Kind::kPermission:
      return "grant the permission first";
    case Kind::kAuthentication:
      return "renew the credentials first";
    case Kind::kRateLimited:
      return "retry later, with back-off";
    case Kind::kVendorDown:
      return "retry with back-off if the call is idempotent or keyed";
    case Kind::kUnknown:
      return {};
  }
  return {};
}

DomainError Assemble(const http::Response& response, Envelope envelope) {
  DomainError error;
  error.kind = envelope.kind.value_or(KindOfStatus(response.status));
  if (error.kind == Kind::kPermission && IsQuota(response)) error.kind = Kind::kRateLimited;
  error.status = response.status;
  error.vendor_code = std::move(envelope.code);
  error.field = std::move(envelope.field);
  error.request_id = RequestIdOf(response.headers);
  if (error.request_id.empty()) error.request_id = std::move(envelope.request_id);
  error.retry_hint = std::move(envelope.retry_hint);
  if (error.retry_hint.empty()) error.retry_hint = HintOf(error.kind, response.headers);
  return error;
}

}  // namespace

std::optional<DomainError> MapVendorError(const http::Response& response, ErrorDialect dialect) {
  const ExactJson body = BodyOf(response);
  if (response.ok()) {
    std::optional<Envelope> hidden = ReadHiddenError(body, dialect);
    if (!hidden) return std::nullopt;
    return Assemble(response, *std::move(hidden));
  }
  return Assemble(response, ReadEnvelope(body, dialect).value_or(Envelope{}));
}

std::vector<BatchFault> QuickBooksBatchFaults(const http::Response& response) {
  std::vector<BatchFault> faults;
  const Result<ExactJson> body = ExactJson::Parse(response.body);
  const ExactJson* items = body ? body->Find("BatchItemResponse") : nullptr;
  if (items == nullptr) return faults;
  for (const ExactJson& item : items->elements()) {
    std::optional<Envelope> envelope = ReadQuickBooks(item);
    if (!envelope) continue;
    faults.push_back({CodeAt(item, "bId"), Assemble(response, *std::move(envelope))});
  }
  return faults;
}

}  // namespace understudy
