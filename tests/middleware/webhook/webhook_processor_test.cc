#include "middleware/webhook/webhook_processor.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/store/in_memory_webhook_store.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

Error HandlerError(std::string reason = "downstream") {
  return Error{.code = ErrorCode::kConnection,
               .message = "card 4242 of jane@example.com was refused",
               .reason = std::move(reason)};
}

class WebhookProcessorTest : public testing::Test {
 protected:
  explicit WebhookProcessorTest(FakeClock::Waits waits = FakeClock::Waits::kAdvance)
      : world_(waits) {}

  WebhookEvent Event(const std::string& id, const std::string& type = "order.paid") {
    return WebhookEvent{
        {"acme", "", id}, type, "{\"id\":\"" + id + "\"}", world_.clock.SystemNow()};
  }
  WebhookKey Insert(const std::string& id, const std::string& type = "order.paid") {
    const WebhookEvent event = Event(id, type);
    EXPECT_TRUE(store_.Insert(event).has_value());
    return event.key;
  }
  WebhookRecord Record(const WebhookKey& key) { return **store_.Find(key); }

  // Counts its runs in the effect "runs", and fails with the errors given, in order.
  WebhookHandler Handler() {
    return [this](const WebhookEvent&, WebhookTransaction& transaction) -> Result<void> {
      ++runs_;
      UNDERSTUDY_ASSIGN_OR_RETURN(const auto count, transaction.Get("count"));
      UNDERSTUDY_RETURN_IF_ERROR(
          transaction.Put("count", std::to_string(std::stoi(count.value_or("0")) + 1)));
      const std::lock_guard lock(mutex_);
      if (errors_.empty()) return {};
      Error error = errors_.front();
      errors_.erase(errors_.begin());
      return error;
    };
  }
  std::string Effect() { return store_.GetEffect("count")->value_or("none"); }

  TestRuntime world_;
  InMemoryWebhookStore store_;
  std::mutex mutex_;
  std::vector<Error> errors_;
  std::atomic<int> runs_ = 0;
};

TEST_F(WebhookProcessorTest, WH15_CommitsTheHandlersEffectsWithTheCompletion) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Effect(), "1");
  EXPECT_EQ(Record(key).status, WebhookStatus::kCompleted);
}

TEST_F(WebhookProcessorTest, WH8_ACompletedEventIsADuplicateHoweverOftenItComes) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  ASSERT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDuplicate);
  }
  EXPECT_EQ(runs_, 1);
}

TEST_F(WebhookProcessorTest, WH10_AnEventInProcessIsBusyUntilItsLeaseEnds) {
  WebhookProcessor processor(world_.runtime(), store_, {.lease = seconds(30)});
  processor.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  ASSERT_TRUE(store_.Claim(key, world_.clock.SystemNow(), seconds(30))->has_value());
  world_.clock.Advance(seconds(10));
  const auto processed = processor.ProcessNow(key);
  EXPECT_EQ(processed.outcome, WebhookOutcome::kBusy);
  EXPECT_EQ(processed.retry_after, seconds(20));
  EXPECT_EQ(runs_, 0);
}

TEST_F(WebhookProcessorTest, WH11_AnEventWhoseWorkerDiedIsProcessedAfterItsLease) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  ASSERT_TRUE(store_.Claim(key, world_.clock.SystemNow(), seconds(30))->has_value());
  world_.clock.Advance(seconds(30));
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Effect(), "1");
}

TEST_F(WebhookProcessorTest, WH11_AHandlerThatOutlivesItsLeaseHasNoEffect) {
  WebhookProcessor slow(world_.runtime(), store_, {.lease = seconds(30)});
  WebhookProcessor fast(world_.runtime(), store_);
  fast.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  slow.RegisterHandler("order.paid",
                       [&](const WebhookEvent&, WebhookTransaction& t) -> Result<void> {
                         world_.clock.Advance(seconds(30));
                         EXPECT_EQ(fast.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
                         return t.Put("slow", "yes");
                       });
  EXPECT_EQ(slow.ProcessNow(key).outcome, WebhookOutcome::kBusy);
  EXPECT_EQ(*store_.GetEffect("slow"), std::nullopt);
  EXPECT_EQ(Effect(), "1");
}

TEST_F(WebhookProcessorTest, WH12_AFailedEventHasNoEffectAndIsDueAtOnceInInlineMode) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError()};
  const WebhookKey key = Insert("e1");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred);
  EXPECT_EQ(Effect(), "none");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Effect(), "1");
}

