#include "harness/vendor/webhook_emitter.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "harness/plan/lane.h"
#include "harness/plan/seeded_random.h"
#include "harness/sim/sim_network.h"
#include "harness/sim/simulation.h"
#include "tests/support/recording_event_sink.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kReceiver = "http://receiver.sim";

// A receiver that remembers what it got and answers from a function.
class Receiver final : public PlannedHandler {
 public:
  struct Got {
    http::Request request;
    TimePoint at;
    Lane lane;
  };

  explicit Receiver(Clock& clock) : clock_(clock) {}

  std::function<ResponsePlan(int n)> answer = [](int) { return ResponsePlan{}; };

  ResponsePlan Handle(const http::Request& request) override {
    // Actors run one at a time, so no lock is needed.
    got.push_back({request, clock_.Now(), CurrentLane()});
    return answer(static_cast<int>(got.size()));
  }

  std::vector<std::string> Bodies() const {
    std::vector<std::string> bodies;
    for (const Got& one : got) bodies.push_back(one.request.body);
    return bodies;
  }
  std::vector<Duration> Times() const {
    std::vector<Duration> times;
    for (const Got& one : got) times.push_back(one.at - TimePoint{});
    return times;
  }

  std::vector<Got> got;

 private:
  Clock& clock_;
};

ResponsePlan Status(int status, std::string body = {}) {
  return {.response = {.status = status, .headers = {}, .body = std::move(body)}};
}

// Everything a test needs, inside a simulation: no real time passes.
struct World {
  Simulation& sim;
  SimNetwork& network;
  Receiver& receiver;
  test::RecordingEventSink& events;
  Runtime runtime;

  std::unique_ptr<WebhookEmitter> Emitter(WebhookSpec spec, WebhookHooks hooks = {},
                                          WebhookSigner sign = {}) {
    auto made = WebhookEmitter::Create(
        runtime, network, std::move(spec), std::move(sign),
        [](std::string_view name) -> Result<http::Url> {
          if (name != "receiver") return Error{ErrorCode::kNotFound, "no such receiver"};
          return http::Url::Parse(std::string(kReceiver) + "/hooks");
        },
        std::move(hooks));
    EXPECT_TRUE(made.has_value());
    return *std::move(made);
  }
};

void Simulate(const std::function<void(World&)>& body, std::uint64_t seed = 0) {
  WorkerPool pool;
  Simulation sim({.seed = seed, .start = SystemTime(1000h)}, pool);
  SeededRandom random(seed);
  NullLogger logger;
  test::RecordingEventSink events;
  const SimulationReport report = sim.Run([&] {
    SimNetwork network(sim);
    Receiver receiver(sim.clock());
    network.Listen(std::string(kReceiver), receiver);
    World world{
        sim, network, receiver, events, {sim.clock(), sim.executor(), random, logger, events}};
    body(world);
  });
  ASSERT_EQ(report.end, SimulationEnd::kFinished) << report.detail;
}

WebhookSpec Acme(std::vector<Duration> retry = {}) {
  return {.id = "acme", .to = "receiver", .retry = std::move(retry)};
}

OutgoingEvent Paid(std::string id = "evt_1") {
  return {.event_id = std::move(id), .type = "order.paid", .json = R"({ "order": "o1", "a": 2 })"};
}

// "X-Signed: <time> <bytes>", so that tests see what was signed.
http::Headers SignLegibly(std::string_view, std::string_view, std::string_view, SystemTime now,
                          std::string_view body) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  return {{"X-Signed", std::to_string(seconds) + " " + std::to_string(body.size())}};
}

