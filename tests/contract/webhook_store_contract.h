// What every WebhookStore keeps, as one suite. Include it in one source file of a test program and
// instantiate:
//
//   INSTANTIATE_TEST_SUITE_P(
//       InMemory, WebhookStoreContractTest,
//       testing::Values(WebhookStoreFactory([] { return std::make_unique<InMemoryWebhookStore>();
//       })));
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/store/webhook_store.h"

namespace understudy::test {

// Makes an empty store. What the store needs (a temporary folder) is owned by the returned object
// or the factory. Null skips the test: what the store needs is not installed.
using WebhookStoreFactory = std::function<std::unique_ptr<WebhookStore>()>;

class WebhookStoreContractTest : public testing::TestWithParam<WebhookStoreFactory> {
 protected:
  void SetUp() override {
    if (store_ == nullptr) GTEST_SKIP() << "the store cannot be made here";
  }

  static constexpr Duration kLease = std::chrono::seconds(30);
  static constexpr SystemTime kStart = SystemTime(std::chrono::seconds(1'700'000'000));

  static constexpr SystemTime At(int seconds) { return kStart + std::chrono::seconds(seconds); }

  static WebhookEvent Event(const std::string& id, SystemTime received_at = kStart) {
    return WebhookEvent{
        {"acme", "acct_1", id}, "order.paid", "{\"id\":\"" + id + "\"}", received_at};
  }

  void Insert(const WebhookEvent& event) {
    const auto inserted = store_->Insert(event);
    ASSERT_TRUE(inserted.has_value()) << inserted.error().ToString();
    ASSERT_EQ(inserted->outcome, InsertOutcome::kInserted);
  }

  WebhookLease MustClaim(const WebhookKey& key, SystemTime now) {
    auto claimed = store_->Claim(key, now, kLease);
    EXPECT_TRUE(claimed.has_value() && claimed->has_value());
    return claimed.has_value() && claimed->has_value() ? **claimed : WebhookLease{};
  }

  bool CanClaim(const WebhookKey& key, SystemTime now) {
    const auto claimed = store_->Claim(key, now, kLease);
    EXPECT_TRUE(claimed.has_value());
    return claimed.has_value() && claimed->has_value();
  }

  WebhookStatus StatusOf(const WebhookKey& key) {
    const auto found = store_->Find(key);
    EXPECT_TRUE(found.has_value() && found->has_value());
    return found.has_value() && found->has_value() ? (*found)->status : WebhookStatus::kDead;
  }

  static constexpr auto kNothing = [](WebhookTransaction&) { return Result<void>(); };

  void ExpectLeaseLost(const Result<void>& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kStorage);
    EXPECT_EQ(result.error().reason, "lease-lost");
  }

  std::unique_ptr<WebhookStore> store_ = GetParam()();
};

TEST_P(WebhookStoreContractTest, AnInsertedEventIsPendingWithItsExactBytes) {
  WebhookEvent event = Event("e1");
  event.payload = std::string("\0\xff {\"a\": 1}\r\n", 14);
  Insert(event);
  const auto found = store_->Find(event.key);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->status, WebhookStatus::kPending);
  EXPECT_EQ((*found)->event.key, event.key);
  EXPECT_EQ((*found)->event.type, "order.paid");
  EXPECT_EQ((*found)->event.payload, event.payload);
  EXPECT_EQ((*found)->event.received_at, kStart);
  EXPECT_EQ((*found)->attempts, 0);
}

TEST_P(WebhookStoreContractTest, KeysTypesAndEffectsMayHoldAnyBytes) {
  const std::string bytes("\0\xff\x80'\"\\\n", 7);
  const WebhookEvent event{{bytes + "p", bytes, bytes + "e"}, bytes + "t", bytes, kStart};
  Insert(event);
  EXPECT_EQ(store_->Insert(event)->outcome, InsertOutcome::kDuplicate);
  const WebhookLease lease = MustClaim(event.key, kStart);
  EXPECT_EQ(lease.event.key, event.key);
  EXPECT_EQ(lease.event.type, event.type);
  ASSERT_TRUE(store_->Complete(lease, [&](WebhookTransaction& t) { return t.Put(bytes, bytes); }));
  EXPECT_EQ(*store_->GetEffect(bytes), bytes);
  EXPECT_EQ(*store_->GetEffect(std::string_view(bytes).substr(0, 6)), std::nullopt);
}

TEST_P(WebhookStoreContractTest, ALargePayloadIsKeptExactly) {
  WebhookEvent event = Event("large");
  for (int i = 0; i < 1'000'000; ++i) event.payload.push_back(static_cast<char>(i * 7));
  Insert(event);
  EXPECT_EQ((**store_->ClaimNext(kStart, kLease)).event.payload, event.payload);
}

TEST_P(WebhookStoreContractTest, AnUnknownEventIsNotFoundAndNotClaimable) {
  const WebhookKey key{"acme", "", "nothing"};
  EXPECT_FALSE(store_->Find(key)->has_value());
  EXPECT_FALSE(CanClaim(key, kStart));
}

TEST_P(WebhookStoreContractTest, WH8_ADuplicateLeavesACompletedEventCompletedHoweverOftenItComes) {
  Insert(Event("e1"));
  ASSERT_TRUE(store_->Complete(MustClaim(Event("e1").key, kStart), kNothing).has_value());
  for (int delivery = 2; delivery <= 4; ++delivery) {
    const auto again = store_->Insert(Event("e1"));
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->outcome, InsertOutcome::kDuplicate) << "delivery " << delivery;
    EXPECT_EQ(again->status, WebhookStatus::kCompleted) << "delivery " << delivery;
    EXPECT_FALSE(CanClaim(Event("e1").key, At(1000))) << "delivery " << delivery;
  }
}