TEST_F(WebhookProcessorTest, WH12_AnEventIsDeadAfterItsLastAttemptAndCanBeReplayed) {
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 3});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError(), HandlerError(), HandlerError()};
  const WebhookKey key = Insert("e1");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred);
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred);
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDead);
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDead);
  EXPECT_EQ(runs_, 3);
  const auto dead = processor.DeadEvents(10);
  ASSERT_EQ(dead->size(), 1u);
  EXPECT_EQ((*dead)[0].event.key, key);
  ASSERT_TRUE(processor.Replay(key).has_value());
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(processor.Replay(key).error().code, ErrorCode::kNotFound);
}

TEST_F(WebhookProcessorTest, NotReadyIsNotAFailedAttemptInInlineMode) {
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 2});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {NotReady("x"), NotReady("x"), NotReady("x"), HandlerError()};
  const WebhookKey key = Insert("e1");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred) << i;
  }
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
}

TEST_F(WebhookProcessorTest, WH14_AnEventWithoutHandlerIsKeptAndHandledWhenOneAppears) {
  WebhookProcessor processor(world_.runtime(), store_);
  const WebhookKey first = Insert("e1");
  const WebhookKey second = Insert("e2");
  EXPECT_EQ(processor.ProcessNow(first).outcome, WebhookOutcome::kUnhandled);
  EXPECT_EQ(processor.ProcessNow(second).outcome, WebhookOutcome::kUnhandled);
  EXPECT_EQ(processor.ProcessNow(first).outcome, WebhookOutcome::kUnhandled);
  EXPECT_EQ(*processor.ReplayUnhandled(10), 0u);
  processor.RegisterHandler("order.paid", Handler());
  EXPECT_EQ(processor.ProcessNow(first).outcome, WebhookOutcome::kCompleted) << "by redelivery";
  EXPECT_EQ(*processor.ReplayUnhandled(10), 1u);
  EXPECT_EQ(processor.ProcessNow(second).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Effect(), "2");
}

TEST_F(WebhookProcessorTest, WH14_UnhandledEventsAreReplayedHoweverManyOthersAreInFrontOfThem) {
  WebhookProcessor processor(world_.runtime(), store_);
  for (int i = 0; i < 5; ++i) processor.ProcessNow(Insert("o" + std::to_string(i), "other"));
  const WebhookKey key = Insert("e1");
  processor.ProcessNow(key);
  ASSERT_EQ(processor.UnhandledEvents(10)->size(), 6u);
  processor.RegisterHandler("order.paid", Handler());
  EXPECT_EQ(*processor.ReplayUnhandled(3), 1u);
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  processor.RegisterHandler(std::string(WebhookProcessor::kAnyType), Handler());
  EXPECT_EQ(*processor.ReplayUnhandled(3), 3u) << "the handler for every type takes them all";
  EXPECT_EQ(*processor.ReplayUnhandled(3), 2u);
}

TEST_F(WebhookProcessorTest, WH14_RegisteringAHandlerReplaysItsEventsIfAskedTo) {
  WebhookProcessor processor(world_.runtime(), store_, {.replay_on_register_max = 2});
  for (const char* id : {"e1", "e2", "e3"}) processor.ProcessNow(Insert(id));
  processor.ProcessNow(Insert("o1", "other"));
  processor.RegisterHandler("order.paid", Handler());
  EXPECT_EQ(store_.List(WebhookStatus::kPending, 10)->size(), 2u);
  EXPECT_EQ(store_.List(WebhookStatus::kUnhandled, 10)->size(), 2u);
}

// What is returned is what the store holds afterwards, not what was read before the run.
TEST_F(WebhookProcessorTest, WH16_TheOutcomeIsTheStateAfterTheRun) {
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 2});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError()};
  const WebhookKey key = Insert("e1");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred);
  EXPECT_EQ(Record(key).status, WebhookStatus::kPending);
  EXPECT_EQ(Record(key).attempts, 1);
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Record(key).status, WebhookStatus::kCompleted);
  EXPECT_EQ(Record(key).attempts, 2);
  EXPECT_EQ(Record(key).last_error, "");
  EXPECT_EQ(store_.Insert(Event("e1"))->status, WebhookStatus::kCompleted);
}