TEST(WebhookEmitterTest, AForgeryIsSentAsTheStepSaysEachTime) {
  Simulate([](World& world) {
    WebhookSpec spec = Acme({1s});
    spec.scheme = "legible";
    const auto emitter = world.Emitter(spec, {}, SignLegibly);
    world.receiver.answer = [](int) { return Status(401); };
    const auto sent = [&](OutgoingEvent event) {
      world.receiver.got.clear();
      EXPECT_TRUE(emitter->Deliver(event).has_value());
      EXPECT_TRUE(emitter->WaitIdle(kNever));
      std::vector<std::string> lines;
      for (const auto& one : world.receiver.got) {
        lines.push_back(std::string(one.request.headers.Get("X-Signed").value_or("none")) + " " +
                        one.request.body);
      }
      return lines;
    };
    const std::string body = R"({"id":"evt_1","type":"order.paid","data":{"order":"o1","a":2}})";
    const std::string size = std::to_string(body.size());
    EXPECT_THAT(sent(Paid()),
                ElementsAre("3600000 " + size + " " + body, "3600001 " + size + " " + body));
    OutgoingEvent altered = Paid();
    altered.altered_json = R"({"order":"o2"})";
    const std::string other = R"({"id":"evt_1","type":"order.paid","data":{"order":"o2"}})";
    EXPECT_THAT(sent(altered),
                ElementsAre("3600001 " + size + " " + other, "3600002 " + size + " " + other));
    OutgoingEvent wrong = Paid();
    wrong.signature = OutgoingEvent::Signature::kWrong;
    const std::string longer = std::to_string(body.size() + 1);
    EXPECT_THAT(sent(wrong),
                ElementsAre("3600002 " + longer + " " + body, "3600003 " + longer + " " + body));
    OutgoingEvent none = Paid();
    none.signature = OutgoingEvent::Signature::kNone;
    EXPECT_THAT(sent(none), ElementsAre("none " + body, "none " + body));
    OutgoingEvent ahead = Paid();
    ahead.signed_ahead = 60s;
    EXPECT_THAT(sent(ahead),
                ElementsAre("3600064 " + size + " " + body, "3600065 " + size + " " + body));
    OutgoingEvent behind = Paid();
    behind.signed_ahead = -60s;
    EXPECT_THAT(sent(behind),
                ElementsAre("3599945 " + size + " " + body, "3599946 " + size + " " + body));
  });
}

TEST(WebhookEmitterTest, AForgeryOfAnUnsignedWebhookOrWithoutJsonIsRefused) {
  Simulate([](World& world) {
    const auto unsigned_emitter = world.Emitter(Acme());
    OutgoingEvent altered = Paid();
    altered.altered_json = "{}";
    OutgoingEvent none = Paid();
    none.signature = OutgoingEvent::Signature::kNone;
    OutgoingEvent ahead = Paid();
    ahead.signed_ahead = 1s;
    for (const OutgoingEvent& event : {altered, none, ahead}) {
      EXPECT_THAT(unsigned_emitter->Deliver(event).error().message, HasSubstr("it is not signed"));
    }
    WebhookSpec spec = Acme();
    spec.scheme = "legible";
    altered.altered_json = "{";
    EXPECT_THAT(world.Emitter(spec, {}, SignLegibly)->Deliver(altered).error().message,
                HasSubstr("not JSON"));
    EXPECT_THAT(world.receiver.got, IsEmpty());
  });
}

TEST(WebhookEmitterTest, PostsTheEventCompactlyInItsOrder) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(Acme());
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    ASSERT_THAT(world.receiver.got, SizeIs(1));
    const http::Request& request = world.receiver.got[0].request;
    EXPECT_EQ(request.method, http::Method::Post());
    EXPECT_EQ(request.url.path(), "/hooks");
    EXPECT_EQ(request.headers.Get("Content-Type"), "application/json");
    EXPECT_EQ(request.body, R"({"id":"evt_1","type":"order.paid","data":{"order":"o1","a":2}})");
  });
}

