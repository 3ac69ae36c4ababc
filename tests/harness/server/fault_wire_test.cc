// Each fault at the socket: the exact bytes, and how the connection ends, on its first request and
// on a later one.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/server/http_server.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/raw_client.h"
#include "tests/harness/server/server_fakes.h"
#include "tests/harness/server/tls_client.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::EndsWith;
using testing::StartsWith;
using End = RawClient::End;
using In = AnswerPoint::In;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kWell = "GET /well HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string kBody = "0123456789";
const std::string kHead =
    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
const std::string kChunkedHead =
    "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

// Answers /well with "hello", anything else with the plan; a head of "/early" at once.
class FaultyHandler final : public PlannedHandler {
 public:
  explicit FaultyHandler(ResponsePlan plan)
      : inner_([plan = std::move(plan)](const http::Request& request) {
          if (request.url.path() == "/well") return ResponsePlan{.response = {.body = "hello"}};
          return plan;
        }) {}

  std::optional<ResponsePlan> OnHead(const http::Request& head) override {
    if (head.url.path() != "/early") return std::nullopt;
    return inner_.Handle(head);
  }
  ResponsePlan Handle(const http::Request& request) override { return inner_.Handle(request); }
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override {
    inner_.Completed(plan, outcome);
  }
  ScriptedHandler& inner() { return inner_; }

 private:
  ScriptedHandler inner_;
};

ResponsePlan Plan(FaultKind kind, FaultDetail detail = {}) {
  return {.response = {.headers = {{"A", "b"}}, .body = kBody},
          .fault = kind,
          .drip = detail.drip,
          .fault_detail = detail};
}

FaultDetail At(AnswerPoint point, bool chunked = false) {
  FaultDetail detail{.at = point, .chunk_bytes = 4};
  if (chunked) detail.framing = FaultDetail::Framing::kChunked;
  return detail;
}

struct Row {
  std::string name;
  FaultKind kind;
  FaultDetail detail;
  std::string bytes;
  End end;
};

class FaultServerTest : public testing::Test {
 protected:
  void Host(ResponsePlan plan, HttpServerOptions options = {}) {
    server_.reset();  // Before the handler that it uses.
    handler_ = std::make_unique<FaultyHandler>(std::move(plan));
    auto server = HttpServer::Start(clock_, *handler_, std::move(options));
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = *std::move(server);
  }
  std::uint16_t port() const { return server_->port(); }

  SystemClock clock_;
  std::unique_ptr<FaultyHandler> handler_;
  std::unique_ptr<HttpServer> server_;
};

class FaultWireTest : public FaultServerTest,
                      public testing::WithParamInterface<std::tuple<Row, bool>> {};

TEST_P(FaultWireTest, ArrivesAsNamed) {
  const auto& [row, reused] = GetParam();
  Host(Plan(row.kind, row.detail));
  RawClient client(port());
  if (reused) {
    client.Send(kWell);
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), row.bytes);
  EXPECT_EQ(client.end(), row.end);
  const auto exchanges = handler_->inner().AwaitExchanges(reused ? 2 : 1);
  EXPECT_EQ(exchanges.back().ended_by, ToString(row.kind));
}

