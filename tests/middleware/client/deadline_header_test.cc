#include "middleware/client/deadline_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr TimePoint kNow = TimePoint(5h);
constexpr DeadlineHeaderForm kGrpc = DeadlineHeaderForm::kGrpcTimeout;
constexpr DeadlineHeaderForm kMilliseconds = DeadlineHeaderForm::kMilliseconds;

// --- writing

struct FormatRow {
  std::string name;
  Duration remaining;
  DeadlineHeaderForm form;
  std::string text;  // Empty: none.
};
class DL8_DeadlineHeaderFormatTest : public ::testing::TestWithParam<FormatRow> {};
TEST_P(DL8_DeadlineHeaderFormatTest, IsRoundedDownButNeverToZero) {
  const auto text = FormatDeadlineHeader(GetParam().remaining, GetParam().form);
  EXPECT_EQ(text.value_or(""), GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(
    Durations, DL8_DeadlineHeaderFormatTest,
    ::testing::Values(FormatRow{"whole", 1500ms, kMilliseconds, "1500"},
                      FormatRow{"rounded_down", 1500ms - 1ns, kMilliseconds, "1499"},
                      FormatRow{"one", 1ms, kMilliseconds, "1"},
                      FormatRow{"less_than_one", 1ms - 1ns, kMilliseconds, ""},
                      FormatRow{"zero", 0ms, kMilliseconds, ""},
                      FormatRow{"negative", -5s, kMilliseconds, ""},
                      FormatRow{"lowest", Duration::min(), kMilliseconds, ""},
                      FormatRow{"longest", Duration::max(), kMilliseconds, "9223372036854"},
                      FormatRow{"grpc_milliseconds", 100ms, kGrpc, "100m"},
                      FormatRow{"grpc_second", 1s, kGrpc, "1S"},
                      FormatRow{"grpc_minute", 60s, kGrpc, "1M"},
                      FormatRow{"grpc_hours", 48h, kGrpc, "48H"},
                      FormatRow{"grpc_microseconds", 1500us, kGrpc, "1500u"},
                      FormatRow{"grpc_nanosecond", 1ns, kGrpc, "1n"},
                      FormatRow{"grpc_eight_digits", 99'999'999ns, kGrpc, "99999999n"},
                      FormatRow{"grpc_ninth_digit", 100'000'001ns, kGrpc, "100m"},
                      FormatRow{"grpc_rounded_down", 1'234'567'891ns, kGrpc, "1234567u"},
                      FormatRow{"grpc_zero", 0ns, kGrpc, ""},
                      FormatRow{"grpc_longest", Duration::max(), kGrpc, "2562047H"}),
    [](const auto& test) { return test.param.name; });

TEST(DeadlineHeaderTest, DL8_WhatIsWrittenIsNeverMoreThanThereIsAndReadsBack) {
  for (std::int64_t count = 1; count > 0 && count < Duration::max().count() / 3; count *= 3) {
    for (const DeadlineHeaderForm form : {kMilliseconds, kGrpc}) {
      const Duration remaining(count);
      const auto text = FormatDeadlineHeader(remaining, form);
      if (!text) continue;
      http::Headers headers;
      ASSERT_TRUE(headers.Add("T", *text));
      const auto read = ParseDeadlineHeader(
          headers, kNow, {.name = "T", .form = form, .longest = Duration::max()});
      if (!read) continue;  // More digits than a reader takes.
      EXPECT_LE((*read)->Remaining(kNow), remaining) << *text;
      EXPECT_GT((*read)->Remaining(kNow), remaining / 2 - 1ms) << *text;
    }
  }
}

// --- reading

Result<std::optional<Deadline>> Read(const std::string& value,
                                     const DeadlineHeaderOptions& options = {}) {
  http::Headers headers;
  EXPECT_TRUE(headers.Add(options.name, value));
  return ParseDeadlineHeader(headers, kNow, options);
}

TEST(DeadlineHeaderTest, WithoutAHeaderThereIsNoDeadline) {
  EXPECT_EQ(ParseDeadlineHeader({}, kNow).value(), std::nullopt);
}

TEST(DeadlineHeaderTest, DL8_IsADurationFromNow) {
  EXPECT_EQ(Read("1500").value()->Remaining(kNow), 1500ms);
  EXPECT_EQ(ParseDeadlineHeader({{"x-request-timeout-ms", "7"}}, kNow).value()->point(),
            kNow + 7ms);
}

TEST(DeadlineHeaderTest, ZeroAndLessThanTheReserveHavePassed) {
  EXPECT_TRUE(Read("0").value()->Passed(kNow));
  EXPECT_TRUE(Read("100", {.reserve = 100ms}).value()->Passed(kNow));
  EXPECT_EQ(Read("101", {.reserve = 100ms}).value()->Remaining(kNow), 1ms);
}

TEST(DeadlineHeaderTest, NothingLongerThanTheLongestIsBelieved) {
  EXPECT_EQ(Read("9999999999").value()->Remaining(kNow), 24h);
  EXPECT_EQ(Read("5000", {.longest = 2s}).value()->Remaining(kNow), 2s);
  EXPECT_EQ(Read("99999999H", {.form = kGrpc}).value()->Remaining(kNow), 24h);
}

struct ReadRow {
  std::string name;
  std::string text;
  DeadlineHeaderForm form;
  std::optional<Duration> duration;  // nullopt: refused.
};
class DeadlineHeaderReadTest : public ::testing::TestWithParam<ReadRow> {};
TEST_P(DeadlineHeaderReadTest, IsStrict) {
  const auto read = Read(GetParam().text, {.form = GetParam().form});
  ASSERT_EQ(read.has_value(), GetParam().duration.has_value());
  if (read) {
    EXPECT_EQ((*read)->Remaining(kNow), *GetParam().duration);
    return;
  }
  EXPECT_EQ(read.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(read.error().origin, Origin::kRemote);
  EXPECT_EQ(read.error().reason, "deadline-header");
  EXPECT_THAT(read.error().message, HasSubstr("X-Request-Timeout-Ms must be"));
}
INSTANTIATE_TEST_SUITE_P(
    Texts, DeadlineHeaderReadTest,
    ::testing::Values(ReadRow{"leading_zeros", "007", kMilliseconds, 7ms},
                      ReadRow{"spaces_around", " 7\t", kMilliseconds, 7ms},
                      ReadRow{"ten_digits", "0000000001", kMilliseconds, 1ms},
                      ReadRow{"eleven_digits", "00000000001", kMilliseconds, std::nullopt},
                      ReadRow{"twenty_digits", "18446744073709551616", kMilliseconds, std::nullopt},
                      ReadRow{"empty", "", kMilliseconds, std::nullopt},
                      ReadRow{"plus", "+7", kMilliseconds, std::nullopt},
                      ReadRow{"minus", "-7", kMilliseconds, std::nullopt},
                      ReadRow{"fraction", "7.5", kMilliseconds, std::nullopt},
                      ReadRow{"exponent", "1e3", kMilliseconds, std::nullopt},
                      ReadRow{"word", "nan", kMilliseconds, std::nullopt},
                      ReadRow{"unit", "7ms", kMilliseconds, std::nullopt},
                      ReadRow{"list", "7, 8", kMilliseconds, std::nullopt},
                      ReadRow{"hexadecimal", "0x7", kMilliseconds, std::nullopt},
                      ReadRow{"grpc", "100m", kGrpc, 100ms}, ReadRow{"grpc_hours", "2H", kGrpc, 2h},
                      ReadRow{"grpc_minutes", "2M", kGrpc, 2min},
                      ReadRow{"grpc_seconds", "2S", kGrpc, 2s},
                      ReadRow{"grpc_microseconds", "2u", kGrpc, 2us},
                      ReadRow{"grpc_nanoseconds", "2n", kGrpc, 2ns},
                      ReadRow{"grpc_zero", "0m", kGrpc, 0ms},
                      ReadRow{"grpc_eight_digits", "00000001S", kGrpc, 1s},
                      ReadRow{"grpc_nine_digits", "000000001S", kGrpc, std::nullopt},
                      ReadRow{"grpc_no_unit", "100", kGrpc, std::nullopt},
                      ReadRow{"grpc_no_digits", "m", kGrpc, std::nullopt},
                      ReadRow{"grpc_other_unit", "1s", kGrpc, std::nullopt},
                      ReadRow{"grpc_empty", "", kGrpc, std::nullopt},
                      ReadRow{"grpc_space", "1 S", kGrpc, std::nullopt},
                      ReadRow{"grpc_minus", "-1S", kGrpc, std::nullopt}),
    [](const auto& test) { return test.param.name; });

TEST(DeadlineHeaderTest, TwoFieldsContradictEachOther) {
  const auto read =
      ParseDeadlineHeader({{"X-Request-Timeout-Ms", "7"}, {"x-request-timeout-ms", "7"}}, kNow);
  EXPECT_THAT(read.error().message, HasSubstr("more than once"));
}

TEST(DeadlineHeaderTest, AMalformedValueIsNotShown) {
  EXPECT_THAT(Read("s3cret").error().message, Not(HasSubstr("s3cret")));
}

// --- on the way

class DeadlineHeaderCallTest : public ::testing::Test {
 protected:
  void Use(DeadlineHeaderOptions options = {}, std::optional<Duration> total = 2s) {
    ClientBuilder builder = w_.Builder();
    if (total) builder.TotalDeadline(*total);
    w_.Use(builder.AttemptTimeout(500ms)
               .Retry(test::PlainRetry())
               .Breaker({.failures = 1})
               .AddAttemptInterceptor(std::make_unique<DeadlineHeaderInterceptor>(
                   std::move(options), w_.world.runtime())));
  }
  std::string Sent(std::size_t index, std::string_view name = "X-Request-Timeout-Ms") const {
    const auto request = w_.vendor.sent().at(index).request;
    EXPECT_LE(request.headers.GetAll(name).size(), 1u);
    return std::string(request.headers.Get(name).value_or("none"));
  }
  test::ClientWorld w_;
};

TEST_F(DeadlineHeaderCallTest, DL8_TellsTheTimeOfTheAttempt) {
  Use();
  w_.vendor.Answer(200).Times(2);
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Get({.timeout = 300ms}));
  EXPECT_EQ(Sent(0), "500");
  EXPECT_EQ(Sent(1), "300");
}

TEST_F(DeadlineHeaderCallTest, DL8_IsComputedAnewForEachAttempt) {
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.TotalDeadline(1s)
             .Retry(test::PlainRetry())
             .AddAttemptInterceptor(std::make_unique<DeadlineHeaderInterceptor>(
                 DeadlineHeaderOptions{}, w_.world.runtime())));
  w_.vendor.Answer(503).After(250ms);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Sent(0), "1000");
  EXPECT_EQ(Sent(1), "650");  // Less 250 ms of the answer and 100 ms of waiting.
}

TEST_F(DeadlineHeaderCallTest, KeepsItsReserve) {
  Use({.reserve = 40ms});
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Sent(0), "460");
}