TEST(WebhookEmitterTest, PublishesTheDeliveryAndTheAcknowledgement) {
  Simulate([](World& world) {
    world.receiver.answer = [](int) { return Status(202, R"({"duplicate":true})"); };
    const auto emitter = world.Emitter(Acme());
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.events.Lines("webhook.delivery"),
                ElementsAre("webhook.delivery attempt=1 copy=1 event_id=evt_1 lane=acme/evt_1#1 "
                            "type=order.paid webhook=acme"));
    EXPECT_THAT(world.events.Lines("webhook.ack"),
                ElementsAre("webhook.ack attempt=1 copy=1 duplicate=true event_id=evt_1 ok=true "
                            "status=202 webhook=acme"));
  });
}

TEST(WebhookEmitterTest, AnAnswerThatIsNoJsonIsNoDuplicate) {
  Simulate([](World& world) {
    world.receiver.answer = [](int) { return Status(200, "duplicate"); };
    const auto emitter = world.Emitter(Acme());
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_EQ(world.events.Named("webhook.ack").at(0).fields.at("duplicate"), "false");
  });
}

TEST(WebhookEmitterTest, ActsInALaneOfItsOwnForTheStepOfTheCaller) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(Acme());
    const LaneScope scope({.name = "main", .step = "deliver-it"});
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_EQ(world.receiver.got.at(0).lane.name, "acme/evt_1#1");
    EXPECT_EQ(world.receiver.got.at(0).lane.step, "deliver-it");
  });
}

TEST(WebhookEmitterTest, SignsEveryAttemptAtItsTime) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) { return Status(n == 1 ? 500 : 200); };
    WebhookSpec spec = Acme({5s});
    spec.scheme = "stripe";
    spec.secret = "whsec";
    const auto emitter = world.Emitter(
        spec, {},
        [](std::string_view scheme, std::string_view secret, std::string_view id, SystemTime now,
           std::string_view body) {
          const auto seconds =
              std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
          http::Headers headers;
          EXPECT_TRUE(headers.Add("Sig", std::string(scheme) + "," + std::string(secret) + "," +
                                             std::string(id) + "," + std::to_string(seconds) + "," +
                                             std::to_string(body.size())));
          return headers;
        });
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    ASSERT_THAT(world.receiver.got, SizeIs(2));
    const std::string size = std::to_string(world.receiver.got[0].request.body.size());
    EXPECT_EQ(world.receiver.got[0].request.headers.Get("Sig"),
              "stripe,whsec,evt_1,3600000," + size);
    EXPECT_EQ(world.receiver.got[1].request.headers.Get("Sig"),
              "stripe,whsec,evt_1,3600005," + size);
  });
}

TEST(WebhookEmitterTest, RepeatsAfterTheWaitsOfTheSpecUntilAcknowledged) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) { return Status(n < 3 ? 503 : 200); };
    const auto emitter = world.Emitter(Acme({5s, 5min, 30min}));
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 5s, 5min + 5s));
    EXPECT_EQ(world.events.Count("webhook.ack"), 3U);
    EXPECT_EQ(world.events.Count("fault"), 0U);
  });
}

TEST(WebhookEmitterTest, CountsTheWaitFromTheEndOfTheFailedAttempt) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) {
      ResponsePlan plan = Status(n == 1 ? 500 : 200);
      plan.latency = 2s;
      return plan;
    };
    const auto emitter = world.Emitter(Acme({5s}));
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 7s));
  });
}

TEST(WebhookEmitterTest, AbandonsTheDeliveryAfterTheLastWait) {
  Simulate([](World& world) {
    world.receiver.answer = [](int) { return Status(500); };
    const auto emitter = world.Emitter(Acme({5s}));
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_EQ(world.events.Count("webhook.delivery"), 2U);
    EXPECT_THAT(
        world.events.Lines("fault"),
        ElementsAre(
            "fault event_id=evt_1 fault=delivery-abandoned reason=status 500 webhook=acme"));
  });
}

