// What clients get that are slow, rude or out to confuse; and what the wire facts say of it.
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/server/http_server.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/raw_client.h"
#include "tests/harness/server/recording_handler.h"

namespace understudy::harness {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using End = RawClient::End;

constexpr std::string_view kGet = "GET /orders HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class HostileClientTest : public testing::Test {
 protected:
  void Host(HttpServerOptions options = {}) {
    auto server = HttpServer::Start(clock_, handler_, std::move(options));
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(server).value();
  }
  std::uint16_t port() const { return server_->port(); }

  SystemClock clock_;
  RecordingHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

// Sends a byte whenever the one before has been acknowledged for a moment, until the answer comes.
std::string Trickle(RawClient& client, std::string_view first) {
  client.Send(first);
  std::atomic<bool> done = false;
  std::thread sender([&] {
    while (!done.load()) {
      client.Send("x");
      std::this_thread::yield();
    }
  });
  std::string answer = client.ReadMessage();
  done.store(true);
  sender.join();
  return answer;
}

// --- Slow senders ---

TEST_F(HostileClientTest, IsCutOffWhenAHeadTakesTooLongAlthoughBytesKeepComing) {
  Host({.header_bytes_max = std::size_t{1} << 30U, .head_timeout = milliseconds(30)});
  RawClient client(port());
  EXPECT_THAT(Trickle(client, "GET / HTTP/1.1\r\nX: "), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(handler_.AwaitReports(1).at(0).wire.fin_sent);
}

TEST_F(HostileClientTest, IsCutOffWhenABodyTakesTooLongAlthoughBytesKeepComing) {
  Host({.body_bytes_max = std::size_t{1} << 30U, .body_timeout = milliseconds(30)});
  RawClient sized(port());
  EXPECT_THAT(Trickle(sized, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n"),
              StartsWith("HTTP/1.1 408 "));
  RawClient chunked(port());
  EXPECT_THAT(
      Trickle(chunked,
              "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3b9aca00\r\n"),
      StartsWith("HTTP/1.1 408 "));
}

TEST_F(HostileClientTest, HasAllTheTimeBetweenTwoRequests) {
  Host({.head_timeout = milliseconds(1), .body_timeout = milliseconds(1)});
  RawClient client(port());
  for (int i = 0; i < 20; ++i) {
    client.Send(kGet);
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
}

TEST_F(HostileClientTest, GetsNoLimitFromTheRequestBefore) {
  handler_.answer = [](const http::Request& request) {
    return ResponsePlan{.response = {.body = request.body}};
  };
  Host({.body_timeout = std::chrono::seconds(20)});
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
  client.Send("ab");
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\nab"));
  client.Send(kGet);
  EXPECT_THAT(client.ReadMessage(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HostileClientTest, MustGiveAHeadAndABodySomeTime) {
  EXPECT_FALSE(HttpServer::Start(clock_, handler_, {.head_timeout = Duration::zero()}));
  EXPECT_FALSE(HttpServer::Start(clock_, handler_, {.body_timeout = Duration::zero()}));
}

// --- Bytes that are no text ---

struct BytesRow {
  std::string name;
  std::string request;
};

class OddBytesTest : public HostileClientTest, public testing::WithParamInterface<BytesRow> {};

TEST_P(OddBytesTest, AreAnsweredOneWayOrTheOther) {
  Host();
  RawClient client(port());
  client.Send(GetParam().request);
  EXPECT_THAT(client.ReadMessage(),
              AnyOf(StartsWith("HTTP/1.1 200 "), StartsWith("HTTP/1.1 400 ")));
  RawClient next(port());
  next.Send(kGet);
  EXPECT_EQ(next.ReadMessage(), kHello);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, OddBytesTest,
    testing::Values(
        BytesRow{"InvalidUtf8InThePath", "GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n"},
        BytesRow{"EscapedInvalidUtf8", "GET /%ff%fe?a=%c0%af HTTP/1.1\r\nHost: h\r\n\r\n"},
        BytesRow{"InvalidUtf8InAField", "GET / HTTP/1.1\r\nHost: h\r\nX: \xff\xc0\x80\r\n\r\n"},
        BytesRow{"InvalidUtf8InTheHost", "GET / HTTP/1.1\r\nHost: \xff\r\n\r\n"},
        BytesRow{"InvalidUtf8InTheBody",
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd"},
        BytesRow{"NulInThePath", std::string("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", 30)},
        BytesRow{"NulInAField", std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 35)},
        BytesRow{"BareCrInAField", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"},
        BytesRow{"BrokenEscape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"}),
    [](const auto& row) { return row.param.name; });

// --- What a smuggler would try: exactly one answer, and the connection ends ---

class SmugglingTest : public HostileClientTest, public testing::WithParamInterface<BytesRow> {};

TEST_P(SmugglingTest, IsRefusedAndNothingBehindItIsRead) {
  Host();
  RawClient client(port());
  client.Send(GetParam().request);
  client.Send("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  client.FinishSending();
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, AnyOf(StartsWith("HTTP/1.1 400 "), StartsWith("HTTP/1.1 501 ")));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
  EXPECT_EQ(client.end(), End::kFin);
  EXPECT_EQ(handler_.AwaitReports(1).at(0).requests, 0U);
}

constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: h\r\n";

INSTANTIATE_TEST_SUITE_P(
    Rows, SmugglingTest,
    testing::Values(
        BytesRow{"ClTe", std::string(kPost) +
                             "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"},
        BytesRow{"TeCl", std::string(kPost) +
                             "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED"
                             "\r\n0\r\n\r\n"},
        BytesRow{"TeTe", std::string(kPost) +
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
                             "0\r\n\r\n"},
        BytesRow{"TeList",
                 std::string(kPost) + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        BytesRow{"TeVariant", std::string(kPost) + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        BytesRow{"TeVerticalTab", std::string(kPost) + "Transfer-Encoding: \x0b"
                                                       "chunked\r\n\r\n0\r\n\r\n"},
        BytesRow{"SpaceBeforeColon",
                 std::string(kPost) + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
        BytesRow{"FoldedTe",
                 std::string(kPost) + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
        BytesRow{"SignedLength", std::string(kPost) + "Content-Length: +3\r\n\r\nabc"},
        BytesRow{"NegativeLength", std::string(kPost) + "Content-Length: -1\r\n\r\n"},
        BytesRow{"HexLength", std::string(kPost) + "Content-Length: 0x3\r\n\r\nabc"},
        BytesRow{"LengthList", std::string(kPost) + "Content-Length: 3, 4\r\n\r\nabc"},
        BytesRow{"HugeChunk",
                 std::string(kPost) +
                     "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n"},
        BytesRow{"SignedChunk",
                 std::string(kPost) + "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n"},
        BytesRow{"ChunkWithBareLf",
                 std::string(kPost) + "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n"},
        BytesRow{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}),
    [](const auto& row) { return row.param.name; });

// --- Half-closed sockets ---

TEST_F(HostileClientTest, IsNotAnsweredWhenItClosesInTheMiddleOfAHead) {
  Host();
  RawClient client(port());
  client.Send("GET / HTTP/1.1\r\nHos");
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), "");
  const auto report = handler_.AwaitReports(1).at(0);
  EXPECT_TRUE(report.wire.fin_received);
  EXPECT_EQ(report.requests, 0U);
}

TEST_F(HostileClientTest, IsNotAnsweredWhenItClosesInTheMiddleOfABody) {
  Host();
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(handler_.AwaitReports(1).at(0).requests, 0U);
}

TEST_F(HostileClientTest, FreesTheThreadOfAHangingAnswerWhenItLeaves) {
  handler_.answer = [](const http::Request&) { return ResponsePlan{.fault = FaultKind::kHang}; };
  // Two: the thread of the client before may not be idle again yet.
  Host({.connections_max = 2});
  for (int i = 1; i <= 10; ++i) {
    {
      RawClient client(port());
      client.Send(kGet);
      handler_.AwaitRequests(static_cast<std::size_t>(i));
    }
    const auto reports = handler_.AwaitReports(static_cast<std::size_t>(i));
    ASSERT_EQ(reports.size(), static_cast<std::size_t>(i));
    const auto exchange = handler_.AwaitExchanges(static_cast<std::size_t>(i)).back();
    EXPECT_EQ(exchange.ended_by, "hang");
    EXPECT_TRUE(exchange.wire.fin_received);
    EXPECT_NE(exchange.wire.client_abort, kNever);
  }
}

// --- Expect: 100-continue ---

TEST_F(HostileClientTest, IsToldBeforeItSendsABodyThatNobodyWants) {
  handler_.on_head = [](const http::Request& head) -> std::optional<ResponsePlan> {
    if (head.url.path() != "/closed") return std::nullopt;
    return ResponsePlan{.response = {.status = 401, .body = "no"}};
  };
  Host();
  RawClient client(port());
  client.Send(
      "POST /closed HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(client.ReadToEnd(),
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  EXPECT_EQ(client.end(), End::kFin);
  RawClient open(port());
  open.Send("POST /open HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(open.ReadMessage(), "HTTP/1.1 100 Continue\r\n\r\n");
  open.Send("x");
  EXPECT_EQ(open.ReadMessage(), kHello);
}

// --- Compressed bodies ---

std::string Gzip(std::string text) {
  z_stream stream{};
  ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string Compressed(const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(HostileClientTest, HasItsCompressedBodyHandedOverInClearWhereAsked) {
  Host({.decode_request_bodies = true});
  RawClient client(port());
  client.Send(Compressed(Gzip("hello vendor")));
  EXPECT_EQ(client.ReadMessage(), kHello);
  const auto request = handler_.AwaitRequests(1).at(0);
  EXPECT_EQ(request.body, "hello vendor");
  EXPECT_EQ(request.headers.Get("Content-Encoding"), "gzip");
}

TEST_F(HostileClientTest, HasItsCompressedBodyHandedOverAsItCameOtherwise) {
  Host();
  RawClient client(port());
  client.Send(Compressed(Gzip("hello vendor")));
  EXPECT_EQ(client.ReadMessage(), kHello);
  EXPECT_EQ(handler_.AwaitRequests(1).at(0).body, Gzip("hello vendor"));
}

TEST_F(HostileClientTest, CannotBlowUpTheServerWithASmallBody) {
  Host({.body_bytes_max = 1'000'000, .decode_request_bodies = true});
  RawClient bomb(port());
  bomb.Send(Compressed(Gzip(std::string(100'000'000, 'x'))));
  EXPECT_THAT(bomb.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
  RawClient noise(port());
  noise.Send(Compressed("noise"));
  EXPECT_THAT(noise.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
}

// --- Faults of a connection in clear ---

ConnectionPlan OnSecond(const ConnectionInfo& connection, ConnectionFault fault) {
  return connection.index == 2 ? ConnectionPlan{.fault = fault} : ConnectionPlan{};
}

TEST_F(HostileClientTest, MeetsAResetInPlaceOfTheSecondConnection) {
  handler_.accept = [](const auto& c) { return OnSecond(c, ConnectionFault::kReset); };
  Host();
  for (int index = 1; index <= 3; ++index) {
    RawClient client(port());
    if (index == 2) {
      EXPECT_EQ(client.ReadToEnd(), "");
      EXPECT_EQ(client.end(), End::kReset);
      continue;
    }
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage(), kHello);
  }
}

TEST_F(HostileClientTest, MeetsACloseInPlaceOfTheSecondConnection) {
  handler_.accept = [](const auto& c) { return OnSecond(c, ConnectionFault::kClose); };
  Host();
  RawClient first(port());
  first.Send(kGet);
  EXPECT_EQ(first.ReadMessage(), kHello);
  RawClient second(port());
  EXPECT_EQ(second.ReadToEnd(), "");
  EXPECT_EQ(second.end(), End::kFin);
}

TEST_F(HostileClientTest, MeetsSilenceUntilItLeaves) {
  handler_.accept = [](const auto&) { return ConnectionPlan{.fault = ConnectionFault::kSilence}; };
  Host();
  {
    RawClient client(port());
    client.Send(kGet);
    ASSERT_EQ(handler_.AwaitAccepted(1), 1U);
  }
  const auto report = handler_.AwaitReports(1).at(0);
  EXPECT_TRUE(report.wire.fin_received);
  EXPECT_EQ(report.wire.response_bytes, 0U);
  EXPECT_EQ(report.requests, 0U);
}

TEST_F(HostileClientTest, DoesNotMeetAFaultOfTlsInClear) {
  handler_.accept = [](const auto&) { return ConnectionPlan{.fault = ConnectionFault::kTlsReset}; };
  Host();
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

// --- Wire facts ---

TEST_F(HostileClientTest, LeavesFactsOfEachExchange) {
  Host();
  RawClient client(port());
  client.Send(std::string(kGet).append(kGet));
  EXPECT_EQ(client.ReadMessage(), kHello);
  EXPECT_EQ(client.ReadMessage(), kHello);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  client.ReadToEnd();
  const auto exchanges = handler_.AwaitExchanges(3);
  for (std::size_t i = 0; i < 3; ++i) {
    const WireFacts& wire = exchanges.at(i).wire;
    EXPECT_EQ(wire.connection, 1U);
    EXPECT_EQ(wire.reuse, i);
    EXPECT_FALSE(wire.tls);
    EXPECT_EQ(wire.fin_sent, i == 2);
    EXPECT_FALSE(wire.rst_sent || wire.rst_received || wire.fin_received);
    EXPECT_EQ(wire.client_abort, kNever);
    EXPECT_THAT(wire.client_address, StartsWith("127.0.0.1:"));
  }
  EXPECT_EQ(exchanges.at(0).wire.request_bytes, kGet.size());
  EXPECT_EQ(exchanges.at(1).wire.request_bytes, kGet.size());
  EXPECT_EQ(exchanges.at(2).wire.request_bytes, 69U);
  EXPECT_EQ(exchanges.at(0).wire.response_bytes, kHello.size());
  EXPECT_EQ(exchanges.at(1).wire.response_bytes, kHello.size());
  EXPECT_EQ(exchanges.at(2).wire.response_bytes, kHello.size() + 19);
  const auto report = handler_.AwaitReports(1).at(0);
  EXPECT_EQ(report.requests, 3U);
  EXPECT_EQ(report.wire.request_bytes, 2 * kGet.size() + 69);
}

TEST_F(HostileClientTest, LeavesTheTimeAtWhichItGaveUp) {
  handler_.answer = [](const http::Request&) {
    return ResponsePlan{.response = {.body = std::string(100, 'x')}, .latency = milliseconds(200)};
  };
  Host();
  TimePoint left;
  {
    RawClient client(port());
    client.Send(kGet);
    handler_.AwaitRequests(1);
  }
  left = clock_.Now();
  const auto exchange = handler_.AwaitExchanges(1).at(0);
  EXPECT_EQ(exchange.ended_by, "client-gone");
  EXPECT_TRUE(exchange.wire.fin_received);
  ASSERT_NE(exchange.wire.client_abort, kNever);
  // Generous for a busy machine, and still far from the end of the latency.
  EXPECT_LT(exchange.wire.client_abort - left, milliseconds(150));
  EXPECT_GT(exchange.wire.client_abort - left, milliseconds(-150));
}

TEST_F(HostileClientTest, LeavesTheFactThatItWasReset) {
  handler_.answer = [](const http::Request&) {
    return ResponsePlan{.response = {.body = "x"}, .fault = FaultKind::kReset};
  };
  Host();
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), "");
  const auto exchange = handler_.AwaitExchanges(1).at(0);
  EXPECT_TRUE(exchange.wire.rst_sent);
  EXPECT_FALSE(exchange.wire.fin_sent);
  EXPECT_EQ(exchange.wire.response_bytes, 0U);
}

// --- Many ---

TEST_F(HostileClientTest, AmongAThousandKeepAliveConnectionsGetsEveryAnswer) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < 2100) GTEST_SKIP() << "needs 2,100 file descriptors";
  Host();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    ASSERT_TRUE(clients.back()->connected()) << i;
  }
  for (int round = 0; round < 5; ++round) {
    for (const auto& client : clients) client->Send(kGet);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_EQ(clients[i]->ReadMessage(), kHello) << round << " " << i;
    }
  }
  const auto exchanges = handler_.AwaitExchanges(5000);
  EXPECT_TRUE(std::all_of(exchanges.begin(), exchanges.end(),
                          [](const auto& exchange) { return exchange.completed; }));
}

}  // namespace
}  // namespace understudy::harness
