#include "middleware/health/health_handler.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/middleware/health/health_test_support.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

http::Request Ask(std::string_view target, http::Method method = http::Method::Get()) {
  http::Request request;
  request.method = std::move(method);
  request.url = http::Url::Parse("http://127.0.0.1" + std::string(target)).value();
  return request;
}

// "200 body"
std::string Said(http::Handler& handler, std::string_view target) {
  const http::Response response = handler.Handle(Ask(target));
  return std::to_string(response.status) + " " + response.body;
}

struct HandlerWorld {
  explicit HandlerWorld(SimWorld& of) : world(of), stripe(of), mail(of), monitor(NewMonitor(of)) {
    stripe.takes = 15ms;
    EXPECT_TRUE(monitor->Register(Plain("stripe", stripe.Function())));
    HealthDependency optional = Plain("mail", mail.Function());
    optional.critical = false;
    EXPECT_TRUE(monitor->Register(optional));
  }

  SimWorld& world;
  FakeProbe stripe;
  FakeProbe mail;
  std::unique_ptr<HealthMonitor> monitor;
};

TEST(HealthHandlerTest, HC7_LivenessKnowsNothingOfThirdParties) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    health.stripe.result = ProbeOutcome::Unhealthy("down");
    health.mail.result = ProbeOutcome::Unhealthy("down");
    health.monitor->CheckNow(Deadline::Never());
    HealthHandler handler(*health.monitor, {.details = true});
    EXPECT_EQ(Said(handler, "/livez"), R"(200 {"status":"pass"})");
    EXPECT_EQ(Said(handler, "/livez?verbose"), R"(200 {"status":"pass"})");
  });
}

TEST(HealthHandlerTest, LivenessFailsWhenAHeartbeatIsOlderThanAllowed) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    Duration age = 10s;
    HealthHandlerOptions options;
    options.details = true;
    options.heartbeats.push_back({"scheduler", [&] { return age; }, 10s});
    HealthHandler handler(*health.monitor, options);
    EXPECT_EQ(Said(handler, "/livez"), R"(200 {"status":"pass"})");
    age = 10s + 1ns;
    EXPECT_EQ(Said(handler, "/livez"), R"(503 {"status":"fail"})");
    EXPECT_EQ(Said(handler, "/livez?verbose"),
              R"(503 {"status":"fail","checks":{"scheduler":[{"status":"fail","age_ms":10000}]}})");
  });
}

TEST(HealthHandlerTest, HC3_BeforeTheFirstCheckNothingIsReady) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor);
    EXPECT_EQ(Said(handler, "/readyz"),
              R"(503 {"status":"fail","health":"unknown","ready":false})");
    EXPECT_THAT(Said(handler, "/healthz"),
                HasSubstr(R"(503 {"status":"fail","health":"unknown","ready":false,"time")"));
  });
}

TEST(HealthHandlerTest, ReadinessFollowsCriticalDependencies) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor);
    health.monitor->CheckNow(Deadline::Never());
    EXPECT_EQ(Said(handler, "/readyz"), R"(200 {"status":"pass","health":"healthy","ready":true})");
    health.mail.result = ProbeOutcome::Unhealthy("down");
    health.monitor->CheckNow(Deadline::Never());
    EXPECT_EQ(Said(handler, "/readyz"),
              R"(200 {"status":"warn","health":"degraded","ready":true})");
    health.stripe.result = ProbeOutcome::Unhealthy("down");
    health.monitor->CheckNow(Deadline::Never());
    EXPECT_EQ(Said(handler, "/readyz"),
              R"(503 {"status":"fail","health":"unhealthy","ready":false})");
    EXPECT_THAT(Said(handler, "/healthz"), HasSubstr("503 "));
  });
}

TEST(HealthHandlerTest, ADrainingProcessIsNotReadyAndSaysSo) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor);
    health.monitor->CheckNow(Deadline::Never());
    handler.SetDraining(true);
    EXPECT_EQ(Said(handler, "/readyz"),
              R"(503 {"status":"fail","health":"healthy","ready":false,"code":"draining"})");
    EXPECT_EQ(Said(handler, "/livez"), R"(200 {"status":"pass"})");
    handler.SetDraining(false);
    EXPECT_THAT(Said(handler, "/readyz"), HasSubstr("200 "));
  });
}

