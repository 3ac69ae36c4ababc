#include "middleware/webhook/webhook_receiver.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/check.h"
#include "middleware/webhook/handshake.h"
#include "middleware/webhook/strict_json.h"

namespace understudy {
namespace {

constexpr std::size_t kEventIdBytesMax = 255;
constexpr std::size_t kEventTypeBytesMax = 255;
constexpr std::int64_t kRetryAfterMaxSeconds = 3600;

// The text of a string or an integer; empty for everything else.
std::string TextOf(const nlohmann::json* node) {
  if (node == nullptr) return {};
  if (node->is_string()) return node->get<std::string>();
  if (node->is_number_integer()) return node->dump();
  return {};
}

bool IsConfigured(const EventField& field) {
  return !field.header.empty() || !field.pointer.empty();
}

std::int64_t WholeSeconds(Duration duration) {
  return std::clamp(std::chrono::ceil<std::chrono::seconds>(duration).count(), std::int64_t{1},
                    kRetryAfterMaxSeconds);
}

}  // namespace

Result<std::unique_ptr<WebhookReceiver>> WebhookReceiver::Create(Runtime runtime,
                                                                 SignatureVerifier verifier,
                                                                 WebhookStore& store,
                                                                 WebhookProcessor& processor,
                                                                 WebhookReceiverOptions options) {
  if (options.provider.empty()) {
    return InvalidArgument("a webhook receiver needs a provider: it scopes the event ids");
  }
  if (!options.event_id) options.event_id = verifier.scheme().event_id;
  if (!options.event_type) options.event_type = verifier.scheme().event_type;
  if (!options.event_key && !IsConfigured(*options.event_id)) {
    return InvalidArgument("nothing says where the event id is; set event_id or event_key");
  }
  return std::unique_ptr<WebhookReceiver>(
      new WebhookReceiver(runtime, std::move(verifier), store, processor, std::move(options)));
}

http::Response WebhookReceiver::Handle(const http::Request& request) {
  WebhookEvent event;
  const Verdict verdict = Receive(request, event);
  runtime_.events.Publish("webhook.received", {{"provider", options_.provider},
                                               {"event_id", event.key.event_id},
                                               {"type", event.type},
                                               {"outcome", verdict.outcome},
                                               {"status", verdict.status},
                                               {"duplicate", verdict.duplicate},
                                               {"reason", verdict.reason}});
  return Answer(verdict);
}

WebhookReceiver::Verdict WebhookReceiver::Receive(const http::Request& request,
                                                  WebhookEvent& event) {
  if (request.method != http::Method::Post()) return {405, "method", false, {}, {}};
  if (request.body.size() > options_.body_bytes_max) return {413, "too-large", false, {}, {}};
  const SystemTime now = runtime_.clock.SystemNow();
  std::string url;
  if (verifier_.scheme().needs_url()) {
    url = options_.public_url;
    if (url.empty() && !request.url.host().empty()) url = request.url.ToString();
  }
  const auto verified = verifier_.Verify({.method = request.method.name(),
                                          .url = url,
                                          .headers = request.headers,
                                          .body = request.body},
                                         now);
  if (!verified) return {401, "unverified", false, verified.error().reason, {}};
  // Parsed once, and only if somebody looks.
  const bool in_body =
      IsInBody(verifier_.scheme().handshake) && request.body.size() <= kHandshakeBytesMax;
  Result<nlohmann::json> body = nlohmann::json();
  if (in_body || ReadsBody()) body = ParseStrictJson(request.body);
  if (auto answer = Handshake(request, body)) {
    return {.status = answer->status, .outcome = "handshake", .answer = std::move(answer)};
  }
  event.key.provider = options_.provider;
  event.key.account = options_.account;
  event.payload = request.body;
  event.received_at = now;
  if (const auto read = ReadEvent(request, body, event); !read) {
    return {400, "malformed", false, read.error().reason, {}};
  }
  return Accept(event);
}

bool WebhookReceiver::ReadsBody() const {
  const auto in_body = [](const EventField& field) {
    return field.header.empty() && !field.pointer.empty();
  };
  return (!options_.event_key && in_body(*options_.event_id)) || in_body(*options_.event_type);
}

std::optional<http::Response> WebhookReceiver::Handshake(const http::Request& request,
                                                         const Result<nlohmann::json>& body) const {
  if (!IsInBody(verifier_.scheme().handshake)) {
    return verifier_.AnswerHandshake(request.headers, request.body);
  }
  if (!body || request.body.size() > kHandshakeBytesMax) return std::nullopt;
  return verifier_.AnswerParsedHandshake(*body);
}

Result<void> WebhookReceiver::ReadEvent(const http::Request& request,
                                        const Result<nlohmann::json>& body,
                                        WebhookEvent& event) const {
  if (ReadsBody() && !body) return body.error();
  const auto read = [&](const EventField& field) -> std::string {
    if (!IsConfigured(field)) return {};
    if (field.header.empty()) return TextOf(FindJsonPointer(*body, field.pointer));
    const auto values = request.headers.GetAll(field.header);
    return values.size() == 1 ? std::string(values[0]) : std::string();
  };
  std::string type = read(*options_.event_type);
  std::string id;
  if (options_.event_key) {
    UNDERSTUDY_ASSIGN_OR_RETURN(id, options_.event_key(request));
  } else {
    id = read(*options_.event_id);
  }
  if (id.empty()) return MalformedJson("the event has no id", "no-event-id");
  if (id.size() > kEventIdBytesMax) return MalformedJson("the event's id is too long", "event-id");
  if (type.size() > kEventTypeBytesMax) {
    return MalformedJson("the event's type is too long", "type");
  }
  event.key.event_id = std::move(id);
  event.type = std::move(type);
  return {};
}

WebhookReceiver::Verdict WebhookReceiver::Accept(const WebhookEvent& event) {
  const auto inserted = store_.Insert(event);
  if (!inserted) {
    runtime_.logger.Log(LogLevel::kError, "webhook",
                        "an event could not be stored: " + inserted.error().ToString());
    return {503, "storage-failed", false, inserted.error().reason, {}};
  }
  if (options_.mode == WebhookMode::kInline) return FromProcessed(processor_.ProcessNow(event.key));
  processor_.Notify();
  return {200, "queued", inserted->outcome == InsertOutcome::kDuplicate, {}, {}};
}

WebhookReceiver::Verdict WebhookReceiver::FromProcessed(const WebhookProcessed& processed) const {
  Verdict verdict;
  verdict.outcome = ToString(processed.outcome);
  verdict.retry_after = processed.retry_after;
  switch (processed.outcome) {
    case WebhookOutcome::kCompleted:
    case WebhookOutcome::kUnhandled:
      break;
    case WebhookOutcome::kDuplicate:
      verdict.duplicate = true;
      break;
    case WebhookOutcome::kDead:
      verdict.status = 500;
      break;
    case WebhookOutcome::kDeferred:
    case WebhookOutcome::kBusy:
    case WebhookOutcome::kStorageFailed:
      verdict.status = 503;
      break;
  }
  return verdict;
}

http::Response WebhookReceiver::Answer(const Verdict& verdict) const {
  if (verdict.answer) return *verdict.answer;
  http::Response response;
  response.status = verdict.status;
  // Xero accepts nothing but an empty body.
  if (verdict.status == 200 && verifier_.scheme().handshake == WebhookHandshake::kXero) {
    return response;
  }
  response.headers = {{"Content-Type", "application/json"}};
  if (verdict.status == 200) {
    response.body = verdict.duplicate ? R"({"received":true,"duplicate":true})"
                                      : R"({"received":true,"duplicate":false})";
    return response;
  }
  // Why a signature was refused is not told: the sender may be an attacker. The event and the log
  // say it.
  response.body = R"({"error":")" + std::string(verdict.outcome) + R"("})";
  std::optional<std::pair<std::string_view, std::string>> extra;
  if (verdict.status == 405) extra.emplace("Allow", "POST");
  if (verdict.status == 503) {
    const Duration pause = verdict.retry_after.value_or(options_.retry_after);
    extra.emplace("Retry-After", std::to_string(WholeSeconds(pause)));
  }
  if (extra) {
    const auto set = response.headers.Set(extra->first, extra->second);
    UNDERSTUDY_CHECK(set.has_value(), "a header in the source code is malformed");
  }
  return response;
}

}  // namespace understudy
