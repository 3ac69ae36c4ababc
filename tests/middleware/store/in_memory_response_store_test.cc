// InMemoryResponseStore: variants, bounds, order of use, and what an erase takes with it.
#include "middleware/store/in_memory_response_store.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

StoredResponsePtr Stored(std::string body, SelectingFields selecting = {}, Duration sent = {}) {
  StoredResponse stored;
  stored.response.body = std::move(body);
  stored.selecting = std::move(selecting);
  stored.sent.steady += sent;
  return std::make_shared<const StoredResponse>(std::move(stored));
}

SelectingFields Accept(const char* value) { return {{"accept", value}}; }

std::vector<std::string> Bodies(ResponseStore& store, const ResponseKey& key) {
  std::vector<std::string> bodies;
  const std::vector<StoredResponsePtr> found = store.Find(key).value();
  for (const StoredResponsePtr& stored : found) bodies.push_back(stored->response.body);
  return bodies;
}

void Put(ResponseStore& store, const ResponseKey& key, StoredResponsePtr stored) {
  ASSERT_TRUE(store.Put(key, std::move(stored)));
}

const ResponseKey kKey = {"/a", "anne"};

TEST(InMemoryResponseStoreTest, FindsWhatWasPut) {
  InMemoryResponseStore store({});
  EXPECT_THAT(Bodies(store, kKey), IsEmpty());
  Put(store, kKey, Stored("one"));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("one"));
  EXPECT_THAT(Bodies(store, {"/a", "bob"}), IsEmpty());
  EXPECT_THAT(Bodies(store, {"/b", "anne"}), IsEmpty());
}

TEST(InMemoryResponseStoreTest, TheSameVariantIsReplaced) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("one", Accept("x")));
  Put(store, kKey, Stored("two", Accept("x")));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("two"));
  EXPECT_EQ(store.entries(), 1u);
}

TEST(InMemoryResponseStoreTest, OtherVariantsStayAndTheNewestComesFirst) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("x", Accept("x")));
  Put(store, kKey, Stored("y", Accept("y")));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("y", "x"));
  Put(store, kKey, Stored("x2", Accept("x")));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("x2", "y"));
}

TEST(InMemoryResponseStoreTest, AbsentAndEmptyAreDifferentVariants) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("empty", {{"accept", ""}}));
  Put(store, kKey, Stored("absent", {{"accept", std::nullopt}}));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("absent", "empty"));
}

TEST(InMemoryResponseStoreTest, TheNewestVaryRules) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("plain"));
  Put(store, kKey, Stored("x", Accept("x")));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("x"));
  Put(store, kKey, Stored("z", {{"user-agent", "z"}}));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("z"));
}

TEST(InMemoryResponseStoreTest, AnAnswerThatWasOvertakenIsDropped) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("new", {}, Duration(2)));
  Put(store, kKey, Stored("old", {}, Duration(1)));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("new"));
  Put(store, kKey, Stored("old", Accept("x"), Duration(1)));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("new"));
  Put(store, kKey, Stored("same time", {}, Duration(2)));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("same time"));
}

TEST(InMemoryResponseStoreTest, TheOldestVariantMakesRoom) {
  InMemoryResponseStore store({.variants_max = 2});
  for (const char* value : {"x", "y", "z"}) Put(store, kKey, Stored(value, Accept(value)));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("z", "y"));
  EXPECT_EQ(store.entries(), 2u);
}

TEST(InMemoryResponseStoreTest, TheLeastRecentlyUsedKeyMakesRoom) {
  InMemoryResponseStore store({.entries_max = 2});
  Put(store, {"/a", ""}, Stored("a"));
  Put(store, {"/b", ""}, Stored("b"));
  EXPECT_THAT(Bodies(store, {"/a", ""}), ElementsAre("a"));  // Used.
  Put(store, {"/c", ""}, Stored("c"));
  EXPECT_THAT(Bodies(store, {"/a", ""}), ElementsAre("a"));
  EXPECT_THAT(Bodies(store, {"/b", ""}), IsEmpty());
  EXPECT_THAT(Bodies(store, {"/c", ""}), ElementsAre("c"));
  EXPECT_EQ(store.entries(), 2u);
}

TEST(InMemoryResponseStoreTest, BytesAreBoundedToo) {
  // Each counts its body and the two bytes of its key.
  InMemoryResponseStore store({.bytes_max = 24});
  Put(store, {"/a", ""}, Stored(std::string(10, 'a')));
  Put(store, {"/b", ""}, Stored(std::string(10, 'b')));
  EXPECT_EQ(store.bytes(), 24u);
  Put(store, {"/c", ""}, Stored("c"));
  EXPECT_EQ(store.bytes(), 15u);
  EXPECT_THAT(Bodies(store, {"/a", ""}), IsEmpty());
}