TEST(HealthHandlerTest, DetailsComeInAFixedOrderWithAgesAndTimes) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    health.mail.result = Error{.code = ErrorCode::kConnection, .message = "no route"};
    health.monitor->CheckNow(Deadline::Never());
    world.clock().SleepFor(1s + 2500us);
    HealthHandler handler(*health.monitor, {.details = true});
    EXPECT_EQ(
        Said(handler, "/healthz?verbose"),
        R"(200 {"status":"warn","health":"degraded","ready":true,"time":"1970-01-01T00:00:01.017Z",)"
        R"("checks":{"mail":[{"status":"fail","health":"unhealthy","critical":false,)"
        R"("code":"connection","source":"probe","age_ms":1017,"time":"1970-01-01T00:00:00.000Z",)"
        R"("latency_ms":0,"consecutive_failures":1,"abandoned":0,"checks":1}],)"
        R"("stripe":[{"status":"pass","health":"healthy","critical":true,"code":"ok",)"
        R"("source":"probe","age_ms":1002,"time":"1970-01-01T00:00:00.015Z","latency_ms":15,)"
        R"("consecutive_failures":0,"abandoned":0,"checks":1}]}})");
    EXPECT_EQ(Said(handler, "/healthz?verbose"), Said(handler, "/healthz?a=b&verbose=true"));
  });
}

TEST(HealthHandlerTest, HC8_DetailsNeedBothTheOptionAndTheQuery) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    health.monitor->CheckNow(Deadline::Never());
    HealthHandler closed(*health.monitor);
    HealthHandler open(*health.monitor, {.details = true});
    for (const char* path : {"/healthz", "/readyz"}) {
      EXPECT_THAT(Said(closed, path + std::string("?verbose")), Not(HasSubstr("stripe")));
      EXPECT_THAT(Said(open, path), Not(HasSubstr("stripe")));
      EXPECT_THAT(Said(open, path + std::string("?verbose=0")), Not(HasSubstr("stripe")));
      EXPECT_THAT(Said(open, path + std::string("?verbosely")), Not(HasSubstr("stripe")));
      EXPECT_THAT(Said(open, path + std::string("?verbose=1")), HasSubstr("stripe"));
    }
  });
}

TEST(HealthHandlerTest, HC8_NoTextOfAnErrorIsShown) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    health.stripe.result = Error{.code = ErrorCode::kAuth,
                                 .message = "key sk_live_1 refused by 10.0.0.7",
                                 .reason = "sk_live_1"};
    health.mail.result = ProbeOutcome::Degraded("user=root\n");
    health.monitor->CheckNow(Deadline::Never());
    HealthHandler handler(*health.monitor, {.details = true});
    EXPECT_THAT(
        Said(handler, "/healthz?verbose"),
        AllOf(HasSubstr(R"("code":"auth")"), HasSubstr(R"("code":"other")"),
              Not(HasSubstr("sk_live")), Not(HasSubstr("10.0.0.7")), Not(HasSubstr("root"))));
  });
}

TEST(HealthHandlerTest, AnswersAreNeverCachedAndNameTheirType) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor);
    for (const char* path : {"/livez", "/readyz", "/healthz", "/other"}) {
      const http::Response response = handler.Handle(Ask(path));
      EXPECT_EQ(response.headers.Get("Cache-Control"), "no-store") << path;
      EXPECT_EQ(response.headers.Get("Content-Type"),
                path == std::string("/other") ? "application/json" : "application/health+json");
      EXPECT_FALSE(nlohmann::json::parse(response.body, nullptr, false).is_discarded());
    }
  });
}

TEST(HealthHandlerTest, HeadHasTheStatusAndHeadersWithoutTheBody) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor);
    for (const char* path : {"/livez", "/readyz", "/healthz", "/other"}) {
      const http::Response get = handler.Handle(Ask(path));
      const http::Response head = handler.Handle(Ask(path, http::Method::Head()));
      EXPECT_EQ(head.status, get.status);
      EXPECT_EQ(head.headers, get.headers);
      EXPECT_EQ(head.body, "");
    }
  });
}

TEST(HealthHandlerTest, RefusesOtherMethodsAndPaths) {
  Simulate([](SimWorld& world) {
    HandlerWorld health(world);
    HealthHandler handler(*health.monitor, {.ready_path = "/ready"});
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
      const http::Response response = handler.Handle(Ask("/livez", http::Method(method)));
      EXPECT_EQ(response.status, 405) << method;
      EXPECT_EQ(response.headers.Get("Allow"), "GET, HEAD");
    }
    EXPECT_EQ(Said(handler, "/readyz"), R"(404 {"error":"not-found"})");
    EXPECT_EQ(Said(handler, "/livez/"), R"(404 {"error":"not-found"})");
    EXPECT_THAT(Said(handler, "/ready"), HasSubstr("503 "));
  });
}

TEST(HealthHandlerDeathTest, AbortsForOptionsThatCannotWork) {
  Simulate([](SimWorld& world) {
    auto monitor = NewMonitor(world);
    EXPECT_DEATH(HealthHandler(*monitor, {.live_path = "/x", .ready_path = "/x"}), "differ");
    EXPECT_DEATH(HealthHandler(*monitor, {.live_path = "livez"}), "begin with /");
    HealthHandlerOptions options;
    options.heartbeats.push_back({"a", nullptr, 1s});
    EXPECT_DEATH(HealthHandler(*monitor, options), "heartbeat");
  });
}

}  // namespace
}  // namespace understudy::test
