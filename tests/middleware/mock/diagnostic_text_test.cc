#include "middleware/mock/diagnostic_text.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::internal {
namespace {

using nlohmann::json;

TEST(DiagnosticTextTest, HidesValuesWhoseNameSoundsLikeASecret) {
  for (const char* name : {"Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "api_key",
                           "access_token", "client_secret", "Password", "/card/number", "card[cvc]",
                           "Stripe-Signature", "key", "/a/key", "session_id"}) {
    EXPECT_EQ(Shown(name, std::string_view("v")), "(hidden)") << name;
    EXPECT_EQ(ShownJson(name, json("v")), "(hidden)") << name;
  }
}

TEST(DiagnosticTextTest, ShowsValuesOfOtherNames) {
  for (const char* name : {"limit", "Idempotency-Key", "Content-Type", "/amount", "monkey", "id"}) {
    EXPECT_EQ(Shown(name, std::string_view("v")), "\"v\"") << name;
  }
}

TEST(DiagnosticTextTest, ShowsOnlyTheSizeOfStructures) {
  EXPECT_EQ(ShownJson("a", json::parse(R"({"b":1,"c":2})")), "an object with 2 members");
  EXPECT_EQ(ShownJson("a", json::parse("[1,2,3]")), "an array of 3");
  EXPECT_EQ(ShownJson("a", json::parse("1.5")), "1.5");
}

TEST(DiagnosticTextTest, RedactsMembersAtAnyDepth) {
  const json value = json::parse(R"([{"a":{"token":[1]},"b":1}])");
  const std::string redacted = R"json([{"a":{"token":"(hidden)"},"b":1}])json";
  EXPECT_EQ(Redacted(value), redacted);
}

TEST(DiagnosticTextTest, KeepsAHundredBytesAndCutsMoreBetweenCharacters) {
  EXPECT_EQ(Shortened(std::string(100, 'a')), std::string(100, 'a'));
  EXPECT_EQ(Shortened(std::string(101, 'a')), std::string(100, 'a') + "...");
  // The two bytes of é are the 100th and 101st.
  EXPECT_EQ(Shortened(std::string(99, 'a') + "\xc3\xa9" + "b"), std::string(99, 'a') + "...");
  // Not UTF-8 at all: cut, all the same.
  EXPECT_LE(Shortened(std::string(999, '\x80')).size(), 103u);
}

TEST(DiagnosticTextTest, QuotesWhatATerminalWouldObey) {
  EXPECT_EQ(Quoted("a\n\x1b\"\\"), R"("a\n\u001b\"\\")");
  EXPECT_EQ(Quoted("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(DiagnosticTextTest, ReadsJsonOfAHundredLevelsAndNoMore) {
  EXPECT_TRUE(IsBoundedJson(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(IsBoundedJson(std::string(101, '[') + std::string(101, ']')));
  EXPECT_TRUE(IsBoundedJson("\"" + std::string(200, '[') + "\""));
}

TEST(DiagnosticTextTest, ReadsNothingElseThanJson) {
  for (const char* text : {"", " ", "{", "{'a':1}", "NaN", "1 2", "[1,]", "\"\xff\"", "1e999"}) {
    EXPECT_FALSE(IsBoundedJson(text)) << text;
  }
}

}  // namespace
}  // namespace understudy::internal