TEST_P(WebhookStoreContractTest, ADuplicateKeepsTheFirstPayload) {
  Insert(Event("e1"));
  WebhookEvent second = Event("e1");
  second.payload = "other";
  second.type = "other";
  ASSERT_EQ(store_->Insert(second)->outcome, InsertOutcome::kDuplicate);
  EXPECT_EQ((**store_->Find(second.key)).event.payload, Event("e1").payload);
  EXPECT_EQ((**store_->Find(second.key)).event.type, "order.paid");
}

TEST_P(WebhookStoreContractTest, WH9_AnEmptyProviderOrEventIdIsRefused) {
  for (const WebhookKey& key : {WebhookKey{"", "acct", "e1"}, WebhookKey{"acme", "acct", ""}}) {
    const auto inserted = store_->Insert(WebhookEvent{key, "t", "{}", kStart});
    ASSERT_FALSE(inserted.has_value());
    EXPECT_EQ(inserted.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_P(WebhookStoreContractTest, WH14_TheSameIdOfAnotherProviderOrAccountIsAnotherEvent) {
  Insert(WebhookEvent{{"acme", "a", "e1"}, "t", "1", kStart});
  Insert(WebhookEvent{{"acme", "b", "e1"}, "t", "2", kStart});
  Insert(WebhookEvent{{"acme", "", "e1"}, "t", "3", kStart});
  Insert(WebhookEvent{{"other", "a", "e1"}, "t", "4", kStart});
}

TEST_P(WebhookStoreContractTest, WH17_KeysWithSeparatorsInThemDoNotCollide) {
  Insert(WebhookEvent{{"a:b", "c", "d"}, "t", "1", kStart});
  Insert(WebhookEvent{{"a", "b:c", "d"}, "t", "2", kStart});
  Insert(WebhookEvent{{"a", "b", "c:d"}, "t", "3", kStart});
}

TEST_P(WebhookStoreContractTest, WH10_OfConcurrentInsertsOfOneEventExactlyOneInserts) {
  constexpr int kThreads = 4;
  std::atomic<int> inserted = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        const auto result = store_->Insert(Event("e1"));
        if (result.has_value() && result->outcome == InsertOutcome::kInserted) ++inserted;
      });
    }
  }
  EXPECT_EQ(inserted, 1);
}

