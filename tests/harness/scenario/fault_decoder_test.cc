#include "harness/scenario/fault_decoder.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/json_document.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using In = AnswerPoint::In;

// Holds what readers point into.
struct Text {
  explicit Text(std::string_view json) : document(JsonDocument::Parse("t", std::string(json))) {
    EXPECT_TRUE(document.ok()) << json;
  }
  NodeReader reader() { return NodeReader(document.root(), document.file(), problems); }
  std::string Problem() const {
    return problems.empty() ? "" : problems.problems().front().ToString();
  }

  JsonDocument document;
  ProblemList problems{10};
};

FaultDetail DetailOf(std::string_view json) {
  Text text(json);
  std::optional<FaultKind> kind;
  FaultDetail detail;
  DecodeFault(text.reader(), kind, detail);
  EXPECT_TRUE(kind) << json;
  EXPECT_EQ(text.Problem(), "") << json;
  return detail;
}

FaultRule RuleOf(std::string_view json) {
  Text text(json);
  IdSet ids;
  FaultRule rule = DecodeFaultRule(text.reader(), ids);
  EXPECT_EQ(text.Problem(), "") << json;
  return rule;
}

TEST(FaultDecoderTest, AWordIsAFaultWithoutDetail) {
  EXPECT_EQ(DetailOf(R"("reset")").at.in, In::kDefault);
  EXPECT_EQ(DetailOf(R"("stale-keep-alive")").then, FaultDetail::Then::kDefault);
}

TEST(FaultDecoderTest, ReadsWhereAFaultStrikes) {
  EXPECT_EQ(DetailOf(R"({"kind": "reset", "at": "status-line"})").at.in, In::kStatusLine);
  EXPECT_EQ(DetailOf(R"({"kind": "close", "at": {"head_byte": 7}})").at.bytes, 7U);
  EXPECT_EQ(DetailOf(R"({"kind": "hang", "at": {"body_fraction": 0.25}})").at.fraction, 0.25);
  const FaultDetail chunk = DetailOf(
      R"({"kind": "reset", "at": {"chunk": 3, "byte": 2}, "framing": "chunked", "chunk_bytes": 8})");
  EXPECT_EQ(chunk.at.in, In::kChunk);
  EXPECT_EQ(chunk.at.chunk, 3U);
  EXPECT_EQ(chunk.at.bytes, 2U);
  EXPECT_EQ(chunk.chunk_bytes, 8U);
}

TEST(FaultDecoderTest, ReadsHowAFaultGoes) {
  EXPECT_EQ(DetailOf(R"({"kind": "bandwidth", "bytes_per_second": 100})").bytes_per_second, 100U);
  EXPECT_EQ(DetailOf(R"({"kind": "garbage", "bytes": 5})").garbage_bytes, 5U);
  EXPECT_EQ(DetailOf(R"({"kind": "malformed-chunk", "chunk": 1})").bad_chunk, 1U);
  EXPECT_EQ(DetailOf(R"({"kind": "early-response", "then": "keep"})").then,
            FaultDetail::Then::kKeep);
  const FaultDetail drip = DetailOf(R"({"kind": "slow-drip", "piece_bytes": 2, "pause": "3ms"})");
  EXPECT_EQ(drip.drip.piece_bytes, 2U);
  EXPECT_EQ(drip.drip.pause, 3ms);
}

TEST(FaultDecoderTest, ReadsLatencies) {
  const auto latency = [](std::string_view json) {
    Text text(json);
    auto spec = DecodeLatency(text.reader());
    EXPECT_EQ(text.Problem(), "") << json;
    return spec.value_or(LatencySpec{});
  };
  EXPECT_EQ(latency(R"("20ms")").high, 20ms);
  EXPECT_EQ(latency(R"({"between": ["1ms", "2ms"]})").high, 2ms);
  const LatencySpec normal = latency(R"({"normal": {"mean": "1s", "stddev": "2ms", "max": "3s"}})");
  EXPECT_EQ(normal.shape, LatencySpec::Shape::kNormal);
  EXPECT_EQ(normal.center, 1s);
  EXPECT_EQ(normal.deviation, 2ms);
  EXPECT_EQ(normal.max, 3s);
  const LatencySpec log_normal = latency(R"({"log_normal": {"median": "90ms", "sigma": 0.4}})");
  EXPECT_EQ(log_normal.shape, LatencySpec::Shape::kLogNormal);
  EXPECT_EQ(log_normal.sigma, 0.4);
  EXPECT_FALSE(log_normal.max);
}

TEST(FaultDecoderTest, ReadsARule) {
  const FaultRule rule = RuleOf(
      R"({"id": "a", "route": "orders", "calls": [1, {"from": 4, "to": 6}, {"every": 10}],
          "during": {"from": "10s", "to": "1m"}, "probability": 0.5,
          "fault": {"kind": "reset", "at": "body"}, "latency": "1s"})");
  EXPECT_EQ(rule.route, "orders");
  ASSERT_EQ(rule.calls.size(), 3U);
  EXPECT_EQ(rule.calls[0].last, 1U);
  EXPECT_EQ(rule.calls[1].first, 4U);
  EXPECT_EQ(rule.calls[1].last, 6U);
  EXPECT_EQ(rule.calls[2].first, 10U) << "every tenth begins with the tenth";
  EXPECT_EQ(rule.calls[2].every, 10U);
  EXPECT_EQ(rule.from, 10s);
  EXPECT_EQ(rule.until, 1min);
  EXPECT_EQ(rule.probability, 0.5);
  EXPECT_EQ(rule.fault, FaultKind::kReset);
  EXPECT_EQ(rule.detail.at.in, In::kBodyFraction);
  EXPECT_EQ(rule.latency->low, 1s);
}

