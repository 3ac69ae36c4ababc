#include "harness/gmock/received.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include "tests/harness/vendor/journal_fakes.h"

namespace understudy::harness {
namespace {

using ::testing::AllOf;
using ::testing::AtMost;
using ::testing::Exactly;
using ::testing::HasSubstr;
using ::testing::Not;

class ReceivedTest : public ::testing::Test {
 protected:
  ReceivedTest() {
    journal_.Add(MakeRecord("POST", "/v1/orders"));
    journal_.Add(MakeRecord("GET", "/v1/orders/o1"));
    journal_.Add(MakeRecord("GET", "/v1/orders/o2"));
  }
  template <typename M>
  std::string Explain(const M& matcher) const {
    ::testing::StringMatchResultListener listener;
    ::testing::ExplainMatchResult(matcher, journal_, &listener);
    return listener.str();
  }

  Journal journal_;
};

TEST_F(ReceivedTest, CountsRequests) {
  EXPECT_THAT(journal_, Received("GET /v1/orders/{id}"));
  EXPECT_THAT(journal_, Received("GET /v1/orders/{id}", Times::Exactly(2)));
  EXPECT_THAT(journal_, Received("GET /v1/orders/{id}", Exactly(2)));
  EXPECT_THAT(journal_, Received("GET /v1/orders/{id}", ::testing::AnyNumber()));
  EXPECT_THAT(journal_, Not(Received("GET /v1/orders/{id}", AtMost(1))));
  EXPECT_THAT(journal_, Received("DELETE *", Times::Never()));
  EXPECT_THAT(journal_, Received(RequestMatch{.path_regex = "/v1/.*"}, Times::Exactly(3)));
  EXPECT_THAT(journal_, AllOf(Received("POST *"), Not(Received("PUT *"))));
}

TEST_F(ReceivedTest, KnowsOrder) {
  EXPECT_THAT(journal_, ReceivedInOrder({"POST /v1/orders", "GET /v1/orders/o2"}));
  EXPECT_THAT(journal_, Not(ReceivedInOrder({"GET /v1/orders/o1", "POST /v1/orders"})));
}

TEST_F(ReceivedTest, KnowsWhatNoRouteMatched) {
  EXPECT_THAT(journal_, ReceivedOnlyKnownRequests());
  journal_.Add(MakeUnmatched("GET", "/nowhere"));
  EXPECT_THAT(journal_, Not(ReceivedOnlyKnownRequests()));
}

TEST_F(ReceivedTest, AFailureShowsTheNearestRequest) {
  EXPECT_THAT(Explain(Received("PUT /v1/orders")),
              AllOf(HasSubstr("nearest that did not match"), HasSubstr("#1 POST /v1/orders")));
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(journal_, Received("PUT /v1/orders")),
                          "has received at least 1 request like PUT /v1/orders");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(journal_, Received("PUT /v1/orders")),
                          "a journal of 3 requests");
}

TEST_F(ReceivedTest, AWrongDescriptionFailsUnderNotAsWell) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(journal_, Not(Received("nonsense"))), "is no request line");
}

}  // namespace
}  // namespace understudy::harness
