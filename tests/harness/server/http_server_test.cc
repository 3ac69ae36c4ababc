#include "harness/server/http_server.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/handler_host.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/raw_client.h"
#include "tests/harness/server/server_fakes.h"

namespace understudy::harness {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using End = RawClient::End;

constexpr std::string_view kGet = "GET /orders HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

ResponsePlan Hello(const http::Request&) { return ResponsePlan{.response = {.body = "hello"}}; }
ResponsePlan Echo(const http::Request& request) {
  return ResponsePlan{.response = {.body = request.body}};
}

std::unique_ptr<HttpServer> StartServer(Clock& clock, PlannedHandler& handler,
                                        HttpServerOptions options = {}) {
  auto server = HttpServer::Start(clock, handler, std::move(options));
  EXPECT_TRUE(server) << server.error().ToString();
  return server ? std::move(server).value() : nullptr;
}

std::size_t OpenDescriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): own DIR
  ::closedir(folder);
  return count;
}

// How many connections may wait to be accepted on the listening socket of this process with that
// port; 0 if there is none.
unsigned BacklogOf(std::uint16_t port) {
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    int listening = 0;
    socklen_t size = sizeof(listening);
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
        listening == 0)
      continue;
    sockaddr_in address{};
    size = sizeof(address);
    sockaddr any{};
    if (::getsockname(descriptor, &any, &size) != 0) continue;
    std::memcpy(&address, &any, sizeof(address));
    if (address.sin_port != htons(port)) continue;
    tcp_info info{};
    size = sizeof(info);
    ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_sacked;  // On a listening socket Linux reports the backlog here.
  }
  return 0;
}

class HttpServerTest : public testing::Test {
 protected:
  void Host(ScriptedHandler::Answer answer, HttpServerOptions options = {}) {
    handler_ = std::make_unique<ScriptedHandler>(std::move(answer));
    server_ = StartServer(clock_, *handler_, std::move(options));
    ASSERT_NE(server_, nullptr);
  }
  ScriptedHandler& handler() { return *handler_; }
  std::uint16_t port() const { return server_->port(); }

  SystemClock clock_;
  std::unique_ptr<ScriptedHandler> handler_;
  std::unique_ptr<HttpServer> server_;
};

// --- Start and stop ---

TEST_F(HttpServerTest, SaysWhereItListens) {
  Host(Hello);
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(port()));
}

TEST_F(HttpServerTest, RefusesAPortThatIsInUse) {
  Host(Hello);
  const auto second = HttpServer::Start(clock_, handler(), {.port = port()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "port-in-use");
  EXPECT_EQ(second.error().message,
            "port " + std::to_string(port()) +
                " is in use; choose another with --port or 0 for a free one");
}

TEST_F(HttpServerTest, TakesThePortOfAServerThatHasStopped) {
  Host(Hello);
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  server_->Stop();
  EXPECT_TRUE(HttpServer::Start(clock_, handler(), {.port = port()}));
}

TEST_F(HttpServerTest, RefusesAHostThatIsNotOfThisMachine) {
  ScriptedHandler handler(Hello);
  const auto server = HttpServer::Start(clock_, handler, {.host = "192.0.2.1"});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().reason, "host");
}

TEST_F(HttpServerTest, RefusesALimitOfZero) {
  ScriptedHandler handler(Hello);
  const auto server = HttpServer::Start(clock_, handler, {.connections_max = 0});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(HttpServerTest, StartsAndStops1000TimesWithoutALeak) {
  ScriptedHandler handler(Hello);
  StartServer(clock_, handler)->Stop();
  const std::size_t descriptors = OpenDescriptors();
  const auto began = steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    const auto server = StartServer(clock_, handler);
    // One in four is stopped while a request arrives, the others when it has been answered.
    RawClient client(server->port());
    ASSERT_TRUE(client.connected());
    client.Send(kGet);
    if (i % 4 != 0) {
      ASSERT_EQ(client.ReadMessage(), kHello);
    }
    server->Stop();
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
  // About a second on a quiet machine; a stop that ran into its grace period each time would take
  // 100.
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(60));
}

