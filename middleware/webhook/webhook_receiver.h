// WebhookReceiver: the HTTP endpoint for a vendor's webhooks. Verify, store, process or queue,
// answer.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto verifier, SignatureVerifier::Create(crypto,
//   *FindScheme("stripe"), secrets)); UNDERSTUDY_ASSIGN_OR_RETURN(auto receiver,
//       WebhookReceiver::Create(runtime, std::move(verifier), store, processor, {.provider =
//       "stripe"}));
//   server.Post("/webhooks/stripe", *receiver);     // an http::Handler
//
// Answers, all JSON:
//
// - 200 {"received":true,"duplicate":false}: the event is processed (inline), durably queued
//   (queued), or kept as unhandled.
// - 200 {"received":true,"duplicate":true}: it was before.
// - 400: verified, but no event id can be found in it.
// - 401: not verified; nothing was stored and nothing happened.
// - 405: not POST. 413: too large.
// - 500: the event is dead (inline): its attempts are used up; it is kept and can be replayed.
// - 503 with Retry-After: busy, not ready, failed, or the store failed; the vendor shall deliver
//   again.
//
// A vendor's handshake (signature_scheme's `handshake`) that is verified is answered as the vendor
// wants it; nothing is stored.
//
// A 2xx is only sent when what it promises is durable.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/http/handler.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/webhook_store.h"
#include "middleware/webhook/signature.h"
#include "middleware/webhook/webhook_processor.h"

namespace understudy {

enum class WebhookMode {
  kInline,  // The handler runs before the answer. For fast handlers, and vendors that retry.
  kQueued,  // Store, answer, and let the processor's workers do it. For vendors with short
            // timeouts. Needs Start().
};

struct WebhookReceiverOptions {
  std::string provider = {};  // Scopes the event ids; not empty.
  std::string account = {};   // Likewise; may be empty.
  WebhookMode mode = WebhookMode::kInline;
  std::size_t body_bytes_max = std::size_t{1024} * 1024;
  // Instead of the scheme's own.
  std::optional<EventField> event_id = {};
  // Instead of `event_id`, for vendors that send none (HubSpot, Intuit, Xero, Zoom): names the
  // event of a verified request, e.g. with EventKey. An error refuses the request with 400. Must
  // not throw or block.
  std::function<Result<std::string>(const http::Request&)> event_key = {};
  // The URL that the vendor was told, for schemes that sign it (Twilio, Square, HubSpot) behind a
  // proxy; empty: the request's own.
  std::string public_url = {};
  std::optional<EventField> event_type = {};
  // Sent as Retry-After where nothing better is known; whole seconds, rounded up.
  Duration retry_after = std::chrono::seconds(5);
};

// Thread-safe. Handle blocks for the store and, inline, for the event's handler. `store`,
// `processor` and the parts of `runtime` are borrowed.
//
// Publishes "webhook.received" {provider, event_id, type, outcome, status, duplicate, reason} once
// per request, before it is answered; id and type are empty unless the request was verified.
// `outcome` is a WebhookOutcome, or "queued", "handshake", "unverified", "malformed", "too-large"
// or "method".
class WebhookReceiver final : public http::Handler {
 public:
  // kInvalidArgument for an empty provider, and if neither scheme nor options say where the event
  // id is.
  static Result<std::unique_ptr<WebhookReceiver>> Create(Runtime runtime,
                                                         SignatureVerifier verifier,
                                                         WebhookStore& store,
                                                         WebhookProcessor& processor,
                                                         WebhookReceiverOptions options);

  http::Response Handle(const http::Request& request) override;

 private:
  // What is answered and published.
  struct Verdict {
    int status = 200;
    std::string_view outcome = {};
    bool duplicate = false;
    std::string reason = {};
    std::optional<Duration> retry_after = {};
    std::optional<http::Response> answer = {};  // Instead of the one made from the others.
  };

  WebhookReceiver(Runtime runtime, SignatureVerifier verifier, WebhookStore& store,
                  WebhookProcessor& processor, WebhookReceiverOptions options)
      : runtime_(runtime),
        verifier_(std::move(verifier)),
        store_(store),
        processor_(processor),
        options_(std::move(options)) {}

  Verdict Receive(const http::Request& request, WebhookEvent& event);
  Verdict Accept(const WebhookEvent& event);
  Verdict FromProcessed(const WebhookProcessed& processed) const;
  // Is the body itself needed for id or type?
  bool ReadsBody() const;
  // Fills in id and type. `body`: what ParseStrictJson makes of it; not looked at unless ReadsBody.
  Result<void> ReadEvent(const http::Request& request, const Result<nlohmann::json>& body,
                         WebhookEvent& event) const;
  std::optional<http::Response> Handshake(const http::Request& request,
                                          const Result<nlohmann::json>& body) const;
  http::Response Answer(const Verdict& verdict) const;

  Runtime runtime_;
  const SignatureVerifier verifier_;
  WebhookStore& store_;
  WebhookProcessor& processor_;
  const WebhookReceiverOptions options_;
};

}  // namespace understudy