TEST(WebhookEmitterTest, NoAnswerWithinTheAckTimeoutIsAFailure) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) {
      ResponsePlan plan = Status(200);
      plan.latency = n == 1 ? 10s : 0s;
      return plan;
    };
    const auto emitter = world.Emitter(Acme({1s}));
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 11s));
    EXPECT_THAT(world.events.Lines("fault"),
                ElementsAre("fault event_id=evt_1 fault=no-ack reason=deadline-exceeded "
                            "webhook=acme"));
    EXPECT_EQ(world.events.Count("webhook.ack"), 1U);
  });
}

TEST(WebhookEmitterTest, ARefusedConnectionIsAFailureWithItsReason) {
  Simulate([](World& world) {
    world.network.Close(kReceiver);
    const auto emitter = world.Emitter(Acme());
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.events.Lines("fault"),
                ElementsAre("fault event_id=evt_1 fault=no-ack reason=refused webhook=acme",
                            "fault event_id=evt_1 fault=delivery-abandoned reason=refused "
                            "webhook=acme"));
  });
}

TEST(WebhookEmitterTest, DeliversCopiesOneGapApart) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(Acme());
    OutgoingEvent event = Paid();
    event.copies = 3;
    event.gap = LatencySpec::Fixed(2s);
    ASSERT_TRUE(emitter->Deliver(event).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 2s, 4s));
    EXPECT_EQ(world.receiver.got.at(2).lane.name, "acme/evt_1#3");
  });
}

TEST(WebhookEmitterTest, DrawsGapsThatReplay) {
  const auto times = [](std::uint64_t seed) {
    std::vector<Duration> drawn;
    Simulate(
        [&](World& world) {
          const auto emitter = world.Emitter(Acme());
          OutgoingEvent event = Paid();
          event.copies = 4;
          event.gap = {0s, 3s};
          ASSERT_TRUE(emitter->Deliver(event).has_value());
          EXPECT_TRUE(emitter->WaitIdle(kNever));
          drawn = world.receiver.Times();
        },
        seed);
    return drawn;
  };
  EXPECT_EQ(times(7), times(7));
  EXPECT_NE(times(7), times(8));
}

TEST(WebhookEmitterTest, FifoHoldsTheNextEventBackUntilTheFirstIsAcknowledged) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) { return Status(n == 1 ? 500 : 200); };
    WebhookSpec spec = Acme({5s});
    spec.order = WebhookSpec::Order::kFifo;
    const auto emitter = world.Emitter(spec);
    ASSERT_TRUE(emitter->Deliver(Paid("evt_1")).has_value());
    ASSERT_TRUE(emitter->Deliver(Paid("evt_2")).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Bodies(),
                ElementsAre(HasSubstr("evt_1"), HasSubstr("evt_1"), HasSubstr("evt_2")));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 5s, 5s));
  });
}

TEST(WebhookEmitterTest, FifoGoesOnWhenAnEventIsAbandoned) {
  Simulate([](World& world) {
    world.receiver.answer = [](int n) { return Status(n == 1 ? 500 : 200); };
    WebhookSpec spec = Acme();
    spec.order = WebhookSpec::Order::kFifo;
    const auto emitter = world.Emitter(spec);
    ASSERT_TRUE(emitter->Deliver(Paid("evt_1")).has_value());
    ASSERT_TRUE(emitter->Deliver(Paid("evt_2")).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Bodies(), ElementsAre(HasSubstr("evt_1"), HasSubstr("evt_2")));
  });
}

TEST(WebhookEmitterTest, AnyOrderLetsTheNextEventPassAFailingOne) {
  Simulate([](World& world) {
    world.receiver.answer = [&](int) {
      const bool first = world.receiver.got.back().request.body.find("evt_1") != std::string::npos;
      return Status(first && world.receiver.got.back().at == TimePoint{} ? 500 : 200);
    };
    const auto emitter = world.Emitter(Acme({5s}));
    ASSERT_TRUE(emitter->Deliver(Paid("evt_1")).has_value());
    ASSERT_TRUE(emitter->Deliver(Paid("evt_2")).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Times(), ElementsAre(0s, 0s, 5s));
    EXPECT_THAT(world.receiver.Bodies().back(), HasSubstr("evt_1"));
  });
}