TEST_P(WebhookStoreContractTest, WH10_OfConcurrentClaimsOfOneEventExactlyOneWins) {
  Insert(Event("e1"));
  constexpr int kThreads = 4;
  std::atomic<int> claims = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const auto claimed = i % 2 == 0 ? store_->Claim(Event("e1").key, kStart, kLease)
                                        : store_->ClaimNext(kStart, kLease);
        if (claimed.has_value() && claimed->has_value()) ++claims;
      });
    }
  }
  EXPECT_EQ(claims, 1);
}

TEST_P(WebhookStoreContractTest, AClaimCarriesTheEventAndItsNumberAndEnd) {
  Insert(Event("e1"));
  const WebhookLease lease = MustClaim(Event("e1").key, At(1));
  EXPECT_EQ(lease.event.payload, Event("e1").payload);
  EXPECT_EQ(lease.attempt, 1);
  EXPECT_EQ(lease.until, At(31));
  const auto found = store_->Find(Event("e1").key);
  EXPECT_EQ((*found)->status, WebhookStatus::kProcessing);
  EXPECT_EQ((*found)->attempts, 1);
  EXPECT_EQ((*found)->lease_until, At(31));
}

TEST_P(WebhookStoreContractTest, WH11_AnExpiredLeaseIsClaimableExactlyFromItsEnd) {
  Insert(Event("e1"));
  MustClaim(Event("e1").key, kStart);
  EXPECT_FALSE(CanClaim(Event("e1").key, At(30) - Duration(1)));
  const WebhookLease second = MustClaim(Event("e1").key, At(30));
  EXPECT_EQ(second.attempt, 2);
}

TEST_P(WebhookStoreContractTest, WH11_TheFenceGrowsWithEveryClaim) {
  Insert(Event("e1"));
  const WebhookLease first = MustClaim(Event("e1").key, kStart);
  const WebhookLease second = MustClaim(Event("e1").key, At(30));
  EXPECT_GT(second.fence, first.fence);
}

TEST_P(WebhookStoreContractTest, WH11_ASlowWorkerCannotCommitAfterAnotherHasClaimed) {
  Insert(Event("e1"));
  const WebhookLease slow = MustClaim(Event("e1").key, kStart);
  const WebhookLease fast = MustClaim(Event("e1").key, At(30));
  ExpectLeaseLost(store_->Complete(
      slow, [](WebhookTransaction& transaction) { return transaction.Put("paid", "slow"); }));
  ExpectLeaseLost(store_->Fail(slow, At(40), "late"));
  ExpectLeaseLost(store_->Release(slow, At(40), "late"));
  ExpectLeaseLost(store_->Park(slow));
  EXPECT_FALSE(store_->GetEffect("paid")->has_value());
  EXPECT_TRUE(store_->Complete(fast, kNothing).has_value());
}

TEST_P(WebhookStoreContractTest, AnExpiredLeaseThatNobodyTookMayStillCommit) {
  Insert(Event("e1"));
  const WebhookLease lease = MustClaim(Event("e1").key, kStart);
  EXPECT_TRUE(store_->Complete(lease, kNothing).has_value());
  EXPECT_EQ(StatusOf(Event("e1").key), WebhookStatus::kCompleted);
}

TEST_P(WebhookStoreContractTest, ACompletedEventCannotBeCompletedFailedOrParkedAgain) {
  Insert(Event("e1"));
  const WebhookLease lease = MustClaim(Event("e1").key, kStart);
  ASSERT_TRUE(store_->Complete(lease, kNothing).has_value());
  bool ran = false;
  ExpectLeaseLost(store_->Complete(lease, [&](WebhookTransaction&) {
    ran = true;
    return Result<void>();
  }));
  EXPECT_FALSE(ran) << "the lease is checked before the work";
  ExpectLeaseLost(store_->Fail(lease, At(1), "late"));
  ExpectLeaseLost(store_->Park(lease));
  EXPECT_EQ(StatusOf(Event("e1").key), WebhookStatus::kCompleted);
}

