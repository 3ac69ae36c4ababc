// How many webhooks a receiver takes: verify the signature, parse, find duplicates, store durably,
// acknowledge. Many senders at once, as vendors are, on threads that call WebhookReceiver::Handle.
//
//   build/release/bin/webhook_bench [--seconds 10] [--senders 32] [--workers 0] [--folder /tmp]
//                                   [--postgres CONNINFO] [--rate EVENTS_PER_SECOND]
//
// Budget: SQLite >= 10,000 events/s with the 99th percentile of the acknowledgement <= 10 ms. The
// bare fdatasync of the same disk stands beside it: nothing durable is faster than one of them.
// Without --rate each sender sends its next event when the last one is acknowledged; with it the
// events come at that rate, and the time to the acknowledgement counts from when each was due.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using Milliseconds = std::chrono::duration<double, std::milli>;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  int seconds = 10;
  int senders = 32;
  int workers = 0;
  double rate = 0;
  std::string folder = "/tmp";
  std::string postgres = {};
};

struct Figures {
  std::size_t events = 0;
  double seconds = 0;
  std::vector<double> latencies = {};  // Milliseconds, sorted.
  std::size_t refused = 0;
  std::size_t completed = 0;

  double At(double part) const {
    if (latencies.empty()) return 0;
    const auto index = static_cast<std::size_t>(part * static_cast<double>(latencies.size()));
    return latencies[std::min(index, latencies.size() - 1)];
  }
};

const Secret kSecret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

// About what a payment vendor sends.
std::string Body(const std::string& id) {
  std::string body =
      R"({"id":"evt_)" + id +
      R"(","object":"event","type":"invoice.paid","livemode":true,"created":1700000000,)"
      R"("data":{"object":{"id":"in_1","amount":4200,"currency":"eur","customer":"cus_1",)"
      R"("lines":[{"amount":2100,"quantity":1},{"amount":2100,"quantity":1}],"note":")";
  body.append(500, 'x').append(R"("}}})");
  return body;
}

class Sender {
 public:
  Sender(WebhookReceiver& receiver, const OpensslCrypto& crypto, std::string name)
      : receiver_(receiver), crypto_(crypto), name_(std::move(name)) {}

  // One event; signs it before the time is taken. `due` is when it should have been sent.
  void Send(std::size_t number, TimePoint due) {
    http::Request request;
    request.method = http::Method::Post();
    request.body = Body(name_ + "_" + std::to_string(number));
    request.headers = *Sign(crypto_, *FindScheme("stripe"), kSecret, "",
                            std::chrono::system_clock::now(), request.body);
    if (due > SteadyClock::now()) std::this_thread::sleep_until(due);
    const TimePoint start = due == TimePoint() ? TimePoint(SteadyClock::now()) : due;
    const int status = receiver_.Handle(request).status;
    latencies.push_back(Milliseconds(SteadyClock::now() - start).count());
    if (status != 200) ++refused;
  }

  std::vector<double> latencies = {};
  std::size_t refused = 0;

 private:
  WebhookReceiver& receiver_;
  const OpensslCrypto& crypto_;
  const std::string name_;
};

void SendAll(Sender& sender, const Settings& settings, int number, TimePoint start, TimePoint end) {
  const double per_sender = settings.rate / settings.senders;
  for (std::size_t i = 0;; ++i) {
    TimePoint due = {};
    if (per_sender > 0) {
      const double offset = static_cast<double>(number) / settings.senders;
      due = start + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                        (static_cast<double>(i) + offset) / per_sender));
    }
    if (std::max<TimePoint>(SteadyClock::now(), due) >= end) return;
    sender.Send(i, due);
  }
}