TEST(FaultDecoderTest, ReadsARulePerConnection) {
  const FaultRule rule =
      RuleOf(R"({"id": "a", "per": "connection", "calls": 2, "fault": "tls-expired"})");
  EXPECT_EQ(rule.per, FaultRule::Per::kConnection);
  EXPECT_EQ(rule.connection_fault, ConnectionFault::kTlsExpired);
  EXPECT_FALSE(rule.fault);
}

struct BadRow {
  const char* name;
  const char* json;
  const char* problem;
};

class BadFaultRuleTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadFaultRuleTest, IsReportedAtItsPlace) {
  Text text(GetParam().json);
  IdSet ids;
  DecodeFaultRule(text.reader(), ids);
  EXPECT_THAT(text.Problem(), testing::HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadFaultRuleTest,
    testing::Values(
        BadRow{"NoId", R"({"fault": "reset"})", R"(the key "id" is missing)"},
        BadRow{"NoFault", R"({"id": "a"})", "the rule does nothing"},
        BadRow{"UnknownKey", R"({"id": "a", "prob": 1, "fault": "reset"})",
               R"(/prob: unknown key "prob")"},
        BadRow{"UnknownKind", R"({"id": "a", "fault": {"kind": "rest"}})",
               R"(/fault/kind: expected "reset")"},
        BadRow{"KeyOfAnotherKind", R"({"id": "a", "fault": {"kind": "garbage", "at": "body"}})",
               R"(/fault/at: unknown key "at")"},
        BadRow{"BandwidthWithoutBytes", R"({"id": "a", "fault": "bandwidth"})",
               "/fault: a bandwidth needs its bytes per second"},
        BadRow{"UnknownPlace", R"({"id": "a", "fault": {"kind": "reset", "at": "header"}})",
               R"(did you mean "headers"?)"},
        BadRow{"TwoPlaces",
               R"({"id": "a", "fault": {"kind": "reset", "at": {"head_byte": 1, "chunk": 1}}})",
               "each point has one place"},
        BadRow{"FractionAboveOne",
               R"({"id": "a", "fault": {"kind": "reset", "at": {"body_fraction": 2}}})",
               "expected a number from 0 to 1"},
        BadRow{"ChunkWithoutChunks",
               R"({"id": "a", "fault": {"kind": "reset", "at": {"chunk": 2}}})",
               "a point in a chunk needs chunked framing"},
        BadRow{"CallZero", R"({"id": "a", "calls": 0, "fault": "reset"})", "/calls: expected"},
        BadRow{"NoCalls", R"({"id": "a", "calls": [], "fault": "reset"})",
               "an empty list of calls"},
        BadRow{"RangeBackwards", R"({"id": "a", "calls": {"from": 5, "to": 2}, "fault": "reset"})",
               "/calls/to: the range ends before it begins"},
        BadRow{"WindowBackwards",
               R"({"id": "a", "during": {"from": "5s", "to": "5s"}, "fault": "reset"})",
               "/during/to: the window ends before it begins"},
        BadRow{"NeverByChance", R"({"id": "a", "probability": 0, "fault": "reset"})",
               "never happens"},
        BadRow{"RouteOfAConnection",
               R"({"id": "a", "per": "connection", "route": "x", "fault": "reset"})",
               "/route: a connection has no route yet"},
        BadRow{"RequestFaultOfAConnection",
               R"({"id": "a", "per": "connection", "fault": "truncate"})",
               R"(/fault: expected "reset", "close", "silence")"},
        BadRow{"LatencyBelowItsMean",
               R"({"id": "a", "latency": {"normal": {"mean": "2s", "stddev": "1s", "max": "1s"}}})",
               "/latency/normal/max: the greatest latency is below"},
        BadRow{"LatencyOfDays",
               R"({"id": "a", "latency": {"normal": {"mean": "48h", "stddev": "1s"}}})",
               "/latency/normal: latency: the mean is above the greatest value"},
        BadRow{"LatencyWithoutSigma", R"({"id": "a", "latency": {"log_normal": {"median": "2s"}}})",
               R"(the key "sigma" is missing)"},
        BadRow{"TwoLatencies", R"({"id": "a", "latency": {"between": ["1s", "2s"], "normal": {}}})",
               "each latency has one distribution"}),
    [](const auto& row) { return row.param.name; });

TEST(FaultDecoderTest, AnIdMayOccurOnce) {
  Text first(R"({"id": "a", "fault": "reset"})");
  Text second(R"({"id": "a", "fault": "hang"})");
  IdSet ids;
  DecodeFaultRule(first.reader(), ids);
  DecodeFaultRule(second.reader(), ids);
  EXPECT_THAT(second.Problem(), testing::HasSubstr("\"a\""));
}

}  // namespace
}  // namespace understudy::harness