TEST_P(WebhookStoreContractTest, WH15_EffectsAndCompletionBecomeVisibleTogether) {
  Insert(Event("e1"));
  const WebhookLease lease = MustClaim(Event("e1").key, kStart);
  const auto completed =
      store_->Complete(lease, [&](WebhookTransaction& transaction) -> Result<void> {
        UNDERSTUDY_RETURN_IF_ERROR(transaction.Put("o1", "paid"));
        UNDERSTUDY_ASSIGN_OR_RETURN(const auto own, transaction.Get("o1"));
        EXPECT_EQ(own, "paid") << "a transaction sees its own writes";
        return transaction.Put("o1", "paid twice");
      });
  ASSERT_TRUE(completed.has_value());
  EXPECT_EQ(*store_->GetEffect("o1"), "paid twice");
  EXPECT_EQ(StatusOf(Event("e1").key), WebhookStatus::kCompleted);
}

TEST_P(WebhookStoreContractTest, ATransactionReadsWhatAnEarlierOneCommitted) {
  Insert(Event("e1"));
  Insert(Event("e2"));
  ASSERT_TRUE(store_
                  ->Complete(MustClaim(Event("e1").key, kStart),
                             [](WebhookTransaction& t) { return t.Put("o1", "created"); })
                  .has_value());
  std::optional<std::string> seen;
  std::optional<std::string> missing = "unset";
  ASSERT_TRUE(store_
                  ->Complete(MustClaim(Event("e2").key, kStart),
                             [&](WebhookTransaction& t) {
                               seen = *t.Get("o1");
                               missing = *t.Get("o2");
                               return Result<void>();
                             })
                  .has_value());
  EXPECT_EQ(seen, "created");
  EXPECT_EQ(missing, std::nullopt);
}

