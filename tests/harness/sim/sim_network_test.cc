#include "harness/sim/sim_network.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

// Answers everything with one plan and remembers how each exchange ended.
class OnePlan final : public PlannedHandler {
 public:
  explicit OnePlan(ResponsePlan plan) : plan_(std::move(plan)) {}
  std::optional<FaultKind> OnConnect(const http::Request&) override { return connect_fault; }
  ResponsePlan Handle(const http::Request&) override {
    ++handled;
    return plan_;
  }
  void Completed(const ResponsePlan&, const ExchangeOutcome& outcome) override {
    outcomes.push_back(outcome);
  }

  std::optional<FaultKind> connect_fault;
  int handled = 0;
  std::vector<ExchangeOutcome> outcomes;

 private:
  ResponsePlan plan_;
};

ResponsePlan TextPlan() { return {.response = {.status = 200, .body = "0123456789"}}; }

http::Request GetFrom(std::string_view url) { return {.url = http::Url::Parse(url).value()}; }

struct Sent {
  Result<http::Response> result = Error{};
  TimePoint at = {};
  SimulationEnd end = SimulationEnd::kFinished;
};

Sent SendOnce(PlannedHandler& handler, Duration timeout = 10s,
              std::string_view url = "http://acme.sim/x") {
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  network.Listen("http://acme.sim", handler);
  Sent sent;
  sent.end = sim.Run([&] {
                  sent.result = network.Send(
                      GetFrom(url), {.deadline = Deadline::After(sim.clock().Now(), timeout)});
                  sent.at = sim.clock().Now();
                })
                 .end;
  return sent;
}

TEST(SimNetworkTest, AnswersAfterThePlannedLatency) {
  ResponsePlan plan = TextPlan();
  plan.latency = 250ms;
  OnePlan vendor(plan);
  const Sent sent = SendOnce(vendor);
  EXPECT_EQ(sent.result.value().body, "0123456789");
  EXPECT_EQ(sent.at.time_since_epoch(), 250ms);
  ASSERT_EQ(vendor.outcomes.size(), 1U);
  EXPECT_TRUE(vendor.outcomes[0].completed);
}

