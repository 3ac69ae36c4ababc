// A receiver and its workers as a program of its own, for a test that kills it at any moment.
//
//   webhook_worker sqlite FILE LIFE SEED        webhook_worker postgres CONNINFO LIFE SEED
//
// Sends itself signed webhooks over several threads, as a vendor would: new events, deliveries of
// earlier ones again, and at the start those of its previous life, of which the vendor may not have
// seen the acknowledgement. Prints "A <event id>" when, and only when, one was answered with 200.
// Each event's handler counts its runs under "runs/<event id>" and adds one to "total/<group>".
// Ends when nobody reads what it prints.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/postgres_webhook_store.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/webhook/webhook_receiver.h"
#include "tests/middleware/webhook/webhook_counter.h"

namespace understudy::test {
namespace {

constexpr int kSenders = 6;
constexpr int kEventsPerLifeMax = 100'000;

// splitmix64: the same deliveries for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Below(std::uint64_t bound) {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return (value ^ (value >> 31U)) % bound;
  }

 private:
  std::uint64_t state_;
};

class Vendor {
 public:
  Vendor(WebhookReceiver& receiver, const OpensslCrypto& crypto, int life, int number,
         std::uint64_t seed)
      : receiver_(receiver),
        crypto_(crypto),
        life_(life),
        number_(number),
        dice_(seed * 1000 + static_cast<std::uint64_t>(number)) {}

  void Run() {
    for (int i = 0; life_ > 0 && i < 20; ++i) Deliver(Id(life_ - 1, i));
    for (int i = 0; i < kEventsPerLifeMax; ++i) {
      Deliver(Id(life_, i));
      if (dice_.Below(4) == 0) {
        Deliver(Id(life_, static_cast<int>(dice_.Below(static_cast<std::uint64_t>(i) + 1))));
      }
    }
  }

 private:
  std::string Id(int life, int index) const {
    return std::to_string(life) + "_" + std::to_string(number_) + "_" + std::to_string(index);
  }

  void Deliver(const std::string& id) {
    http::Request request;
    request.method = http::Method::Post();
    request.body = R"({"id":")" + id + R"(","type":"order.paid"})";
    request.headers = *Sign(crypto_, *FindScheme("stripe"), kWorkerSecret, "",
                            std::chrono::system_clock::now(), request.body);
    if (receiver_.Handle(request).status != 200) return;
    const std::string line = "A " + id + "\n";  // Short enough to be written as one.
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(0);
  }

  WebhookReceiver& receiver_;
  const OpensslCrypto& crypto_;
  const int life_;
  const int number_;
  Dice dice_;
};

Result<std::unique_ptr<WebhookStore>> Open(std::string_view kind, const std::string& where) {
  if (kind == "sqlite") {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteWebhookStore::Open(where));
    return std::unique_ptr<WebhookStore>(std::move(store));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(auto store, PostgresWebhookStore::Open(where));
  return std::unique_ptr<WebhookStore>(std::move(store));
}

int Run(std::string_view kind, const std::string& where, int life, std::uint64_t seed) {
  auto store = Open(kind, where);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
    return 1;
  }
  SystemRuntime system;
  const OpensslCrypto crypto;
  WebhookProcessor processor(system.view(), **store, WorkerProcessorOptions());
  processor.RegisterHandler("order.paid", CountRuns);
  processor.Start();
  auto verifier = SignatureVerifier::Create(crypto, *FindScheme("stripe"), {kWorkerSecret});
  const auto receiver =
      WebhookReceiver::Create(system.view(), std::move(verifier).value(), **store, processor,
                              {.provider = "acme", .mode = WebhookMode::kQueued})
          .value();
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] { Vendor(*receiver, crypto, life, i, seed).Run(); });
  }
  for (std::thread& sender : senders) sender.join();
  return 0;
}

}  // namespace
}  // namespace understudy::test

int main(int count, char** arguments) {
  if (count != 5) return 64;
  return understudy::test::Run(arguments[1], arguments[2], std::atoi(arguments[3]),
                               std::strtoull(arguments[4], nullptr, 10));
}