TEST_F(WebhookProcessorTest, WH12_DeadEventsAreReplayedTogetherWithFreshAttempts) {
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 1});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError(), HandlerError(), HandlerError()};
  for (const char* id : {"e1", "e2", "e3"}) {
    EXPECT_EQ(processor.ProcessNow(Insert(id)).outcome, WebhookOutcome::kDead);
  }
  EXPECT_EQ(*processor.ReplayDead(2), 2u);
  EXPECT_EQ(processor.DeadEvents(10)->size(), 1u);
  EXPECT_EQ(processor.ProcessNow(Event("e1").key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(*processor.ReplayDead(10), 1u);
}

TEST_F(WebhookProcessorTest, AnExceptionOfTheHandlerIsAFailure) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid",
                            [](const WebhookEvent&, WebhookTransaction& t) -> Result<void> {
                              EXPECT_TRUE(t.Put("count", "1").has_value());
                              throw std::runtime_error("jane@example.com");
                            });
  const WebhookKey key = Insert("e1");
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kDeferred);
  EXPECT_EQ(Effect(), "none");
  EXPECT_EQ(Record(key).last_error, "internal (exception)");
}

TEST_F(WebhookProcessorTest, WH19_StoredAndPublishedErrorsHoldNoMessage) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError("bad reason\n\"jane\"")};
  const WebhookKey key = Insert("e1");
  processor.ProcessNow(key);
  EXPECT_EQ(Record(key).last_error, "connection (bad?reason??jane?)");
  for (const auto& line : world_.events.Lines("webhook.processed")) {
    EXPECT_THAT(line, Not(HasSubstr("4242")));
  }
}

TEST_F(WebhookProcessorTest, WH15_AConflictingTransactionIsRunAgain) {
  WebhookProcessor processor(world_.runtime(), store_);
  const WebhookKey key = Insert("e1");
  const WebhookKey other = Insert("e2", "other");
  processor.RegisterHandler("other", Handler());
  bool interfered = false;
  processor.RegisterHandler(
      "order.paid", [&](const WebhookEvent&, WebhookTransaction& t) -> Result<void> {
        UNDERSTUDY_ASSIGN_OR_RETURN(const auto count, t.Get("count"));
        if (!std::exchange(interfered, true)) {
          EXPECT_EQ(processor.ProcessNow(other).outcome, WebhookOutcome::kCompleted);
        }
        return t.Put("count", std::to_string(std::stoi(count.value_or("0")) + 1));
      });
  EXPECT_EQ(processor.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
  EXPECT_EQ(Effect(), "2");
}

TEST_F(WebhookProcessorTest, TellsTheObserverTheEffectsAfterTheyAreCommitted) {
  std::vector<WebhookEffects> seen;
  WebhookProcessor processor(
      world_.runtime(), store_,
      {.on_completed = [&](const WebhookEvent& event, const WebhookEffects& effects) {
        EXPECT_EQ(HeldMutexCount(), 0);
        EXPECT_EQ(Record(event.key).status, WebhookStatus::kCompleted);
        seen.push_back(effects);
      }});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError()};
  const WebhookKey key = Insert("e1");
  processor.ProcessNow(key);
  EXPECT_TRUE(seen.empty());
  processor.ProcessNow(key);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_THAT(seen[0], ElementsAre(Pair("count", "1")));
}

TEST_F(WebhookProcessorTest, PublishesEveryRun) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError()};
  const WebhookKey key = Insert("e1");
  processor.ProcessNow(key);
  processor.ProcessNow(key);
  processor.ProcessNow(key);
  EXPECT_THAT(world_.events.Lines("webhook.processed"),
              ElementsAre("webhook.processed attempt=1 event_id=e1 outcome=deferred provider=acme "
                          "reason=connection (downstream) type=order.paid",
                          "webhook.processed attempt=2 event_id=e1 outcome=completed provider=acme "
                          "reason= type=order.paid"));
}

TEST_F(WebhookProcessorTest, AnEventThatIsNotStoredIsAStorageFailure) {
  WebhookProcessor processor(world_.runtime(), store_);
  EXPECT_EQ(processor.ProcessNow({"acme", "", "nothing"}).outcome, WebhookOutcome::kStorageFailed);
}

// With workers on real threads and a clock that only the test moves.
class WebhookWorkerTest : public WebhookProcessorTest {
 protected:
  WebhookWorkerTest() : WebhookProcessorTest(FakeClock::Waits::kBlock) {}

  void AwaitOutcomes(std::size_t count) {
    while (world_.events.Count("webhook.processed") < count) std::this_thread::yield();
  }
};