TEST(SimNetworkTest, DeadlineEndsAWaitAndTellsTheVendorTheClientHasGone) {
  ResponsePlan plan = TextPlan();
  plan.latency = 5s;
  OnePlan vendor(plan);
  const Sent sent = SendOnce(vendor, 1s);
  EXPECT_EQ(sent.result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(sent.result.error().delivery, Delivery::kMaybeSent);
  EXPECT_EQ(sent.at.time_since_epoch(), 1s);
  ASSERT_EQ(vendor.outcomes.size(), 1U);
  EXPECT_EQ(vendor.outcomes[0].ended_by, "client-gone");
}

TEST(SimNetworkTest, AnAnswerExactlyAtTheDeadlineIsTooLate) {
  ResponsePlan plan = TextPlan();
  plan.latency = 1s;
  OnePlan vendor(plan);
  EXPECT_EQ(SendOnce(vendor, 1s).result.error().code, ErrorCode::kDeadlineExceeded);
}

struct FaultCase {
  const char* name;
  FaultKind fault;
  ErrorCode code;
  const char* reason;
  Delivery delivery;
};

class SimNetworkFaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(SimNetworkFaultTest, ArrivesAsNamed) {
  ResponsePlan plan = TextPlan();
  plan.fault = GetParam().fault;
  OnePlan vendor(plan);
  const Sent sent = SendOnce(vendor);
  ASSERT_FALSE(sent.result.has_value());
  EXPECT_EQ(sent.result.error().code, GetParam().code);
  EXPECT_EQ(sent.result.error().reason, GetParam().reason);
  EXPECT_EQ(sent.result.error().delivery, GetParam().delivery);
  ASSERT_EQ(vendor.outcomes.size(), 1U);
  EXPECT_EQ(vendor.outcomes[0].ended_by, ToString(GetParam().fault));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, SimNetworkFaultTest,
    ::testing::Values(FaultCase{"Reset", FaultKind::kReset, ErrorCode::kConnection, "reset",
                                Delivery::kMaybeSent},
                      FaultCase{"ResetMidBody", FaultKind::kResetMidBody, ErrorCode::kConnection,
                                "reset", Delivery::kMaybeSent},
                      FaultCase{"Truncate", FaultKind::kTruncate, ErrorCode::kConnection,
                                "truncated", Delivery::kMaybeSent},
                      FaultCase{"BadGzip", FaultKind::kBadGzip, ErrorCode::kProtocol, "decode",
                                Delivery::kAnswered},
                      FaultCase{"Hang", FaultKind::kHang, ErrorCode::kDeadlineExceeded, "",
                                Delivery::kMaybeSent}),
    [](const auto& test) { return test.param.name; });

TEST(SimNetworkTest, SlowDripTakesItsTime) {
  ResponsePlan plan = TextPlan();
  plan.fault = FaultKind::kSlowDrip;
  plan.drip = {.piece_bytes = 4, .pause = 100ms};
  OnePlan vendor(plan);
  const Sent sent = SendOnce(vendor);
  EXPECT_EQ(sent.result.value().body, "0123456789");
  EXPECT_EQ(sent.at.time_since_epoch(), 200ms) << "three pieces, two pauses";
}

TEST(SimNetworkTest, ARefusedRequestNeverReachesTheVendor) {
  OnePlan vendor(TextPlan());
  vendor.connect_fault = FaultKind::kRefuse;
  const Sent sent = SendOnce(vendor);
  EXPECT_EQ(sent.result.error().reason, "refused");
  EXPECT_EQ(sent.result.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(vendor.handled, 0);
}

TEST(SimNetworkTest, AnUnknownHostDoesNotResolve) {
  OnePlan vendor(TextPlan());
  EXPECT_EQ(SendOnce(vendor, 1s, "http://elsewhere.sim/").result.error().reason, "dns");
}

TEST(SimNetworkTest, HangWithoutADeadlineIsADeadlock) {
  ResponsePlan plan = TextPlan();
  plan.fault = FaultKind::kHang;
  OnePlan vendor(plan);
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  network.Listen("http://acme.sim", vendor);
  const auto report =
      sim.Run([&] { static_cast<void>(network.Send(GetFrom("http://acme.sim/"), {})); });
  EXPECT_EQ(report.end, SimulationEnd::kDeadlock);
}

TEST(SimNetworkTest, StopEndsAHangingCall) {
  ResponsePlan plan = TextPlan();
  plan.fault = FaultKind::kHang;
  OnePlan vendor(plan);
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  network.Listen("http://acme.sim", vendor);
  Result<http::Response> result = Error{};
  sim.Run([&] {
    Task call = sim.executor().Spawn("caller", [&](const std::stop_token& stop) {
      result = network.Send(GetFrom("http://acme.sim/"), {.stop = stop});
    });
    sim.clock().SleepFor(1s);
    call.RequestStop();
  });
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
}

// Counts connections and fails those that it is told to; answers in turn with its plans.
class ConnectionVendor final : public PlannedHandler {
 public:
  ConnectionPlan OnAccept(const ConnectionInfo& connection) override {
    accepted = connection.index;
    return connection.index == failing ? ConnectionPlan{.fault = fault, .latency = latency}
                                       : ConnectionPlan{};
  }
  void OnConnectionEnd(const ConnectionReport& report) override { ended.push_back(report); }
  std::optional<ResponsePlan> OnHead(const http::Request& head) override {
    if (!early) return std::nullopt;
    EXPECT_EQ(head.body, "");
    return TextPlan();
  }
  ResponsePlan Handle(const http::Request&) override {
    return plans.at(std::min(handled++, plans.size() - 1));
  }

  std::vector<ResponsePlan> plans = {TextPlan()};
  std::optional<ConnectionFault> fault;
  Duration latency = {};
  std::uint64_t failing = 1;
  bool early = false;
  std::uint64_t accepted = 0;
  std::size_t handled = 0;
  std::vector<ConnectionReport> ended;
};

std::vector<Result<http::Response>> SendAll(PlannedHandler& handler, int count,
                                            bool replayable = false, std::string_view body = "") {
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  network.Listen("http://acme.sim", handler);
  std::vector<Result<http::Response>> results;
  sim.Run([&] {
    for (int i = 0; i < count; ++i) {
      http::Request request = GetFrom("http://acme.sim/x");
      request.body = body;
      results.push_back(network.Send(request, {.deadline = Deadline::After(sim.clock().Now(), 10s),
                                               .replayable = replayable}));
    }
  });
  return results;
}

TEST(SimNetworkConnectionTest, IsKeptForTheNextRequest) {
  ConnectionVendor vendor;
  SendAll(vendor, 3);
  EXPECT_EQ(vendor.accepted, 1U);
}

TEST(SimNetworkConnectionTest, EndsWithAFault) {
  ConnectionVendor vendor;
  ResponsePlan reset = TextPlan();
  reset.fault = FaultKind::kReset;
  vendor.plans = {TextPlan(), reset, TextPlan()};
  SendAll(vendor, 3);
  EXPECT_EQ(vendor.accepted, 2U);
  ASSERT_EQ(vendor.ended.size(), 1U);
  EXPECT_EQ(vendor.ended[0].requests, 2U);
}

TEST(SimNetworkConnectionTest, EndsWhereTheAnswerSaysSo) {
  ConnectionVendor vendor;
  EXPECT_TRUE(vendor.plans[0].response.headers.Set("Connection", "close"));
  SendAll(vendor, 2);
  EXPECT_EQ(vendor.accepted, 2U);
}

TEST(SimNetworkConnectionTest, ThatIsResetOrClosedAtOnceFailsItsFirstRequest) {
  for (const auto fault : {ConnectionFault::kReset, ConnectionFault::kClose}) {
    ConnectionVendor vendor;
    vendor.fault = fault;
    const auto results = SendAll(vendor, 2);
    EXPECT_EQ(results[0].error().reason, "reset");
    EXPECT_EQ(results[0].error().delivery, Delivery::kMaybeSent);
    EXPECT_TRUE(results[1]);
    EXPECT_EQ(vendor.handled, 1U) << "the first request reaches nobody";
  }
}

TEST(SimNetworkConnectionTest, ThatNobodyReadsLastsUntilTheDeadline) {
  ConnectionVendor vendor;
  vendor.fault = ConnectionFault::kSilence;
  const auto results = SendAll(vendor, 2);
  EXPECT_EQ(results[0].error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(results[1]);
  EXPECT_EQ(vendor.handled, 1U);
}

TEST(SimNetworkConnectionTest, CanBeSlowToBegin) {
  ConnectionVendor vendor;
  vendor.latency = 11s;
  const auto results = SendAll(vendor, 2);
  EXPECT_EQ(results[0].error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(results[1]);
}

TEST(SimNetworkConnectionTest, ThatIsStaleFailsTheNextRequestOnce) {
  ConnectionVendor vendor;
  ResponsePlan stale = TextPlan();
  stale.fault = FaultKind::kStaleKeepAlive;
  vendor.plans = {stale, TextPlan()};
  const auto results = SendAll(vendor, 3);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().reason, "reset");
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(vendor.handled, 2U);
}

TEST(SimNetworkConnectionTest, ThatIsStaleDoesNotShowInARequestThatMayBeRepeated) {
  ConnectionVendor vendor;
  ResponsePlan stale = TextPlan();
  stale.fault = FaultKind::kStaleKeepAlive;
  vendor.plans = {stale, TextPlan()};
  const auto results = SendAll(vendor, 2, /*replayable=*/true);
  EXPECT_TRUE(results[0]);
  EXPECT_TRUE(results[1]);
  EXPECT_EQ(vendor.accepted, 2U);
}

TEST(SimNetworkConnectionTest, AnUploadCanBeAnsweredAtItsHead) {
  ConnectionVendor vendor;
  vendor.early = true;
  EXPECT_TRUE(SendAll(vendor, 1, false, "an upload")[0]);
  EXPECT_EQ(vendor.handled, 0U);
  EXPECT_TRUE(SendAll(vendor, 1)[0]);
  EXPECT_EQ(vendor.handled, 1U) << "without a body there is nothing to be early for";
}

// An application's server that thinks for a while.
class SlowServer final : public PlannedHandler {
 public:
  SlowServer(Clock& clock, Duration think) : clock_(clock), think_(think) {}
  ResponsePlan Handle(const http::Request&) override {
    clock_.SleepFor(think_);
    ++handled;
    return {.response = {.status = 202}};
  }
  void Completed(const ResponsePlan&, const ExchangeOutcome& outcome) override { last = outcome; }
  int handled = 0;
  ExchangeOutcome last;

 private:
  Clock& clock_;
  Duration think_;
};

TEST(SimNetworkTest, ABlockingServerGoesOnAfterItsClientHasGone) {
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  SlowServer server(sim.clock(), 30s);
  network.ListenBlocking("http://app.sim", server, "app");
  Result<http::Response> result = Error{};
  TimePoint gave_up;
  const auto report = sim.Run([&] {
    result = network.Send(GetFrom("http://app.sim/hook"),
                          {.deadline = Deadline::After(sim.clock().Now(), 10s)});
    gave_up = sim.clock().Now();
  });
  EXPECT_EQ(report.end, SimulationEnd::kFinished) << report.detail;
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(gave_up.time_since_epoch(), 10s);
  EXPECT_EQ(server.handled, 1);
  EXPECT_EQ(server.last.ended_by, "client-gone");
}

TEST(SimNetworkTest, ABlockingServerAnswersInTime) {
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  SlowServer server(sim.clock(), 1s);
  network.ListenBlocking("http://app.sim", server, "app");
  sim.Run([&] { EXPECT_EQ(network.Send(GetFrom("http://app.sim/hook"), {}).value().status, 202); });
  EXPECT_TRUE(server.last.completed);
}

TEST(SimNetworkTest, AClosedHostRefuses) {
  WorkerPool pool;
  Simulation sim({}, pool);
  SimNetwork network(sim);
  OnePlan vendor(TextPlan());
  network.Listen("http://acme.sim", vendor);
  network.Close("http://acme.sim");
  sim.Run(
      [&] { EXPECT_EQ(network.Send(GetFrom("http://acme.sim/"), {}).error().reason, "refused"); });
}

}  // namespace
}  // namespace understudy::harness
