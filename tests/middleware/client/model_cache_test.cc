// ModelCache: what is kept, for how long, and what concurrent callers share.
#include "middleware/client/model_cache.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/check.h"
#include "middleware/base/function_ref.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Not copyable: the cache shares it.
struct Invoice {
  explicit Invoice(std::string text) : number(std::move(text)) {}
  Invoice(Invoice&&) = default;
  Invoice& operator=(Invoice&&) = default;
  std::string number;
};

using Cache = ModelCache<Invoice>;
using Answer = Result<std::shared_ptr<const Invoice>>;

std::string Text(const Answer& answer) {
  return answer ? (*answer)->number : std::string(ToString(answer.error().code));
}

// Loads "1", "2", ...; or fails; each time in the clock's time.
class Source {
 public:
  explicit Source(Clock& clock) : clock_(clock) {}

  Cache::Loader Loader() {
    return [this](Deadline deadline, const std::stop_token& stop) { return Load(deadline, stop); };
  }
  Result<Loaded<Invoice>> Load(Deadline deadline, const std::stop_token& stop) {
    Duration takes;
    std::optional<Error> failure;
    Loaded<Invoice> loaded{Invoice("")};
    {
      const std::lock_guard lock(mutex_);
      loaded.model.number = std::to_string(++loads_);
      loaded.fresh_for = fresh_for;
      loaded.stale_while_revalidate = stale_while_revalidate;
      loaded.stale_if_error = stale_if_error;
      takes = latency;
      failure = error;
      deadlines_.push_back(deadline);
    }
    const TimePoint end = SaturatingAdd(clock_.Now(), takes);
    if (takes > Duration::zero() && !clock_.SleepUntil(std::min(end, deadline.point()), stop)) {
      return Error{ErrorCode::kCancelled, "stopped"};
    }
    if (deadline.point() < end) return Error{ErrorCode::kDeadlineExceeded, "too slow"};
    if (failure) return *failure;
    return loaded;
  }
  // For the loads that start from now on.
  void Set(Duration new_latency, std::optional<Error> new_error) {
    const std::lock_guard lock(mutex_);
    latency = new_latency;
    error = std::move(new_error);
  }
  int loads() const {
    const std::lock_guard lock(mutex_);
    return loads_;
  }
  Deadline deadline(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    return deadlines_.at(index);
  }

  Duration fresh_for = seconds(60);
  Duration stale_while_revalidate{0};
  Duration stale_if_error{0};
  Duration latency{0};
  std::optional<Error> error = {};

 private:
  Clock& clock_;
  mutable std::mutex mutex_;
  int loads_ = 0;
  std::vector<Deadline> deadlines_;
};

class ModelCacheTest : public testing::Test {
 protected:
  explicit ModelCacheTest(FakeClock::Waits waits = FakeClock::Waits::kAdvance) : world_(waits) {
    Use({});
  }

  void Use(const ModelCacheOptions& options) { cache_.emplace(options, world_.runtime()); }
  Answer Get(std::string_view key = "k", Deadline deadline = {}, const std::stop_token& stop = {}) {
    return cache_->Get(key, source_.Loader(), deadline, stop);
  }
  std::vector<std::string> Results() const {
    std::vector<std::string> results;
    for (const RecordedEvent& event : world_.events.Named("cache")) {
      results.push_back(event.fields.at("result") +
                        (event.fields.at("background") == "true" ? " in background" : ""));
    }
    return results;
  }

  TestRuntime world_;
  Source source_{world_.clock};
  std::optional<Cache> cache_;
};

TEST_F(ModelCacheTest, AFreshModelIsNotLoadedAgain) {
  const Answer first = Get();
  world_.clock.Advance(seconds(60) - Duration(1));
  const Answer second = Get();
  EXPECT_EQ(Text(first), "1");
  EXPECT_EQ(first->get(), second->get());  // The same object.
  EXPECT_THAT(world_.events.Lines("cache"),
              ElementsAre("cache background=false operation=models result=miss",
                          "cache background=false operation=models result=hit"));
}