TEST(WebhookEmitterTest, AnExplorerCanDuplicateAnEvent) {
  Simulate([](World& world) {
    const auto emitter =
        world.Emitter(Acme(), {.extra_copies = [](std::string_view) { return 2; }});
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.got, SizeIs(3));
  });
}

TEST(WebhookEmitterTest, AnExplorerCanReorderEvents) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(
        Acme(), {.extra_delay = [](std::string_view event_id, std::int64_t, int) -> Duration {
          return event_id == "evt_1" ? 1s : 0s;
        }});
    ASSERT_TRUE(emitter->Deliver(Paid("evt_1")).has_value());
    ASSERT_TRUE(emitter->Deliver(Paid("evt_2")).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.Bodies(), ElementsAre(HasSubstr("evt_2"), HasSubstr("evt_1")));
  });
}

TEST(WebhookEmitterTest, ALostAcknowledgementMakesItDeliverAgain) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(
        Acme({5s}),
        {.drop_ack = [](std::string_view, std::int64_t, int attempt) { return attempt == 1; }});
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_TRUE(emitter->WaitIdle(kNever));
    EXPECT_THAT(world.receiver.got, SizeIs(2));
    EXPECT_EQ(world.events.Count("webhook.ack"), 1U);
    EXPECT_THAT(world.events.Lines("fault"),
                ElementsAre("fault event_id=evt_1 fault=no-ack reason=ack-dropped webhook=acme"));
  });
}

TEST(WebhookEmitterTest, WaitIdleGivesUpAtItsDeadline) {
  Simulate([](World& world) {
    world.receiver.answer = [](int) { return Status(500); };
    const auto emitter = world.Emitter(Acme({1h}));
    ASSERT_TRUE(emitter->Deliver(Paid()).has_value());
    EXPECT_FALSE(emitter->WaitIdle(TimePoint(10min)));
    EXPECT_EQ(world.sim.clock().Now(), TimePoint(10min));
    EXPECT_TRUE(emitter->WaitIdle(TimePoint(2h)));
  });
}

TEST(WebhookEmitterTest, WithoutDeliveriesItIsIdle) {
  Simulate([](World& world) { EXPECT_TRUE(world.Emitter(Acme())->WaitIdle(TimePoint{})); });
}

TEST(WebhookEmitterTest, TheDestructorEndsEveryWaitAtOnce) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Simulate(
        [](World& world) {
          world.receiver.answer = [](int n) {
            return n == 1 ? ResponsePlan{.fault = FaultKind::kHang} : Status(500);
          };
          {
            WebhookSpec spec = Acme({1h});
            const auto any = world.Emitter(spec);
            spec.order = WebhookSpec::Order::kFifo;
            spec.ack_timeout = 24h;
            const auto fifo = world.Emitter(spec);
            for (const char* id : {"evt_1", "evt_2"}) {
              ASSERT_TRUE(fifo->Deliver(Paid(id)).has_value());
              ASSERT_TRUE(any->Deliver(Paid(id)).has_value());
            }
            world.sim.clock().SleepFor(20s);
          }
          EXPECT_EQ(world.sim.clock().Now(), TimePoint(20s));
          EXPECT_LE(world.events.Count("fault"), 1U);
        },
        seed);
  }
}

TEST(WebhookEmitterTest, SettledDeliveriesLeaveRoomForMore) {
  Simulate([](World& world) {
    const auto emitter = world.Emitter(Acme());
    OutgoingEvent event = Paid();
    event.copies = 100;
    for (std::size_t sent = 0; sent < WebhookEmitter::kDeliveriesMax + 100; sent += 100) {
      ASSERT_TRUE(emitter->Deliver(event).has_value());
      ASSERT_TRUE(emitter->WaitIdle(kNever));
    }
  });
}

