#include "middleware/webhook/event_key.h"

#include <chrono>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "middleware/platform/openssl_crypto.h"

namespace understudy::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const OpensslCrypto kCrypto;
constexpr SystemTime kTime = SystemTime(seconds(1'700'000'400));
constexpr std::string_view kBody = R"({"a":{"b":1},"c":[1,2]})";

std::string Key(std::string_view provider, std::string_view account, std::string_view body,
                const EventDistinction& distinction = WithSequence{"7"}) {
  return EventKey(kCrypto, provider, account, body, distinction).value();
}

TEST(EventKeyTest, WH17_NestedValuesCount) {
  EXPECT_NE(Key("p", "a", R"({"a":{"b":1}})"), Key("p", "a", R"({"a":{"b":2}})"));
  EXPECT_NE(Key("p", "a", R"({"a":[{"b":1}]})"), Key("p", "a", R"({"a":[{"b":2}]})"));
  EXPECT_NE(Key("p", "a", R"({"a":[1,2]})"), Key("p", "a", R"({"a":[2,1]})"));
}

TEST(EventKeyTest, WH17_TheOrderOfMembersAndWhiteSpaceDoNotCount) {
  EXPECT_EQ(Key("p", "a", kBody), Key("p", "a", "{ \"c\": [1.0, 2],\n \"a\": {\"b\": 1e0} }"));
}

TEST(EventKeyTest, WH17_ProviderAccountAndBodyCannotRunIntoEachOther) {
  const std::set<std::string> keys = {Key("ab", "c", "1"),  Key("a", "bc", "1"),
                                      Key("abc", "", "1"),  Key("ab", "c", "1", WithSequence{"71"}),
                                      Key("ab", "c", "11"), Key("ab:c", "", "1"),
                                      Key("ab", ":c", "1")};
  EXPECT_EQ(keys.size(), 7u);
}

TEST(EventKeyTest, IsExactlyAsDocumented) {
  // Fixed for ever: stored keys must be found again by later versions.
  EXPECT_EQ(Key("intuit", "r1", R"({"b":2,"a":1})", WithSequence{"42"}),
            "ek1-b530b7860953bf31cf20a1f4108b61b427690a6c0646b5283af500837d4464bd");
}

TEST(EventKeyTest, WH18_EqualEventsInDifferentBucketsOrSequencesAreTwoEvents) {
  const auto bucket = [](SystemTime time) {
    return Key("p", "a", kBody, InTimeBucket{.time = time, .width = minutes(10)});
  };
  EXPECT_EQ(bucket(kTime), bucket(kTime + seconds(1)));
  EXPECT_NE(bucket(kTime), bucket(kTime + minutes(10)));
  EXPECT_NE(Key("p", "a", kBody, WithSequence{"1"}), Key("p", "a", kBody, WithSequence{"2"}));
}

TEST(EventKeyTest, WH18_ABucketEndsWhereTheNextBegins) {
  const auto bucket = [](std::int64_t unix_seconds) {
    return Key("p", "a", kBody,
               InTimeBucket{.time = SystemTime(seconds(unix_seconds)), .width = seconds(10)});
  };
  EXPECT_EQ(bucket(0), bucket(9));
  EXPECT_NE(bucket(9), bucket(10));
  EXPECT_NE(bucket(-1), bucket(0));
  EXPECT_EQ(bucket(-10), bucket(-1));
  EXPECT_NE(bucket(-11), bucket(-10));
}

TEST(EventKeyTest, WH18_ABucketIsNoSequenceOfTheSameName) {
  const std::string bucket =
      Key("p", "a", kBody, InTimeBucket{.time = SystemTime(seconds(5)), .width = seconds(1)});
  EXPECT_NE(bucket, Key("p", "a", kBody, WithSequence{"1000000000:5"}));
}

TEST(EventKeyTest, WH18_NoDistinctionIsRefused) {
  const auto refused = [](const EventDistinction& distinction) {
    const auto key = EventKey(kCrypto, "p", "a", kBody, distinction);
    return !key && key.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(WithSequence{}));
  EXPECT_TRUE(refused(InTimeBucket{.time = kTime, .width = Duration::zero()}));
  EXPECT_TRUE(refused(InTimeBucket{.time = kTime, .width = -seconds(5)}));
  EXPECT_TRUE(refused(InTimeBucket{.time = kTime, .width = std::chrono::milliseconds(999)}));
  EXPECT_FALSE(refused(InTimeBucket{.time = SystemTime::min(), .width = seconds(1)}));
}

TEST(EventKeyTest, WhatHasNoCanonicalFormHasNoKey) {
  EXPECT_EQ(EventKey(kCrypto, "p", "a", R"({"a":1,"a":2})", WithSequence{"1"}).error().reason,
            "repeated-key");
  EXPECT_EQ(EventKey(kCrypto, "p", "a", "", WithSequence{"1"}).error().reason, "not-json");
  EXPECT_FALSE(EventKey(kCrypto, "", "a", "{}", WithSequence{"1"}));
}

}  // namespace
}  // namespace understudy::test
