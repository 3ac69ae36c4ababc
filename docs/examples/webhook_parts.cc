// The examples of docs/webhooks.md, run on requests that are signed here. The guide shows what
// stands between the markers; docs/examples/webhook_endpoint.cc is a whole endpoint.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "docs/examples/expect.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/webhook/event_key.h"
#include "middleware/webhook/webhook_receiver.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

http::Response Unauthorized() { return {.status = 401}; }

http::Request Request(http::Headers headers, std::string body) {
  return {.method = http::Method::Post(),
          .url = http::Url::Parse("http://10.0.0.7:8080/square").value(),
          .headers = std::move(headers),
          .body = std::move(body)};
}

Result<http::Response> Verify(const Crypto& crypto, Clock& clock, const http::Request& request,
                              const std::string& current, const std::string& previous) {
  // [begin verify]
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureVerifier verifier,
                              SignatureVerifier::Create(crypto, *FindScheme("stripe"),
                                                        {Secret(current), Secret(previous)}));
  const auto verified = verifier.Verify(request.headers, request.body, clock.SystemNow());
  if (!verified) return Unauthorized();  // 401; the reason goes to the log, not to the sender
  // [end verify]
  return http::Response{.status = 200};
}

Result<void> ShowSecrets(const Crypto& crypto, Clock& clock) {
  const std::string body = R"({"id":"evt_1","type":"invoice.paid"})";
  for (const char* const secret : {"new", "old", "wrong"}) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        http::Headers headers,
        Sign(crypto, *FindScheme("stripe"), Secret(secret), "", clock.SystemNow(), body));
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const http::Response answer,
        Verify(crypto, clock, Request(std::move(headers), body), "new", "old"));
    Expect(answer.status == (secret == std::string_view("wrong") ? 401 : 200), secret);
  }
  return {};
}

Result<Verified> VerifyAtUrl(const SignatureVerifier& verifier, const http::Request& request,
                             SystemTime now) {
  return
      // [begin url]
      verifier.Verify({.method = request.method.name(),
                       .url = "https://hooks.example/square",
                       .headers = request.headers,
                       .body = request.body},
                      now);
  // [end url]
}

Result<void> ShowUrl(const Crypto& crypto, Clock& clock) {
  const SystemTime now = clock.SystemNow();
  const SignatureScheme square = *FindScheme("square");
  const Secret secret("key");
  SigningInput input;
  input.url = "https://hooks.example/square";
  input.body = "{}";
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Headers headers,
                              Sign(crypto, square, std::span(&secret, 1), input));
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureVerifier verifier,
                              SignatureVerifier::Create(crypto, square, {secret}));
  const http::Request request = Request(std::move(headers), "{}");
  Expect(VerifyAtUrl(verifier, request, now).has_value(), "the URL that the vendor was told");
  const auto without = verifier.Verify(request.headers, request.body, now);
  Expect(!without && without.error().reason == "needs-url", "needs-url");
  return {};
}

Result<void> ShowOwnScheme(const Crypto& crypto, Clock& clock) {
  // [begin own-scheme]
  SignatureScheme acme = *FindScheme("slack");
  acme.name = "acme";
  acme.signature_header = "X-Acme-Signature";
  acme.timestamp_header = "X-Acme-Time";
  acme.content = "{method} {url}\n{t}\n{body}";
  // [end own-scheme]
  const Secret secret("key");
  SigningInput input;
  input.url = "https://hooks.example/acme";
  input.timestamp = clock.SystemNow();
  input.body = "{}";
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Headers headers,
                              Sign(crypto, acme, std::span(&secret, 1), input));
  Expect(headers.Has("X-Acme-Signature") && headers.Has("X-Acme-Time"), "acme's headers");
  acme.content = "{t}";
  Expect(!SignatureVerifier::Create(crypto, acme, {secret}), "a scheme without the body");
  return {};
}

// Xero numbers its events.
std::string FirstSequence(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  return json.is_object() ? json.value("firstEventSequence", nlohmann::json()).dump() : "";
}

Result<void> ShowReceiver(const Crypto& crypto, const Runtime& runtime) {
  const Secret secret("webhook key");
  const std::string tenant = "t1";
  const std::string path = ":memory:";
  // [begin receiver]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto store, SqliteWebhookStore::Open(path));
  WebhookProcessor processor(runtime, *store);
  processor.RegisterHandler("Invoice", [](const WebhookEvent& event, WebhookTransaction& writes) {
    return writes.Put("invoice/" + event.key.event_id, event.payload);
  });
  processor.Start();
  UNDERSTUDY_ASSIGN_OR_RETURN(SignatureVerifier verifier,
                              SignatureVerifier::Create(crypto, *FindScheme("xero"), {secret}));
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto receiver,  // An http::Handler for your server.
      WebhookReceiver::Create(
          runtime, std::move(verifier), *store, processor,
          {.provider = "xero",
           .mode = WebhookMode::kQueued,
           .event_key = [&](const http::Request& request) -> Result<std::string> {
             return EventKey(crypto, "xero", tenant, request.body,
                             WithSequence{FirstSequence(request.body)});
           },
           .public_url = "https://hooks.example/xero",
           .event_type = EventField{.pointer = "/events/0/eventCategory"}}));
  // [end receiver]
  const std::string body = R"({"events":[{"eventCategory":"Invoice"}],"firstEventSequence":7})";
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Headers headers, Sign(crypto, *FindScheme("xero"), secret, "",
                                                          runtime.clock.SystemNow(), body));
  Expect(receiver->Handle(Request(std::move(headers), body)).status == 200, "stored and answered");
  processor.Stop();
  return {};
}

Result<void> Run(const Runtime& runtime) {
  const OpensslCrypto crypto;
  UNDERSTUDY_RETURN_IF_ERROR(ShowSecrets(crypto, runtime.clock));
  UNDERSTUDY_RETURN_IF_ERROR(ShowUrl(crypto, runtime.clock));
  UNDERSTUDY_RETURN_IF_ERROR(ShowOwnScheme(crypto, runtime.clock));
  return ShowReceiver(crypto, runtime);
}

}  // namespace

int main() {
  SystemRuntime system;
  const Result<void> done = Run(system.view());
  Expect(done.has_value(), done ? "" : done.error().ToString());
  return 0;
}
