#include "harness/vendor/response_sequence.h"

#include <vector>

#include <gmock/gmock.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The statuses of the next `count` answers; 0 for none.
std::vector<int> Statuses(ResponseSequence& sequence, int count) {
  std::vector<int> statuses;
  for (int i = 0; i < count; ++i) {
    const auto next = sequence.Next();
    statuses.push_back(next == nullptr ? 0 : next->response.status);
  }
  return statuses;
}

TEST(ResponseSequenceTest, PlaysEachResponseAsOftenAsItSays) {
  auto sequence = ResponseSequence::Create({{.times = 2, .status = 503}, {.status = 201}},
                                           WhenExhausted::kFailScenario);
  EXPECT_EQ(sequence->Length(), 3);
  EXPECT_THAT(Statuses(*sequence, 5), ElementsAre(503, 503, 201, 0, 0));
}

TEST(ResponseSequenceTest, ASingleResponseWithoutTimesIsGivenOnce) {
  auto sequence = ResponseSequence::Create({{.status = 200}}, WhenExhausted::kFailScenario);
  EXPECT_THAT(Statuses(*sequence, 2), ElementsAre(200, 0));
}

TEST(ResponseSequenceTest, RepeatsTheLast) {
  auto sequence = ResponseSequence::Create({{.status = 503}, {.times = 2, .status = 200}},
                                           WhenExhausted::kRepeatLast);
  EXPECT_EQ(sequence->Length(), std::nullopt);
  EXPECT_THAT(Statuses(*sequence, 5), ElementsAre(503, 200, 200, 200, 200));
}

TEST(ResponseSequenceTest, CyclesFromTheFirst) {
  auto sequence = ResponseSequence::Create({{.times = 2, .status = 503}, {.status = 200}},
                                           WhenExhausted::kCycle);
  EXPECT_THAT(Statuses(*sequence, 7), ElementsAre(503, 503, 200, 503, 503, 200, 503));
}

TEST(ResponseSequenceTest, SkipsAResponseOfZeroTimes) {
  auto sequence = ResponseSequence::Create({{.times = 0, .status = 503}, {.status = 200}},
                                           WhenExhausted::kFailScenario);
  EXPECT_THAT(Statuses(*sequence, 2), ElementsAre(200, 0));
}

TEST(ResponseSequenceTest, NothingButZeroTimesHasNoAnswerEvenInACycle) {
  auto sequence = ResponseSequence::Create({{.times = 0}}, WhenExhausted::kCycle);
  EXPECT_THAT(Statuses(*sequence, 2), ElementsAre(0, 0));
}

TEST(ResponseSequenceTest, PeekingUsesNothing) {
  auto sequence = ResponseSequence::Create({{.status = 200}}, WhenExhausted::kFailScenario);
  EXPECT_EQ(sequence->Peek()->response.status, 200);
  EXPECT_THAT(Statuses(*sequence, 2), ElementsAre(200, 0));
}

TEST(ResponseSequenceTest, GivesABodyItsContentType) {
  const auto prepared = Prepare({.body = "{}"});
  EXPECT_EQ(prepared->response.headers.Get("Content-Type"), "application/json");
}

TEST(ResponseSequenceTest, KeepsAContentTypeOfItsOwn) {
  const auto prepared = Prepare({.headers = {{"content-type", "text/csv"}}, .body = "a,b"});
  EXPECT_THAT(prepared->response.headers.GetAll("Content-Type"), ElementsAre("text/csv"));
}

TEST(ResponseSequenceTest, NoBodyHasNoContentType) {
  EXPECT_TRUE(Prepare({.status = 503})->response.headers.empty());
}

struct BadResponse {
  const char* name;
  ResponseSpec spec;
  const char* message;
};

class ResponseErrorTest : public ::testing::TestWithParam<BadResponse> {};

TEST_P(ResponseErrorTest, IsRefusedWithItsNumber) {
  const auto sequence =
      ResponseSequence::Create({{}, GetParam().spec}, WhenExhausted::kFailScenario);
  ASSERT_FALSE(sequence.has_value());
  EXPECT_THAT(sequence.error().message, HasSubstr("response 2: "));
  EXPECT_THAT(sequence.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Responses, ResponseErrorTest,
    ::testing::Values(
        BadResponse{"NegativeTimes", {.times = -1}, "times"},
        BadResponse{"InterimStatus", {.status = 100}, "final status"},
        BadResponse{"StatusTooHigh", {.status = 600}, "final status"},
        BadResponse{"BodyWith204", {.status = 204, .body = "x"}, "no body"},
        BadResponse{"HeaderInjection", {.headers = {{"A", "b\r\nC: d"}}}, "A"},
        BadResponse{"LatencyBackwards", {.latency = LatencySpec{2s, 1s}}, "upper end"},
        BadResponse{"NegativeLatency", {.latency = LatencySpec::Fixed(-1s)}, "negative"}),
    [](const auto& test) { return test.param.name; });

TEST(ResponseSequenceTest, AnEmptyListIsRefused) {
  EXPECT_FALSE(ResponseSequence::Create({}, WhenExhausted::kCycle).has_value());
}

}  // namespace
}  // namespace understudy::harness
