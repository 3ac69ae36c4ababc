#include "harness/vendor/limit_template.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// 2025-01-01T00:00:00.250Z
constexpr SystemTime kNow = SystemTime(1'735'689'600'250ms);

LimitReading Reading() {
  return {.id = "core",
          .route = "orders",
          .limit = 40,
          .remaining = 8,
          .cost = 3,
          .window = 20s,
          .reset_after = 390s + 1ns,
          .retry_after = 64'570ms,
          .now = kNow};
}

struct Row {
  std::string name;
  std::string text;
  std::string rendered;
};

class LimitTemplateTest : public ::testing::TestWithParam<Row> {};

TEST_P(LimitTemplateTest, IsFilledIn) {
  const auto compiled = LimitTemplate::Compile(GetParam().text);
  ASSERT_TRUE(compiled.has_value());
  EXPECT_EQ(compiled->Render(Reading()), GetParam().rendered);
}

INSTANTIATE_TEST_SUITE_P(
    Places, LimitTemplateTest,
    ::testing::Values(
        Row{"Nothing", "", ""}, Row{"Text", "plain", "plain"},
        Row{"Braces", "{{a}} {{{limit}}}", "{a} {40}"},
        Row{"Counts", "{used}/{limit}, {remaining} left, {cost} taken", "32/40, 8 left, 3 taken"},
        Row{"Names", "{id} of {route}", "core of orders"}, Row{"Rate", "{restore-rate}", "2.0"},
        Row{"NotNear", "{near}", "false"}, Row{"Seconds", "{retry-after}", "65"},
        Row{"SecondsByName", "{reset:s}", "391"},
        Row{"SecondsFloat", "{retry-after:s-float}", "64.57"},
        Row{"WholeSecondsFloat", "{window:s-float}", "20.0"},
        Row{"Milliseconds", "{retry-after:ms}", "64570"}, Row{"Window", "{window:ms}", "20000"},
        Row{"GoRoundsUpToAMillisecond", "{reset:go}", "6m30.001s"},
        Row{"GoSeconds", "{window:go}", "20s"},
        Row{"Protobuf", "{retry-after:protobuf}", "64.570s"},
        Row{"ProtobufWhole", "{window:protobuf}", "20s"},
        Row{"EpochSeconds", "{retry-after:epoch-s}", "1735689665"},
        Row{"EpochFloat", "{retry-after:epoch-float}", "1735689664.82"},
        Row{"EpochMilliseconds", "{retry-after:epoch-ms}", "1735689664820"},
        Row{"Rfc3339", "{retry-after:rfc3339}", "2025-01-01T00:01:05Z"},
        Row{"IsoWithoutSeconds", "{retry-after:iso-minutes}", "2025-01-01T00:02Z"},
        Row{"HttpDate", "{retry-after:http-date}", "Wed, 01 Jan 2025 00:01:05 GMT"}),
    [](const auto& test) { return test.param.name; });

TEST(LimitTemplateTextTest, GoWritesMinutesAndHoursAsItsStandardLibraryDoes) {
  const auto compiled = LimitTemplate::Compile("{window:go}");
  LimitReading reading;
  for (const auto& [window, text] : {std::pair<Duration, std::string>{0s, "0s"},
                                     {20ms, "20ms"},
                                     {1s, "1s"},
                                     {6min, "6m0s"},
                                     {1h, "1h0m0s"},
                                     {25h + 90s + 500ms, "25h1m30.5s"}}) {
    reading.window = window;
    EXPECT_EQ(compiled->Render(reading), text);
  }
}

TEST(LimitTemplateTextTest, NearMeansLessThanAFifthIsLeft) {
  const auto compiled = LimitTemplate::Compile("{near}");
  for (const auto& [remaining, text] :
       {std::pair<std::int64_t, std::string>{20, "false"}, {19, "true"}, {0, "true"}}) {
    EXPECT_EQ(compiled->Render({.limit = 100, .remaining = remaining}), text) << remaining;
  }
}

TEST(LimitTemplateTextTest, TheBucketIsTheSameForTheSameLimitAndRoute) {
  const auto compiled = LimitTemplate::Compile("{bucket}");
  const std::string bucket = compiled->Render({.id = "a", .route = "bc"});
  EXPECT_EQ(bucket.size(), 16U);
  EXPECT_EQ(compiled->Render({.id = "a", .route = "bc"}), bucket);
  EXPECT_NE(compiled->Render({.id = "ab", .route = "c"}), bucket);
}

TEST(LimitTemplateTextTest, NoReadingOverflows) {
  const std::string all =
      "{used}{restore-rate}{bucket}{near}{reset:s-float}{reset:go}{reset:protobuf}{reset:rfc3339}"
      "{reset:epoch-ms}{reset:epoch-float}{reset:iso-minutes}{reset:http-date}{window:go}";
  const auto compiled = LimitTemplate::Compile(all);
  ASSERT_TRUE(compiled.has_value());
  constexpr std::int64_t kMost = 1'000'000'000;
  for (const SystemTime now : {SystemTime::min(), SystemTime(), SystemTime::max()}) {
    for (const Duration time : {Duration(0), Duration(1), Duration::max() / 2}) {
      const std::string text = compiled->Render({.limit = kMost,
                                                 .remaining = 0,
                                                 .window = time,
                                                 .reset_after = time,
                                                 .retry_after = time,
                                                 .now = now});
      EXPECT_FALSE(text.empty());
    }
  }
}

class LimitTemplateErrorTest : public ::testing::TestWithParam<Row> {};

TEST_P(LimitTemplateErrorTest, IsRefused) {
  const auto compiled = LimitTemplate::Compile(GetParam().text);
  ASSERT_FALSE(compiled.has_value());
  EXPECT_THAT(compiled.error().message, HasSubstr(GetParam().rendered));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, LimitTemplateErrorTest,
    ::testing::Values(Row{"UnknownPlace", "{remainin}", "did you mean \"remaining\"?"},
                      Row{"UnknownForm", "{reset:epoch}", "unknown form"},
                      Row{"FormOfACount", "{limit:s}", "only reset, retry-after and window"},
                      Row{"MomentOfALength", "{window:rfc3339}", "a window is a length"},
                      Row{"Open", "a{limit", "without its partner"},
                      Row{"Closed", "a}b", "without its partner"}, Row{"Empty", "{}", "no place"},
                      Row{"TooLong", std::string(LimitTemplate::kTextMax + 1, 'x'),
                          "at most 2048"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
