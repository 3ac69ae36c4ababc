// The cache under many schedules of the simulator: callers that share, give up and change things
// all end, and nobody reads what is older than a change that was over before the read began.
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "harness/sim/simulation.h"
#include "middleware/client/cache_interceptor.h"
#include "middleware/client/client_builder.h"
#include "tests/support/fixed_random.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A thing with a version: GET tells it, PUT makes the next one. Takes 10 ms of the clock's time,
// half before it looks and half after.
class VersionedVendor final : public http::Transport {
 public:
  explicit VersionedVendor(Clock& clock) : clock_(clock) {}

  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override {
    if (!Pause(options)) return Cancelled();
    http::Response response;
    {
      const MutexLock lock(mutex_);
      ++sends_;
      const bool writes = request.method == http::Method::Put();
      if (writes) ++version_;
      if (!writes) response.body = std::to_string(version_);
      if (response.headers.Set("ETag", "\"" + std::to_string(version_) + "\"")) {
        const auto known = request.headers.Get("If-None-Match");
        if (known && known == response.headers.Get("ETag")) response = {304, {}, {}};
      }
    }
    // Fresh for long, then stale-while-revalidate for long.
    static_cast<void>(
        response.headers.Set("Cache-Control", "max-age=1, stale-while-revalidate=60"));
    if (!Pause(options)) return Cancelled();
    return response;
  }

  int version() {
    const MutexLock lock(mutex_);
    return version_;
  }
  int sends() {
    const MutexLock lock(mutex_);
    return sends_;
  }

 private:
  bool Pause(const http::SendOptions& options) {
    const TimePoint end = SaturatingAdd(clock_.Now(), milliseconds(5));
    return clock_.SleepUntil(std::min(end, options.deadline.point()), options.stop) &&
           end <= options.deadline.point();
  }
  static Error Cancelled() {
    return {ErrorCode::kCancelled, "ended", Delivery::kMaybeSent, Origin::kLocal, {}, {}};
  }

  Clock& clock_;
  Mutex mutex_;
  int version_ GUARDED_BY(mutex_) = 0;
  int sends_ GUARDED_BY(mutex_) = 0;
};

// One caller: reads, writes, and gives up now and then, as `seed` says.
class Caller {
 public:
  Caller(Client& client, VersionedVendor& vendor, Clock& clock, std::uint64_t seed)
      : client_(client), vendor_(vendor), clock_(clock), state_(seed * 2 + 1) {}

  void Run() {
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t choice = Draw(10);
      if (choice == 0) {
        static_cast<void>(Call(http::Method::Put(), {}));
      } else if (choice == 1) {
        clock_.SleepFor(milliseconds(900));
      } else {
        CallOptions options;
        if (choice == 2) options.timeout = milliseconds(Draw(10) + 1);
        Read(std::move(options));
      }
      clock_.SleepFor(milliseconds(Draw(4)));
    }
  }

 private:
  void Read(CallOptions options) {
    const int written = vendor_.version();
    // The refresh window may serve what is up to a minute old; only a change through this cache
    // must be seen, and all changes go through it. But the version may be ahead of the answer to
    // the write that made it, so look only when no write is under way.
    const bool quiet = writes_under_way_ == 0;
    const auto result = Call(http::Method::Get(), std::move(options));
    if (!result || !quiet) return;
    ASSERT_EQ(result->status, 200);
    EXPECT_GE(std::stoi(result->body), written);
  }
  Result<http::Response> Call(http::Method method, CallOptions options) {
    const bool writes = method == http::Method::Put();
    writes_under_way_ += writes ? 1 : 0;
    auto result = client_.Call(client_.NewRequest(std::move(method), "/v1/thing").value(),
                               std::move(options));
    writes_under_way_ -= writes ? 1 : 0;
    return result;
  }
  std::uint64_t Draw(std::uint64_t below) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return (state_ >> 33U) % below;
  }

  // One actor runs at a time.
  inline static int writes_under_way_ = 0;

  Client& client_;
  VersionedVendor& vendor_;
  Clock& clock_;
  std::uint64_t state_;
};

TEST(CacheSimTest, EveryScheduleEndsAndNobodyReadsBehindAChange) {
  harness::WorkerPool pool;
  int sends = 0;
  constexpr std::uint64_t kSeeds = 150;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    harness::SimulationOptions options;
    options.seed = seed;
    options.scheduler = seed % 2 == 0 ? harness::Scheduler::kRandom : harness::Scheduler::kPct;
    options.limit = hours(1);
    harness::Simulation simulation(options, pool);
    const harness::SimulationReport report = simulation.Run([&] {
      FixedRandom random;
      NullLogger logger;
      NullEventSink events;
      const Runtime runtime{simulation.clock(), simulation.executor(), random, logger, events};
      VersionedVendor vendor(simulation.clock());
      ClientBuilder builder(runtime, vendor, "vendor");
      builder.BaseUrl("https://api.vendor.example")
          .AddCallInterceptor(
              std::make_unique<CacheInterceptor>(CacheOptions{}, seconds(30), runtime));
      const std::unique_ptr<Client> client = builder.Build().value();
      std::vector<Task> tasks;
      for (std::uint64_t i = 0; i < 4; ++i) {
        tasks.push_back(simulation.executor().Spawn("caller", [&, i](const std::stop_token&) {
          Caller(*client, vendor, simulation.clock(), seed * 10 + i).Run();
        }));
      }
      for (Task& task : tasks) task.Join();
      sends += vendor.sends();
    });
    ASSERT_EQ(report.end, harness::SimulationEnd::kFinished)
        << "seed " << seed << ": " << report.detail;
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  // Most reads were hits or shared.
  EXPECT_GT(sends, 0);
  EXPECT_LT(sends, static_cast<int>(kSeeds) * 4 * 12 * 2 / 3);
}

}  // namespace
}  // namespace understudy::test