TEST_F(ModelCacheTest, AStaleModelIsLoadedAgain) {
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheTest, KeysAreToldApart) {
  EXPECT_EQ(Text(Get("a")), "1");
  EXPECT_EQ(Text(Get("b")), "2");
  EXPECT_EQ(Text(Get("a")), "1");
  EXPECT_EQ(cache_->size(), 2u);
}

TEST_F(ModelCacheTest, AModelWithoutFreshTimeIsNotKept) {
  source_.fresh_for = {};
  EXPECT_EQ(Text(Get()), "1");
  EXPECT_EQ(cache_->size(), 0u);
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheTest, ForEverIsLongButNoOverflow) {
  source_.fresh_for = Duration::max();
  source_.stale_while_revalidate = Duration::max();
  source_.stale_if_error = Duration::max();
  EXPECT_EQ(Text(Get()), "1");
  world_.clock.Advance(hours(24 * 365));
  EXPECT_EQ(Text(Get()), "1");
}

TEST_F(ModelCacheTest, AWallClockThatIsSetBackMakesNothingFresh) {
  ASSERT_TRUE(Get());
  world_.clock.JumpSystemClock(-hours(1));
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheTest, TheLeastRecentlyUsedModelMakesRoom) {
  Use({.entries_max = 2});
  for (const char* key : {"a", "b", "a", "c"}) ASSERT_TRUE(Get(key));
  EXPECT_EQ(cache_->size(), 2u);
  EXPECT_EQ(Text(Get("a")), "1");
  EXPECT_EQ(Text(Get("b")), "4");
}

TEST_F(ModelCacheTest, ErrorsAreNotKept) {
  source_.error = Error{ErrorCode::kConnection, "down"};
  EXPECT_EQ(Text(Get()), "connection");
  source_.error.reset();
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheTest, NotFoundIsNotKeptUnlessAskedFor) {
  source_.error = Error{ErrorCode::kNotFound, "none"};
  EXPECT_EQ(Text(Get()), "not-found");
  EXPECT_EQ(Text(Get()), "not-found");
  EXPECT_EQ(source_.loads(), 2);
  Use({.negative_for = seconds(5)});
  EXPECT_EQ(Text(Get()), "not-found");
  world_.clock.Advance(seconds(5) - Duration(1));
  EXPECT_EQ(Text(Get()), "not-found");
  EXPECT_EQ(source_.loads(), 3);
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Text(Get()), "not-found");
  EXPECT_EQ(source_.loads(), 4);
}

TEST_F(ModelCacheTest, NotFoundReplacesAnOldModel) {
  source_.stale_if_error = hours(1);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(61));
  source_.error = Error{ErrorCode::kNotFound, "deleted"};
  EXPECT_EQ(Text(Get()), "not-found");
  source_.error = Error{ErrorCode::kConnection, "down"};
  EXPECT_EQ(Text(Get()), "connection");
}

TEST_F(ModelCacheTest, AStaleModelReplacesAFailureWithinItsWindow) {
  source_.stale_if_error = seconds(10);
  ASSERT_TRUE(Get());
  source_.error = Error{ErrorCode::kCircuitOpen, "open"};
  world_.clock.Advance(seconds(70) - Duration(1));
  EXPECT_EQ(Text(Get()), "1");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Text(Get()), "circuit-open");
  EXPECT_THAT(Results(), ElementsAre("miss", "stale-if-error", "miss"));
}

TEST_F(ModelCacheTest, WhatTheCallerMustKnowIsNotReplaced) {
  source_.stale_if_error = hours(1);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(61));
  source_.error = Error{ErrorCode::kAuth, "revoked"};
  EXPECT_EQ(Text(Get()), "auth");
}

TEST_F(ModelCacheTest, AnInvalidatedModelIsLoadedAgain) {
  ASSERT_TRUE(Get());
  cache_->Invalidate("k");
  cache_->Invalidate("never seen");
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheTest, TheLoaderGetsTheCallersDeadline) {
  const Deadline deadline = Deadline::After(world_.clock.Now(), seconds(3));
  ASSERT_TRUE(Get("k", deadline));
  EXPECT_EQ(source_.deadline(0), deadline);
}