Figures Measure(WebhookStore& store, const Settings& settings) {
  SystemRuntime system;
  const OpensslCrypto crypto;
  std::atomic<std::size_t> completed = 0;
  WebhookProcessor processor(
      system.view(), store,
      {.workers = std::max(settings.workers, 1),
       .on_completed = [&](const WebhookEvent&, const WebhookEffects&) { ++completed; }});
  processor.RegisterHandler("invoice.paid", [](const WebhookEvent& event, WebhookTransaction& t) {
    return t.Put(event.key.event_id, "paid");
  });
  if (settings.workers > 0) processor.Start();
  auto verifier = SignatureVerifier::Create(crypto, *FindScheme("stripe"), {kSecret});
  auto receiver =
      WebhookReceiver::Create(system.view(), std::move(verifier).value(), store, processor,
                              {.provider = "stripe", .mode = WebhookMode::kQueued})
          .value();
  const TimePoint start = SteadyClock::now() + 10ms;
  const TimePoint end = start + std::chrono::seconds(settings.seconds);
  std::vector<std::unique_ptr<Sender>> senders;
  std::vector<std::thread> threads;
  for (int i = 0; i < settings.senders; ++i) {
    senders.push_back(std::make_unique<Sender>(*receiver, crypto, std::to_string(i)));
    threads.emplace_back(
        [&, i, sender = senders.back().get()] { SendAll(*sender, settings, i, start, end); });
  }
  for (std::thread& thread : threads) thread.join();
  Figures figures{.seconds = Milliseconds(SteadyClock::now() - start).count() / 1000,
                  .completed = completed};
  processor.Stop();
  for (const auto& sender : senders) {
    figures.refused += sender->refused;
    figures.latencies.insert(figures.latencies.end(), sender->latencies.begin(),
                             sender->latencies.end());
  }
  std::sort(figures.latencies.begin(), figures.latencies.end());
  figures.events = figures.latencies.size();
  return figures;
}

void Print(const char* name, const Figures& figures) {
  std::printf(
      "%-12s %8.0f events/s   ack p50 %6.2f ms  p90 %6.2f ms  p99 %6.2f ms  max %6.2f ms   "
      "refused %zu  processed %zu\n",
      name, static_cast<double>(figures.events) / figures.seconds, figures.At(0.5), figures.At(0.9),
      figures.At(0.99), figures.At(1), figures.refused, figures.completed);
}

// What the disk itself takes: overwriting 128 KiB, about a shared commit, and syncing.
void PrintSync(const std::filesystem::path& folder) {
  constexpr std::size_t kBytes = 131'072;
  constexpr int kSyncs = 300;
  const std::string path = (folder / "sync.bin").string();
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::string bytes(kBytes, 'x');
  std::vector<double> took;
  for (int i = 0; i < 2 * kSyncs; ++i) {
    const auto offset = static_cast<off_t>(kBytes) * (i % kSyncs);
    const TimePoint start = SteadyClock::now();
    if (pwrite(file, bytes.data(), kBytes, offset) < 0 || fdatasync(file) != 0) std::abort();
    if (i >= kSyncs) took.push_back(Milliseconds(SteadyClock::now() - start).count());
  }
  close(file);
  std::sort(took.begin(), took.end());
  double sum = 0;
  for (const double one : took) sum += one;
  std::printf("%-12s %8.0f syncs/s        p50 %6.2f ms  p90 %6.2f ms  p99 %6.2f ms  max %6.2f ms\n",
              "fdatasync", kSyncs * 1000 / sum, took[kSyncs / 2], took[kSyncs * 9 / 10],
              took[kSyncs * 99 / 100], took.back());
}

int Run(const Settings& settings) {
  const auto folder =
      std::filesystem::path(settings.folder) / ("webhook-bench-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::printf("%d senders, %d workers, %d s\n", settings.senders, settings.workers,
              settings.seconds);
  PrintSync(folder);
  {
    auto store = SqliteWebhookStore::Open((folder / "webhooks.db").string());
    if (!store) {
      std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
      return 1;
    }
    Print("sqlite", Measure(**store, settings));
  }
  if (!settings.postgres.empty()) {
    auto store = PostgresWebhookStore::Open(settings.postgres, {.schema = "webhook_bench"});
    if (!store) {
      std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
      return 1;
    }
    Print("postgresql", Measure(**store, settings));
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace understudy

int main(int count, char** arguments) {
  understudy::Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    const char* const value = arguments[i + 1];
    if (name == "--seconds") settings.seconds = std::atoi(value);
    if (name == "--senders") settings.senders = std::max(1, std::atoi(value));
    if (name == "--workers") settings.workers = std::atoi(value);
    if (name == "--rate") settings.rate = std::atof(value);
    if (name == "--folder") settings.folder = value;
    if (name == "--postgres") settings.postgres = value;
  }
  return understudy::Run(settings);
}
