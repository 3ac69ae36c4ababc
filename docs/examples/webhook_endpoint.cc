// An endpoint for a vendor's webhooks: verify, store in SQLite, acknowledge, and let a worker do
// what the event asks for, exactly once, whatever the vendor repeats and whenever the program dies.
//
//   example_webhook_endpoint        serves in this process and sends to itself
//   example_webhook_endpoint URL    sends the same deliveries to an endpoint elsewhere
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/plan/handler_host.h"
#include "harness/server/http_server.h"
#include "middleware/client/json_body.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/webhook/signature.h"
#include "middleware/webhook/webhook_processor.h"
#include "middleware/webhook/webhook_receiver.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;

namespace {

constexpr char kSecret[] = "whsec_example";
constexpr char kPaid[] = R"({"id":"evt_1","type":"order.paid","order":"7"})";
constexpr char kShipped[] = R"({"id":"evt_2","type":"order.shipped","order":"7"})";

// What the event asks for. The effect and the event's completion are committed together.
Result<void> OrderPaid(const WebhookEvent& event, WebhookTransaction& transaction) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const nlohmann::json payload, ParseJsonText(event.payload));
  const auto order = payload.find("order");
  if (order == payload.end() || !order->is_string()) return InvalidArgument("no order");
  const std::string key = "times-paid/" + order->get<std::string>();
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto paid, transaction.Get(key));
  return transaction.Put(key, paid ? *paid + "+1" : "1");
}

// One life of the program: ends with the object, and the file stays.
class Endpoint {
 public:
  static Result<std::unique_ptr<Endpoint>> Start(const Runtime& runtime, const Crypto& crypto,
                                                 const std::string& file) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteWebhookStore::Open(file));
    UNDERSTUDY_ASSIGN_OR_RETURN(
        auto verifier, SignatureVerifier::Create(crypto, *FindScheme("stripe"), {Secret(kSecret)}));
    auto endpoint = std::unique_ptr<Endpoint>(new Endpoint(runtime, std::move(store)));
    UNDERSTUDY_RETURN_IF_ERROR(endpoint->Listen(runtime, std::move(verifier)));
    return endpoint;
  }

  std::string url() const { return server_->url() + "/webhooks/stripe"; }

  // Waits for the first event that a worker completes; at most ten seconds.
  bool AwaitCompleted() {
    return completed_.get_future().wait_for(10s) == std::future_status::ready;
  }
  Result<std::optional<std::string>> TimesPaid() { return store_->GetEffect("times-paid/7"); }

 private:
  Endpoint(const Runtime& runtime, std::unique_ptr<SqliteWebhookStore> store)
      : store_(std::move(store)),
        processor_(runtime, *store_, {.on_completed = [this](const auto&, const auto&) {
                     completed_.set_value();  // The example handles one event per life.
                   }}) {}

  Result<void> Listen(const Runtime& runtime, SignatureVerifier verifier) {
    processor_.RegisterHandler("order.paid", OrderPaid);
    processor_.Start();
    UNDERSTUDY_ASSIGN_OR_RETURN(
        receiver_, WebhookReceiver::Create(runtime, std::move(verifier), *store_, processor_,
                                           {.provider = "acme", .mode = WebhookMode::kQueued}));
    host_ = std::make_unique<harness::HandlerHost>(*receiver_);
    UNDERSTUDY_ASSIGN_OR_RETURN(server_, harness::HttpServer::Start(runtime.clock, *host_, {}));
    return {};
  }

  std::promise<void> completed_;
  std::unique_ptr<SqliteWebhookStore> store_;
  WebhookProcessor processor_;
  std::unique_ptr<WebhookReceiver> receiver_;
  std::unique_ptr<harness::HandlerHost> host_;  // Your own server calls *receiver_ itself.
  std::unique_ptr<harness::HttpServer> server_;
};

// What a vendor, and somebody who is not the vendor, would send.
class Sender {
 public:
  Sender(const Runtime& runtime, const Crypto& crypto)
      : clock_(runtime.clock), crypto_(crypto), network_(runtime.clock) {}

  // `body` is what is delivered, `signed_body` what the signature is about.
  Result<void> Deliver(const char* what, const std::string& url, const std::string& body,
                       const std::string& signed_body, Duration age = {}) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const http::Url target, http::Url::Parse(url));
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Headers headers,
                                Sign(crypto_, *FindScheme("stripe"), Secret(kSecret), "",
                                     clock_.SystemNow() - age, signed_body));
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const http::Response answer,
        network_.Send({http::Method::Post(), target, std::move(headers), body},
                      {.deadline = Deadline::After(clock_.Now(), 10s)}));
    std::printf("%s: %d %s\n", what, answer.status, answer.body.c_str());
    return {};
  }

 private:
  Clock& clock_;
  const Crypto& crypto_;
  CurlTransport network_;
};

Result<void> SendAll(Sender& sender, const std::string& url) {
  UNDERSTUDY_RETURN_IF_ERROR(sender.Deliver("signed", url, kPaid, kPaid));
  UNDERSTUDY_RETURN_IF_ERROR(sender.Deliver("duplicate", url, kPaid, kPaid));
  UNDERSTUDY_RETURN_IF_ERROR(
      sender.Deliver("forged", url, R"({"id":"evt_9","type":"order.paid","order":"9"})", kPaid));
  UNDERSTUDY_RETURN_IF_ERROR(sender.Deliver("replayed an hour later", url, kPaid, kPaid, 1h));
  return sender.Deliver("without a handler", url, kShipped, kShipped);
}

Result<void> ServeAndSend(const Runtime& runtime, const Crypto& crypto, const std::string& file) {
  Sender sender(runtime, crypto);
  {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto endpoint, Endpoint::Start(runtime, crypto, file));
    UNDERSTUDY_RETURN_IF_ERROR(SendAll(sender, endpoint->url()));
    if (!endpoint->AwaitCompleted()) return InvalidArgument("no worker completed the event");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto endpoint, Endpoint::Start(runtime, crypto, file));
  UNDERSTUDY_RETURN_IF_ERROR(
      sender.Deliver("duplicate after a restart", endpoint->url(), kPaid, kPaid));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto paid, endpoint->TimesPaid());
  std::printf("order 7 was paid %s time(s)\n", paid ? paid->c_str() : "0");
  return {};
}

Result<void> RunInTemporaryFolder(const Runtime& runtime, const Crypto& crypto) {
  std::string folder = (std::filesystem::temp_directory_path() / "webhook-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return InvalidArgument("no temporary folder");
  const Result<void> done = ServeAndSend(runtime, crypto, folder + "/webhooks.db");
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  SystemRuntime system;
  const OpensslCrypto crypto;
  Sender sender(system.view(), crypto);
  const Result<void> done =
      argc > 1 ? SendAll(sender, argv[1]) : RunInTemporaryFolder(system.view(), crypto);
  if (done) return EXIT_SUCCESS;
  std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
  return EXIT_FAILURE;
}