TEST_F(ModelCacheTest, TheFreshTimeOfAResponseIsThatOfItsModel) {
  const http::Response response{
      200, {{"Cache-Control", "max-age=60, stale-if-error=9"}, {"Age", "20"}}, {}};
  const auto loaded = WithFreshnessOf(7, response, world_.clock.SystemNow(),
                                      {.stale_while_revalidate = seconds(5)});
  EXPECT_EQ(loaded.model, 7);
  EXPECT_EQ(loaded.fresh_for, seconds(40));
  EXPECT_EQ(loaded.stale_while_revalidate, seconds(5));
  EXPECT_EQ(loaded.stale_if_error, seconds(9));
}

TEST(ModelCacheOptionsTest, AllProblemsAreFound) {
  EXPECT_THAT(FindProblems(ModelCacheOptions{}), IsEmpty());
  ModelCacheOptions options;
  options.entries_max = 0;
  options.refreshes_max = 0;
  options.negative_for = -seconds(1);
  options.refresh_timeout = {};
  options.refresh_pause = Duration::max();
  EXPECT_THAT(FindProblems(options), SizeIs(5));
}

// ---- Concurrent callers; their waits block until the clock is moved.

class ModelCacheConcurrencyTest : public ModelCacheTest {
 protected:
  ModelCacheConcurrencyTest() : ModelCacheTest(FakeClock::Waits::kBlock) {}

  std::jthread Caller(std::string& text, Deadline deadline = {}, std::stop_token stop = {}) {
    return std::jthread(
        [this, &text, deadline, stop = std::move(stop)] { text = Text(Get("k", deadline, stop)); });
  }
  Deadline In(Duration duration) { return Deadline::After(world_.clock.Now(), duration); }
  // Real time, so that a broken cache ends the test instead of hanging it.
  static void AwaitTrue(FunctionRef<bool()> predicate) {
    const auto limit = std::chrono::steady_clock::now() + seconds(60);
    while (!predicate()) {
      UNDERSTUDY_CHECK(std::chrono::steady_clock::now() < limit, "what the test awaits never came");
      std::this_thread::yield();
    }
  }
  void Await(int loads, std::size_t sleepers) {
    AwaitTrue([&] { return source_.loads() >= loads; });
    AwaitTrue([&] { return world_.clock.sleepers() == sleepers; });
  }
  void AwaitResult(const std::string& result) {
    AwaitTrue([&] {
      const auto results = Results();
      return std::find(results.begin(), results.end(), result) != results.end();
    });
  }
};

