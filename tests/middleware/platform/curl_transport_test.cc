#include "middleware/platform/curl_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/text.h"
#include "middleware/platform/file.h"
#include "middleware/platform/system_clock.h"
#include "tests/middleware/platform/raw_server.h"

namespace understudy {
namespace {

using http::Headers;
using http::Method;
using http::Request;
using http::Response;
using http::SendOptions;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;
using Then = RawReply::Then;
using namespace std::chrono_literals;

http::Url MakeUrl(const std::string& text) { return http::Url::Parse(text).value(); }

Request Get(const std::string& url) { return Request{.url = MakeUrl(url)}; }

Request Post(const std::string& url, std::string body) {
  return Request{.method = Method::Post(), .url = MakeUrl(url), .body = std::move(body)};
}

std::vector<Headers::Entry> Entries(const Headers& headers) {
  return {headers.begin(), headers.end()};
}

RawServer::Handler Always(RawReply reply) {
  return [reply](const RawRequest&) { return reply; };
}

// A bound port that nobody listens on: connections are refused for as long as it lives.
class DeadPort {
 public:
  DeadPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where = {};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    bind(socket_, reinterpret_cast<sockaddr*>(&where), size);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &size);
    origin_ = "http://127.0.0.1:" + std::to_string(ntohs(where.sin_port));
  }
  ~DeadPort() { close(socket_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;

  const std::string& origin() const { return origin_; }

 private:
  int socket_;
  std::string origin_;
};

// Real time plus an offset that a test can enlarge.
class JumpingClock final : public Clock {
 public:
  using Clock::SleepUntil;

  TimePoint Now() const override { return real_.Now() + Duration(offset_.load()); }
  SystemTime SystemNow() const override { return real_.SystemNow(); }
  void SleepUntil(TimePoint wake_at) override { real_.SleepUntil(wake_at); }
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex) {
    return real_.AwaitUntil(mutex, condition, deadline, predicate);
  }
  void Jump(Duration by) { offset_ += by.count(); }

 private:
  SystemClock real_;
  std::atomic<Duration::rep> offset_ = 0;
};

class CurlTransportTest : public testing::Test {
 protected:
  SendOptions Within(Duration time) {
    return SendOptions{.deadline = Deadline::After(clock_.Now(), time)};
  }
  // The error of a call that must fail.
  Error ErrorOf(const Request& request, const SendOptions& options = {}) {
    auto answer = transport_.Send(request, options);
    if (answer) {
      ADD_FAILURE() << "expected an error, got status " << answer->status;
      return Error{};
    }
    return std::move(answer).error();
  }