TEST_F(HttpServerTest, StopsAtOnceWithIdleAndHalfReadConnections) {
  Host(Hello);
  RawClient silent(port());
  RawClient reused(port());
  reused.Send(kGet);
  EXPECT_EQ(reused.ReadMessage(), kHello);
  RawClient unfinished(port());
  unfinished.Send("GET / HT");
  const auto began = steady_clock::now();
  server_->Stop();
  server_->Stop();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_EQ(reused.ReadToEnd(), "");
  EXPECT_EQ(reused.end(), End::kFin);
}

TEST_F(HttpServerTest, StopEndsFiftyParkedLatenciesWithoutAnAnswer) {
  Host([](const http::Request&) {
    return ResponsePlan{.response = {.body = "late"}, .latency = hours(24)};
  });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Send(kGet);
  }
  ASSERT_EQ(handler().AwaitRequests(50).size(), 50U);
  server_->Stop();
  EXPECT_EQ(handler().AwaitExchanges(50).size(), 50U);
  for (const auto& exchange : handler().AwaitExchanges(50)) {
    EXPECT_FALSE(exchange.completed);
    EXPECT_EQ(exchange.ended_by, "host-stopped");
  }
  for (const auto& client : clients) EXPECT_EQ(client->ReadToEnd(), "");
}

TEST_F(HttpServerTest, StopDoesNotWaitForAClientThatReadsNothing) {
  Host([](const http::Request&) {
    return ResponsePlan{.response = {.body = std::string(64'000'000, 'x')}};
  });
  RawClient client(port());
  client.Send(kGet);
  ASSERT_EQ(handler().AwaitRequests(1).size(), 1U);
  const auto began = steady_clock::now();
  server_->Stop();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(handler().AwaitExchanges(1).at(0).ended_by, "client-gone");
}

// --- Connections ---

TEST_F(HttpServerTest, AnswersSeveralRequestsOnOneConnection) {
  Host(Hello);
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage(), kHello);
  }
  EXPECT_EQ(handler().AwaitExchanges(3).size(), 3U);
  for (const auto& exchange : handler().AwaitExchanges(3)) {
    EXPECT_TRUE(exchange.completed);
    EXPECT_TRUE(exchange.same_thread);
    EXPECT_EQ(exchange.ended_by, "");
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Host(Echo);
  RawClient client(port());
  client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\noneGET / HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree");
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\none"));
  EXPECT_THAT(client.ReadMessage(), EndsWith("Content-Length: 0\r\n\r\n"));
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\nthree"));
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(client.end(), End::kFin);
}

TEST_F(HttpServerTest, ClosesWhenTheClientAsksForIt) {
  Host(Hello);
  RawClient client(port());
  client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.ReadToEnd(),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  EXPECT_EQ(client.end(), End::kFin);
}

TEST_F(HttpServerTest, ClosesWhenThePlanSaysSo) {
  Host([](const http::Request&) {
    return ResponsePlan{.response = {.headers = {{"Connection", "Close"}}}};
  });
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpServerTest, ClosesAfterTheLastRequestOfAConnection) {
  Host(Hello, {.keep_alive_requests_max = 2});
  RawClient client(port());
  client.Send(std::string(kGet).append(kGet).append(kGet));
  EXPECT_EQ(client.ReadToEnd(),
            std::string(kHello) +
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  EXPECT_EQ(handler().requests(), 2U);
}

TEST_F(HttpServerTest, ClosesASilentConnectionWithoutAWord) {
  Host(Hello, {.keep_alive_timeout = milliseconds(20)});
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), kHello);
  EXPECT_EQ(client.end(), End::kFin);
}