TEST_P(WebhookStoreContractTest, WH15_FailedWorkWritesNothingAndKeepsTheClaim) {
  Insert(Event("e1"));
  const WebhookLease lease = MustClaim(Event("e1").key, kStart);
  const auto completed = store_->Complete(lease, [](WebhookTransaction& t) -> Result<void> {
    UNDERSTUDY_RETURN_IF_ERROR(t.Put("o1", "paid"));
    return Error{.code = ErrorCode::kNotFound, .message = "no such order", .reason = "mine"};
  });
  ASSERT_FALSE(completed.has_value());
  EXPECT_EQ(completed.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(completed.error().reason, "mine");
  EXPECT_FALSE(store_->GetEffect("o1")->has_value());
  EXPECT_EQ(StatusOf(Event("e1").key), WebhookStatus::kProcessing);
  EXPECT_TRUE(store_->Fail(lease, At(5), "handler failed").has_value());
}

TEST_P(WebhookStoreContractTest, AFailedEventIsClaimableExactlyFromItsRetryTime) {
  Insert(Event("e1"));
  ASSERT_TRUE(store_->Fail(MustClaim(Event("e1").key, kStart), At(60), "not yet").has_value());
  const auto found = store_->Find(Event("e1").key);
  EXPECT_EQ((*found)->status, WebhookStatus::kPending);
  EXPECT_EQ((*found)->not_before, At(60));
  EXPECT_EQ((*found)->last_error, "not yet");
  EXPECT_FALSE(CanClaim(Event("e1").key, At(60) - Duration(1)));
  EXPECT_EQ(MustClaim(Event("e1").key, At(60)).attempt, 2);
}

TEST_P(WebhookStoreContractTest, AReleasedEventIsClaimableFromItsRetryTime) {
  Insert(Event("e1"));
  ASSERT_TRUE(store_->Release(MustClaim(Event("e1").key, kStart), At(5), "not-ready").has_value());
  EXPECT_FALSE(CanClaim(Event("e1").key, At(5) - Duration(1)));
  EXPECT_TRUE(CanClaim(Event("e1").key, At(5)));
}

TEST_P(WebhookStoreContractTest, WH12_AnExhaustedEventIsKeptAsDeadAndListed) {
  Insert(Event("e1"));
  ASSERT_TRUE(
      store_->Fail(MustClaim(Event("e1").key, kStart), std::nullopt, "gave up").has_value());
  EXPECT_FALSE(CanClaim(Event("e1").key, At(1'000'000)));
  const auto dead = store_->List(WebhookStatus::kDead, 10);
  ASSERT_TRUE(dead.has_value());
  ASSERT_EQ(dead->size(), 1u);
  EXPECT_EQ((*dead)[0].event.payload, Event("e1").payload);
  EXPECT_EQ((*dead)[0].last_error, "gave up");
}

TEST_P(WebhookStoreContractTest, WH14_AnUnhandledEventIsKeptAndCanBeRevived) {
  Insert(Event("e1"));
  ASSERT_TRUE(store_->Park(MustClaim(Event("e1").key, kStart)).has_value());
  EXPECT_EQ(StatusOf(Event("e1").key), WebhookStatus::kUnhandled);
  EXPECT_FALSE(CanClaim(Event("e1").key, At(1'000'000)));
  ASSERT_TRUE(store_->Revive(Event("e1").key, At(10)).has_value());
  EXPECT_EQ(MustClaim(Event("e1").key, At(10)).attempt, 1) << "attempts count from 0 again";
}

TEST_P(WebhookStoreContractTest, WH14_UnhandledEventsOfATypeAreRevivedTogetherOldestFirst) {
  const auto park = [&](const std::string& id, const std::string& type) {
    WebhookEvent event = Event(id);
    event.type = type;
    Insert(event);
    ASSERT_TRUE(store_->Park(MustClaim(event.key, kStart)).has_value());
  };
  park("other", "order.lost");
  for (const char* id : {"a", "b", "c"}) park(id, "order.paid");
  Insert(Event("pending"));
  ASSERT_TRUE(store_->Fail(MustClaim(Event("pending").key, kStart), std::nullopt, "dead"));
  EXPECT_EQ(*store_->ReviveUnhandled("order.paid", At(5), 2), 2u);
  EXPECT_EQ(StatusOf(Event("a").key), WebhookStatus::kPending);
  EXPECT_EQ(StatusOf(Event("b").key), WebhookStatus::kPending);
  EXPECT_EQ(StatusOf(Event("c").key), WebhookStatus::kUnhandled);
  EXPECT_FALSE(CanClaim(Event("a").key, At(5) - Duration(1)));
  EXPECT_EQ(MustClaim(Event("a").key, At(5)).attempt, 1);
  EXPECT_EQ(*store_->ReviveUnhandled("order", At(5), 10), 0u) << "the whole type";
  EXPECT_EQ(*store_->ReviveUnhandled(std::nullopt, At(5), 10), 2u);
  EXPECT_EQ(StatusOf(Event("pending").key), WebhookStatus::kDead);
}

TEST_P(WebhookStoreContractTest, ALeaseFromBeforeARevivalIsLost) {
  Insert(Event("e1"));
  const WebhookLease old = MustClaim(Event("e1").key, kStart);
  ASSERT_TRUE(store_->Fail(old, std::nullopt, "dead").has_value());
  ASSERT_TRUE(store_->Revive(Event("e1").key, At(1)).has_value());
  MustClaim(Event("e1").key, At(1));
  ExpectLeaseLost(store_->Complete(old, kNothing));
}

TEST_P(WebhookStoreContractTest, OnlyDeadAndUnhandledEventsAreRevived) {
  Insert(Event("pending"));
  Insert(Event("processing"));
  Insert(Event("completed"));
  MustClaim(Event("processing").key, kStart);
  ASSERT_TRUE(store_->Complete(MustClaim(Event("completed").key, kStart), kNothing).has_value());
  for (const char* id : {"pending", "processing", "completed", "unknown"}) {
    const auto revived = store_->Revive(Event(id).key, At(1));
    ASSERT_FALSE(revived.has_value()) << id;
    EXPECT_EQ(revived.error().code, ErrorCode::kNotFound) << id;
  }
}

TEST_P(WebhookStoreContractTest, ClaimNextTakesTheEventThatHasBeenDueForLongest) {
  Insert(Event("late", At(2)));
  Insert(Event("early", At(1)));
  Insert(Event("future", At(100)));
  EXPECT_EQ((**store_->ClaimNext(At(10), kLease)).event.key.event_id, "early");
  EXPECT_EQ((**store_->ClaimNext(At(10), kLease)).event.key.event_id, "late");
  EXPECT_FALSE(store_->ClaimNext(At(10), kLease)->has_value());
}

TEST_P(WebhookStoreContractTest, WH11_ClaimNextTakesOverAnExpiredLease) {
  Insert(Event("e1"));
  MustClaim(Event("e1").key, kStart);
  EXPECT_FALSE(store_->ClaimNext(At(30) - Duration(1), kLease)->has_value());
  const auto taken = store_->ClaimNext(At(30), kLease);
  ASSERT_TRUE(taken.has_value() && taken->has_value());
  EXPECT_EQ((*taken)->attempt, 2);
}

TEST_P(WebhookStoreContractTest, NextDueSaysWhenClaimNextFindsSomething) {
  EXPECT_EQ(*store_->NextDue(), std::nullopt);
  Insert(Event("e1", At(3)));
  EXPECT_EQ(*store_->NextDue(), At(3));
  const WebhookLease lease = MustClaim(Event("e1").key, At(3));
  EXPECT_EQ(*store_->NextDue(), At(33)) << "the end of the lease";
  ASSERT_TRUE(store_->Fail(lease, At(7), "again").has_value());
  EXPECT_EQ(*store_->NextDue(), At(7));
  ASSERT_TRUE(store_->Complete(MustClaim(Event("e1").key, At(7)), kNothing).has_value());
  EXPECT_EQ(*store_->NextDue(), std::nullopt);
}

TEST_P(WebhookStoreContractTest, ListIsOldestFirstAndBounded) {
  for (const char* id : {"c", "a", "b"}) Insert(Event(id));
  const auto two = store_->List(WebhookStatus::kPending, 2);
  ASSERT_TRUE(two.has_value());
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ((*two)[0].event.key.event_id, "c");
  EXPECT_EQ((*two)[1].event.key.event_id, "a");
  EXPECT_TRUE(store_->List(WebhookStatus::kDead, 10)->empty());
}

TEST_P(WebhookStoreContractTest, EveryConcurrentInsertGetsItsOwnOutcome) {
  constexpr int kThreads = 4;
  constexpr int kEvents = 40;
  std::atomic<int> inserted = 0;
  std::atomic<int> duplicates = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < kEvents; ++n) {
          // Each in another order, so that they meet in the middle.
          const auto result = store_->Insert(Event(std::to_string((n * (2 * i + 1)) % kEvents)));
          ASSERT_TRUE(result) << result.error().ToString();
          ++(result->outcome == InsertOutcome::kInserted ? inserted : duplicates);
        }
      });
    }
  }
  EXPECT_EQ(inserted, kEvents);
  EXPECT_EQ(duplicates, (kThreads - 1) * kEvents);
}