  SystemClock clock_;
  CurlTransport transport_{clock_};
};

TEST_F(CurlTransportTest, SendsTheRequestExactlyAsGiven) {
  std::string seen;
  RawServer server([&](const RawRequest& request) {
    seen = request.text;
    return RawReply{Answer("ok")};
  });
  Request request = Post(server.origin() + "/a/../b//c?x=%20&y", std::string("\0\r\n\xff body", 9));
  request.method = Method("PURGE");
  request.headers = Headers{{"X-B", "1"}, {"x-a", "2"}, {"X-B", "3"}, {"X-Empty", ""}};
  ASSERT_TRUE(transport_.Send(request, Within(2s)));
  const std::string host = server.origin().substr(7);
  EXPECT_EQ(seen, "PURGE /a/../b//c?x=%20&y HTTP/1.1\r\nHost: " + host +
                      "\r\nUser-Agent: understudy/0.1\r\n"
                      "Accept-Encoding: deflate, gzip, br, zstd\r\n"
                      "X-B: 1\r\nx-a: 2\r\nX-B: 3\r\nX-Empty:\r\nContent-Length: 9\r\n\r\n" +
                      request.body);
}

TEST_F(CurlTransportTest, SendsTheContentLengthOfAnEmptyPost) {
  std::string seen;
  RawServer server([&](const RawRequest& request) {
    seen = request.text;
    return RawReply{Answer("")};
  });
  ASSERT_TRUE(transport_.Send(Post(server.origin() + "/", ""), Within(2s)));
  EXPECT_THAT(seen, AllOf(StartsWith("POST / HTTP/1.1\r\n"), HasSubstr("Content-Length: 0\r\n"),
                          Not(HasSubstr("Content-Type")), Not(HasSubstr("Expect"))));
}

TEST_F(CurlTransportTest, SendsALargeBodyWithoutWaitingForA100Continue) {
  std::size_t received = 0;
  RawServer server([&](const RawRequest& request) {
    received = request.body().size();
    EXPECT_THAT(std::string(request.head()), Not(HasSubstr("Expect")));
    return RawReply{Answer("")};
  });
  const auto before = clock_.Now();
  ASSERT_TRUE(
      transport_.Send(Post(server.origin() + "/", std::string(3'000'000, 'x')), Within(5s)));
  EXPECT_EQ(received, 3'000'000U);
  EXPECT_LT(clock_.Now() - before, 900ms);
}

TEST_F(CurlTransportTest, ForgetsTheMethodAndBodyOfThePreviousCall) {
  std::vector<std::string> seen;
  RawServer server([&](const RawRequest& request) {
    seen.push_back(request.text.substr(0, request.text.find(' ')) + "|" +
                   std::string(request.body()));
    return RawReply{request.text.starts_with("HEAD")
                        ? "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
                        : Answer("ok")};
  });
  Request head = Get(server.origin() + "/");
  head.method = Method::Head();
  Request remove = Get(server.origin() + "/");
  remove.method = Method::Delete();
  for (const Request& request :
       {Post(server.origin() + "/", "one"), head, Get(server.origin() + "/"), remove,
        Post(server.origin() + "/", "two"), Get(server.origin() + "/")}) {
    ASSERT_TRUE(transport_.Send(request, Within(2s)));
  }
  EXPECT_THAT(seen, ElementsAre("POST|one", "HEAD|", "GET|", "DELETE|", "POST|two", "GET|"));
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTransportTest, KeepsOrderAndRepeatsOfResponseHeaders) {
  RawServer server(
      Always({"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
              "HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: a=1\r\nX-Folded: one\r\n two\r\n"
              "set-cookie:b=2 \r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"}));
  const auto answer = transport_.Send(Get(server.origin() + "/"), Within(2s));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(answer->body, "abc");
  EXPECT_THAT(
      Entries(answer->headers),
      ElementsAre(Pair("Set-Cookie", "a=1"), Pair("X-Folded", "one two"), Pair("set-cookie", "b=2"),
                  Pair("X-Empty", ""), Pair("Transfer-Encoding", "chunked")));
}

TEST_F(CurlTransportTest, ReadsTheHeadersOfAHeadAnswerAndNoBody) {
  RawServer server(Always({"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n"}));
  Request request = Get(server.origin() + "/");
  request.method = Method::Head();
  const auto answer = transport_.Send(request, Within(2s));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->headers.Get("Content-Length"), "4711");
  EXPECT_THAT(answer->body, IsEmpty());
}

TEST_F(CurlTransportTest, ReachesAnIpv6Host) {
  std::unique_ptr<RawServer> server;
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 loopback = {};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool usable =
      bind(probe, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
  close(probe);
  if (!usable) GTEST_SKIP() << "this machine has no IPv6 loopback";
  server = std::make_unique<RawServer>(Always({Answer("six")}), nullptr, "::1");
  const auto answer = transport_.Send(Get(server->origin() + "/"), Within(2s));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->body, "six");
}

TEST_F(CurlTransportTest, ReusesAConnectionAcrossCallsAndThreads) {
  RawServer server(Always({Answer("ok")}));
  for (int i = 0; i < 5; ++i) {
    std::thread([&] {
      EXPECT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
    }).join();
  }
  ASSERT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  EXPECT_EQ(server.requests(), 6);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTransportTest, ServesConcurrentCallersWithOneConnectionEachAtMost) {
  RawServer server(Always({Answer("ok")}));
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        ASSERT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(5s)));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(server.requests(), 200);
  EXPECT_LE(server.accepted(), 4);
}

TEST_F(CurlTransportTest, KeepsConnectionsToSeveralOrigins) {
  RawServer one(Always({Answer("1")}));
  RawServer two(Always({Answer("2")}));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(transport_.Send(Get(one.origin() + "/"), Within(2s)));
    ASSERT_TRUE(transport_.Send(Get(two.origin() + "/"), Within(2s)));
  }
  EXPECT_EQ(one.accepted(), 1);
  EXPECT_EQ(two.accepted(), 1);
}