TEST_F(WebhookWorkerTest, WH13_AWorkerProcessesWhatWasInsertedBeforeAndAfterItsStart) {
  WebhookProcessor processor(world_.runtime(), store_);
  processor.RegisterHandler("order.paid", Handler());
  Insert("before");
  processor.Start();
  AwaitOutcomes(1);
  world_.clock.AwaitSleepers(1);
  Insert("after");
  processor.Notify();
  AwaitOutcomes(2);
  EXPECT_EQ(Effect(), "2");
}

TEST_F(WebhookWorkerTest, AWorkerTriesAgainAfterTheBackoffAndNotBefore) {
  WebhookProcessor processor(world_.runtime(), store_, {.backoff_min = seconds(1)});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {HandlerError(), HandlerError()};
  Insert("e1");
  processor.Start();
  AwaitOutcomes(1);
  world_.clock.AwaitSleepers(1);
  world_.clock.Advance(milliseconds(750) - Duration(1));  // The jitter of 0.5 makes 1 s 750 ms.
  world_.clock.AwaitSleepers(1);
  EXPECT_EQ(runs_, 1);
  world_.clock.Advance(Duration(1));
  AwaitOutcomes(2);
  world_.clock.AwaitSleepers(1);
  world_.clock.Advance(milliseconds(1500));
  AwaitOutcomes(3);
  EXPECT_EQ(Effect(), "1");
}

TEST_F(WebhookWorkerTest, NotReadyCountsAsAnAttemptInQueuedMode) {
  WebhookProcessor processor(world_.runtime(), store_,
                             {.attempts_max = 2, .backoff_min = Duration::zero()});
  processor.RegisterHandler("order.paid", Handler());
  errors_ = {NotReady("x"), NotReady("x")};
  const WebhookKey key = Insert("e1");
  processor.Start();
  AwaitOutcomes(2);
  processor.Stop();
  EXPECT_EQ(Record(key).status, WebhookStatus::kDead);
}

TEST_F(WebhookWorkerTest, WH11_AnEventThatKillsEveryWorkerEndsAsDead) {
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 2});
  processor.RegisterHandler("order.paid", Handler());
  const WebhookKey key = Insert("e1");
  for (int crash = 0; crash < 2; ++crash) {
    ASSERT_TRUE(store_.Claim(key, world_.clock.SystemNow(), seconds(1))->has_value());
    world_.clock.Advance(seconds(1));
  }
  processor.Start();
  AwaitOutcomes(1);
  processor.Stop();
  EXPECT_EQ(Record(key).status, WebhookStatus::kDead);
  EXPECT_EQ(runs_, 0);
}

TEST_F(WebhookWorkerTest, AWorkerFindsEventsOfOtherProcessesWithoutANotification) {
  WebhookProcessor processor(world_.runtime(), store_, {.poll_max = seconds(30)});
  processor.RegisterHandler("order.paid", Handler());
  processor.Start();
  world_.clock.AwaitSleepers(1);
  Insert("elsewhere");
  world_.clock.Advance(seconds(30));
  AwaitOutcomes(1);
}

TEST_F(WebhookWorkerTest, StopEndsSleepingWorkers) {
  WebhookProcessor processor(world_.runtime(), store_, {.workers = 3});
  processor.Start();
  world_.clock.AwaitSleepers(3);
  processor.Stop();
  EXPECT_EQ(world_.clock.sleepers(), 0u);
}

TEST_F(WebhookWorkerTest, WH10_ManyWorkersAndDeliveriesRunEachEventOnce) {
  constexpr int kEvents = 50;
  WebhookProcessor processor(world_.runtime(), store_, {.attempts_max = 1000, .workers = 4});
  std::mutex mutex;
  std::map<std::string, int> runs;
  processor.RegisterHandler("order.paid",
                            [&](const WebhookEvent& event, WebhookTransaction& t) -> Result<void> {
                              const std::lock_guard lock(mutex);
                              ++runs[event.key.event_id];
                              return t.Put(event.key.event_id, "done");
                            });
  processor.Start();
  {
    std::vector<std::jthread> senders;
    for (int sender = 0; sender < 3; ++sender) {
      senders.emplace_back([&] {
        for (int i = 0; i < kEvents; ++i) {
          const WebhookKey key = Insert(std::string("e").append(std::to_string(i)));
          processor.Notify();
          processor.ProcessNow(key);
        }
      });
    }
  }
  AwaitOutcomes(kEvents);
  processor.Stop();
  ASSERT_EQ(runs.size(), static_cast<std::size_t>(kEvents));
  for (const auto& [id, count] : runs) EXPECT_EQ(count, 1) << id;
}

}  // namespace
}  // namespace understudy::test
