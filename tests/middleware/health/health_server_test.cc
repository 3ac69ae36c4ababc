// The health endpoints over a real socket: what a load balancer sees.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "harness/plan/handler_host.h"
#include "harness/server/http_server.h"
#include "middleware/health/health_handler.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

class HealthServerTest : public testing::Test {
 protected:
  Result<http::Response> Send(http::Method method, std::string_view target) {
    http::Request request;
    request.method = std::move(method);
    request.url = http::Url::Parse(server_->url() + std::string(target)).value();
    http::SendOptions options;
    options.deadline = Deadline::After(system_.clock().Now(), 20s);
    return transport_.Send(request, options);
  }

  SystemRuntime system_;
  std::unique_ptr<HealthMonitor> monitor_ = HealthMonitor::Create(system_.view(), {}).value();
  HealthHandler handler_{*monitor_, {.details = true}};
  harness::HandlerHost host_{handler_};
  std::unique_ptr<harness::HttpServer> server_ =
      harness::HttpServer::Start(system_.clock(), host_, {}).value();
  CurlTransport transport_{system_.clock()};
};

TEST_F(HealthServerTest, ALoadBalancerSeesReadinessComeAndGo) {
  std::atomic<bool> up = false;
  HealthDependency dependency;
  dependency.name = "vendor";
  dependency.critical = true;
  dependency.hysteresis.failures_to_fail = 1;
  dependency.hysteresis.successes_to_recover = 1;
  dependency.probe = [&](const ProbeContext&) -> Result<ProbeOutcome> {
    return up ? ProbeOutcome::Healthy() : ProbeOutcome::Unhealthy("down");
  };
  ASSERT_TRUE(monitor_->Register(dependency));
  ASSERT_EQ(Send(http::Method::Get(), "/livez").value().status, 200);
  EXPECT_EQ(Send(http::Method::Get(), "/readyz").value().status, 503);
  up = true;
  EXPECT_TRUE(monitor_->CheckNow(Deadline::After(system_.clock().Now(), 20s)).ready);
  const http::Response ready = Send(http::Method::Get(), "/readyz").value();
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"status":"pass","health":"healthy","ready":true})");
  EXPECT_EQ(ready.headers.Get("Cache-Control"), "no-store");
  EXPECT_EQ(ready.headers.Get("Content-Type"), "application/health+json");
  EXPECT_NE(Send(http::Method::Get(), "/healthz?verbose").value().body.find("\"vendor\""),
            std::string::npos);
  up = false;
  monitor_->CheckNow(Deadline::After(system_.clock().Now(), 20s));
  EXPECT_EQ(Send(http::Method::Get(), "/readyz").value().status, 503);
}

TEST_F(HealthServerTest, HeadAndOtherMethodsWork) {
  const http::Response head = Send(http::Method::Head(), "/livez").value();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(Send(http::Method::Delete(), "/livez").value().status, 405);
  EXPECT_EQ(Send(http::Method::Get(), "/nothing").value().status, 404);
}

}  // namespace
}  // namespace understudy::test
