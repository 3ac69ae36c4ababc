#include "middleware/client/provider_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProviderChainTest : public ::testing::Test {
 protected:
  ProviderChainTest() {
    first_ = Build(first_vendor_, "first", "https://first.example");
    second_ = Build(second_vendor_, "second", "https://second.example");
  }
  std::unique_ptr<Client> Build(http::Transport& vendor, const std::string& name,
                                std::string_view url) {
    ClientBuilder builder(world_.runtime(), vendor, name);
    builder.BaseUrl(url).Breaker({.failures = 100});
    return builder.Build().value();
  }
  Result<ProviderChain::Answer> Call(http::Method method = http::Method::Get(),
                                     const CallOptions& options = {.operation = "pay"}) {
    const auto make = [method](const Client& client) {
      return client.NewRequest(method, "/" + client.provider());
    };
    ProviderChain chain("payments", options_, world_.runtime());
    return chain.Call({{first_.get(), make}, {second_.get(), make}}, options);
  }

  test::TestRuntime world_;
  test::ScriptedTransport first_vendor_{world_.clock};
  test::ScriptedTransport second_vendor_{world_.clock};
  std::unique_ptr<Client> first_;
  std::unique_ptr<Client> second_;
  ProviderChainOptions options_;
};

TEST_F(ProviderChainTest, TheFirstProviderServesWhileItCan) {
  first_vendor_.Answer(200);
  const auto answer = Call();
  EXPECT_EQ(answer->provider, "first");
  EXPECT_TRUE(second_vendor_.sent().empty());
  EXPECT_TRUE(world_.events.Named("failover").empty());
}

struct Unavailable {
  const char* name;
  int status;  // 0: no answer.
  ErrorCode code;
};

class UnavailableTest : public ProviderChainTest,
                        public ::testing::WithParamInterface<Unavailable> {};

TEST_P(UnavailableTest, LeadsToTheNextProvider) {
  if (GetParam().status != 0) {
    first_vendor_.Answer(GetParam().status);
  } else {
    first_vendor_.Fail({GetParam().code, "down", Delivery::kMaybeSent, Origin::kRemote, {}, {}});
  }
  second_vendor_.Answer(200);
  const auto answer = Call();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->provider, "second");
  EXPECT_EQ(answer->reports.size(), 2u);
  EXPECT_EQ(second_vendor_.sent().at(0).request.url.path(), "/second");
}

INSTANTIATE_TEST_SUITE_P(Rows, UnavailableTest,
                         ::testing::Values(Unavailable{"S500", 500, {}},
                                           Unavailable{"S503", 503, {}},
                                           Unavailable{"S429", 429, {}},
                                           Unavailable{"Timeout", 0, ErrorCode::kTimeout},
                                           Unavailable{"Connection", 0, ErrorCode::kConnection},
                                           Unavailable{"CircuitOpen", 0, ErrorCode::kCircuitOpen},
                                           Unavailable{"Full", 0, ErrorCode::kOverloaded},
                                           Unavailable{"Protocol", 0, ErrorCode::kProtocol}),
                         [](const auto& test) { return std::string(test.param.name); });

class VisibleTest : public ProviderChainTest, public ::testing::WithParamInterface<int> {};

TEST_P(VisibleTest, AnAnswerThatTheCallerMustSeeEndsTheChain) {
  first_vendor_.Answer(GetParam());
  const auto answer = Call();
  EXPECT_EQ(answer->response.status, GetParam());
  EXPECT_TRUE(second_vendor_.sent().empty());
}

INSTANTIATE_TEST_SUITE_P(Rows, VisibleTest, ::testing::Values(400, 401, 403, 404, 409, 422),
                         [](const auto& test) { return "S" + std::to_string(test.param); });

TEST_F(ProviderChainTest, APaymentThatMayHaveBeenMadeIsNotMadeElsewhere) {
  first_vendor_.Fail({ErrorCode::kTimeout, "", Delivery::kMaybeSent, Origin::kRemote, {}, {}});
  const auto answer = Call(http::Method::Post());
  EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(second_vendor_.sent().empty());
  EXPECT_THAT(world_.events.Lines("failover"), ElementsAre(::testing::EndsWith(" to=")));
}

TEST_F(ProviderChainTest, AnAnswerOf500LeavesAPaymentInDoubtToo) {
  first_vendor_.Answer(500);
  EXPECT_EQ(Call(http::Method::Put())->response.status, 500);
  EXPECT_TRUE(second_vendor_.sent().empty());
}

TEST_F(ProviderChainTest, APaymentThatWasNotSentIsMadeElsewhere) {
  first_vendor_.Fail(test::ConnectionRefused());
  second_vendor_.Answer(201);
  EXPECT_EQ(Call(http::Method::Post())->provider, "second");
}

TEST_F(ProviderChainTest, EachProviderGetsAKeyOfItsOwn) {
  first_vendor_.Fail(test::ConnectionRefused());
  second_vendor_.Answer(201);
  ASSERT_TRUE(Call(http::Method::Post(), {.idempotency_key = "k1"}));
  EXPECT_EQ(first_vendor_.sent().at(0).request.headers.Get("Idempotency-Key"), "k1-first");
  EXPECT_EQ(second_vendor_.sent().at(0).request.headers.Get("Idempotency-Key"), "k1-second");
}

TEST_F(ProviderChainTest, TheFirstProviderCannotUseUpTheTimeOfTheSecond) {
  options_.total = 4s;
  first_vendor_.Hang();
  second_vendor_.Answer(200).After(1999ms);
  const auto answer = Call();
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->provider, "second");
  EXPECT_EQ(world_.clock.Elapsed(), 3999ms);
}

TEST_F(ProviderChainTest, TheLastProviderHasAllTheTimeThatIsLeft) {
  options_.total = 4s;
  first_vendor_.Answer(503);
  second_vendor_.Hang();
  EXPECT_EQ(Call().error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(world_.clock.Elapsed(), 4s);
}

TEST_F(ProviderChainTest, TheCallersTimeoutTightensTheChain) {
  options_.total = 4s;
  first_vendor_.Hang();
  second_vendor_.Hang();
  EXPECT_FALSE(Call(http::Method::Get(), {.timeout = 2s}));
  EXPECT_EQ(world_.clock.Elapsed(), 2s);
}

TEST_F(ProviderChainTest, AnEmptyBudgetEndsTheChain) {
  options_.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0.0, .minimum_per_minute = 0, .capacity = 1, .initial = 0},
      world_.clock);
  first_vendor_.Answer(503);
  const auto answer = Call();
  EXPECT_EQ(answer->response.status, 503);
  EXPECT_TRUE(second_vendor_.sent().empty());
  EXPECT_EQ(answer->reports.back().decisions.back().what,
            "no other provider: the retry budget is used up");
}

TEST_F(ProviderChainTest, SaysWhereItWentAndWhy) {
  first_vendor_.Answer(503);
  second_vendor_.Answer(200);
  ASSERT_TRUE(Call());
  EXPECT_THAT(world_.events.Lines("failover"),
              ElementsAre("failover chain=payments from=first operation=pay reason=503 to=second"));
}

TEST_F(ProviderChainTest, ACallersStopDoesNotGoOnElsewhere) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Call(http::Method::Get(), {.stop = stop.get_token()}).error().code,
            ErrorCode::kCancelled);
  EXPECT_TRUE(second_vendor_.sent().empty());
}

TEST_F(ProviderChainTest, AChainWithoutProvidersIsRefused) {
  ProviderChain chain("payments", {}, world_.runtime());
  EXPECT_EQ(chain.Call({}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace understudy