std::vector<Row> PointRows() {
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const FaultDetail& detail, std::string bytes) {
    rows.push_back({"Reset" + name, FaultKind::kReset, detail, bytes, End::kReset});
    rows.push_back({"Close" + name, FaultKind::kClose, detail, bytes, End::kFin});
  };
  add("Before", At({}), "");
  add("InTheStatusLine", At(AnswerPoint::Of(In::kStatusLine)), "HTTP/1.1");
  add("InTheHeaders", At(AnswerPoint::Of(In::kHeaders)),
      kHead.substr(0, 17 + (kHead.size() - 17) / 2));
  add("AfterTheFirstByte", At(AnswerPoint::HeadByte(1)), "H");
  add("AfterTheWholeHead", At(AnswerPoint::HeadByte(kHead.size())), kHead);
  add("BeyondTheHead", At(AnswerPoint::HeadByte(100'000)), kHead);
  add("BeforeTheBody", At(AnswerPoint::BodyByte(0)), kHead);
  add("InTheBody", At(AnswerPoint::BodyByte(3)), kHead + "012");
  add("BeforeTheLastByte", At(AnswerPoint::BodyByte(9)), kHead + "012345678");
  add("BeyondTheBody", At(AnswerPoint::BodyByte(100)), kHead + "012345678");
  add("AtAFraction", At(AnswerPoint::Fraction(0.39)), kHead + "012");
  add("InAChunk", At(AnswerPoint::InChunk(2, 1), true), kChunkedHead + "4\r\n0123\r\n4\r\n4");
  add("BeforeAChunksData", At(AnswerPoint::InChunk(2, 0), true),
      kChunkedHead + "4\r\n0123\r\n4\r\n");
  add("AfterAChunksData", At(AnswerPoint::InChunk(3, 9), true),
      kChunkedHead + "4\r\n0123\r\n4\r\n4567\r\n2\r\n89");
  add("BeyondTheChunks", At(AnswerPoint::InChunk(9, 0), true),
      kChunkedHead + "4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n");
  add("InChunkedData", At(AnswerPoint::BodyByte(5), true), kChunkedHead + "4\r\n0123\r\n4\r\n4");
  add("WithoutTheLastChunk", At(AnswerPoint::Fraction(1), true),
      kChunkedHead + "4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n");
  add("AfterEverything", At(AnswerPoint::Of(In::kEnd)),
      "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n0123456789");
  return rows;
}

std::vector<Row> OtherRows() {
  FaultDetail first{.chunk_bytes = 4, .bad_chunk = 1};
  FaultDetail third{.chunk_bytes = 4, .bad_chunk = 3};
  FaultDetail chunked = At({}, true);
  return {
      {"TruncateChunked", FaultKind::kTruncate, chunked, kChunkedHead + "4\r\n0123\r\n4\r\n4",
       End::kFin},
      {"MalformedFirstChunk", FaultKind::kMalformedChunk, first, kChunkedHead + "not-a-size\r\n",
       End::kFin},
      {"MalformedThirdChunk", FaultKind::kMalformedChunk, third,
       kChunkedHead + "4\r\n0123\r\n4\r\n4567\r\nnot-a-size\r\n", End::kFin},
  };
}

const auto kRowName = [](const auto& row) {
  return std::get<0>(row.param).name + (std::get<1>(row.param) ? "Reused" : "Fresh");
};

INSTANTIATE_TEST_SUITE_P(Points, FaultWireTest,
                         testing::Combine(testing::ValuesIn(PointRows()), testing::Bool()),
                         kRowName);
INSTANTIATE_TEST_SUITE_P(Others, FaultWireTest,
                         testing::Combine(testing::ValuesIn(OtherRows()), testing::Bool()),
                         kRowName);

class FaultUnderTlsTest : public FaultServerTest,
                          public testing::WithParamInterface<std::tuple<Row, bool>> {};

TEST_P(FaultUnderTlsTest, ArrivesAsNamed) {
  const auto& [row, reused] = GetParam();
  Host(Plan(row.kind, row.detail), {.tls = TlsOptions{}});
  TlsClient client(port(), {.ca_pem = server_->ca_pem()});
  if (reused) {
    client.Send(kWell);
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), row.bytes);
  EXPECT_EQ(client.end(),
            row.end == End::kReset ? TlsClient::End::kReset : TlsClient::End::kCloseNotify);
  const auto exchanges = handler_->inner().AwaitExchanges(reused ? 2 : 1);
  EXPECT_EQ(exchanges.back().ended_by, ToString(row.kind));
}

INSTANTIATE_TEST_SUITE_P(Points, FaultUnderTlsTest,
                         testing::Combine(testing::ValuesIn(PointRows()), testing::Bool()),
                         kRowName);
INSTANTIATE_TEST_SUITE_P(Others, FaultUnderTlsTest,
                         testing::Combine(testing::ValuesIn(OtherRows()), testing::Bool()),
                         kRowName);

TEST_F(FaultServerTest, StallsInTheMiddleOfTheBodyUntilTheServerStops) {
  Host(Plan(FaultKind::kHang, At(AnswerPoint::BodyByte(4))));
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(/*bodiless=*/true), kHead);
  // Longer than anything else here takes: a client with a timeout sees a timeout, no end.
  client.SetPatience(milliseconds(50));
  EXPECT_EQ(client.ReadToEnd(), "0123");
  EXPECT_EQ(client.end(), End::kTimeout);
  server_->Stop();
  EXPECT_EQ(handler_->inner().AwaitExchanges(1).at(0).ended_by, "hang");
}