// On real threads, for the thread sanitizer: the simulation never lets two run at once.
TEST(WebhookEmitterTest, DeliversFromManyThreadsAtOnce) {
  test::TestRuntime world(test::FakeClock::Waits::kBlock);
  test::ScriptedTransport transport(world.clock);
  transport.Answer(200).Forever();
  const auto emitter = WebhookEmitter::Create(
      world.runtime(), transport, Acme(), {},
      [](std::string_view) { return http::Url::Parse("http://receiver.sim"); });
  ASSERT_TRUE(emitter.has_value());
  for (int i = 0; i < 20; ++i) {
    OutgoingEvent event = Paid("evt_" + std::to_string(i));
    event.copies = 5;
    ASSERT_TRUE((*emitter)->Deliver(event).has_value());
  }
  EXPECT_TRUE((*emitter)->WaitIdle(kNever));
  EXPECT_EQ(transport.sends(), 100U);
  EXPECT_EQ(world.events.Count("webhook.ack"), 100U);
}

TEST(WebhookEmitterTest, RefusesAnUnknownReceiver) {
  Simulate([](World& world) {
    WebhookSpec spec = Acme();
    spec.to = "nobody";
    const auto sent = world.Emitter(spec)->Deliver(Paid());
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, ErrorCode::kNotFound);
  });
}

struct BadEvent {
  const char* name;
  OutgoingEvent event;
  const char* message;
};

class WebhookEventErrorTest : public ::testing::TestWithParam<BadEvent> {};

TEST_P(WebhookEventErrorTest, IsRefused) {
  Simulate([](World& world) {
    const auto sent = world.Emitter(Acme())->Deliver(GetParam().event);
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(sent.error().message, HasSubstr(GetParam().message));
    EXPECT_THAT(world.receiver.got, IsEmpty());
  });
}

INSTANTIATE_TEST_SUITE_P(
    Events, WebhookEventErrorTest,
    ::testing::Values(BadEvent{"NoId", {}, "event id is empty"},
                      BadEvent{"NoCopies", {.event_id = "e", .copies = 0}, "copies"},
                      BadEvent{"TooManyCopies", {.event_id = "e", .copies = 1001}, "copies"},
                      BadEvent{"BadJson", {.event_id = "e", .json = "{"}, "not JSON"},
                      BadEvent{"BadGap", {.event_id = "e", .gap = {2s, 1s}}, "gap"}),
    [](const auto& test) { return test.param.name; });

struct BadWebhook {
  const char* name;
  WebhookSpec spec;
  const char* message;
};

class WebhookSpecErrorTest : public ::testing::TestWithParam<BadWebhook> {};

TEST_P(WebhookSpecErrorTest, IsRefused) {
  Simulate([](World& world) {
    const auto made = WebhookEmitter::Create(
        world.runtime, world.network, GetParam().spec, {},
        [](std::string_view) { return http::Url::Parse("http://receiver.sim"); });
    ASSERT_FALSE(made.has_value());
    EXPECT_THAT(made.error().message, HasSubstr(GetParam().message));
  });
}

INSTANTIATE_TEST_SUITE_P(
    Specs, WebhookSpecErrorTest,
    ::testing::Values(
        BadWebhook{"NoId", {.to = "r"}, "no id"}, BadWebhook{"NoReceiver", {.id = "w"}, "\"to\""},
        BadWebhook{"NoTimeout", {.id = "w", .to = "r", .ack_timeout = 0s}, "ack_timeout"},
        BadWebhook{"NegativeWait", {.id = "w", .to = "r", .retry = {-1s}}, "negative"},
        BadWebhook{"NoSigner", {.id = "w", .to = "r", .scheme = "stripe"}, "no signer"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
