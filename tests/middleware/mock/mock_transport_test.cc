#include "middleware/mock/mock_transport.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

http::Request RequestFor(std::string_view method, std::string_view target, std::string body = {}) {
  http::Request request;
  request.method = http::Method(method);
  request.url = http::Url::Parse("https://api.vendor.example" + std::string(target)).value();
  request.body = std::move(body);
  return request;
}

class MockTransportTest : public ::testing::Test {
 protected:
  Result<http::Response> Send(std::string_view method, std::string_view target,
                              std::string body = {}) {
    return mock_.Send(RequestFor(method, target, std::move(body)), {});
  }
  // The body of the answer, or the error's reason.
  std::string Ask(std::string_view method, std::string_view target, std::string body = {}) {
    const auto result = Send(method, target, std::move(body));
    return result ? result->body : result.error().reason;
  }
  std::string AskWith(http::Headers headers) {
    http::Request request = RequestFor("GET", "/x");
    request.headers = std::move(headers);
    const auto result = mock_.Send(request, {});
    return result ? result->body : result.error().reason;
  }
  std::string MessageFor(std::string_view method, std::string_view target, std::string body = {}) {
    const auto result = Send(method, target, std::move(body));
    return result ? "answered" : result.error().message;
  }
  http::SendOptions Within(Duration time) {
    return {.deadline = Deadline::After(clock_.Now(), time)};
  }

  FakeClock clock_;
  MockTransport mock_ = MockTransport(clock_);
};

// --- which requests fit

TEST_F(MockTransportTest, AnswersTheMethodAndPathOfItsRoute) {
  mock_.When("GET", "/v1/charges").Respond(200, R"({"id":"ch_1"})");
  const auto answer = Send("GET", "/v1/charges");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, R"({"id":"ch_1"})");
  EXPECT_EQ(answer->headers.Get("content-type"), "application/json");
  EXPECT_EQ(Ask("POST", "/v1/charges"), "no-mock");
}

struct PathCase {
  std::string_view name;
  std::string_view path;    // of the route
  std::string_view target;  // of the request
  bool fits;
};

class MockPathTest : public ::testing::TestWithParam<PathCase> {};