TEST_P(WebhookStoreContractTest, WH11_SomebodyElseMayTakeOverWhileTheWorkRuns) {
  Insert(Event("e1"));
  const WebhookLease slow = MustClaim(Event("e1").key, kStart);
  const auto completed = store_->Complete(slow, [&](WebhookTransaction& transaction) {
    const WebhookLease fast = MustClaim(Event("e1").key, At(30));
    EXPECT_TRUE(store_->Complete(fast, kNothing));
    return transaction.Put("k", "slow");
  });
  ExpectLeaseLost(completed);
  EXPECT_EQ(*store_->GetEffect("k"), std::nullopt);
}

TEST_P(WebhookStoreContractTest, WH15_AValueReadAndChangedMeanwhileIsAConflict) {
  Insert(Event("a"));
  Insert(Event("b"));
  const WebhookLease a = MustClaim(Event("a").key, kStart);
  const WebhookLease b = MustClaim(Event("b").key, kStart);
  const auto completed = store_->Complete(a, [&](WebhookTransaction& transaction) {
    EXPECT_EQ(*transaction.Get("k"), std::nullopt);
    EXPECT_TRUE(store_->Complete(b, [](WebhookTransaction& t) { return t.Put("k", "b"); }));
    return transaction.Put("other", "a");
  });
  ASSERT_FALSE(completed);
  EXPECT_EQ(completed.error().reason, "conflict");
  EXPECT_EQ(*store_->GetEffect("k"), "b");
  EXPECT_EQ(*store_->GetEffect("other"), std::nullopt);
  EXPECT_EQ(StatusOf(a.event.key), WebhookStatus::kProcessing);
}

