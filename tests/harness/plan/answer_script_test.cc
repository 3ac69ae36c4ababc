// What the socket tests do not show: what a client has got, and when; and that any detail is
// carried out somehow.
#include "harness/plan/answer_script.h"

#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using Finish = AnswerScript::Finish;
using In = AnswerPoint::In;
using Reached = AnswerScript::Reached;

AnswerScript Compose(FaultKind kind, FaultDetail detail = {}, std::string body = "0123456789",
                     std::string_view method = "GET") {
  ResponsePlan plan{.response = {.status = 200, .body = std::move(body)},
                    .fault = kind,
                    .drip = detail.drip,
                    .fault_detail = detail};
  return ComposeAnswer(plan, http::Method(method), /*keep_alive=*/true);
}

struct ReachedRow {
  const char* name;
  AnswerPoint at;
  Reached reached;
  const char* body = "0123456789";
  const char* method = "GET";
};

class ReachedTest : public testing::TestWithParam<ReachedRow> {};

TEST_P(ReachedTest, SaysWhatTheClientHas) {
  const ReachedRow& row = GetParam();
  const AnswerScript script = Compose(FaultKind::kClose, {.at = row.at}, row.body, row.method);
  EXPECT_EQ(script.reached, row.reached);
  EXPECT_EQ(script.completes(), row.reached == Reached::kAll);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ReachedTest,
    testing::Values(
        ReachedRow{"Before", {}, Reached::kNothing},
        ReachedRow{"NoByteOfTheHead", AnswerPoint::HeadByte(0), Reached::kNothing},
        ReachedRow{"StatusLineWithoutItsEnd", AnswerPoint::HeadByte(16), Reached::kStatusLine},
        ReachedRow{"StatusLine", AnswerPoint::HeadByte(17), Reached::kHeaders},
        ReachedRow{"Headers", AnswerPoint::Of(In::kHeaders), Reached::kHeaders},
        ReachedRow{"Head", AnswerPoint::HeadByte(9'999), Reached::kBody},
        ReachedRow{"HeadOfAnEmptyAnswer", AnswerPoint::HeadByte(9'999), Reached::kAll, ""},
        ReachedRow{"BodyThatIsEmpty", AnswerPoint::BodyByte(0), Reached::kBody, ""},
        ReachedRow{"Body", AnswerPoint::BodyByte(9), Reached::kBody},
        ReachedRow{"BodyOfHead", AnswerPoint::BodyByte(9), Reached::kHeaders, "x", "HEAD"},
        ReachedRow{"End", AnswerPoint::Of(In::kEnd), Reached::kAll},
        ReachedRow{"EndOfHead", AnswerPoint::Of(In::kEnd), Reached::kAll, "x", "HEAD"}),
    [](const auto& row) { return row.param.name; });

TEST(AnswerScriptTest, PromisesAByteThatAnEmptyBodyDoesNotHave) {
  EXPECT_THAT(Compose(FaultKind::kTruncate, {}, "").head,
              testing::HasSubstr("\r\nContent-Length: 1\r\n"));
}

TEST(AnswerScriptTest, DripsAndBandwidthsTakeTheirTime) {
  const AnswerScript drip = Compose(FaultKind::kSlowDrip, {.drip = {4, 100ms}});
  EXPECT_EQ(drip.DueOf(0), 0ms);
  EXPECT_EQ(drip.DueOf(8), 200ms);
  EXPECT_EQ(drip.Total(), 200ms);
  EXPECT_EQ(Compose(FaultKind::kBandwidth, {.bytes_per_second = 20}).Total(), 500ms);
  EXPECT_EQ(Compose(FaultKind::kBandwidth, {.bytes_per_second = 3}).Total(), 3'333'333'333ns);
  EXPECT_EQ(Compose(FaultKind::kBandwidth, {.bytes_per_second = 3}, "").Total(), 0ms);
  EXPECT_EQ(Compose(FaultKind::kBandwidth, {.bytes_per_second = kBytesPerSecondMax},
                    std::string(1'000'000, 'x'))
                .Total(),
            1ms);
}

TEST(AnswerScriptTest, AConnectionThatMayNotBeKeptIsNotStale) {
  ResponsePlan plan{.fault = FaultKind::kStaleKeepAlive};
  EXPECT_EQ(ComposeAnswer(plan, http::Method::Get(), true).finish, Finish::kResetNext);
  EXPECT_EQ(ComposeAnswer(plan, http::Method::Get(), false).finish, Finish::kClose);
  EXPECT_TRUE(plan.response.headers.Set("Connection", "close"));
  EXPECT_EQ(ComposeAnswer(plan, http::Method::Get(), true).finish, Finish::kClose);
}

TEST(AnswerScriptTest, GarbageIsTheSameForEverybody) {
  EXPECT_EQ(Compose(FaultKind::kGarbage).body, Compose(FaultKind::kGarbage, {}, "other").body);
}

TEST(AnswerScriptTest, AnyDetailIsCarriedOutSomehow) {
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  FaultDetail wild{.framing = FaultDetail::Framing::kChunked,
                   .chunk_bytes = 0,
                   .bad_chunk = 0,
                   .garbage_bytes = 0,
                   .bytes_per_second = kHuge,
                   .drip = {0, -1s}};
  for (int kind = 0; kind <= static_cast<int>(FaultKind::kStaleKeepAlive); ++kind) {
    if (IsConnectFault(static_cast<FaultKind>(kind))) continue;
    for (int in = 0; in <= static_cast<int>(In::kEnd); ++in) {
      for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, kHuge}) {
        for (const double fraction : {-1.0, 2.0, std::nan("")}) {
          for (const std::uint64_t chunk : {std::uint64_t{0}, kHuge}) {
            wild.at = {
                .in = static_cast<In>(in), .bytes = bytes, .fraction = fraction, .chunk = chunk};
            const AnswerScript script = Compose(static_cast<FaultKind>(kind), wild);
            EXPECT_LE(script.sent, script.head.size() + script.body.size());
            EXPECT_GE(script.Total(), 0ns);
          }
        }
      }
    }
  }
}

struct BadRow {
  const char* name;
  FaultKind kind;
  FaultDetail detail;
  const char* message;
};

class BadFaultTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadFaultTest, IsRefused) {
  const auto checked = CheckFault(GetParam().kind, GetParam().detail);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadFaultTest,
    testing::Values(
        BadRow{"NoBandwidth",
               FaultKind::kBandwidth,
               {},
               "fault bandwidth: bytes_per_second must be in 1..1000000000"},
        BadRow{"EmptyPieces",
               FaultKind::kSlowDrip,
               {.drip = {0, 1s}},
               "fault slow-drip: piece_bytes must be at least 1"},
        BadRow{"NegativePause",
               FaultKind::kSlowDrip,
               {.drip = {1, -1s}},
               "fault slow-drip: the pause must not be negative"},
        BadRow{"EmptyChunks",
               FaultKind::kReset,
               {.chunk_bytes = 0},
               "fault reset: chunk_bytes must be at least 1"},
        BadRow{"ChunkZero",
               FaultKind::kMalformedChunk,
               {.bad_chunk = 0},
               "fault malformed-chunk: chunks are counted from 1"},
        BadRow{"NoFraction",
               FaultKind::kReset,
               {.at = AnswerPoint::Fraction(1.5)},
               "fault reset: a fraction of the body is in 0..1"},
        BadRow{"ChunkWithoutChunks",
               FaultKind::kReset,
               {.at = AnswerPoint::InChunk(1, 0)},
               "fault reset: a point in a chunk needs chunked framing"},
        BadRow{"TooMuchGarbage",
               FaultKind::kGarbage,
               {.garbage_bytes = kGarbageBytesMax + 1},
               "fault garbage: bytes must be in 1..1048576"},
        BadRow{"StaleAndKept",
               FaultKind::kStaleKeepAlive,
               {.then = FaultDetail::Then::kKeep},
               "fault stale-keep-alive: a connection that is kept is not stale; use close or "
               "reset"}),
    [](const auto& row) { return row.param.name; });

TEST(FaultKindTest, EveryNameReadsBack) {
  for (int kind = 0; kind <= static_cast<int>(FaultKind::kStaleKeepAlive); ++kind) {
    EXPECT_EQ(ParseFaultKind(ToString(static_cast<FaultKind>(kind))), static_cast<FaultKind>(kind));
  }
}

}  // namespace
}  // namespace understudy::harness