TEST_F(DeadlineHeaderCallTest, SpeaksGrpc) {
  Use({.name = "grpc-timeout", .form = kGrpc});
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Sent(0, "grpc-timeout"), "500m");
}

TEST_F(DeadlineHeaderCallTest, TellsNothingLongerThanTheLongest) {
  Use({.longest = 100ms});
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Sent(0), "100");
}

TEST_F(DeadlineHeaderCallTest, DL8_SaysNothingWithoutADeadline) {
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.AddAttemptInterceptor(
      std::make_unique<DeadlineHeaderInterceptor>(DeadlineHeaderOptions{}, w_.world.runtime())));
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Sent(0), "none");
}

TEST_F(DeadlineHeaderCallTest, DL1_LessThanOneUnitAfterTheReserveIsRefusedAndNotRounded) {
  Use({.reserve = 100ms});
  const auto result = w_.Get({.timeout = 101ms - 1ns});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(result.error().origin, Origin::kLocal);
  EXPECT_EQ(result.error().reason, "deadline-header");
  EXPECT_EQ(w_.vendor.sends(), 0u);
  EXPECT_THAT(w_.report.ToString(), HasSubstr("deadline-header: refused"));
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get({.timeout = 101ms}));  // And the breaker is still closed.
  EXPECT_EQ(Sent(0), "1");
}

