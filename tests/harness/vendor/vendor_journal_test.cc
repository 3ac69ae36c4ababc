// What VendorModel writes into a journal.
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "harness/match/near_miss.h"
#include "harness/plan/correlation.h"
#include "harness/vendor/journal.h"
#include "harness/vendor/vendor_model.h"
#include "tests/harness/vendor/journal_fakes.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fixed_random.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

VendorSpec Acme(std::vector<ResponseSpec> responses) {
  return {.name = "acme",
          .routes = {{.id = "orders",
                      .match = {.method = "GET", .path = "/v1/orders/{id}"},
                      .latency = LatencySpec{.low = 2s, .high = 2s},
                      .responses = std::move(responses),
                      .when_exhausted = WhenExhausted::kRepeatLast}}};
}

class VendorJournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<VendorModel> Make(VendorSpec spec, VendorHooks hooks = {}) {
    auto model = VendorModel::Create(std::move(spec), {clock_, random_, events_, std::move(hooks),
                                                       /*plan_ids_after=*/0, &journal_});
    EXPECT_TRUE(model.has_value());
    return *std::move(model);
  }
  JournalEntry Entry(std::uint64_t number) {
    const auto entry = journal_.Get(number);
    EXPECT_TRUE(entry.has_value()) << number;
    return entry.value_or(JournalEntry());
  }

  test::FakeClock clock_;
  test::FixedRandom random_{0.5};
  test::RecordingEventSink events_;
  Journal journal_;
};

TEST_F(VendorJournalTest, ARequestIsThereBeforeItsLatencyEnds) {
  const auto model = Make(Acme({{.status = 200, .body = R"({"id":"o1"})"}}));
  http::Request request = MakeRequest("GET", "/v1/orders/o1", {{"X-A", "b"}}, "body");
  Correlation correlation;
  correlation.lane = "probe/1";
  correlation.step = "s";
  correlation.operation = "get";
  correlation.attempt = 2;
  correlation.exchange = 7;
  Attach(correlation, request.headers);
  const TimePoint arrived = clock_.Now();
  const ResponsePlan plan = model->Handle(request);
  const JournalEntry entry = Entry(1);
  EXPECT_EQ(entry.outcome, nullptr);
  const JournalRecord& record = *entry.record;
  EXPECT_EQ(record.vendor, "acme");
  EXPECT_EQ(record.route, "orders");
  EXPECT_EQ(record.why, "GET /v1/orders/{id}");
  EXPECT_EQ(record.n, 1);
  EXPECT_EQ(record.lane, "probe/1");
  EXPECT_EQ(record.step, "s");
  EXPECT_EQ(record.operation, "get");
  EXPECT_EQ(record.attempt, 2);
  EXPECT_EQ(record.exchange, 7U);
  EXPECT_EQ(record.at, arrived);
  EXPECT_EQ(record.wall, clock_.SystemNow());
  EXPECT_EQ(record.request.body, "body");
  EXPECT_EQ(record.request.headers.Get("X-A"), "b");
  EXPECT_FALSE(record.request.headers.Has(kCorrelationHeader));
  EXPECT_EQ(record.status, 200);
  EXPECT_EQ(record.latency, 2s);
  ASSERT_NE(record.response, nullptr);
  EXPECT_EQ(record.response->body, R"({"id":"o1"})");
  clock_.Advance(3s);
  model->Completed(plan, {.completed = true, .wire = {.connection = 4, .reuse = 1}});
  const JournalEntry done = Entry(1);
  ASSERT_NE(done.outcome, nullptr);
  EXPECT_TRUE(done.outcome->completed);
  EXPECT_EQ(done.outcome->wire.connection, 4U);
  EXPECT_EQ(done.outcome->wire.reuse, 1U);
  EXPECT_EQ(done.duration(), 3s);
  EXPECT_THAT(journal_.Find(), SizeIs(1));
}

TEST_F(VendorJournalTest, AFaultIsDecisionAndOutcome) {
  const auto model = Make(Acme({{.fault = FaultKind::kReset}}));
  const ResponsePlan plan = model->Handle(MakeRequest("GET", "/v1/orders/o1"));
  EXPECT_EQ(Entry(1).record->fault, FaultKind::kReset);
  model->Completed(plan, {.ended_by = "reset", .wire = {.rst_sent = true}});
  EXPECT_FALSE(Entry(1).outcome->completed);
  EXPECT_EQ(Entry(1).outcome->ended_by, "reset");
  EXPECT_TRUE(Entry(1).outcome->wire.rst_sent);
}