// Two handlers that each read what the other one writes: one of them must see it (write skew).
TEST_P(WebhookStoreContractTest, WH15_ConcurrentTransactionsAreSerializable) {
  constexpr int kRounds = 25;
  const auto first_only = [&](std::string_view mine, std::string_view other) {
    return [=](WebhookTransaction& t) -> Result<void> {
      UNDERSTUDY_ASSIGN_OR_RETURN(const auto taken, t.Get(other));
      return taken ? Result<void>() : t.Put(mine, "taken");
    };
  };
  for (int round = 0; round < kRounds; ++round) {
    const std::string suffix = std::to_string(round);
    const std::string keys[] = {"x" + suffix, "y" + suffix};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 2; ++i) {
        Insert(Event(keys[i]));
        threads.emplace_back([&, i] {
          const WebhookLease lease = MustClaim(Event(keys[i]).key, kStart);
          int tries = 0;
          while (!store_->Complete(lease, first_only(keys[i], keys[1 - i]))) {
            ASSERT_LT(++tries, 1000);
          }
        });
      }
    }
    const int taken =
        store_->GetEffect(keys[0])->has_value() + store_->GetEffect(keys[1])->has_value();
    ASSERT_EQ(taken, 1) << "round " << round;
  }
}

TEST_P(WebhookStoreContractTest, WH10_WorkersShareTheEventsWithoutOneTwice) {
  constexpr int kEvents = 60;
  for (int i = 0; i < kEvents; ++i) Insert(Event(std::to_string(i)));
  std::atomic<int> claims = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        // A store may leave out an event that another worker is just taking.
        for (int empty = 0; empty < 3;) {
          const auto lease = store_->ClaimNext(kStart, kLease);
          ASSERT_TRUE(lease) << lease.error().ToString();
          if (!*lease) {
            ++empty;
            continue;
          }
          ++claims;
          ASSERT_TRUE(store_->Complete(**lease, kNothing));
        }
      });
    }
  }
  EXPECT_EQ(claims, kEvents);
  EXPECT_EQ(store_->List(WebhookStatus::kCompleted, 1000)->size(), std::size_t{kEvents});
}

// Increments a counter per event from several threads. A store that serialises transactions or
// refuses conflicting ones (kStorage; the work is then run again) loses no increment.
TEST_P(WebhookStoreContractTest, WH15_ConcurrentTransactionsOverOneValueLoseNoUpdate) {
  constexpr int kThreads = 4;
  constexpr int kEventsPerThread = 10;
  const auto increment = [](WebhookTransaction& t) -> Result<void> {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto value, t.Get("counter"));
    return t.Put("counter", std::to_string(std::stoi(value.value_or("0")) + 1));
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int j = 0; j < kEventsPerThread; ++j) {
          const WebhookEvent event = Event(std::to_string(i) + "/" + std::to_string(j));
          ASSERT_TRUE(store_->Insert(event).has_value());
          const WebhookLease lease = MustClaim(event.key, kStart);
          int tries = 0;
          while (!store_->Complete(lease, increment).has_value()) ASSERT_LT(++tries, 1000);
        }
      });
    }
  }
  EXPECT_EQ(*store_->GetEffect("counter"), std::to_string(kThreads * kEventsPerThread));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(WebhookStoreContractTest);

}  // namespace understudy::test