TEST_P(MockPathTest, FitsSegmentBySegment) {
  FakeClock clock;
  MockTransport mock(clock);
  mock.When("GET", GetParam().path).Respond(200);
  EXPECT_EQ(mock.Send(RequestFor("GET", GetParam().target), {}).has_value(), GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, MockPathTest,
    ::testing::Values(PathCase{"MK4_ADotMeansADot", "/v1.1/a+b", "/v1.1/a+b", true},
                      PathCase{"MK4_ADotMeansNothingElse", "/v1.1", "/v1x1", false},
                      PathCase{"MK4_ABarIsNoAlternative", "/a|b", "/a", false},
                      PathCase{"MK4_AStarIsNoWildcard", "/v1/.*", "/v1/charges", false},
                      PathCase{"AParameterIsOneSegment", "/v1/{id}", "/v1/ch_1", true},
                      PathCase{"AParameterIsNotTwoSegments", "/v1/{id}", "/v1/a/b", false},
                      PathCase{"AParameterIsNotEmpty", "/v1/{id}", "/v1/", false},
                      PathCase{"TheQueryIsNoPartOfThePath", "/v1", "/v1?limit=3", true},
                      PathCase{"ATrailingSlashCounts", "/v1", "/v1/", false},
                      PathCase{"APrefixIsNotEnough", "/v1", "/v1/charges", false},
                      PathCase{"TheRoot", "/", "/", true},
                      PathCase{"EscapesAreDecoded", "/caf%C3%A9", "/caf%c3%a9", true},
                      PathCase{"AnEscapedSlashSeparatesNothing", "/a/b", "/a%2Fb", false},
                      PathCase{"AMalformedEscapeFitsAParameter", "/v1/{id}", "/v1/%zz", true},
                      PathCase{"CaseCounts", "/V1", "/v1", false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(MockTransportTest, FitsAQueryParameterDecodedAndAmongSeveral) {
  mock_.When("GET", "/x").WithQuery("status", "a b").Respond(200, "1");
  EXPECT_EQ(Ask("GET", "/x?status=c&limit=3&status=a+b"), "1");
  EXPECT_EQ(Ask("GET", "/x?status=a%20b"), "1");
  EXPECT_EQ(Ask("GET", "/x?status=ab"), "no-mock");
  EXPECT_EQ(Ask("GET", "/x"), "no-mock");
}

TEST_F(MockTransportTest, FitsAnyValueOrNoneOfAQueryParameter) {
  mock_.When("GET", "/x").WithQuery("cursor", AnyValue()).Respond(200, "2");
  mock_.When("GET", "/x").WithoutQuery("cursor").Respond(200, "1");
  EXPECT_EQ(Ask("GET", "/x"), "1");
  EXPECT_EQ(Ask("GET", "/x?cursor=c1"), "2");
  EXPECT_EQ(Ask("GET", "/x?cursor="), "2");
}

TEST_F(MockTransportTest, FitsHeadersWithoutCaseOfTheirNames) {
  mock_.When("GET", "/x").WithHeader("X-Version", "2").WithoutHeader("X-Debug").Respond(200, "1");
  EXPECT_EQ(AskWith({{"x-version", "2"}}), "1");
  EXPECT_EQ(AskWith({{"x-version", "1"}}), "no-mock");
  EXPECT_EQ(AskWith({{"x-version", "2"}, {"x-debug", ""}}), "no-mock");
}

TEST_F(MockTransportTest, FitsAnyValueOfAHeader) {
  mock_.When("GET", "/x").WithHeader("Idempotency-Key", AnyValue()).Respond(200, "1");
  EXPECT_EQ(AskWith({{"Idempotency-Key", "k"}}), "1");
  EXPECT_EQ(AskWith({}), "no-mock");
}

TEST_F(MockTransportTest, FitsFormFields) {
  mock_.When("POST", "/x")
      .WithForm("amount", "1000")
      .WithForm("card[cvc]", AnyValue())
      .Respond(200, "1");
  EXPECT_EQ(Ask("POST", "/x", "card%5Bcvc%5D=123&amount=1000"), "1");
  EXPECT_EQ(Ask("POST", "/x", "amount=1000"), "no-mock");
}

TEST_F(MockTransportTest, FitsExactBytesOfABody) {
  mock_.When("PUT", "/x").WithBody(std::string("a\0b", 3)).Respond(200, "1");
  EXPECT_EQ(Ask("PUT", "/x", std::string("a\0b", 3)), "1");
  EXPECT_EQ(Ask("PUT", "/x", "a"), "no-mock");
}

TEST_F(MockTransportTest, FitsAnOrigin) {
  mock_.When("GET", "/x").WithOrigin("https://api.vendor.example:443").Respond(200, "1");
  EXPECT_EQ(Ask("GET", "/x"), "1");
  http::Request elsewhere = RequestFor("GET", "/x");
  elsewhere.url = http::Url::Parse("https://auth.vendor.example/x").value();
  EXPECT_EQ(mock_.Send(elsewhere, {}).error().reason, "no-mock");
}

TEST_F(MockTransportTest, FitsAConditionOfTheUsersOwnThatSeesThePathParameters) {
  mock_.When("GET", "/v1/{id}")
      .Where("the id is a charge",
             [](const MockRequest& seen) { return seen.PathParameter("id").starts_with("ch_"); })
      .Respond(200, "1");
  EXPECT_EQ(Ask("GET", "/v1/ch_1"), "1");
  EXPECT_THAT(MessageFor("GET", "/v1/cus_1"),
              HasSubstr("where \"the id is a charge\": it does not hold"));
}

TEST_F(MockTransportTest, AConditionIsNotAskedAboutRequestsThatDoNotFitAnyway) {
  int asked = 0;
  mock_.When("GET", "/v1/{id}")
      .WithQuery("a", "1")
      .Respond(200)
      .Where("counts", [&](const MockRequest& seen) {
        return !seen.PathParameter("id").empty() && ++asked > 0;
      });
  EXPECT_FALSE(Send("GET", "/v1/ch_1/refunds?a=1"));
  EXPECT_FALSE(Send("GET", "/v1/ch_1"));
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(Send("GET", "/v1/ch_1?a=1"));
  EXPECT_EQ(asked, 1);
}

struct JsonCase {
  std::string_view name;
  std::string_view expected;
  std::string_view body;
  bool fits;
};

class MockJsonTest : public ::testing::TestWithParam<JsonCase> {};

TEST_P(MockJsonTest, FitsInPart) {
  FakeClock clock;
  MockTransport mock(clock);
  mock.When("POST", "/x").WithJson(GetParam().expected).Respond(200);
  const auto result = mock.Send(RequestFor("POST", "/x", std::string(GetParam().body)), {});
  EXPECT_EQ(result.has_value(), GetParam().fits);
  if (!result) {
    EXPECT_EQ(result.error().reason, "no-mock");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, MockJsonTest,
    ::testing::Values(
        JsonCase{"MoreMembersAreFine", R"({"amount":1000})", R"({"x":1,"amount":1000})", true},
        JsonCase{"InnerObjectsFitInPart", R"({"a":{"b":1}})", R"({"a":{"b":1,"c":2}})", true},
        JsonCase{"AnotherValue", R"({"amount":1000})", R"({"amount":999})", false},
        JsonCase{"AnotherType", R"({"amount":1000})", R"({"amount":"1000"})", false},
        JsonCase{"AMissingMember", R"({"amount":null})", R"({})", false},
        JsonCase{"ANullMember", R"({"amount":null})", R"({"amount":null})", true},
        JsonCase{"NumbersOfTwoSpellings", R"({"amount":1000})", R"({"amount":1e3})", true},
        JsonCase{"ArraysAreWhole", R"([1])", R"([1,2])", false},
        JsonCase{"EqualArrays", R"([{"a":1}])", R"([{"a":1}])", true},
        JsonCase{"MK5_AnEmptyObjectFitsAnyObject", R"({})", R"({"a":1})", true},
        JsonCase{"MK5_AnEmptyObjectIsNoEmptyBody", R"({})", "", false},
        JsonCase{"MK5_AnEmptyArray", R"([])", R"([])", true}, JsonCase{"MK5_Zero", "0", "0", true},
        JsonCase{"MK5_ZeroIsNotFalse", "0", "false", false},
        JsonCase{"MK5_False", "false", "false", true},
        JsonCase{"MK5_AnEmptyString", R"("")", R"("")", true},
        JsonCase{"ABodyThatIsNotJson", R"({})", "amount=1000", false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(MockTransportTest, ABodyNestedWithoutEndIsNotRead) {
  mock_.When("POST", "/x").WithJson("[]").Respond(200);
  EXPECT_THAT(MessageFor("POST", "/x", std::string(1'000'000, '[')), HasSubstr("not JSON"));
  // The bound is of brackets that nest, not of brackets.
  std::string flat = "[[]";
  for (int i = 0; i < 200; ++i) flat += ",[\"\\\"[[\"]";
  EXPECT_THAT(MessageFor("POST", "/x", flat + "]"), HasSubstr("got an array of 201"));
}

TEST_F(MockTransportTest, TheRouteAddedLastOverrides) {
  mock_.When("GET", "/v1/charges").Respond(200, "1");
  mock_.When("GET", "/v1/{anything}").Respond(200, "2");
  EXPECT_EQ(Ask("GET", "/v1/charges"), "2");
}

TEST_F(MockTransportTest, AnOlderRouteAnswersWhatANewerOneDoesNotFit) {
  mock_.When("GET", "/x").Respond(200, "1");
  mock_.When("GET", "/x").WithQuery("limit", "3").Respond(200, "2");
  EXPECT_EQ(Ask("GET", "/x?limit=3"), "2");
  EXPECT_EQ(Ask("GET", "/x?limit=4"), "1");
}

// --- what they get

TEST_F(MockTransportTest, MK5_SendsEmptyAndFalseBodiesAsTheyAre) {
  for (const std::string_view body : {"{}", "[]", "0", "false", "\"\"", "null"}) {
    mock_.When("GET", "/x").Respond(200, body);
    EXPECT_EQ(Send("GET", "/x")->body, body);
  }
}

TEST_F(MockTransportTest, MK5_KnowsPatchAndEveryOtherMethod) {
  for (const std::string_view method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    mock_.When(method, "/x").Respond(200, "\"" + std::string(method) + "\"");
  }
  EXPECT_EQ(Ask("PATCH", "/x", R"({"a":1})"), "\"PATCH\"");
  EXPECT_EQ(Ask("DELETE", "/x"), "\"DELETE\"");
}

TEST_F(MockTransportTest, AnswersWithoutABody) {
  mock_.When("DELETE", "/x").Respond(204);
  const auto answer = Send("DELETE", "/x");
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(answer->body, "");
  EXPECT_TRUE(answer->headers.empty());
}

TEST_F(MockTransportTest, AnswersWithHeadersAndAnyBytes) {
  mock_.When("GET", "/x").Respond({429, {{"Retry-After", "7"}}, "slow down"});
  const auto answer = Send("GET", "/x");
  EXPECT_EQ(answer->headers.Get("Retry-After"), "7");
  EXPECT_EQ(answer->body, "slow down");
}

TEST_F(MockTransportTest, ComputesAnswersFromTheRequest) {
  mock_.When("GET", "/v1/{kind}/{id}").RespondWith([](const MockRequest& seen) {
    return JsonResponse(200, "\"" + seen.PathParameter("kind") + " " + seen.PathParameter("id") +
                                 " " + std::to_string(seen.number) + seen.PathParameter("none") +
                                 "\"");
  });
  EXPECT_EQ(Ask("GET", "/v1/charges/a%2Fb"), "\"charges a/b 1\"");
  EXPECT_THAT(mock_.last_request()->path_parameters,
              ElementsAre(Pair("kind", "charges"), Pair("id", "a/b")));
}

TEST_F(MockTransportTest, MK5_AComputedAnswerCanBeAnError) {
  mock_.When("GET", "/x").RespondWith([](const MockRequest&) -> Result<http::Response> {
    return Error{.code = ErrorCode::kAuth, .message = "no"};
  });
  EXPECT_EQ(Send("GET", "/x").error().code, ErrorCode::kAuth);
}

TEST_F(MockTransportTest, AComputedAnswerMayAskTheMockItself) {
  mock_.When("GET", "/x").RespondWith([this](const MockRequest&) {
    mock_.When("GET", "/y").Respond(200);
    return JsonResponse(200, std::to_string(mock_.requests().size()));
  });
  EXPECT_EQ(Ask("GET", "/x"), "1");
}

TEST_F(MockTransportTest, WhatUserCodeThrowsBecomesAnError) {
  mock_.When("GET", "/x").RespondWith([](const MockRequest&) -> Result<http::Response> {
    throw std::runtime_error("oh no");
  });
  EXPECT_THAT(MessageFor("GET", "/x"), HasSubstr("the computed answer of GET /x threw \"oh no\""));
  mock_.When("GET", "/x").Respond(200).Where("odd", [](const MockRequest&) -> bool { throw 1; });
  EXPECT_THAT(MessageFor("GET", "/x"), HasSubstr("a condition of GET /x threw an exception"));
  EXPECT_EQ(Ask("GET", "/x"), "mock-setup");
}

TEST_F(MockTransportTest, AComputedStatusMustBeAnAnswer) {
  mock_.When("GET", "/x").RespondWith([](const MockRequest&) {
    return http::Response{.status = 0};
  });
  EXPECT_EQ(Ask("GET", "/x"), "mock-setup");
}

TEST_F(MockTransportTest, LeavesTheBodyOfAHeadAnswerAway) {
  mock_.When("HEAD", "/x").Respond(200, R"({"a":1})");
  EXPECT_EQ(Send("HEAD", "/x")->body, "");
}

TEST_F(MockTransportTest, RefusesAnAnswerAboveTheCallersLimit) {
  mock_.When("GET", "/x").Respond({200, {}, "12345"});
  EXPECT_TRUE(mock_.Send(RequestFor("GET", "/x"), {.response_bytes_max = 5}));
  const auto result = mock_.Send(RequestFor("GET", "/x"), {.response_bytes_max = 4});
  EXPECT_EQ(result.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(result.error().reason, "too-large");
  EXPECT_EQ(result.error().delivery, Delivery::kAnswered);
}

TEST_F(MockTransportTest, RefusesARequestWithoutAUrl) {
  EXPECT_EQ(mock_.Send({}, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(mock_.request_count(), 0u);
}

// --- sequences

TEST_F(MockTransportTest, MK6_PlaysASequenceAndRepeatsItsEnd) {
  mock_.When("GET", "/x").Respond(503).ThenFail(MockFault::kReset).ThenRespond(200, "1");
  EXPECT_EQ(Send("GET", "/x")->status, 503);
  EXPECT_EQ(Ask("GET", "/x"), "reset");
  EXPECT_EQ(Ask("GET", "/x"), "1");
  EXPECT_EQ(Ask("GET", "/x"), "1");
}

TEST_F(MockTransportTest, MK6_GivesAResponseAsOftenAsTold) {
  mock_.When("GET", "/x")
      .Respond(200, "1")
      .Times(2)
      .ThenRespond(200, "2")
      .Times(2)
      .ThenRespond(200, "3");
  std::string all;
  for (int i = 0; i < 6; ++i) all += Ask("GET", "/x");
  EXPECT_EQ(all, "112233");
}

TEST_F(MockTransportTest, MK6_TheSameFaultFailsEveryTimeAfresh) {
  mock_.When("GET", "/x").Fail(MockFault::kRefused);
  EXPECT_EQ(Send("GET", "/x").error().ToString(), Send("GET", "/x").error().ToString());
}

TEST_F(MockTransportTest, RoutesCountApart) {
  MockRoute& one = mock_.When("GET", "/a").Respond(200, "1").ThenRespond(200, "2");
  MockRoute& other = mock_.When("GET", "/b").Respond(200, "1").ThenRespond(200, "2");
  EXPECT_EQ(Ask("GET", "/a"), "1");
  EXPECT_EQ(Ask("GET", "/b"), "1");
  EXPECT_EQ(Ask("GET", "/b"), "2");
  EXPECT_EQ(one.calls(), 1u);
  EXPECT_EQ(other.calls(), 2u);
}

TEST_F(MockTransportTest, ARouteThatIsUsedUpFailsAndDoesNotFallThrough) {
  mock_.When("GET", "/x").Respond(200, "1");
  MockRoute& route = mock_.When("GET", "/x").Respond(200, "2").Exactly(2);
  EXPECT_EQ(Ask("GET", "/x"), "2");
  EXPECT_EQ(Ask("GET", "/x"), "2");
  EXPECT_THAT(MessageFor("GET", "/x"), HasSubstr("it answers exactly 2 requests"));
  EXPECT_EQ(route.calls(), 2u);
  EXPECT_FALSE(mock_.Verify());
}

TEST_F(MockTransportTest, ARequestThatMustNotComeFails) {
  mock_.When("POST", "/refunds").Exactly(0);
  EXPECT_TRUE(mock_.VerifyAllUsed());
  EXPECT_EQ(Ask("POST", "/refunds"), "no-mock");
  EXPECT_FALSE(mock_.Verify());
}

// --- faults and time

struct FaultCase {
  std::string_view name;
  MockFault fault;
  ErrorCode code;
  std::string_view reason;
  Delivery delivery;
};

class MockFaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(MockFaultTest, IsTheErrorOfARealTransport) {
  FakeClock clock;
  MockTransport mock(clock);
  mock.When("GET", "/x").Fail(GetParam().fault);
  const auto result = mock.Send(RequestFor("GET", "/x"), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, GetParam().code);
  EXPECT_EQ(result.error().reason, GetParam().reason);
  EXPECT_EQ(result.error().delivery, GetParam().delivery);
  EXPECT_EQ(result.error().origin, Origin::kRemote);
  EXPECT_EQ(clock.Elapsed(), Duration::zero());
  EXPECT_EQ(ToString(GetParam().fault), GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    MK6_Faults, MockFaultTest,
    ::testing::Values(
        FaultCase{"dns", MockFault::kDns, ErrorCode::kConnection, "dns", Delivery::kNotSent},
        FaultCase{"refused", MockFault::kRefused, ErrorCode::kConnection, "refused",
                  Delivery::kNotSent},
        FaultCase{"connect-timeout", MockFault::kConnectTimeout, ErrorCode::kConnection, "connect",
                  Delivery::kNotSent},
        FaultCase{"tls", MockFault::kTls, ErrorCode::kTls, "", Delivery::kNotSent},
        FaultCase{"stale-connection", MockFault::kStaleConnection, ErrorCode::kConnection, "send",
                  Delivery::kNotSent},
        FaultCase{"reset", MockFault::kReset, ErrorCode::kConnection, "reset",
                  Delivery::kMaybeSent},
        FaultCase{"reset-mid-body", MockFault::kResetMidBody, ErrorCode::kConnection, "reset",
                  Delivery::kMaybeSent},
        FaultCase{"truncated", MockFault::kTruncated, ErrorCode::kConnection, "truncated",
                  Delivery::kMaybeSent},
        FaultCase{"malformed", MockFault::kMalformed, ErrorCode::kProtocol, "malformed",
                  Delivery::kAnswered},
        FaultCase{"timeout", MockFault::kTimeout, ErrorCode::kTimeout, "", Delivery::kMaybeSent}),
    [](const auto& test) {
      std::string name(test.param.name);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_F(MockTransportTest, FailsWithAnErrorOfTheUsersOwn) {
  mock_.When("GET", "/x")
      .Fail({.code = ErrorCode::kOverloaded, .message = "full", .retry_after = seconds(3)});
  EXPECT_EQ(Send("GET", "/x").error().retry_after, seconds(3));
}

TEST_F(MockTransportTest, MK6_ALatencyPassesOnTheClock) {
  mock_.When("GET", "/x").Respond(200).After(milliseconds(20)).ThenRespond(200);
  EXPECT_TRUE(mock_.Send(RequestFor("GET", "/x"), Within(seconds(1))));
  EXPECT_EQ(clock_.Elapsed(), milliseconds(20));
  EXPECT_TRUE(Send("GET", "/x"));
  EXPECT_EQ(clock_.Elapsed(), milliseconds(20));
}

TEST_F(MockTransportTest, MK6_ALatencyBeyondTheDeadlineEndsAtTheDeadline) {
  mock_.When("GET", "/x").Respond(200).After(seconds(5));
  const auto result = mock_.Send(RequestFor("GET", "/x"), Within(seconds(2)));
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().delivery, Delivery::kMaybeSent);
  EXPECT_EQ(clock_.Elapsed(), seconds(2));
}

TEST_F(MockTransportTest, AnAnswerAtTheDeadlineIsTooLateAndOneBeforeIsNot) {
  mock_.When("GET", "/x").Respond(200).After(seconds(2));
  EXPECT_EQ(mock_.Send(RequestFor("GET", "/x"), Within(seconds(2))).error().code,
            ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(mock_.Send(RequestFor("GET", "/x"), Within(seconds(2) + Duration(1))));
}

TEST_F(MockTransportTest, ADeadlineBeforeTheConnectionMeansThatNothingWasSent) {
  mock_.When("GET", "/x").Fail(MockFault::kConnectTimeout).After(seconds(5));
  const auto result = mock_.Send(RequestFor("GET", "/x"), Within(seconds(2)));
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().delivery, Delivery::kNotSent);
}

TEST_F(MockTransportTest, AHangEndsWithTheDeadline) {
  mock_.When("GET", "/x").Fail(MockFault::kHang);
  const auto result = mock_.Send(RequestFor("GET", "/x"), Within(seconds(9)));
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(clock_.Elapsed(), seconds(9));
}

TEST_F(MockTransportTest, AHangEndsWithTheStop) {
  mock_.When("GET", "/x").Fail(MockFault::kHang);
  std::stop_source stop;
  clock_.At(milliseconds(30), [&] { stop.request_stop(); });
  const auto result = mock_.Send(RequestFor("GET", "/x"), {.stop = stop.get_token()});
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(result.error().delivery, Delivery::kMaybeSent);
  EXPECT_EQ(clock_.Elapsed(), milliseconds(30));
}

TEST_F(MockTransportTest, AHangThatNothingCouldEndFailsAtOnce) {
  mock_.When("GET", "/x").Fail(MockFault::kHang).ThenRespond(200).After(Duration::max());
  EXPECT_THAT(MessageFor("GET", "/x"), HasSubstr("neither a deadline nor a stop"));
  EXPECT_EQ(Ask("GET", "/x"), "mock-hang");
  EXPECT_EQ(clock_.Elapsed(), Duration::zero());
}

TEST_F(MockTransportTest, AStopDuringTheLatencyCancels) {
  mock_.When("GET", "/x").Respond(200).After(seconds(5));
  std::stop_source stop;
  clock_.At(seconds(1), [&] { stop.request_stop(); });
  http::SendOptions options = Within(seconds(10));
  options.stop = stop.get_token();
  EXPECT_EQ(mock_.Send(RequestFor("GET", "/x"), options).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(clock_.Elapsed(), seconds(1));
}

TEST_F(MockTransportTest, WhatEndedBeforeItBeganIsNoRequest) {
  mock_.When("GET", "/x").Respond(200);
  const auto late = mock_.Send(RequestFor("GET", "/x"), Within(Duration::zero()));
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(late.error().delivery, Delivery::kNotSent);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = mock_.Send(RequestFor("GET", "/x"), {.stop = stop.get_token()});
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(stopped.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(mock_.request_count(), 0u);
}

// --- requests without a mock

TEST_F(MockTransportTest, MK3_ARequestWithoutAMockIsALocalMistakeAndNoAnswer) {
  const auto result = Send("GET", "/v1/charges");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().reason, "no-mock");
  EXPECT_EQ(result.error().origin, Origin::kLocal);
  EXPECT_EQ(result.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(result.error().message,
            "no mock for GET /v1/charges; no route is set up; add one with When");
}

TEST_F(MockTransportTest, MK3_NamesTheNearestRoutesNearestFirst) {
  mock_.When("GET", "/v2/customers/{id}").Respond(200);
  mock_.When("DELETE", "/v2/customers").Respond(200);
  mock_.When("POST", "/v1/charges").Respond(200);
  mock_.When("GET", "/v1/charges").Respond(200);
  EXPECT_EQ(MessageFor("POST", "/v1/charge"),
            "no mock for POST /v1/charge; 4 routes are set up, the nearest: "
            "(1) POST /v1/charges: path segment 2: expected \"charges\", got \"charge\"; "
            "(2) GET /v1/charges: method: expected GET, got POST, "
            "path segment 2: expected \"charges\", got \"charge\"; "
            "(3) DELETE /v2/customers: method: expected DELETE, got POST, "
            "path segment 1: expected \"v2\", got \"v1\", "
            "path segment 2: expected \"customers\", got \"charge\"");
}

TEST_F(MockTransportTest, MK3_SaysWhichQueryHeaderAndBodyMemberDiffers) {
  mock_.When("POST", "/x")
      .WithQuery("limit", "3")
      .WithHeader("X-Version", "2")
      .WithJson(R"({"amount":1000,"items":[1,{"sku":"a"}],"to":{"name":"Ann"}})")
      .Respond(200);
  http::Request request =
      RequestFor("POST", "/x?limit=4", R"({"amount":999,"items":[1,{"sku":"b"}],"to":{}})");
  const auto result = mock_.Send(request, {});
  EXPECT_EQ(
      result.error().message,
      "no mock for POST /x; 1 route is set up: (1) POST /x: "
      "query limit: expected \"3\", got \"4\", header X-Version: expected \"2\", got nothing, "
      "json at \"/amount\": expected 1000, got 999, "
      "json at \"/items/1\": expected an object with 1 members, got an object with 1 members "
      "with other values, json at \"/to/name\": expected \"Ann\", got nothing");
}

TEST_F(MockTransportTest, SaysWhenThePathHasAnotherLength) {
  mock_.When("GET", "/v1/charges/{id}").Respond(200);
  EXPECT_THAT(MessageFor("GET", "/v1/charges"),
              HasSubstr("path: expected \"/v1/charges/{id}\", got \"/v1/charges\""));
}

TEST_F(MockTransportTest, SaysWhereABodyDiffers) {
  mock_.When("POST", "/x").WithBody("abcdef").Respond(200);
  EXPECT_THAT(MessageFor("POST", "/x", "abX"),
              HasSubstr("body: expected 6 bytes, got 3; they differ from byte 2"));
}

TEST_F(MockTransportTest, DiagnosticsHideSecretsOnBothSides) {
  mock_.When("POST", "/x")
      .WithHeader("Authorization", "Bearer right")
      .WithQuery("api_key", "k-right")
      .WithForm("card[number]", "4242")
      .WithJson(R"({"password":"p-right","card":{"number":"1111"}})")
      .Respond(200);
  http::Request request = RequestFor("POST", "/x?api_key=k-wrong",
                                     R"({"password":"p-wrong","card":{"number":"2222"}})");
  ASSERT_TRUE(request.headers.Set("Authorization", "Bearer wrong"));
  const std::string message = mock_.Send(request, {}).error().message;
  EXPECT_THAT(message, HasSubstr("header Authorization: expected (hidden), got (hidden)"));
  for (const std::string& text : {message, mock_.Describe(), mock_.Verify().error().message,
                                  mock_.requests()[0].Describe()}) {
    EXPECT_THAT(text,
                AllOf(Not(HasSubstr("right")), Not(HasSubstr("wrong")), Not(HasSubstr("1111")),
                      Not(HasSubstr("2222")), Not(HasSubstr("4242"))));
  }
  // The test itself may look.
  EXPECT_EQ(mock_.requests()[0].request.headers.Get("Authorization"), "Bearer wrong");
}

TEST_F(MockTransportTest, DiagnosticsAreOneShortLineWhateverTheRequestHolds) {
  mock_.When("POST", "/x").WithQuery("q", "a").WithJson(R"({"a":"b"})").Respond(200);
  const std::string target =
      "/x?q=" + http::PercentEncode("\n\x1b[31m\xff" + std::string(9999, 'z'));
  const std::string message =
      MessageFor("POST", target, "{\"a\":\"" + std::string(99999, 'y') + "\"}");
  EXPECT_THAT(message, AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
  EXPECT_LT(message.size(), 1000u);
}

TEST_F(MockTransportTest, VerifyListsTheRequestsWithoutAMock) {
  mock_.When("GET", "/x").Respond(200);
  EXPECT_TRUE(Send("GET", "/x"));
  EXPECT_TRUE(mock_.Verify());
  EXPECT_FALSE(Send("GET", "/y"));
  EXPECT_FALSE(Send("PUT", "/x"));
  const auto verified = mock_.Verify();
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().reason, "no-mock");
  EXPECT_THAT(verified.error().message,
              AllOf(HasSubstr("2 requests had no mock"), HasSubstr("request 2, GET /y: "),
                    HasSubstr("request 3, PUT /x: ")));
}

TEST_F(MockTransportTest, VerifyKeepsABoundedListAndTheWholeCount) {
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(Send("GET", "/r" + std::to_string(i)));
  EXPECT_THAT(mock_.Verify().error().message,
              AllOf(HasSubstr("1000 requests had no mock"), HasSubstr("GET /r19"),
                    Not(HasSubstr("GET /r20:"))));
}

TEST_F(MockTransportTest, VerifyAllUsedNamesWhatWasNotUsed) {
  mock_.When("GET", "/a").Respond(200);
  mock_.When("GET", "/b").Respond(503).Times(2).ThenRespond(200);
  mock_.When("GET", "/c").Respond(200).Exactly(2);
  EXPECT_TRUE(Send("GET", "/b"));
  EXPECT_TRUE(Send("GET", "/c"));
  EXPECT_TRUE(mock_.Verify());
  EXPECT_THAT(
      mock_.VerifyAllUsed().error().message,
      AllOf(HasSubstr("GET /a: never used"), HasSubstr("GET /b: response 2 of 2 was never given"),
            HasSubstr("GET /c: answered 1 of exactly 2 requests")));
  EXPECT_TRUE(Send("GET", "/a"));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Send("GET", "/b"));
  EXPECT_TRUE(Send("GET", "/c"));
  EXPECT_TRUE(mock_.VerifyAllUsed());
}

TEST_F(MockTransportTest, ARouteWithoutAResponseFailsLoudly) {
  mock_.When("GET", "/x").Respond(200);
  mock_.When("GET", "/x").WithQuery("a", "1");
  EXPECT_THAT(MessageFor("GET", "/x?a=1"), HasSubstr("it has no response"));
}

// --- mistakes in a route

struct MistakeCase {
  std::string_view name;
  std::function<void(MockTransport&)> set_up;
  std::string_view message;
};

class MockMistakeTest : public ::testing::TestWithParam<MistakeCase> {};

TEST_P(MockMistakeTest, FailsEverySendAndVerify) {
  FakeClock clock;
  MockTransport mock(clock);
  mock.When("GET", "/fine").Respond(200);
  GetParam().set_up(mock);
  const auto result = mock.Send(RequestFor("GET", "/fine"), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().reason, "mock-setup");
  EXPECT_THAT(result.error().message, HasSubstr(std::string(GetParam().message)));
  ASSERT_FALSE(mock.Verify());
  EXPECT_THAT(mock.Verify().error().message, HasSubstr(std::string(GetParam().message)));
}

http::Response Interim() { return {.status = 103}; }

INSTANTIATE_TEST_SUITE_P(
    Mistakes, MockMistakeTest,
    ::testing::Values(
        MistakeCase{"LowerCaseMethod",
                    [](MockTransport& mock) { mock.When("get", "/x").Respond(200); },
                    "write it in upper case"},
        MistakeCase{"RelativePath", [](MockTransport& mock) { mock.When("GET", "x").Respond(200); },
                    "must start with \"/\""},
        MistakeCase{"QueryInThePath",
                    [](MockTransport& mock) { mock.When("GET", "/x?a=1").Respond(200); },
                    "use WithQuery"},
        MistakeCase{"MK4_PartOfASegment",
                    [](MockTransport& mock) { mock.When("GET", "/ch_{id}").Respond(200); },
                    "a parameter is a whole segment"},
        MistakeCase{"ParameterTwice",
                    [](MockTransport& mock) { mock.When("GET", "/{a}/{a}").Respond(200); },
                    "appears twice"},
        MistakeCase{"MalformedEscape",
                    [](MockTransport& mock) { mock.When("GET", "/%zz").Respond(200); },
                    "two hexadecimal digits"},
        MistakeCase{"ConditionNotJson",
                    [](MockTransport& mock) { mock.When("GET", "/x").WithJson("{").Respond(200); },
                    "WithJson: not JSON"},
        MistakeCase{"BodyNotJson",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(200, "{'a':1}"); },
                    "is not JSON"},
        MistakeCase{"EmptyJson",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(200, ""); },
                    "leave it away for an empty body"},
        MistakeCase{"NoStatus", [](MockTransport& mock) { mock.When("GET", "/x").Respond(20); },
                    "status 20 is not an answer"},
        MistakeCase{"InterimStatus",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(Interim()); },
                    "status 103 is not an answer"},
        MistakeCase{"SecondRespond",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(200).Respond(201); },
                    "write Then..."},
        MistakeCase{"ThenFirst",
                    [](MockTransport& mock) { mock.When("GET", "/x").ThenRespond(200); },
                    "needs a response before it"},
        MistakeCase{"TimesZero",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(200).Times(0); },
                    "Times(0)"},
        MistakeCase{"TimesFirst",
                    [](MockTransport& mock) { mock.When("GET", "/x").Times(2).Respond(200); },
                    "Times belongs after a response"},
        MistakeCase{
            "NegativeLatency",
            [](MockTransport& mock) { mock.When("GET", "/x").Respond(200).After(seconds(-1)); },
            "it must not be negative"},
        MistakeCase{"AfterFirst",
                    [](MockTransport& mock) { mock.When("GET", "/x").After(seconds(1)); },
                    "After belongs after a response"},
        MistakeCase{"ExactlyTooFew",
                    [](MockTransport& mock) {
                      mock.When("GET", "/x").Respond(503).Times(3).ThenRespond(200).Exactly(3);
                    },
                    "for 4 requests, but Exactly allows 3"},
        MistakeCase{"ExactlyNegative",
                    [](MockTransport& mock) { mock.When("GET", "/x").Respond(200).Exactly(-1); },
                    "Exactly(-1)"},
        MistakeCase{
            "NoName",
            [](MockTransport& mock) { mock.When("GET", "/x").WithQuery("", "1").Respond(200); },
            "query: the name is empty"},
        MistakeCase{"NoFunction",
                    [](MockTransport& mock) { mock.When("GET", "/x").RespondWith(nullptr); },
                    "RespondWith got no function"},
        MistakeCase{
            "NoCondition",
            [](MockTransport& mock) { mock.When("GET", "/x").Where("x", nullptr).Respond(200); },
            "there is no function"},
        MistakeCase{"NoOrigin",
                    [](MockTransport& mock) {
                      mock.When("GET", "/x").WithOrigin("https://a.example/v1").Respond(200);
                    },
                    "is not an origin"}),
    [](const auto& test) { return std::string(test.param.name); });

// --- what is remembered

TEST_F(MockTransportTest, MK2_CountsOneRequestForOneCall) {
  mock_.When("GET", "/charges/ch_123").Respond(200, R"({"id":"ch_123","amount":5000})");
  mock_.When("POST", "/charges").Respond(201, R"({"id":"ch_new","amount":1000})");
  EXPECT_TRUE(Send("GET", "/charges/ch_123"));
  EXPECT_EQ(mock_.request_count(), 1u);
  EXPECT_EQ(mock_.last_request()->request.method.name(), "GET");
}

TEST_F(MockTransportTest, RemembersWhatTheLayersAboveAskedFor) {
  mock_.When("POST", "/v1/{kind}").Respond(200);
  clock_.Advance(seconds(3));
  const http::SendOptions options = {
      .deadline = Deadline::After(clock_.Now(), seconds(2)),
      .replayable = true,
      .attempt = {.operation = "charges.create", .attempt = 2, .breaker_state = "half-open"}};
  http::Request request = RequestFor("POST", "/v1/charges?x=1", "body");
  ASSERT_TRUE(mock_.Send(request, options));
  const MockRequest seen = mock_.last_request().value();
  EXPECT_EQ(seen.number, 1u);
  EXPECT_EQ(seen.request.body, "body");
  EXPECT_EQ(seen.request.url.query(), "x=1");
  EXPECT_EQ(seen.route, "POST /v1/{kind}");
  EXPECT_EQ(seen.at, clock_.Now());
  EXPECT_EQ(seen.deadline, options.deadline);
  EXPECT_TRUE(seen.replayable);
  EXPECT_EQ(seen.operation, "charges.create");
  EXPECT_EQ(seen.attempt, 2);
  EXPECT_EQ(seen.breaker_state, "half-open");
}

TEST_F(MockTransportTest, RemembersRequestsWithoutAMockToo) {
  EXPECT_EQ(mock_.last_request(), std::nullopt);
  EXPECT_FALSE(Send("GET", "/x"));
  EXPECT_EQ(mock_.last_request()->route, "");
  EXPECT_EQ(mock_.request_count(), 1u);
}

TEST_F(MockTransportTest, FindsTheRequestsOfAMethodAndPath) {
  mock_.When("POST", "/v1/charges").Respond(200);
  mock_.When("GET", "/v1/charges/{id}").Respond(200);
  EXPECT_TRUE(Send("POST", "/v1/charges", "1"));
  EXPECT_TRUE(Send("GET", "/v1/charges/ch_1"));
  EXPECT_TRUE(Send("POST", "/v1/charges", "2"));
  EXPECT_THAT(mock_.Requests("POST", "/v1/charges"),
              ElementsAre(::testing::Field(&MockRequest::number, 1u),
                          ::testing::Field(&MockRequest::number, 3u)));
  EXPECT_EQ(mock_.Requests("GET", "/v1/{kind}/{id}").size(), 1u);
  EXPECT_THAT(mock_.Requests("DELETE", "/v1/charges"), IsEmpty());
}

TEST_F(MockTransportTest, MK8_ACopyOfARequestCannotChangeTheMock) {
  mock_.When("GET", "/x").Respond(200);
  EXPECT_TRUE(Send("GET", "/x"));
  std::vector<MockRequest> copies = mock_.requests();
  ASSERT_TRUE(copies[0].request.headers.Set("X-Changed", "1"));
  EXPECT_FALSE(mock_.requests()[0].request.headers.Has("X-Changed"));
}

TEST_F(MockTransportTest, ForgetsTheOldestRequestsButNotTheirCount) {
  mock_.When("GET", "/x").Respond(200);
  for (std::size_t i = 0; i < MockTransport::kRequestsKept + 5; ++i) EXPECT_TRUE(Send("GET", "/x"));
  EXPECT_EQ(mock_.request_count(), MockTransport::kRequestsKept + 5);
  EXPECT_EQ(mock_.requests().size(), MockTransport::kRequestsKept);
  EXPECT_EQ(mock_.requests()[0].number, 6u);
}

TEST_F(MockTransportTest, ForgetsBigBodiesEarlierButNeverTheLastRequest) {
  mock_.When("POST", "/x").Respond(200);
  EXPECT_TRUE(Send("POST", "/x", "small"));
  EXPECT_TRUE(Send("POST", "/x", std::string(MockTransport::kBodyBytesKept - 5, 'b')));
  EXPECT_EQ(mock_.requests().size(), 2u);
  EXPECT_TRUE(Send("POST", "/x", "1"));
  EXPECT_EQ(mock_.requests().size(), 2u);
  EXPECT_TRUE(Send("POST", "/x", std::string(MockTransport::kBodyBytesKept + 1, 'b')));
  EXPECT_EQ(mock_.requests().size(), 1u);
  EXPECT_EQ(mock_.last_request()->number, 4u);
}

TEST_F(MockTransportTest, ResetForgetsEverything) {
  mock_.When("GET", "/x").Respond(200);
  EXPECT_TRUE(Send("GET", "/x"));
  EXPECT_FALSE(Send("GET", "/y"));
  mock_.Reset();
  EXPECT_EQ(mock_.request_count(), 0u);
  EXPECT_THAT(mock_.requests(), IsEmpty());
  EXPECT_TRUE(mock_.VerifyAllUsed());
  EXPECT_EQ(Ask("GET", "/x"), "no-mock");
  EXPECT_EQ(mock_.last_request()->number, 1u);
}

TEST_F(MockTransportTest, DescribesItsRoutesInTheOrderOfTrying) {
  mock_.When("GET", "/a").WithQuery("limit", "3").WithoutQuery("q").Respond(200);
  mock_.When("POST", "/b")
      .WithHeader("Authorization", "Bearer x")
      .WithHeader("Idempotency-Key", AnyValue())
      .WithJson(R"({"amount": 1, "token": "t"})")
      .Respond(200);
  EXPECT_FALSE(Send("GET", "/a"));
  EXPECT_TRUE(Send("GET", "/a?limit=3"));
  EXPECT_EQ(mock_.Describe(),
            "POST /b, header Authorization (hidden), header Idempotency-Key of any value, "
            "json {\"amount\":1,\"token\":\"(hidden)\"}, 0 requests\n"
            "GET /a, query limit \"3\", query q absent, 1 request\n");
}

TEST_F(MockTransportTest, MK8_CountsEveryRequestOfSeveralThreads) {
  constexpr int kThreads = 4;
  constexpr int kPerThread = 200;
  std::atomic<int> answered = 0;
  std::atomic<int> refused = 0;
  MockRoute& route = mock_.When("GET", "/x").Respond(503).Times(100).ThenRespond(200).Exactly(500);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kPerThread; ++i) {
          if (i % 50 == 0) mock_.When("GET", "/t" + std::to_string(t)).Respond(200);
          (Send("GET", "/x") ? answered : refused).fetch_add(1);
          (void)mock_.last_request();
        }
      });
    }
  }
  EXPECT_EQ(answered, 500);
  EXPECT_EQ(refused, kThreads * kPerThread - 500);
  EXPECT_EQ(route.calls(), 500u);
  EXPECT_EQ(mock_.request_count(), static_cast<std::uint64_t>(kThreads * kPerThread));
}

TEST(MockTransportDeathTest, RequestsOfAMalformedPathAreAMistakeOfTheTest) {
  FakeClock clock;
  MockTransport mock(clock);
  EXPECT_DEATH((void)mock.Requests("GET", "x"), "must start with");
}

}  // namespace
}  // namespace understudy