TEST_F(DeadlineHeaderCallTest, DescribesItself) {
  Use({.reserve = 40ms});
  EXPECT_THAT(w_.client->Describe(), HasSubstr("deadline header: X-Request-Timeout-Ms, less 40ms"));
}

struct OptionsRow {
  std::string name;
  DeadlineHeaderOptions options;
  std::string problem;  // Empty: none.
};
class DL10_DeadlineHeaderOptionsTest : public ::testing::TestWithParam<OptionsRow> {};
TEST_P(DL10_DeadlineHeaderOptionsTest, AreChecked) {
  const Problems problems = FindProblems(GetParam().options);
  if (GetParam().problem.empty()) {
    EXPECT_THAT(problems, IsEmpty());
  } else {
    EXPECT_THAT(problems, ::testing::Contains(HasSubstr(GetParam().problem)));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Options, DL10_DeadlineHeaderOptionsTest,
    ::testing::Values(OptionsRow{"defaults", {}, ""}, OptionsRow{"no_name", {.name = ""}, "name"},
                      OptionsRow{"no_token", {.name = "a b"}, "name"},
                      OptionsRow{"negative_reserve", {.reserve = -1ns}, "reserve is"},
                      OptionsRow{"lowest_reserve", {.reserve = Duration::min()}, "reserve is"},
                      OptionsRow{"largest_reserve", {.reserve = 24h - 1ns}, ""},
                      OptionsRow{"reserve_of_all", {.reserve = 24h}, "reserve is"},
                      OptionsRow{"shortest", {.longest = 1ms}, ""},
                      OptionsRow{"too_short", {.longest = 1ms - 1ns}, "longest is"},
                      OptionsRow{"a_year", {.longest = 24h * 365}, ""},
                      OptionsRow{"too_long", {.longest = 24h * 365 + 1ns}, "longest is"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy
