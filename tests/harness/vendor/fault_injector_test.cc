#include "harness/vendor/fault_injector.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/correlation.h"
#include "harness/plan/seeded_random.h"
#include "harness/vendor/vendor_model.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

FaultRule Resets(std::string id) {
  FaultRule rule;
  rule.id = std::move(id);
  rule.fault = FaultKind::kReset;
  return rule;
}

FaultInjector Started(std::vector<FaultRule> rules, std::uint64_t seed = 1) {
  auto injector = FaultInjector::Create(std::move(rules));
  EXPECT_TRUE(injector) << injector.error().message;
  injector->Start(seed, TimePoint(1h));
  return *std::move(injector);
}

// "x" for each request that fails, "." for the others.
std::string Failures(FaultInjector& injector, int count, FaultCall call = {.route = "orders"},
                     Duration at = 0s) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += injector.Decide(call, TimePoint(1h) + at).fault != nullptr ? "x" : ".";
  }
  return text;
}

struct CallsRow {
  const char* name;
  std::vector<CallRange> calls;
  const char* failures;
};

class CallsTest : public testing::TestWithParam<CallsRow> {};

TEST_P(CallsTest, FailAsListed) {
  FaultRule rule = Resets("r");
  rule.calls = GetParam().calls;
  FaultInjector injector = Started({rule});
  EXPECT_EQ(Failures(injector, 10), GetParam().failures);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CallsTest,
    testing::Values(CallsRow{"Every", {}, "xxxxxxxxxx"},
                    CallsRow{"TheFirst", {{1, 1}}, "x........."},
                    CallsRow{"AList", {{2, 2}, {5, 5}}, ".x..x....."},
                    CallsRow{"ARange", {{3, 5}}, "..xxx....."},
                    CallsRow{"FromTheEighthOn", {{8}}, ".......xxx"},
                    CallsRow{"EveryThird", {{3, CallRange::kOpenEnd, 3}}, "..x..x..x."}),
    [](const auto& row) { return row.param.name; });

TEST(FaultInjectorTest, CountsTheCallsOfItsRouteOnly) {
  FaultRule rule = Resets("r");
  rule.route = "orders";
  rule.calls = {{2, 2}};
  FaultInjector injector = Started({rule});
  EXPECT_EQ(Failures(injector, 3, {.route = "invoices"}), "...");
  EXPECT_EQ(Failures(injector, 3), ".x.");
}

TEST(FaultInjectorTest, ARuleForAllRoutesCountsThemTogether) {
  FaultRule rule = Resets("r");
  rule.calls = {{2, 2}};
  FaultInjector injector = Started({rule});
  EXPECT_EQ(Failures(injector, 1, {.route = "invoices"}), ".");
  EXPECT_EQ(Failures(injector, 2), "x.");
}

TEST(FaultInjectorTest, AWindowIncludesItsBeginningAndNotItsEnd) {
  FaultRule rule = Resets("r");
  rule.from = 10s;
  rule.until = 20s;
  FaultInjector injector = Started({rule});
  const FaultCall call{.route = "orders"};
  EXPECT_EQ(Failures(injector, 1, call, 10s - 1ns), ".");
  EXPECT_EQ(Failures(injector, 1, call, 10s), "x");
  EXPECT_EQ(Failures(injector, 1, call, 20s - 1ns), "x");
  EXPECT_EQ(Failures(injector, 1, call, 20s), ".");
}

TEST(FaultInjectorTest, ChanceHappensAboutAsOftenAsItSays) {
  FaultRule rule = Resets("r");
  rule.probability = 0.3;
  FaultInjector injector = Started({rule});
  const std::string failures = Failures(injector, 10'000);
  EXPECT_NEAR(static_cast<double>(std::count(failures.begin(), failures.end(), 'x')), 3'000, 150);
}

TEST(FaultInjectorTest, ChanceIsOfTheSeed) {
  FaultRule rule = Resets("r");
  rule.probability = 0.5;
  FaultInjector one = Started({rule}, 1);
  FaultInjector same = Started({rule}, 1);
  FaultInjector other = Started({rule}, 2);
  const std::string failures = Failures(one, 64);
  EXPECT_EQ(Failures(same, 64), failures);
  EXPECT_NE(Failures(other, 64), failures);
}

TEST(FaultInjectorTest, OtherCallersDoNotChangeWhatACallerMeets) {
  FaultRule rule = Resets("r");
  rule.probability = 0.5;
  FaultInjector alone = Started({rule});
  FaultInjector crowded = Started({rule});
  const FaultCall mine{.route = "orders", .lane = "mine"};
  std::string seen;
  for (int i = 0; i < 64; ++i) {
    Failures(crowded, i % 3, {.route = "orders", .lane = "other"});
    Failures(crowded, i % 2, {.route = "invoices", .lane = "mine"});
    seen += Failures(crowded, 1, mine);
  }
  EXPECT_EQ(Failures(alone, 64, mine), seen);
}

TEST(FaultInjectorTest, AnotherRuleDoesNotChangeWhatARuleDoes) {
  FaultRule rule = Resets("r");
  rule.probability = 0.5;
  FaultRule slow;
  slow.id = "slow";
  slow.probability = 0.5;
  slow.latency = LatencySpec::Fixed(1s);
  FaultInjector alone = Started({rule});
  FaultInjector both = Started({slow, rule});
  EXPECT_EQ(Failures(alone, 64), Failures(both, 64));
}

TEST(FaultInjectorTest, PeekingSpendsNothing) {
  FaultRule rule = Resets("r");
  rule.calls = {{2, 2}};
  FaultInjector injector = Started({rule});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(injector.Peek({.route = "orders"}, TimePoint(1h)).fault, nullptr);
  }
  EXPECT_EQ(Failures(injector, 2), ".x");
}

TEST(FaultInjectorTest, TheFirstFaultAndTheFirstLatencyHold) {
  FaultRule slow;
  slow.id = "slow";
  slow.latency = LatencySpec::Fixed(1s);
  FaultInjector injector = Started({slow, Resets("one"), Resets("two")});
  const FaultDecision decision = injector.Decide({.route = "orders"}, TimePoint(1h));
  EXPECT_EQ(decision.fault->id, "one");
  EXPECT_EQ(decision.latency->id, "slow");
}

TEST(FaultInjectorTest, ConnectionsAreCountedByTheirHost) {
  FaultRule rule;
  rule.id = "lb";
  rule.per = FaultRule::Per::kConnection;
  rule.calls = {{2, 3}};
  rule.connection_fault = ConnectionFault::kClose;
  FaultInjector injector = Started({rule});
  EXPECT_EQ(injector.DecideConnection(1, TimePoint(1h)).fault, nullptr);
  EXPECT_EQ(injector.DecideConnection(2, TimePoint(1h)).fault->id, "lb");
  EXPECT_EQ(injector.DecideConnection(3, TimePoint(1h)).fault->id, "lb");
  EXPECT_EQ(injector.DecideConnection(4, TimePoint(1h)).fault, nullptr);
  EXPECT_EQ(Failures(injector, 3), "...") << "requests are not its business";
}

TEST(FaultInjectorTest, ManyCallersShareACounterBeyondTheBound) {
  FaultRule rule = Resets("r");
  rule.probability = 0.5;
  FaultInjector injector = Started({rule});
  for (std::size_t i = 0; i < FaultInjector::kCountersMax + 100; ++i) {
    const std::string lane = std::to_string(i);
    injector.Decide({.route = "orders", .lane = lane}, TimePoint(1h));
  }
  EXPECT_THAT(Failures(injector, 64, {.route = "orders", .lane = "late"}),
              testing::AllOf(HasSubstr("x"), HasSubstr(".")));
}

struct BadRow {
  const char* name;
  std::function<void(FaultRule&)> spoil;
  const char* message;
};

class BadRuleTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadRuleTest, IsRefused) {
  FaultRule rule = Resets("r");
  GetParam().spoil(rule);
  const auto injector = FaultInjector::Create({rule});
  ASSERT_FALSE(injector);
  EXPECT_EQ(injector.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(injector.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadRuleTest,
    testing::Values(BadRow{"NoId", [](FaultRule& r) { r.id = ""; }, "has no id"},
                    BadRow{"Nothing", [](FaultRule& r) { r.fault.reset(); }, "it does nothing"},
                    BadRow{"CallZero",
                           [](FaultRule& r) {
                             r.calls = {{0, 1}};
                           },
                           "counted from 1"},
                    BadRow{"RangeBackwards",
                           [](FaultRule& r) {
                             r.calls = {{3, 2}};
                           },
                           "before the first"},
                    BadRow{"EveryZeroth",
                           [](FaultRule& r) {
                             r.calls = {{1, 2, 0}};
                           },
                           "every 0th"},
                    BadRow{"WindowBackwards",
                           [](FaultRule& r) {
                             r.from = 2s;
                             r.until = 2s;
                           },
                           "ends before it begins"},
                    BadRow{"NeverByChance", [](FaultRule& r) { r.probability = 0; }, "probability"},
                    BadRow{"MoreThanCertain", [](FaultRule& r) { r.probability = 1.1; },
                           "probability"},
                    BadRow{"ConnectionFaultOfARequest",
                           [](FaultRule& r) { r.connection_fault = ConnectionFault::kReset; },
                           "needs a rule per connection"},
                    BadRow{"RequestFaultOfAConnection",
                           [](FaultRule& r) { r.per = FaultRule::Per::kConnection; },
                           "a connection's fault and no route"},
                    BadRow{"BadDetail", [](FaultRule& r) { r.fault = FaultKind::kBandwidth; },
                           "bytes_per_second"},
                    BadRow{"BadLatency",
                           [](FaultRule& r) {
                             r.latency = LatencySpec{-1s, 1s};
                           },
                           "must not be negative"}),
    [](const auto& row) { return row.param.name; });

TEST(FaultInjectorTest, RefusesAnIdThatAppearsTwice) {
  EXPECT_THAT(FaultInjector::Create({Resets("r"), Resets("r")}).error().message,
              HasSubstr("appears twice"));
}

// --- In a vendor ---

class InjectedVendorTest : public testing::Test {
 protected:
  std::unique_ptr<VendorModel> Make(std::vector<FaultRule> faults, std::uint64_t seed = 1) {
    random_ = std::make_unique<SeededRandom>(seed);
    events_ = std::make_unique<test::RecordingEventSink>();
    VendorSpec spec{.name = "acme",
                    .routes = {{.id = "orders",
                                .match = {.path = "/orders"},
                                .responses = {{.status = 200}},
                                .when_exhausted = WhenExhausted::kRepeatLast}},
                    .faults = std::move(faults)};
    auto model =
        VendorModel::Create(spec, {.clock = clock_, .random = *random_, .events = *events_});
    EXPECT_TRUE(model) << model.error().message;
    return model ? *std::move(model) : nullptr;
  }

  static http::Request Order(std::string lane = "probe/1", std::string body = {}) {
    http::Request request{.method = http::Method(body.empty() ? "GET" : "POST"),
                          .url = http::Url::Parse("http://acme.sim/orders").value(),
                          .body = std::move(body)};
    Correlation correlation;
    correlation.lane = std::move(lane);
    correlation.exchange = 1;
    Attach(correlation, request.headers);
    return request;
  }

  test::FakeClock clock_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<test::RecordingEventSink> events_;
};

TEST_F(InjectedVendorTest, ARuleDecidesFaultAndLatencyAndIsNamedInTheEvent) {
  FaultRule rule = Resets("flaky");
  rule.detail.at = AnswerPoint::BodyByte(3);
  rule.latency = LatencySpec::Fixed(2s);
  const auto model = Make({rule});
  const ResponsePlan plan = model->Handle(Order());
  EXPECT_EQ(plan.fault, FaultKind::kReset);
  EXPECT_EQ(plan.fault_detail.at.bytes, 3U);
  EXPECT_EQ(plan.latency, 2s);
  model->Completed(plan, {.ended_by = "reset"});
  EXPECT_EQ(events_->Named("fault").at(0).fields.at("rule"), "flaky");
}

TEST_F(InjectedVendorTest, ARefusedConnectionCountsAsACall) {
  FaultRule rule = Resets("gone");
  rule.fault = FaultKind::kRefuse;
  rule.calls = {{2, 2}};
  const auto model = Make({rule});
  std::string refused;
  for (int i = 0; i < 3; ++i) {
    const bool now = model->OnConnect(Order()).has_value();
    refused += now ? "x" : ".";
    if (!now) model->Completed(model->Handle(Order()), {.completed = true});
  }
  EXPECT_EQ(refused, ".x.");
  EXPECT_EQ(events_->Named("fault").at(0).fields.at("rule"), "gone");
}

TEST_F(InjectedVendorTest, AnEarlyResponseIsDecidedAtTheHead) {
  FaultRule rule = Resets("early");
  rule.fault = FaultKind::kEarlyResponse;
  rule.calls = {{2, 2}};
  const auto model = Make({rule});
  EXPECT_FALSE(model->OnHead(Order("a", "body")));
  model->Completed(model->Handle(Order("a", "body")), {.completed = true});
  const auto plan = model->OnHead(Order("a", "body"));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->fault, FaultKind::kEarlyResponse);
  model->Completed(*plan, {.completed = true});
  EXPECT_EQ(events_->Named("http.request").size(), 2U);
}

TEST_F(InjectedVendorTest, AConnectionGetsItsFaultAndLatency) {
  FaultRule rule;
  rule.id = "lb";
  rule.per = FaultRule::Per::kConnection;
  rule.calls = {{2, 2}};
  rule.connection_fault = ConnectionFault::kSilence;
  rule.latency = LatencySpec::Fixed(5ms);
  const auto model = Make({rule});
  EXPECT_FALSE(model->OnAccept({.index = 1}).fault);
  EXPECT_EQ(model->OnAccept({.index = 2}).fault, ConnectionFault::kSilence);
  EXPECT_EQ(model->OnAccept({.index = 2}).latency, 5ms);
}

TEST_F(InjectedVendorTest, ARuleForARouteThatIsNotThereIsRefusedWithASuggestion) {
  FaultRule rule = Resets("r");
  rule.route = "order";
  const VendorSpec spec{.name = "acme",
                        .routes = {{.id = "orders", .responses = {{.status = 200}}}},
                        .faults = {rule}};
  EXPECT_THAT(VendorModel::Check(spec).error().message,
              HasSubstr("there is no route \"order\"; did you mean \"orders\"?"));
}

TEST_F(InjectedVendorTest, AThousandRerunsOfASeedGiveOneJournal) {
  FaultRule flaky = Resets("flaky");
  flaky.probability = 0.4;
  FaultRule slow;
  slow.id = "slow";
  slow.probability = 0.5;
  slow.latency = LatencySpec::LogNormal(90ms, 0.7, 2s);
  FaultRule burst;
  burst.id = "burst";
  burst.fault = FaultKind::kClose;
  burst.calls = {{5, 7}};
  const auto journal = [&](std::uint64_t seed) {
    const auto model = Make({burst, flaky, slow}, seed);
    std::string text;
    for (int i = 0; i < 24; ++i) {
      const ResponsePlan plan = model->Handle(Order("caller/" + std::to_string(i % 3)));
      text += std::to_string(plan.latency.count()) + " ";
      model->Completed(plan, {.completed = !plan.fault});
    }
    for (const auto* name : {"http.request", "http.response", "fault"}) {
      for (const std::string& line : events_->Lines(name)) text += line + "\n";
    }
    return text;
  };
  const std::string first = journal(42);
  for (int run = 1; run < 1'000; ++run) ASSERT_EQ(journal(42), first) << "run " << run;
  EXPECT_NE(journal(43), first);
  EXPECT_THAT(first, testing::AllOf(HasSubstr("rule=flaky"), HasSubstr("rule=burst")));
}

}  // namespace
}  // namespace understudy::harness
