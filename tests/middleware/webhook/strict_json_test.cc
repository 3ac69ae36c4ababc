#include "middleware/webhook/strict_json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::test {
namespace {

std::string Reason(std::string_view text) {
  const auto parsed = ParseStrictJson(text, {.bytes_max = 100, .depth_max = 3});
  return parsed ? "" : parsed.error().reason;
}

TEST(StrictJsonTest, WH7_WhatIsNoJsonIsATypedError) {
  EXPECT_EQ(Reason(R"({"a":[1]})"), "");
  EXPECT_EQ(Reason(""), "not-json");
  EXPECT_EQ(Reason("{"), "not-json");
  EXPECT_EQ(Reason("\xff\xfe"), "not-json");
  EXPECT_EQ(Reason(std::string_view("{}\0{", 4)), "not-json") << "nothing hides behind a NUL";
  EXPECT_EQ(Reason("[[[1]]]"), "");
  EXPECT_EQ(Reason("[[[[1]]]]"), "json-depth");
  EXPECT_EQ(Reason(std::string(101, ' ')), "json-size");
}

TEST(StrictJsonTest, WH7_ARepeatedKeyIsRefused) {
  EXPECT_EQ(Reason(R"({"id":1,"id":2})"), "repeated-key");
  EXPECT_EQ(Reason(R"({"id":1,"\u0069d":2})"), "repeated-key");
  EXPECT_EQ(Reason(R"([{"a":1},{"a":2}])"), "");
}

TEST(StrictJsonTest, AMillionBracketsDoNotRecurse) {
  const auto parsed = ParseStrictJson(std::string(1'000'000, '['));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().reason, "json-depth");
}

TEST(StrictJsonTest, PointersGoThroughObjectsAndLists) {
  const auto document = nlohmann::json::parse(R"({"a":[{"b/c":"x"},2],"":3,"~":4})");
  EXPECT_EQ(FindJsonString(document, "/a/0/b~1c"), "x");
  EXPECT_EQ(*FindJsonPointer(document, "/a/1"), 2);
  EXPECT_EQ(*FindJsonPointer(document, "/"), 3);
  EXPECT_EQ(*FindJsonPointer(document, "/~0"), 4);
  EXPECT_EQ(FindJsonPointer(document, ""), &document);
  for (const char* nothing : {"a", "/a/2", "/a/-1", "/a/x", "/b", "/a/1/2", "/a/0/b/c"}) {
    EXPECT_EQ(FindJsonPointer(document, nothing), nullptr) << nothing;
  }
  EXPECT_EQ(FindJsonString(document, "/a/1"), std::nullopt);
}

}  // namespace
}  // namespace understudy::test