TEST(InMemoryResponseStoreTest, HeadersAndSelectingFieldsCount) {
  InMemoryResponseStore store({});
  StoredResponse stored;
  stored.response.headers = {{"Ab", "cde"}};
  stored.selecting = {{"accept", "xy"}, {"b", std::nullopt}};
  Put(store, {"/a", "i"}, std::make_shared<const StoredResponse>(stored));
  EXPECT_EQ(store.bytes(), 3u + 5u + 8u + 1u);
}

TEST(InMemoryResponseStoreTest, WhatIsTooLargeIsNotKeptButSupersedes) {
  InMemoryResponseStore store({.bytes_max = 24});
  Put(store, {"/b", ""}, Stored("b"));
  Put(store, {"/a", ""}, Stored("a"));
  Put(store, {"/a", ""}, Stored(std::string(23, 'a')));
  EXPECT_THAT(Bodies(store, {"/a", ""}), IsEmpty());
  EXPECT_THAT(Bodies(store, {"/b", ""}), ElementsAre("b"));
  Put(store, {"/a", ""}, Stored(std::string(22, 'a')));
  EXPECT_EQ(Bodies(store, {"/a", ""}).size(), 1u);
}

TEST(InMemoryResponseStoreTest, WithoutEntriesNothingIsKept) {
  InMemoryResponseStore store({.entries_max = 0});
  Put(store, kKey, Stored("one"));
  EXPECT_THAT(Bodies(store, kKey), IsEmpty());
}

TEST(InMemoryResponseStoreTest, EraseTakesOneVariant) {
  InMemoryResponseStore store({});
  Put(store, kKey, Stored("x", Accept("x")));
  Put(store, kKey, Stored("y", Accept("y")));
  ASSERT_TRUE(store.Erase(kKey, Accept("x")));
  EXPECT_THAT(Bodies(store, kKey), ElementsAre("y"));
  ASSERT_TRUE(store.Erase(kKey, Accept("x")));
  ASSERT_TRUE(store.Erase({"/none", ""}, Accept("x")));
  ASSERT_TRUE(store.Erase(kKey, Accept("y")));
  EXPECT_EQ(store.entries(), 0u);
  EXPECT_EQ(store.bytes(), 0u);
}

TEST(InMemoryResponseStoreTest, EraseResourceTakesAllIdentities) {
  InMemoryResponseStore store({});
  Put(store, {"/a", ""}, Stored("1"));
  Put(store, {"/a", "anne"}, Stored("2", Accept("x")));
  Put(store, {"/a", "anne"}, Stored("3", Accept("y")));
  Put(store, {"/a/b", ""}, Stored("4"));
  Put(store, {"/", ""}, Stored("5"));
  ASSERT_TRUE(store.EraseResource("/a"));
  EXPECT_THAT(Bodies(store, {"/a", ""}), IsEmpty());
  EXPECT_THAT(Bodies(store, {"/a", "anne"}), IsEmpty());
  EXPECT_THAT(Bodies(store, {"/a/b", ""}), ElementsAre("4"));
  EXPECT_THAT(Bodies(store, {"/", ""}), ElementsAre("5"));
  EXPECT_EQ(store.entries(), 2u);
}

TEST(InMemoryResponseStoreTest, ThreadsMayShareIt) {
  InMemoryResponseStore store({.entries_max = 8, .bytes_max = 64, .variants_max = 2});
  std::atomic<int> found{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 2000; ++i) {
          const ResponseKey key = {"/" + std::to_string(i % 7), std::to_string(t % 2)};
          static_cast<void>(store.Put(key, Stored("x", Accept(i % 3 == 0 ? "x" : "y"))));
          found += static_cast<int>(store.Find(key)->size());
          if (i % 5 == 0) static_cast<void>(store.EraseResource(key.resource));
          if (i % 11 == 0) static_cast<void>(store.Erase(key, Accept("x")));
        }
      });
    }
  }
  EXPECT_GT(found, 0);
  EXPECT_LE(store.entries(), 8u);
  EXPECT_LE(store.bytes(), 64u);
  for (int i = 0; i < 7; ++i) static_cast<void>(store.EraseResource("/" + std::to_string(i)));
  EXPECT_EQ(store.entries(), 0u);
  EXPECT_EQ(store.bytes(), 0u);
}

}  // namespace
}  // namespace understudy
