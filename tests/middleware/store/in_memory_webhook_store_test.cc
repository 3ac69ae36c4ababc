#include "middleware/store/in_memory_webhook_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/webhook_store_contract.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(InMemory, WebhookStoreContractTest,
                         testing::Values(WebhookStoreFactory([] {
                           return std::make_unique<InMemoryWebhookStore>();
                         })));

WebhookEvent Event(const std::string& id) {
  return WebhookEvent{{"acme", "", id}, "order.paid", "{}", SystemTime(seconds(100))};
}

constexpr SystemTime kNow = SystemTime(seconds(200));
constexpr Duration kLease = seconds(30);

TEST(InMemoryWebhookStoreTest, RefusesMoreThanItsBoundButStillKnowsDuplicates) {
  InMemoryWebhookStore store({.events_max = 1});
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  const auto second = store.Insert(Event("e2"));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kStorage);
  EXPECT_EQ(second.error().reason, "full");
  EXPECT_EQ(store.Insert(Event("e1"))->outcome, InsertOutcome::kDuplicate);
}

TEST(InMemoryWebhookStoreTest, RefusesEffectsBeyondItsBoundWithoutAnyOfThem) {
  InMemoryWebhookStore store({.effects_max = 1});
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  const auto lease = **store.Claim(Event("e1").key, kNow, kLease);
  const auto completed = store.Complete(lease, [](WebhookTransaction& t) -> Result<void> {
    UNDERSTUDY_RETURN_IF_ERROR(t.Put("a", "1"));
    return t.Put("b", "2");
  });
  ASSERT_FALSE(completed.has_value());
  EXPECT_EQ(completed.error().reason, "full");
  EXPECT_EQ(*store.GetEffect("a"), std::nullopt);
  EXPECT_EQ((**store.Find(Event("e1").key)).status, WebhookStatus::kProcessing);
}

TEST(InMemoryWebhookStoreTest, AReleasedClaimDoesNotCountAsAnAttempt) {
  InMemoryWebhookStore store;
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  const auto first = **store.Claim(Event("e1").key, kNow, kLease);
  ASSERT_TRUE(store.Release(first, kNow, "not-ready").has_value());
  const auto second = **store.Claim(Event("e1").key, kNow, kLease);
  EXPECT_EQ(second.attempt, 1);
  EXPECT_GT(second.fence, first.fence) << "the old lease must stay lost";
}

TEST(InMemoryWebhookStoreTest, AValueReadAndChangedMeanwhileIsAConflict) {
  InMemoryWebhookStore store;
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  ASSERT_TRUE(store.Insert(Event("e2")).has_value());
  const auto outer = **store.Claim(Event("e1").key, kNow, kLease);
  const auto inner = **store.Claim(Event("e2").key, kNow, kLease);
  const auto completed = store.Complete(outer, [&](WebhookTransaction& t) -> Result<void> {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto before, t.Get("balance"));
    EXPECT_EQ(before, std::nullopt);
    const auto other =
        store.Complete(inner, [](WebhookTransaction& u) { return u.Put("balance", "5"); });
    EXPECT_TRUE(other.has_value());
    return t.Put("balance", "1");
  });
  ASSERT_FALSE(completed.has_value());
  EXPECT_EQ(completed.error().reason, "conflict");
  EXPECT_EQ(*store.GetEffect("balance"), "5");
  EXPECT_TRUE(store.Complete(outer, [](WebhookTransaction& t) { return t.Put("balance", "6"); })
                  .has_value());
}

TEST(InMemoryWebhookStoreTest, TellsTheHookAfterEachChangeIsVisible) {
  std::vector<std::string> ops;
  InMemoryWebhookStore* self = nullptr;
  InMemoryWebhookStore store({.on_commit = [&](std::string_view op) {
    EXPECT_EQ(HeldMutexCount(), 0);
    ops.push_back(std::string(op) + " " +
                  std::string(ToString((**self->Find(Event("e1").key)).status)));
  }});
  self = &store;
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  ASSERT_EQ(store.Insert(Event("e1"))->outcome, InsertOutcome::kDuplicate);
  auto lease = **store.Claim(Event("e1").key, kNow, kLease);
  ASSERT_TRUE(store.Fail(lease, std::nullopt, "x").has_value());
  ASSERT_TRUE(store.Revive(Event("e1").key, kNow).has_value());
  lease = **store.ClaimNext(kNow, kLease);
  ASSERT_TRUE(
      store.Complete(lease, [](WebhookTransaction&) { return Result<void>(); }).has_value());
  EXPECT_THAT(ops, ElementsAre("insert pending", "claim processing", "fail dead", "revive pending",
                               "claim processing", "complete completed"));
}

TEST(InMemoryWebhookStoreTest, AnEndlessLeaseDoesNotOverflow) {
  InMemoryWebhookStore store;
  ASSERT_TRUE(store.Insert(Event("e1")).has_value());
  EXPECT_EQ((**store.Claim(Event("e1").key, kNow, Duration::max())).until, SystemTime::max());
}

}  // namespace
}  // namespace understudy::test