TEST_F(CurlTransportTest, DoesNotReuseAConnectionThatTheClockCallsTooOld) {
  JumpingClock clock;
  CurlTransport transport(clock, {.idle_max = 90s});
  RawServer server(Always({Answer("ok")}));
  ASSERT_TRUE(transport.Send(Get(server.origin() + "/"), {}));
  clock.Jump(90s);
  ASSERT_TRUE(transport.Send(Get(server.origin() + "/"), {}));
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(CurlTransportTest, RefusesMoreCallsThanItsBound) {
  CurlTransport transport(clock_, {.connections_max = 1});
  RawServer server(Always({"", Then::kHang}));
  std::stop_source stop;
  std::thread holder([&] {
    EXPECT_EQ(transport.Send(Get(server.origin() + "/"), {.stop = stop.get_token()}).error().code,
              ErrorCode::kCancelled);
  });
  while (server.requests() == 0) std::this_thread::yield();
  const auto refused = transport.Send(Get(server.origin() + "/"), {});
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(refused.error().reason, "connections");
  EXPECT_EQ(refused.error().delivery, Delivery::kNotSent);
  stop.request_stop();
  holder.join();
}

// --- The silent re-send
// ---------------------------------------------------------------------------------------------

// Answers the first request of each connection; executes later ones and closes without an answer.
RawReply AnswersOncePerConnection(const RawRequest& request) {
  if (request.on_connection == 1) return RawReply{Answer("ok")};
  return RawReply{"", Then::kClose};
}

TEST_F(CurlTransportTest, DoesNotSilentlyResendAPostOnADeadReusedConnection) {
  RawServer server(AnswersOncePerConnection);
  ASSERT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  const Error error = ErrorOf(Post(server.origin() + "/charge", "amount=1"), Within(2s));
  EXPECT_EQ(error.code, ErrorCode::kConnection);
  EXPECT_EQ(error.reason, "reset");
  EXPECT_EQ(error.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(error.origin, Origin::kRemote);
  EXPECT_EQ(server.requests(), 2) << "the first call, and one execution of the POST";
}

TEST_F(CurlTransportTest, DoesNotSilentlyResendAGetEither) {
  RawServer server(AnswersOncePerConnection);
  ASSERT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  EXPECT_EQ(ErrorOf(Get(server.origin() + "/"), Within(2s)).reason, "reset");
  EXPECT_EQ(server.requests(), 2);
}

TEST_F(CurlTransportTest, ResendsAReplayableRequestOnce) {
  RawServer server(AnswersOncePerConnection);
  ASSERT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  SendOptions options = Within(2s);
  options.replayable = true;
  const auto answer = transport_.Send(Post(server.origin() + "/charge", "amount=1"), options);
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(server.requests(), 3);
}

TEST_F(CurlTransportTest, OpensANewConnectionWhenThePeerHasClosedTheIdleOne) {
  RawServer server(Always({Answer("ok"), Then::kClose}));
  for (int i = 0; i < 3; ++i) {
    // Give the close time to arrive: without it, a re-send is what is being asked for.
    while (!transport_.Send(Post(server.origin() + "/", "x"), Within(2s)))
      std::this_thread::yield();
    std::this_thread::yield();
  }
  EXPECT_GE(server.accepted(), 3);
}

// --- Deadline and stop
// ----------------------------------------------------------------------------------------------

TEST_F(CurlTransportTest, GivesUpAtTheDeadlineWhenTheServerNeverAnswers) {
  RawServer server(Always({"", Then::kHang}));
  const TimePoint before = clock_.Now();
  const Error error = ErrorOf(Post(server.origin() + "/", "x"), Within(80ms));
  const Duration took = clock_.Now() - before;
  EXPECT_EQ(error.code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error.origin, Origin::kLocal);
  EXPECT_EQ(error.delivery, Delivery::kMaybeSent);
  EXPECT_GE(took, 80ms);
  EXPECT_LT(took, 500ms);
}

TEST_F(CurlTransportTest, GivesUpAtTheDeadlineInTheMiddleOfABody) {
  RawServer server(Always({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::kHang}));
  EXPECT_EQ(ErrorOf(Get(server.origin() + "/"), Within(50ms)).code, ErrorCode::kDeadlineExceeded);
}

TEST_F(CurlTransportTest, TreatsARemainingTimeBelowAMillisecondAsALimit) {
  RawServer server(Always({"", Then::kHang}));
  const TimePoint before = clock_.Now();
  EXPECT_EQ(ErrorOf(Get(server.origin() + "/"), Within(300us)).code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(clock_.Now() - before, 500ms);
}

TEST_F(CurlTransportTest, SendsNothingWhenTheDeadlineHasPassed) {
  RawServer server(Always({Answer("ok")}));
  const Error error = ErrorOf(Get(server.origin() + "/"), Within(0ms));
  EXPECT_EQ(error.code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(CurlTransportTest, SendsNothingWhenAStopWasRequestedBefore) {
  RawServer server(Always({Answer("ok")}));
  std::stop_source stop;
  stop.request_stop();
  const Error error = ErrorOf(Get(server.origin() + "/"), {.stop = stop.get_token()});
  EXPECT_EQ(error.code, ErrorCode::kCancelled);
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(CurlTransportTest, StopsAHangingCallPromptly) {
  RawServer server(Always({"", Then::kHang}));
  std::stop_source stop;
  TimePoint requested_at = {};
  std::thread stopper([&] {
    while (server.requests() == 0) std::this_thread::yield();
    // Beyond libcurl's own timers (200 ms), so that only the stop can wake the caller before the
    // poll's limit of 1 s.
    clock_.SleepFor(250ms);
    requested_at = clock_.Now();
    stop.request_stop();
  });
  const Error error = ErrorOf(Get(server.origin() + "/"), {.stop = stop.get_token()});
  const TimePoint ended_at = clock_.Now();
  stopper.join();
  EXPECT_EQ(error.code, ErrorCode::kCancelled);
  EXPECT_EQ(error.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(error.origin, Origin::kLocal);
  EXPECT_LT(ended_at - requested_at, 400ms) << "woken by the stop, not by the poll's own limit";
}

TEST_F(CurlTransportTest, PrefersTheDeadlineOverTheStopWhenTheClockJumpsPastIt) {
  JumpingClock clock;
  CurlTransport transport(clock);
  RawServer server(Always({"", Then::kHang}));
  std::stop_source stop;
  std::thread world([&] {
    while (server.requests() == 0) std::this_thread::yield();
    clock.Jump(1h);
    stop.request_stop();
  });
  const TimePoint before = clock_.Now();
  const auto answer =
      transport.Send(Get(server.origin() + "/"),
                     {.deadline = Deadline::After(clock.Now(), 1h), .stop = stop.get_token()});
  world.join();
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(clock_.Now() - before, 1s);
}

TEST_F(CurlTransportTest, KeepsWorkingAfterCallsThatWereCutShort) {
  RawServer server([](const RawRequest& request) {
    if (request.text.starts_with("GET /hang")) return RawReply{"", Then::kHang};
    return RawReply{Answer("ok")};
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(transport_.Send(Get(server.origin() + "/hang"), Within(10ms)));
    EXPECT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  }
}

TEST_F(CurlTransportTest, ReportsNotSentWhenTheDeadlinePassesDuringTheTlsHandshake) {
  RawServer server(
      Always({"", Then::kHang}));  // Clear text: a TLS client waits for a hello for ever.
  const std::string https = "https" + server.origin().substr(4);
  const Error error = ErrorOf(Post(https + "/", "x"), Within(50ms));
  EXPECT_EQ(error.code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
}

TEST_F(CurlTransportTest, GivesUpConnectingAfterTheConnectTimeout) {
  CurlTransport transport(clock_, {.connect_timeout = 50ms});
  RawServer server(Always({"", Then::kHang}));
  const auto answer = transport.Send(Get("https" + server.origin().substr(4) + "/"), Within(5s));
  EXPECT_EQ(answer.error().code, ErrorCode::kConnection);
  EXPECT_EQ(answer.error().reason, "connect");
  EXPECT_EQ(answer.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(answer.error().origin, Origin::kRemote);
}

TEST_F(CurlTransportTest, DoesNotLimitASlowAnswerByTheConnectTimeout) {
  CurlTransport transport(clock_, {.connect_timeout = 20ms});
  RawServer server([&](const RawRequest&) {
    clock_.SleepFor(60ms);
    return RawReply{Answer("late")};
  });
  EXPECT_TRUE(transport.Send(Get(server.origin() + "/"), Within(5s)));
}

// --- Failures
// -------------------------------------------------------------------------------------------------------

struct FailureCase {
  std::string name = {};
  RawReply reply = {};
  ErrorCode code = ErrorCode::kInternal;
  std::string reason = {};
  Delivery delivery = Delivery::kNotSent;
};

// Shown by GoogleTest instead of the bytes of the struct.
void PrintTo(const FailureCase& row, std::ostream* stream) { *stream << row.name; }

class CurlTransportFailureTest : public testing::TestWithParam<FailureCase> {};

TEST_P(CurlTransportFailureTest, IsReportedWithReasonAndDelivery) {
  const FailureCase& row = GetParam();
  SystemClock clock;
  CurlTransport transport(clock, {.response_header_bytes_max = 1000});
  RawServer server(Always(row.reply));
  const auto answer =
      transport.Send(Post(server.origin() + "/", "x"),
                     {.deadline = Deadline::After(clock.Now(), 2s), .response_bytes_max = 100});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, row.code) << answer.error().ToString();
  EXPECT_EQ(answer.error().reason, row.reason) << answer.error().ToString();
  EXPECT_EQ(answer.error().delivery, row.delivery) << answer.error().ToString();
  EXPECT_EQ(answer.error().origin, Origin::kRemote);
  EXPECT_EQ(server.requests(), 1);
}

std::string Bytes(std::string_view hex) { return HexDecode(hex).value(); }

// 20,000 times "a".
std::string GzipBomb() {
  return Bytes(
      "1f8b0800000000000203edc13101000000c2a0aceb5fc21a1e400100000000000000000000000000"
      "0000000000f0603187bdca204e0000");
}

FailureCase Row(std::string name, std::string bytes, Then then, ErrorCode code, std::string reason,
                Delivery delivery) {
  FailureCase row;
  row.name = std::move(name);
  row.reply.bytes = std::move(bytes);
  row.reply.then = then;
  row.code = code;
  row.reason = std::move(reason);
  row.delivery = delivery;
  return row;
}

std::vector<FailureCase> FailureCases() {
  constexpr auto kConnection = ErrorCode::kConnection;
  constexpr auto kProtocol = ErrorCode::kProtocol;
  constexpr auto kMaybeSent = Delivery::kMaybeSent;
  constexpr auto kAnswered = Delivery::kAnswered;
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string gzip = "Content-Encoding: gzip\r\n";
  return {
      Row("reset_after_request", "", Then::kReset, kConnection, "reset", kMaybeSent),
      Row("closed_after_request", "", Then::kClose, kConnection, "reset", kMaybeSent),
      Row("truncated_headers", ok + "Content-Le", Then::kClose, kConnection, "truncated",
          kMaybeSent),
      Row("truncated_body", ok + "Content-Length: 9\r\n\r\nabc", Then::kClose, kConnection,
          "truncated", kMaybeSent),
      Row("truncated_chunks", chunked + "5\r\nab", Then::kClose, kConnection, "truncated",
          kMaybeSent),
      Row("bad_chunk", chunked + "zz\r\n", Then::kClose, kConnection, "reset", kMaybeSent),
      Row("body_too_large", Answer(std::string(101, 'x')), Then::kKeep, kProtocol, "too-large",
          kAnswered),
      Row("endless_body", ok + "\r\n" + std::string(10'000, 'x'), Then::kHang, kProtocol,
          "too-large", kAnswered),
      Row("decompressed_too_large", Answer(GzipBomb(), gzip), Then::kKeep, kProtocol, "too-large",
          kAnswered),
      Row("headers_too_large", Answer("", "X-A: " + std::string(1000, 'x') + "\r\n"), Then::kKeep,
          kProtocol, "too-large", kAnswered),
      Row("bad_gzip", Answer("not gzip at all", gzip), Then::kKeep, kProtocol, "decode", kAnswered),
      Row("unknown_coding", Answer("abc", "Content-Encoding: rot13\r\n"), Then::kKeep, kProtocol,
          "decode", kAnswered),
      Row("not_http", "SSH-2.0-OpenSSH_9.2\r\n", Then::kClose, kProtocol, "malformed", kMaybeSent),
      Row("bad_content_length", ok + "Content-Length: abc\r\n\r\n", Then::kClose, kProtocol,
          "malformed", kAnswered),
      Row("header_without_colon", Answer("", "nonsense\r\n"), Then::kKeep, kProtocol, "malformed",
          kAnswered),
  };
}

INSTANTIATE_TEST_SUITE_P(Rows, CurlTransportFailureTest, testing::ValuesIn(FailureCases()),
                         [](const auto& row) { return row.param.name; });

TEST_F(CurlTransportTest, AcceptsABodyOfExactlyTheLimit) {
  RawServer server(Always({Answer(std::string(100, 'x'))}));
  SendOptions options = Within(2s);
  options.response_bytes_max = 100;
  EXPECT_TRUE(transport_.Send(Get(server.origin() + "/"), options));
}

TEST_F(CurlTransportTest, ReportsADeadPortAsRefusedAndNotSent) {
  const DeadPort port;
  const Error error = ErrorOf(Post(port.origin() + "/", "x"), Within(2s));
  EXPECT_EQ(error.code, ErrorCode::kConnection);
  EXPECT_EQ(error.reason, "refused");
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
  EXPECT_EQ(error.origin, Origin::kRemote);
}

TEST_F(CurlTransportTest, RefusesRequestsItCannotSendFaithfully) {
  RawServer server(Always({Answer("ok")}));
  const std::string url = server.origin() + "/";
  Request no_url;
  Request bad_method = Get(url);
  bad_method.method = Method("GET / HTTP/1.1\r\nX:");
  Request chunked = Post(url, "x");
  chunked.headers = Headers{{"Transfer-Encoding", "chunked"}};
  Request wrong_length = Post(url, "x");
  wrong_length.headers = Headers{{"Content-Length", "2"}};
  Request head_with_body = Post(url, "x");
  head_with_body.method = Method::Head();
  for (const Request& request : {no_url, bad_method, chunked, wrong_length, head_with_body}) {
    EXPECT_EQ(ErrorOf(request, Within(2s)).code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(CurlTransportTest, SendsACorrectContentLengthOnce) {
  std::string seen;
  RawServer server([&](const RawRequest& request) {
    seen = request.text;
    return RawReply{Answer("ok")};
  });
  Request request = Post(server.origin() + "/", "12");
  request.headers = Headers{{"content-length", "2"}};
  ASSERT_TRUE(transport_.Send(request, Within(2s)));
  EXPECT_THAT(seen, AllOf(HasSubstr("Content-Length: 2"), Not(HasSubstr("content-length"))));
}

TEST_F(CurlTransportTest, SendsOnlyToAllowedOrigins) {
  RawServer server(Always({Answer("ok")}));
  RawServer other(Always({Answer("ok")}));
  CurlTransport transport(clock_, {.allowed_origins = {{server.origin()}}});
  EXPECT_TRUE(transport.Send(Get(server.origin() + "/"), Within(2s)));
  const auto refused = transport.Send(Get(other.origin() + "/"), Within(2s));
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().reason, "origin");
  EXPECT_EQ(other.accepted(), 0);
}

TEST_F(CurlTransportTest, IgnoresProxiesOfTheEnvironment) {
  const DeadPort port;
  ASSERT_EQ(setenv("http_proxy", port.origin().c_str(), 1), 0);
  RawServer server(Always({Answer("direct")}));
  EXPECT_TRUE(transport_.Send(Get(server.origin() + "/"), Within(2s)));
  CurlTransport proxied(clock_, {.proxy_from_environment = true});
  EXPECT_FALSE(proxied.Send(Get(server.origin() + "/"), Within(2s)));
  unsetenv("http_proxy");
}

TEST(CurlTransportDeathTest, RefusesToSendWhileAMutexIsHeld) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SystemClock clock;
        CurlTransport transport(clock);
        Mutex mutex;
        const MutexLock lock(mutex);
        static_cast<void>(transport.Send(Get("http://127.0.0.1:1/"), {}));
      },
      "must not send a request while it holds a Mutex");
}

// --- Content codings
// ------------------------------------------------------------------------------------------------

std::string Gzipped() {
  return Bytes("1f8b0800000000000203cb48cdc9c9d751c840a2009fa1ca0913000000");
}

TEST_F(CurlTransportTest, DecodesAGzipBodyAndDropsTheHeadersThatDescribedIt) {
  RawServer server(Always({Answer(Gzipped(), "Content-Encoding: gzip\r\nETag: \"a\"\r\n")}));
  const auto answer = transport_.Send(Get(server.origin() + "/"), Within(2s));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->body, "hello, hello, hello");
  EXPECT_THAT(Entries(answer->headers), ElementsAre(Pair("ETag", "\"a\"")));
}

TEST_F(CurlTransportTest, LeavesTheBodyAloneWhenTheCallerNegotiatesTheCoding) {
  std::string seen;
  RawServer server([&](const RawRequest& request) {
    seen = request.text;
    return RawReply{Answer(Gzipped(), "Content-Encoding: gzip\r\n")};
  });
  Request request = Get(server.origin() + "/");
  request.headers = Headers{{"Accept-Encoding", "gzip"}};
  const auto answer = transport_.Send(request, Within(2s));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->body, Gzipped());
  EXPECT_EQ(answer->headers.Get("Content-Encoding"), "gzip");
  EXPECT_THAT(seen, AllOf(HasSubstr("Accept-Encoding: gzip\r\n"), Not(HasSubstr("deflate"))));
}

// --- Redirects
// ------------------------------------------------------------------------------------------------------

RawReply Redirect(const std::string& status, const std::string& location) {
  return RawReply{Answer("moved", "Location: " + location + "\r\n", status)};
}

TEST_F(CurlTransportTest, ReturnsARedirectAsTheAnswerUnlessAsked) {
  RawServer server(Always(Redirect("302 Found", "/next")));
  const auto answer = transport_.Send(Get(server.origin() + "/"), Within(2s));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(CurlTransportTest, FollowsARedirectAsGetWithoutTheBody) {
  std::string seen;
  RawServer server([&](const RawRequest& request) {
    if (request.text.starts_with("POST")) return Redirect("303 See Other", "/next?x=1");
    seen = request.text;
    return RawReply{Answer("there")};
  });
  Request request = Post(server.origin() + "/a/b", "secret");
  request.headers = Headers{{"Content-Type", "text/plain"}, {"Authorization", "Bearer t"}};
  SendOptions options = Within(2s);
  options.redirects_max = 1;
  const auto answer = transport_.Send(request, options);
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->body, "there");
  EXPECT_THAT(seen,
              AllOf(StartsWith("GET /next?x=1 HTTP/1.1"), HasSubstr("Authorization: Bearer t"),
                    Not(HasSubstr("Content-")), Not(HasSubstr("secret"))));
}

TEST_F(CurlTransportTest, NeverSendsCredentialsToAnotherOrigin) {
  std::string seen;
  RawServer other([&](const RawRequest& request) {
    seen = request.text;
    return RawReply{Answer("elsewhere")};
  });
  RawServer server(Always(Redirect("307 Temporary Redirect", other.origin() + "/x")));
  Request request = Get(server.origin() + "/");
  request.headers =
      Headers{{"Authorization", "Bearer t"}, {"Cookie", "s=1"},       {"X-Api-Key", "k"},
              {"Proxy-Authorization", "p"},  {"Accept", "text/html"}, {"Host", "vendor.example"}};
  SendOptions options = Within(2s);
  options.redirects_max = 3;
  const auto answer = transport_.Send(request, options);
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->body, "elsewhere");
  EXPECT_EQ(seen, "GET /x HTTP/1.1\r\nHost: " + other.origin().substr(7) +
                      "\r\nUser-Agent: understudy/0.1\r\n"
                      "Accept-Encoding: deflate, gzip, br, zstd\r\nAccept: text/html\r\n\r\n");
}

TEST_F(CurlTransportTest, StopsFollowingALoopAtTheBound) {
  RawServer server(Always(Redirect("302 Found", "/again")));
  SendOptions options = Within(2s);
  options.redirects_max = 4;
  const auto answer = transport_.Send(Get(server.origin() + "/"), options);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(server.requests(), 5);
}

TEST_F(CurlTransportTest, DoesNotFollowARedirectOutOfTheAllowedOrigins) {
  RawServer other(Always({Answer("internal")}));
  RawServer server(Always(Redirect("302 Found", other.origin() + "/")));
  CurlTransport transport(clock_, {.allowed_origins = {{server.origin()}}});
  SendOptions options = Within(2s);
  options.redirects_max = 1;
  EXPECT_EQ(transport.Send(Get(server.origin() + "/"), options)->status, 302);
  EXPECT_EQ(other.accepted(), 0);
}

TEST_F(CurlTransportTest, DoesNotClaimNotSentWhenOnlyTheRedirectedHopWasNotSent) {
  const DeadPort port;
  RawServer server(Always(Redirect("303 See Other", port.origin() + "/")));
  SendOptions options = Within(2s);
  options.redirects_max = 1;
  const Error error = ErrorOf(Post(server.origin() + "/", "x"), options);
  EXPECT_EQ(error.reason, "refused");
  EXPECT_EQ(error.delivery, Delivery::kMaybeSent);
}

// --- TLS
// ------------------------------------------------------------------------------------------------------------

class CurlTransportTlsTest : public CurlTransportTest {
 protected:
  static void SetUpTestSuite() { identity_ = std::make_unique<TestIdentity>(); }
  static void TearDownTestSuite() { identity_.reset(); }

  static inline std::unique_ptr<TestIdentity> identity_;
};

TEST_F(CurlTransportTlsTest, RefusesASelfSignedCertificateBeforeSendingAnything) {
  RawServer server(Always({Answer("evil")}), identity_.get());
  const Error error = ErrorOf(Post(server.origin() + "/", "secret"), Within(2s));
  EXPECT_EQ(error.code, ErrorCode::kTls) << error.ToString();
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
  EXPECT_EQ(error.origin, Origin::kRemote);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(CurlTransportTlsTest, AcceptsACertificateFromTheGivenCaFileAndReusesTheConnection) {
  const std::string ca_file = testing::TempDir() + "/understudy_curl_ca.pem";
  ASSERT_TRUE(WriteFileAtomically(ca_file, identity_->certificate_pem()));
  CurlTransport transport(clock_, {.ca_file = ca_file});
  RawServer server(Always({Answer("trusted")}), identity_.get());
  for (int i = 0; i < 3; ++i) {
    const auto answer = transport.Send(Post(server.origin() + "/", "x"), Within(2s));
    ASSERT_TRUE(answer) << answer.error().ToString();
    EXPECT_EQ(answer->body, "trusted");
  }
  EXPECT_EQ(server.accepted(), 1);
  std::remove(ca_file.c_str());
}

TEST_F(CurlTransportTlsTest, SurvivesAPeerThatClosesIdleConnections) {
  CurlTransport transport(clock_, {.verification = TlsVerification::kNoVerification});
  RawServer server(Always({Answer("ok"), Then::kClose}), identity_.get());
  SendOptions options = Within(2s);
  options.replayable = true;
  for (int i = 0; i < 5; ++i) {
    const auto answer = transport.Send(Post(server.origin() + "/", "x"), options);
    ASSERT_TRUE(answer) << answer.error().ToString();
  }
  EXPECT_EQ(server.accepted(), 5);
}

TEST_F(CurlTransportTlsTest, AcceptsAnyCertificateOnlyWhenToldSo) {
  CurlTransport transport(clock_, {.verification = TlsVerification::kNoVerification});
  RawServer server(Always({Answer("whoever")}), identity_.get());
  EXPECT_TRUE(transport.Send(Get(server.origin() + "/"), Within(2s)));
}

TEST_F(CurlTransportTlsTest, DoesNotFollowARedirectFromHttpsToHttp) {
  RawServer plain(Always({Answer("clear text")}));
  RawServer server(Always(Redirect("302 Found", plain.origin() + "/")), identity_.get());
  CurlTransport transport(clock_, {.verification = TlsVerification::kNoVerification});
  SendOptions options = Within(2s);
  options.redirects_max = 1;
  EXPECT_EQ(transport.Send(Get(server.origin() + "/"), options)->status, 302);
  EXPECT_EQ(plain.accepted(), 0);
}

TEST_F(CurlTransportTlsTest, ReportsAConnectionClosedDuringTheHandshakeAsAConnectionProblem) {
  // A clear-text server that gets a TLS hello waits for a request; stopping it closes the
  // connection.
  auto closing = std::make_unique<RawServer>(Always({Answer("x")}));
  const std::string url = "https" + closing->origin().substr(4) + "/";
  std::thread stopper([&] {
    while (closing->accepted() == 0) std::this_thread::yield();
    closing.reset();
  });
  const Error error = ErrorOf(Get(url), Within(2s));
  stopper.join();
  EXPECT_EQ(error.code, ErrorCode::kConnection) << error.ToString();
  EXPECT_EQ(error.reason, "reset");
  EXPECT_EQ(error.delivery, Delivery::kNotSent);
}

}  // namespace
}  // namespace understudy