TEST_F(FaultServerTest, SendsAsMuchGarbageAsAsked) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{100'000}}) {
    Host(Plan(FaultKind::kGarbage, {.garbage_bytes = bytes}));
    RawClient client(port());
    client.Send(kGet);
    const std::string garbage = client.ReadToEnd();
    EXPECT_EQ(garbage.size(), bytes);
    EXPECT_TRUE(std::all_of(garbage.begin(), garbage.end(),
                            [](char c) { return static_cast<unsigned char>(c) >= 0x80; }));
    EXPECT_EQ(client.end(), End::kFin);
  }
}

TEST_F(FaultServerTest, AStaleConnectionIsResetWhenTheNextRequestArrives) {
  Host(Plan(FaultKind::kStaleKeepAlive));
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_TRUE(handler_->inner().AwaitExchanges(1).at(0).completed);
  client.SetPatience(milliseconds(50));
  EXPECT_EQ(client.ReadToEnd(), "") << "nothing happens before the next request";
  EXPECT_EQ(client.end(), End::kTimeout);
  client.Send(kWell);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(client.end(), End::kReset);
  EXPECT_EQ(handler_->inner().requests(), 1U) << "the second request reaches nobody";
}

TEST_F(FaultServerTest, AStaleConnectionIsClosedWhenTheNextRequestArrives) {
  Host(Plan(FaultKind::kStaleKeepAlive, {.then = FaultDetail::Then::kClose}));
  RawClient client(port());
  client.Send(kGet);
  client.ReadMessage();
  client.Send(kWell);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(client.end(), End::kFin);
  EXPECT_EQ(handler_->inner().requests(), 1U);
}

TEST_F(FaultServerTest, AStaleConnectionHasNoWordForAPipelinedRequest) {
  Host(Plan(FaultKind::kStaleKeepAlive, {.then = FaultDetail::Then::kClose}));
  RawClient client(port());
  client.Send(std::string(kGet) + std::string(kWell));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("0123456789"));
  EXPECT_EQ(client.end(), End::kFin);
}

TEST_F(FaultServerTest, AnEarlyResponseComesBeforeTheBody) {
  Host(Plan(FaultKind::kEarlyResponse));
  RawClient client(port());
  client.Send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nthe beginning");
  EXPECT_EQ(client.ReadMessage(), kHead + kBody);
  // The connection has its FIN, and what is still sent is read by nobody, without an RST.
  client.Send(std::string(987, 'x'));
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(client.end(), End::kFin);
}

TEST_F(FaultServerTest, AnEarlyResponseCanResetTheUpload) {
  Host(Plan(FaultKind::kEarlyResponse, {.then = FaultDetail::Then::kReset}));
  RawClient client(port());
  client.Send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nthe beginning");
  EXPECT_THAT(client.ReadToEnd(), EndsWith(kBody));
  EXPECT_EQ(client.end(), End::kReset);
}

TEST_F(FaultServerTest, AnEarlyResponseCanKeepTheConnection) {
  Host(Plan(FaultKind::kEarlyResponse, {.then = FaultDetail::Then::kKeep}));
  RawClient client(port());
  client.Send(
      "POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
  EXPECT_EQ(client.ReadMessage(),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n0123456789");
  client.Send("3\r\nend\r\n0\r\n\r\n");
  client.Send(kWell);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

TEST_F(FaultServerTest, AnEarlyResponseInsteadOfContinueEndsTheConnection) {
  Host(Plan(FaultKind::kEarlyResponse, {.then = FaultDetail::Then::kKeep}));
  RawClient client(port());
  client.Send(
      "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadMessage(), kHead + kBody);
  client.FinishSending();
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(FaultPaceTest, BandwidthIsExactOnTheClockAndKeepsTheConnection) {
  SkippingClock clock;
  FaultyHandler handler(Plan(FaultKind::kBandwidth, {.bytes_per_second = 4}));
  const auto server = std::move(HttpServer::Start(clock, handler, {}).value());
  const TimePoint began = clock.Now();
  RawClient client(server->port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_EQ(clock.Now() - began, milliseconds(2'500)) << "10 bytes at 4 per second";
  EXPECT_EQ(clock.waits().size(), 10U) << "byte by byte";
  client.Send(kWell);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

}  // namespace
}  // namespace understudy::harness
