// One vendor, two hosts: in memory and on sockets a client sees the same answers, errors and times.
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/world.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

// What a client can tell about one exchange.
struct Seen {
  int status = 0;
  std::string body = {};
  std::string content_type = {};
  std::string error = {};  // code and reason
  std::string delivery = {};
  Duration took = {};

  bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Seen& seen) {
  return stream << seen.status << " " << seen.body << " " << seen.content_type << " " << seen.error
                << " " << seen.delivery << " after " << seen.took.count() << "ns";
}

struct Ask {
  const char* name;
  RouteSpec route;
  std::string method = "GET";
  std::string target = "/x";
  std::string body = {};
  std::pair<std::string, std::string> header = {"Accept", "*/*"};
  int times = 1;
};

class VendorHostsTest : public ::testing::TestWithParam<Ask> {
 protected:
  std::vector<Seen> AskIn(World& world) {
    std::vector<Seen> seen;
    std::unique_ptr<VendorModel> model;
    const WorldReport report = world.Run([&] {
      VendorSpec spec{.name = "acme", .routes = {GetParam().route}};
      auto created = VendorModel::Create(
          spec, {.clock = world.clock(), .random = world.random(), .events = world.history()});
      ASSERT_TRUE(created.has_value()) << created.error().message;
      model = *std::move(created);
      const std::string origin = world.HostVendor("acme", *model).value();
      for (int i = 0; i < GetParam().times; ++i) seen.push_back(Send(world, origin));
    });
    EXPECT_EQ(report.end, WorldEnd::kFinished) << report.detail;
    world.StopHosting();
    return seen;
  }

  Seen Send(World& world, const std::string& origin) {
    http::Request request{.method = http::Method(GetParam().method),
                          .url = http::Url::Parse(origin + GetParam().target).value(),
                          .body = GetParam().body};
    EXPECT_TRUE(request.headers.Set(GetParam().header.first, GetParam().header.second));
    const TimePoint start = world.clock().Now();
    const auto response = world.network().Send(request, {.deadline = Deadline::After(start, 5s)});
    Seen seen{.took = world.clock().Now() - start};
    if (response) {
      seen.status = response->status;
      seen.body = response->body;
      seen.content_type = std::string(response->headers.Get("Content-Type").value_or(""));
    } else {
      seen.error = std::string(ToString(response.error().code)) + " " + response.error().reason;
      seen.delivery = std::string(ToString(response.error().delivery));
    }
    return seen;
  }

  OpensslCrypto crypto_;
  WorkerPool pool_;
};

TEST_P(VendorHostsTest, AnswerAlike) {
  const auto sim = MakeSimWorld({.seed = 0}, crypto_, pool_);
  const auto wire = MakeWireWorld({.seed = 0}, crypto_);
  const std::vector<Seen> in_memory = AskIn(*sim);
  const std::vector<Seen> on_sockets = AskIn(*wire);
  EXPECT_EQ(in_memory, on_sockets);
  ASSERT_EQ(in_memory.size(), static_cast<std::size_t>(GetParam().times));
}

RouteSpec Route(std::vector<ResponseSpec> responses, RequestMatch match = {.path = "/x"}) {
  return {.id = "x",
          .match = std::move(match),
          .latency = LatencySpec{20ms, 200ms},
          .responses = std::move(responses)};
}

ResponseSpec Body(std::optional<FaultKind> fault = std::nullopt) {
  return {.status = 200, .body = R"({"text":"long enough to be cut in two"})", .fault = fault};
}

INSTANTIATE_TEST_SUITE_P(
    Table, VendorHostsTest,
    ::testing::Values(
        Ask{.name = "Json", .route = Route({Body()})},
        Ask{.name = "Sequence",
            .route = Route({{.times = 2, .status = 503}, {.status = 204}}),
            .times = 3},
        Ask{.name = "Exhausted", .route = Route({{.status = 201}}), .times = 2},
        Ask{.name = "Unmatched", .route = Route({Body()}), .target = "/y?z=1"},
        Ask{.name = "Template",
            .route = Route({Body()}, {.method = "PUT", .path = "/v1/{id}/x"}),
            .method = "PUT",
            .target = "/v1/42/x",
            .body = "{}"},
        Ask{.name = "Regex",
            .route = Route({Body()}, {.path_regex = "/v[0-9]+/x"}),
            .target = "/v7/x"},
        Ask{.name = "Head", .route = Route({{.status = 200}}), .method = "HEAD"},
        Ask{.name = "Reset", .route = Route({Body(FaultKind::kReset)})},
        Ask{.name = "ResetMidBody", .route = Route({Body(FaultKind::kResetMidBody)})},
        Ask{.name = "Truncate", .route = Route({Body(FaultKind::kTruncate)})},
        Ask{.name = "BadGzip", .route = Route({Body(FaultKind::kBadGzip)})},
        Ask{.name = "SlowDrip", .route = Route({Body(FaultKind::kSlowDrip)})},
        Ask{.name = "Hang", .route = Route({Body(FaultKind::kHang)})},
        Ask{.name = "Refuse", .route = Route({Body(FaultKind::kRefuse), Body()}), .times = 2},
        Ask{.name = "FaultsOnAReusedConnection",
            .route = Route({Body(), Body(FaultKind::kReset), Body(), Body(FaultKind::kTruncate),
                            Body()}),
            .times = 5}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