TEST_F(ModelCacheConcurrencyTest, CallersShareOneLoad) {
  source_.latency = seconds(5);
  std::vector<std::string> texts(20);
  {
    std::vector<std::jthread> callers;
    for (std::string& text : texts) callers.push_back(Caller(text));
    Await(1, texts.size());
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(texts, testing::Each("1"));
  EXPECT_EQ(source_.loads(), 1);
  EXPECT_THAT(Results(), testing::Contains("shared").Times(19));
}

TEST_F(ModelCacheConcurrencyTest, CallersShareAFailure) {
  source_.latency = seconds(5);
  source_.error = Error{ErrorCode::kConnection, "down"};
  std::string a, b;
  {
    const std::jthread first = Caller(a);
    const std::jthread second = Caller(b);
    Await(1, 2);
    world_.clock.Advance(seconds(5));
  }
  EXPECT_EQ(a, "connection");
  EXPECT_EQ(b, "connection");
  EXPECT_EQ(source_.loads(), 1);
}

TEST_F(ModelCacheConcurrencyTest, AWaiterGivesUpAtItsOwnDeadline) {
  source_.latency = seconds(5);
  std::string leader_text, waiter_text;
  {
    const std::jthread leader = Caller(leader_text);
    Await(1, 1);
    std::jthread waiter = Caller(waiter_text, In(seconds(2)));
    Await(1, 2);
    world_.clock.Advance(seconds(2));
    waiter.join();
    world_.clock.Advance(seconds(3));
  }
  EXPECT_EQ(waiter_text, "deadline-exceeded");
  EXPECT_EQ(leader_text, "1");
}

TEST_F(ModelCacheConcurrencyTest, AWaiterGivesUpAtItsOwnStop) {
  source_.latency = seconds(5);
  std::string leader_text, waiter_text;
  std::stop_source stop;
  {
    const std::jthread leader = Caller(leader_text);
    Await(1, 1);
    std::jthread waiter = Caller(waiter_text, {}, stop.get_token());
    Await(1, 2);
    stop.request_stop();
    waiter.join();
    world_.clock.Advance(seconds(5));
  }
  EXPECT_EQ(waiter_text, "cancelled");
  EXPECT_EQ(leader_text, "1");
}

TEST_F(ModelCacheConcurrencyTest, ALeaderOutOfTimeLeavesTheLoadToAWaiter) {
  source_.latency = seconds(5);
  source_.fresh_for = {};  // Not kept, or the leader could be given the waiter's model.
  std::string leader_text, waiter_text;
  std::jthread leader = Caller(leader_text, In(seconds(2)));
  Await(1, 1);
  std::jthread waiter = Caller(waiter_text);
  Await(1, 2);
  source_.Set({}, {});
  world_.clock.Advance(seconds(2));
  leader.join();
  waiter.join();
  EXPECT_EQ(leader_text, "deadline-exceeded");
  EXPECT_EQ(waiter_text, "2");
}

TEST_F(ModelCacheConcurrencyTest, ALoadThatAnInvalidationOvertookIsNotKept) {
  source_.latency = seconds(5);
  std::string text;
  std::jthread reader = Caller(text);
  Await(1, 1);
  source_.Set({}, {});
  cache_->Invalidate("k");
  EXPECT_EQ(Text(Get()), "2");
  world_.clock.Advance(seconds(5));
  reader.join();
  EXPECT_EQ(text, "1");
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheConcurrencyTest, AStaleModelIsServedAtOnceAndRefreshedMeanwhile) {
  source_.stale_while_revalidate = seconds(30);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(60));
  source_.Set(seconds(5), {});
  EXPECT_EQ(Text(Get()), "1");
  Await(2, 1);
  EXPECT_EQ(Text(Get()), "1");
  EXPECT_EQ(source_.deadline(1), In(seconds(30)));  // The refresh's own.
  world_.clock.Advance(seconds(5));
  AwaitResult("revalidated in background");
  EXPECT_EQ(Text(Get()), "2");
  EXPECT_THAT(Results(), ElementsAre("miss", "stale", "stale", "revalidated in background", "hit"));
}

TEST_F(ModelCacheConcurrencyTest, BehindItsWindowAStaleModelIsNotServed) {
  source_.stale_while_revalidate = seconds(30);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(90));
  EXPECT_EQ(Text(Get()), "2");
}

TEST_F(ModelCacheConcurrencyTest, AFailedRefreshIsNotRepeatedBeforeThePause) {
  source_.stale_while_revalidate = hours(24 * 3650);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(60));
  source_.Set({}, Error{ErrorCode::kConnection, "down"});
  EXPECT_EQ(Text(Get()), "1");
  AwaitResult("failed in background");
  source_.Set({}, {});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Text(Get()), "1");
  EXPECT_EQ(source_.loads(), 2);
  // The pause begins when the task ends, a little after the event.
  while (source_.loads() < 3) {
    world_.clock.Advance(milliseconds(100));
    ASSERT_TRUE(Get());
    std::this_thread::yield();
  }
  AwaitResult("revalidated in background");
  EXPECT_EQ(Text(Get()), "3");
}

TEST_F(ModelCacheConcurrencyTest, TheDestructorEndsARefresh) {
  source_.stale_while_revalidate = hours(1);
  ASSERT_TRUE(Get());
  world_.clock.Advance(seconds(60));
  source_.Set(hours(1), {});
  ASSERT_TRUE(Get());
  Await(2, 1);
  cache_.reset();
  EXPECT_EQ(world_.clock.sleepers(), 0u);
}

}  // namespace
}  // namespace understudy::test