TEST_F(HttpServerTest, Answers408ToAClientThatFallsSilentInARequest) {
  Host(Hello, {.keep_alive_timeout = milliseconds(20)});
  RawClient head(port());
  head.Send("GET / HTTP/1.1\r\nHo");
  EXPECT_THAT(head.ReadToEnd(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  RawClient body(port());
  body.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  EXPECT_THAT(body.ReadToEnd(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_EQ(handler().requests(), 0U);
}

TEST_F(HttpServerTest, SurvivesAClientThatLeavesInTheMiddleOfARequest) {
  Host(Hello);
  { RawClient(port()).Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"); }
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  EXPECT_EQ(handler().requests(), 1U);
}

TEST_F(HttpServerTest, AnswersAClientThatHasClosedItsSendingDirection) {
  Host(Hello);
  RawClient client(port());
  client.Send(kGet);
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), kHello);
}

TEST_F(HttpServerTest, Answers503BeyondTheMostConnections) {
  Host(Hello, {.connections_max = 2});
  RawClient first(port());
  RawClient second(port());
  for (RawClient* client : {&first, &second}) {
    client->Send(kGet);
    ASSERT_EQ(client->ReadMessage(), kHello);
  }
  RawClient third(port());
  EXPECT_THAT(third.ReadToEnd(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  first.Send(kGet);
  EXPECT_EQ(first.ReadMessage(), kHello);
}

TEST_F(HttpServerTest, LetsABurstWaitInTheBacklog) {
  Host(Hello);
  unsigned system_max = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> system_max;
  EXPECT_EQ(BacklogOf(port()), std::min(4096U, system_max));
}

TEST_F(HttpServerTest, ServesABurstOf1000ConnectionsWithoutAnError) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < 2100) GTEST_SKIP() << "needs 2,100 file descriptors";
  Host(Hello);
  std::vector<std::unique_ptr<RawClient>> clients;
  std::vector<steady_clock::time_point> began;
  std::vector<Duration> took;
  for (int i = 0; i < 1000; ++i) {
    began.push_back(steady_clock::now());
    clients.push_back(std::make_unique<RawClient>(port()));
    ASSERT_TRUE(clients.back()->connected()) << i;
  }
  for (const auto& client : clients) client->Send(kGet);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ASSERT_EQ(clients[i]->ReadMessage(), kHello) << i;
    took.push_back(steady_clock::now() - began[i]);
  }
  std::sort(took.begin(), took.end());
  std::cout << "1,000 connections, connect to answer: p50 "
            << std::chrono::duration_cast<milliseconds>(took[499]).count() << " ms, p99 "
            << std::chrono::duration_cast<milliseconds>(took[989]).count() << " ms\n";
}

// --- Requests ---

TEST_F(HttpServerTest, HandsOverTheRequestAsItWasSent) {
  Host(Hello);
  RawClient client(port());
  client.Send(
      "PATCH /a%2Fb?q=1 HTTP/1.1\r\nX-B: 2\r\nHost: api.vendor.test:99\r\nX-A: 1\r\nx-b: 3\r\n"
      "Content-Length: 4\r\n\r\na\r\nb");
  client.ReadMessage();
  const http::Request request = handler().AwaitRequests(1).at(0);
  EXPECT_EQ(request.method, http::Method::Patch());
  EXPECT_EQ(request.url.ToString(), "http://api.vendor.test:99/a%2Fb?q=1");
  EXPECT_EQ(request.body, "a\r\nb");
  EXPECT_EQ(request.headers, (http::Headers{{"X-B", "2"},
                                            {"Host", "api.vendor.test:99"},
                                            {"X-A", "1"},
                                            {"x-b", "3"},
                                            {"Content-Length", "4"}}));
}

TEST_F(HttpServerTest, DecodesAChunkedRequest) {
  Host(Echo);
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWi");
  client.Send("ki\r\n5;x=y\r\npedia\r\n0\r\nTrailer: t\r\n\r\n");
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\nWikipedia"));
  client.Send(kGet);
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, SaysContinueBeforeTheBodyIsSent) {
  Host(Echo);
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\nok"));
}

TEST_F(HttpServerTest, RefusesInsteadOfSayingContinueToABodyThatIsTooLarge) {
  Host(Echo, {.body_bytes_max = 10});
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, SkipsAnEmptyLineBeforeARequest) {
  Host(Hello);
  RawClient client(port());
  client.Send("\r\n");
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

TEST_F(HttpServerTest, TransfersLargeBodiesExactly) {
  Host(Echo);
  std::string body(3'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 % 251);
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + body);
  EXPECT_TRUE(client.ReadMessage().ends_with("\r\n\r\n" + body));
}

struct RefusedRow {
  std::string name;
  std::string bytes;
  std::string status;
};

class RefusedRequestTest : public HttpServerTest, public testing::WithParamInterface<RefusedRow> {};

TEST_P(RefusedRequestTest, IsAnsweredByTheServerAndNeverReachesTheHandler) {
  Host(Hello, {.body_bytes_max = 1000, .header_bytes_max = 500});
  RawClient client(port());
  client.Send(GetParam().bytes);
  client.FinishSending();
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + GetParam().status + " "));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(client.end(), End::kFin);
  EXPECT_EQ(handler().requests(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedRequestTest,
    testing::Values(
        RefusedRow{"Noise", "\x16\x03\x01\x02\n", "400"},
        RefusedRow{"BareLf", "GET / HTTP/1.1\nHost: h\n\n", "400"},
        RefusedRow{"TwoEmptyLines", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
        RefusedRow{"Smuggled",
                   "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n0\r\n\r\n"
                   "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n",
                   "400"},
        RefusedRow{
            "DifferentLengths",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
            "400"},
        RefusedRow{"LargeHead",
                   "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(500, 'x') + "\r\n\r\n", "431"},
        RefusedRow{"EndlessHead", "GET /" + std::string(5'000, 'x'), "431"},
        RefusedRow{"LargeBody",
                   "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" +
                       std::string(200'000, 'x'),
                   "413"},
        RefusedRow{"LargeChunkedBody",
                   "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" +
                       std::string(200'000, 'x'),
                   "413"},
        RefusedRow{"BadChunk",
                   "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                   "400"}),
    [](const auto& row) { return row.param.name; });

// --- Responses ---

TEST_F(HttpServerTest, SendsNoBodyToHeadAndWith204And304) {
  Host([](const http::Request& request) {
    const std::string status(request.url.path().substr(1));
    return ResponsePlan{.response = {.status = std::stoi(status), .body = "hello"}};
  });
  RawClient client(port());
  client.Send("HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(true), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  client.Send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(), "HTTP/1.1 204 No Content\r\n\r\n");
  client.Send("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(), "HTTP/1.1 304 Not Modified\r\n\r\n");
  client.Send("GET /200 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(), kHello);
}

TEST_F(HttpServerTest, Answers500ToAPlannedStatusThatCannotBeSent) {
  Host([](const http::Request&) { return ResponsePlan{.response = {.status = 100}}; });
  RawClient client(port());
  client.Send(kGet);
  EXPECT_THAT(client.ReadMessage(),
              AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("planned status 100")));
}

TEST_F(HttpServerTest, HostsAnApplicationsHandler) {
  class Application final : public http::Handler {
   public:
    http::Response Handle(const http::Request& request) override {
      return {.status = 202, .headers = {{"X-Path", request.url.path()}}, .body = "queued"};
    }
  };
  Application application;
  HandlerHost host(application);
  const auto server = StartServer(clock_, host);
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(),
            "HTTP/1.1 202 Accepted\r\nX-Path: /orders\r\nContent-Length: 6\r\n\r\nqueued");
}

// --- Latency ---

TEST(HttpServerLatencyTest, WaitsThroughTheGivenClock) {
  SkippingClock clock;
  ScriptedHandler handler([](const http::Request&) {
    return ResponsePlan{.response = {.body = "hello"}, .latency = hours(24)};
  });
  const auto server = StartServer(clock, handler);
  const TimePoint began = clock.Now();
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  EXPECT_THAT(clock.waits(), ElementsAre(began + hours(24), began + hours(48)));
}

TEST(HttpServerLatencyTest, DoesNotTouchTheClockWithoutALatency) {
  SkippingClock clock;
  ScriptedHandler handler(Hello);
  const auto server = StartServer(clock, handler);
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  EXPECT_TRUE(clock.waits().empty());
}

TEST(HttpServerLatencyTest, ClosesAnAbandonedExchangeWithoutWaitingOrAnswering) {
  SkippingClock clock;
  ScriptedHandler handler([](const http::Request&) {
    return ResponsePlan{.response = {.body = "hello"}, .latency = hours(24), .abandoned = true};
  });
  const auto server = StartServer(clock, handler);
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(clock.waits().empty());
  EXPECT_EQ(handler.AwaitExchanges(1).at(0).ended_by, "client-gone");
}

// Lets one test hold a latency until it says so.
class HeldClock final : public Clock {
 public:
  using Clock::SleepUntil;
  TimePoint Now() const override { return {}; }
  SystemTime SystemNow() const override { return {}; }
  void SleepUntil(TimePoint) override {}
  bool AwaitUntil(Mutex& mutex, CondVar&, TimePoint, FunctionRef<bool()> predicate) override
      REQUIRES(mutex) {
    mutex.Unlock();
    {
      const MutexLock lock(own_mutex_);
      real_.AwaitUntil(own_mutex_, released_, kNever, [&]() REQUIRES(own_mutex_) { return open_; });
    }
    mutex.Lock();
    return predicate();
  }
  void Release() {
    const MutexLock lock(own_mutex_);
    open_ = true;
    released_.NotifyAll();
  }

 private:
  SystemClock real_;
  Mutex own_mutex_;
  CondVar released_{"the test's release"};
  bool open_ GUARDED_BY(own_mutex_) = false;
};

TEST(HttpServerLatencyTest, NoticesAClientThatGaveUpDuringTheLatency) {
  HeldClock clock;
  ScriptedHandler handler([](const http::Request&) {
    return ResponsePlan{.response = {.body = "hello"}, .latency = hours(1)};
  });
  const auto server = StartServer(clock, handler);
  {
    RawClient client(server->port());
    client.Send(kGet);
    handler.AwaitRequests(1);
  }
  clock.Release();
  const auto exchanges = handler.AwaitExchanges(1);
  ASSERT_EQ(exchanges.size(), 1U);
  EXPECT_FALSE(exchanges[0].completed);
  EXPECT_EQ(exchanges[0].ended_by, "client-gone");
}

TEST(HttpServerLatencyTest, AnswersAClientThatOnlyClosedItsSendingDirection) {
  HeldClock clock;
  ScriptedHandler handler([](const http::Request&) {
    return ResponsePlan{.response = {.body = "hello"}, .latency = hours(1)};
  });
  const auto server = StartServer(clock, handler);
  RawClient client(server->port());
  client.Send(kGet);
  client.FinishSending();
  handler.AwaitRequests(1);
  clock.Release();
  EXPECT_THAT(client.ReadToEnd(), EndsWith("\r\n\r\nhello"));
  EXPECT_TRUE(handler.AwaitExchanges(1).at(0).completed);
}

// --- Faults ---

struct FaultRow {
  FaultKind kind;
  std::string bytes;
  End end;
  bool completed;
};

const std::string kClosingHead =
    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";

class FaultTest : public testing::TestWithParam<std::tuple<FaultRow, bool>> {};

// On a reused connection and on a fresh one: clients treat a failure there differently.
TEST_P(FaultTest, ShowsAtTheSocketAsPlanned) {
  const auto& [row, reused] = GetParam();
  SkippingClock clock;
  ScriptedHandler handler([fault = row.kind](const http::Request& request) {
    if (request.url.path() == "/well") return Hello(request);
    return ResponsePlan{.response = {.headers = {{"A", "b"}}, .body = "0123456789"},
                        .latency = milliseconds(300),
                        .fault = fault,
                        .drip = {.piece_bytes = 4, .pause = milliseconds(50)}};
  });
  const auto server = StartServer(clock, handler);
  RawClient client(server->port());
  if (reused) {
    client.Send("GET /well HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), row.bytes);
  EXPECT_EQ(client.end(), row.end);
  const std::size_t count = reused ? 2 : 1;
  const auto exchanges = handler.AwaitExchanges(count);
  ASSERT_EQ(exchanges.size(), count);
  EXPECT_EQ(exchanges.back().completed, row.completed);
  EXPECT_EQ(exchanges.back().ended_by, ToString(row.kind));
  EXPECT_TRUE(exchanges.back().same_thread);
  EXPECT_EQ(clock.waits().empty(), IsConnectFault(row.kind));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, FaultTest,
    testing::Combine(
        testing::Values(
            FaultRow{FaultKind::kReset, "", End::kReset, false},
            FaultRow{FaultKind::kRefuse, "", End::kReset, false},
            FaultRow{FaultKind::kDnsFail, "", End::kReset, false},
            FaultRow{FaultKind::kResetMidBody, kClosingHead + "01234", End::kReset, false},
            FaultRow{FaultKind::kTruncate, kClosingHead + "01234", End::kFin, false},
            FaultRow{FaultKind::kBadGzip,
                     "HTTP/1.1 200 OK\r\nA: b\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n"
                     "Connection: close\r\n\r\n0123456789",
                     End::kFin, false},
            FaultRow{FaultKind::kSlowDrip, kClosingHead + "0123456789", End::kFin, true}),
        testing::Bool()),
    [](const auto& row) {
      std::string name(ToString(std::get<0>(row.param).kind));
      name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
      return name + (std::get<1>(row.param) ? "Reused" : "Fresh");
    });

class HangTest : public HttpServerTest, public testing::WithParamInterface<bool> {};

TEST_P(HangTest, IsNeverAnsweredAndEndsWithTheServer) {
  Host([](const http::Request& request) {
    if (request.url.path() == "/well") return Hello(request);
    return ResponsePlan{.response = {.body = "never"}, .fault = FaultKind::kHang};
  });
  RawClient client(port());
  const bool reused = GetParam();
  if (reused) {
    client.Send("GET /well HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
  client.Send(kGet);
  const std::size_t count = reused ? 2 : 1;
  ASSERT_EQ(handler().AwaitRequests(count).size(), count);
  server_->Stop();
  EXPECT_EQ(client.ReadToEnd(), "");
  const auto exchanges = handler().AwaitExchanges(count);
  ASSERT_EQ(exchanges.size(), count);
  EXPECT_EQ(exchanges.back().ended_by, "hang");
  EXPECT_FALSE(exchanges.back().completed);
}

INSTANTIATE_TEST_SUITE_P(Rows, HangTest, testing::Bool(),
                         [](const auto& row) { return row.param ? "Reused" : "Fresh"; });

std::unique_ptr<ScriptedHandler> Failing(FaultKind fault, std::string body) {
  return std::make_unique<ScriptedHandler>([fault, body = std::move(body)](const http::Request&) {
    return ResponsePlan{.response = {.body = body},
                        .fault = fault,
                        .drip = {.piece_bytes = 4, .pause = milliseconds(50)}};
  });
}

TEST(FaultDetailTest, DripsPieceByPieceOnTheClock) {
  SkippingClock clock;
  const auto handler = Failing(FaultKind::kSlowDrip, "0123456789");
  const auto server = StartServer(clock, *handler);
  const TimePoint began = clock.Now();
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.ReadToEnd(), EndsWith("0123456789"));
  EXPECT_THAT(clock.waits(), ElementsAre(began + milliseconds(50), began + milliseconds(100)));
}

TEST(FaultDetailTest, SendsTheFirstPieceOfADripBeforeItWaits) {
  HeldClock clock;
  const auto handler = Failing(FaultKind::kSlowDrip, "0123456789");
  const auto server = StartServer(clock, *handler);
  RawClient client(server->port());
  client.Send(kGet);
  std::string head = client.ReadMessage(/*bodiless=*/true);
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  clock.Release();
  EXPECT_EQ(client.ReadToEnd(), "0123456789");
}

TEST(FaultDetailTest, StopEndsADrip) {
  SystemClock clock;
  ScriptedHandler handler([](const http::Request&) {
    return ResponsePlan{.response = {.body = "0123456789"},
                        .fault = FaultKind::kSlowDrip,
                        .drip = {.piece_bytes = 4, .pause = hours(1)}};
  });
  const auto server = StartServer(clock, handler);
  RawClient client(server->port());
  client.Send(kGet);
  client.ReadMessage(/*bodiless=*/true);
  server->Stop();
  EXPECT_EQ(client.ReadToEnd(), "0123");
  EXPECT_FALSE(handler.AwaitExchanges(1).at(0).completed);
}

TEST(FaultDetailTest, DeliversHalfOfALargeBodyBeforeTheReset) {
  SystemClock clock;
  const auto handler = Failing(FaultKind::kResetMidBody, std::string(16'000'000, 'x'));
  const auto server = StartServer(clock, *handler);
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_TRUE(client.ReadToEnd().ends_with("\r\n\r\n" + std::string(8'000'000, 'x')));
  EXPECT_EQ(client.end(), End::kReset);
}

TEST(FaultDetailTest, TruncatesAnEmptyBodyNoticeably) {
  SystemClock clock;
  const auto handler = Failing(FaultKind::kTruncate, "");
  const auto server = StartServer(clock, *handler);
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(),
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
}

TEST(FaultDetailTest, TruncatesTheHeadWhereNoBodyIsExpected) {
  SystemClock clock;
  const auto handler = Failing(FaultKind::kTruncate, "hello");
  const auto server = StartServer(clock, *handler);
  RawClient client(server->port());
  client.Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string bytes = client.ReadToEnd();
  EXPECT_THAT(bytes, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(bytes.find("\r\n\r\n"), std::string::npos);
}

TEST(FaultDetailTest, SendsBytesThatAreNotGzipWhateverWasPlanned) {
  SystemClock clock;
  const auto handler = Failing(FaultKind::kBadGzip, "\x1f\x8b\x08really gzip");
  const auto server = StartServer(clock, *handler);
  RawClient client(server->port());
  client.Send(kGet);
  const std::string bytes = client.ReadToEnd();
  EXPECT_THAT(bytes, HasSubstr("\r\nContent-Encoding: gzip\r\n"));
  EXPECT_EQ(bytes.find("\x1f\x8b"), std::string::npos);
}

// --- As a real client sees it ---

struct CurlRow {
  std::string name;
  std::optional<FaultKind> fault;
  CURLcode code;
};

class CurlTest : public testing::TestWithParam<CurlRow> {};

std::size_t Discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

TEST_P(CurlTest, SeesThePlannedEnd) {
  SkippingClock clock;
  ScriptedHandler handler([fault = GetParam().fault](const http::Request&) {
    return ResponsePlan{.response = {.body = "0123456789"}, .fault = fault};
  });
  const auto server = StartServer(clock, handler);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, (server->url() + "/x").c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(curl.get(), CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  EXPECT_EQ(curl_easy_perform(curl.get()), GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CurlTest,
    testing::Values(CurlRow{"NoFault", std::nullopt, CURLE_OK},
                    CurlRow{"Reset", FaultKind::kReset, CURLE_RECV_ERROR},
                    CurlRow{"ResetMidBody", FaultKind::kResetMidBody, CURLE_RECV_ERROR},
                    CurlRow{"Truncate", FaultKind::kTruncate, CURLE_PARTIAL_FILE},
                    CurlRow{"BadGzip", FaultKind::kBadGzip, CURLE_BAD_CONTENT_ENCODING},
                    CurlRow{"SlowDrip", FaultKind::kSlowDrip, CURLE_OK}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy::harness