TEST_F(VendorJournalTest, AnUnmatchedRequestNamesTheNearestRoutes) {
  VendorSpec spec = Acme({{}});
  for (const char* id : {"a", "b", "c"}) {
    spec.routes.push_back({.id = id,
                           .match = {.method = "DELETE", .path = std::string("/far/off/") + id},
                           .responses = {{}}});
  }
  const auto model = Make(std::move(spec));
  model->Completed(model->Handle(MakeRequest("POST", "/v1/orders/o1")), {.completed = true});
  const JournalEntry entry = Entry(1);
  EXPECT_FALSE(entry.matched());
  EXPECT_EQ(entry.record->status, 404);
  EXPECT_EQ(entry.record->why, "");
  ASSERT_THAT(entry.record->near_misses, SizeIs(kNearMissesMax));
  EXPECT_EQ(entry.record->near_misses[0].route, "orders");
  EXPECT_THAT(entry.record->near_misses[0].text, HasSubstr("method: expected GET, got POST"));
  EXPECT_LT(entry.record->near_misses[0].distance, entry.record->near_misses[1].distance);
  EXPECT_THAT(journal_.Find({.unmatched_only = true}), SizeIs(1));
}

TEST_F(VendorJournalTest, TheLimitThatRefusedIsNamed) {
  VendorSpec spec = Acme({{}});
  spec.limits = {{.id = "per-minute", .max = 1, .window = 60s}};
  const auto model = Make(std::move(spec));
  for (int i = 0; i < 2; ++i) {
    model->Completed(model->Handle(MakeRequest("GET", "/v1/orders/o1")), {.completed = true});
  }
  EXPECT_EQ(Entry(1).record->limit, "");
  EXPECT_EQ(Entry(2).record->limit, "per-minute");
  EXPECT_EQ(Entry(2).record->status, 429);
  EXPECT_EQ(Entry(2).record->route, "orders");
}

TEST_F(VendorJournalTest, WhatAHookChangedIsWhatIsWritten) {
  const auto model =
      Make(Acme({{.body = "planned"}}), {.adjust = [](std::string_view, ResponsePlan& plan) {
             plan.response.body = "adjusted";
             plan.response.status = 503;
             plan.journal = 99;
           }});
  model->Completed(model->Handle(MakeRequest("GET", "/v1/orders/o1")), {.completed = true});
  EXPECT_EQ(Entry(1).record->response->body, "adjusted");
  EXPECT_EQ(Entry(1).record->status, 503);
  EXPECT_NE(Entry(1).outcome, nullptr);
}

TEST_F(VendorJournalTest, ARequestInFlightDoesNotComeBackAfterAClear) {
  const auto model = Make(Acme({{}}));
  const ResponsePlan plan = model->Handle(MakeRequest("GET", "/v1/orders/o1"));
  journal_.Clear();
  model->Completed(plan, {.completed = true});
  EXPECT_THAT(journal_.Find(), IsEmpty());
}

TEST_F(VendorJournalTest, WithoutAJournalNothingIsWritten) {
  auto model = VendorModel::Create(Acme({{}}), {clock_, random_, events_});
  ASSERT_TRUE(model.has_value());
  const ResponsePlan plan = (*model)->Handle(MakeRequest("GET", "/v1/orders/o1"));
  EXPECT_EQ(plan.journal, 0U);
  (*model)->Completed(plan, {.completed = true});
}

// Run it with ThreadSanitizer as well.
TEST_F(VendorJournalTest, ConcurrentRequestsAreEachWrittenOnce) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kEach = 200;
  const auto model = Make(Acme({{}}));
  {
    std::vector<std::jthread> clients;
    for (std::size_t t = 0; t < kThreads; ++t) {
      clients.emplace_back([&] {
        for (std::size_t i = 0; i < kEach; ++i) {
          const ResponsePlan plan = model->Handle(MakeRequest("GET", "/v1/orders/o1"));
          model->Completed(plan, {.completed = true});
        }
      });
    }
  }
  std::set<std::int64_t> requests;
  for (const JournalEntry& entry : journal_.Find()) {
    EXPECT_NE(entry.outcome, nullptr);
    requests.insert(entry.record->n);
  }
  EXPECT_THAT(journal_.Find(), SizeIs(kThreads * kEach));
  EXPECT_THAT(requests, SizeIs(kThreads * kEach));
}

}  // namespace
}  // namespace understudy::harness
