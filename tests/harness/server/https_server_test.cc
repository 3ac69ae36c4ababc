#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/server/http_server.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/raw_client.h"
#include "tests/harness/server/recording_handler.h"
#include "tests/harness/server/server_fakes.h"
#include "tests/harness/server/tls_client.h"

namespace understudy::harness {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using End = TlsClient::End;

constexpr std::string_view kGet = "GET /orders HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

// Making an authority takes a moment; one serves all tests.
const std::shared_ptr<const LocalCa>& Ca() {
  static const std::shared_ptr<const LocalCa> kCa = LocalCa::Create().value();
  return kCa;
}

class HttpsServerTest : public testing::Test {
 protected:
  void Host(TlsOptions tls = {}, HttpServerOptions options = {}) {
    if (tls.ca == nullptr) tls.ca = Ca();
    options.tls = std::move(tls);
    auto server = HttpServer::Start(clock_, handler_, std::move(options));
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(server).value();
  }
  std::uint16_t port() const { return server_->port(); }
  static TlsClientOptions Trusting() { return {.ca_pem = Ca()->certificate_pem()}; }

  SystemClock clock_;
  RecordingHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

// --- Certificates on the fly ---

TEST_F(HttpsServerTest, MakesAnAuthorityOfItsOwnAndTellsIt) {
  auto server = HttpServer::Start(clock_, handler_, {.tls = TlsOptions{}});
  ASSERT_TRUE(server) << server.error().ToString();
  EXPECT_EQ((*server)->url(), "https://127.0.0.1:" + std::to_string((*server)->port()));
  EXPECT_THAT((*server)->ca_pem(), StartsWith("-----BEGIN CERTIFICATE-----\n"));
  TlsClient client((*server)->port(), {.ca_pem = (*server)->ca_pem()});
  ASSERT_TRUE(client.secure()) << client.error();
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

TEST_F(HttpsServerTest, ShowsACertificateForWhateverNameIsAsked) {
  Host();
  for (const std::string host :
       {"api.stripe.com", "API.Acme.Test", "localhost", "a-b.c_d.example"}) {
    auto options = Trusting();
    options.host = host;
    TlsClient client(port(), options);
    EXPECT_TRUE(client.secure()) << host << ": " << client.error();
  }
}

TEST_F(HttpsServerTest, ShowsItsAddressToAClientThatAsksForNoName) {
  Host();
  auto options = Trusting();
  options.host = "127.0.0.1";  // Verified, and not sent: SNI has no addresses.
  TlsClient client(port(), options);
  EXPECT_TRUE(client.secure()) << client.error();
}

TEST_F(HttpsServerTest, IsNotTrustedByAClientThatDoesNotKnowItsAuthority) {
  Host();
  TlsClient client(port(), {});
  EXPECT_FALSE(client.secure());
  EXPECT_EQ(client.verify_result(), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_F(HttpsServerTest, ShowsTheIdentityThatItWasGiven) {
  Host({.identity = Ca()->Issue({"fixed.test"}).value()});
  auto options = Trusting();
  options.host = "fixed.test";
  EXPECT_TRUE(TlsClient(port(), options).secure());
  options.host = "other.test";
  TlsClient other(port(), options);
  EXPECT_FALSE(other.secure());
  EXPECT_EQ(other.verify_result(), X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_EQ(server_->ca_pem(), "");
}

TEST_F(HttpsServerTest, HandsOverUrlsWithTheSchemeHttps) {
  Host();
  TlsClient client(port(), Trusting());
  client.Send("GET /a?b HTTP/1.1\r\nHost: api.acme.test\r\n\r\n");
  client.ReadMessage();
  EXPECT_EQ(handler_.AwaitRequests(1).at(0).url.ToString(), "https://api.acme.test/a?b");
}

// --- Versions, ALPN, sessions ---

TEST_F(HttpsServerTest, SpeaksTls12And13) {
  Host();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto options = Trusting();
    options.min_version = version;
    options.max_version = version;
    TlsClient client(port(), options);
    ASSERT_TRUE(client.secure()) << client.error();
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage(), kHello);
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage(), kHello);
  }
  EXPECT_EQ(handler_.AwaitExchanges(4).at(0).wire.tls->version, "TLSv1.2");
  EXPECT_EQ(handler_.AwaitExchanges(4).at(2).wire.tls->version, "TLSv1.3");
}

TEST_F(HttpsServerTest, RefusesAVersionBelowItsMinimum) {
  Host({.min_version = TlsVersion::kTls13});
  auto options = Trusting();
  options.max_version = TLS1_2_VERSION;
  TlsClient client(port(), options);
  EXPECT_FALSE(client.secure());
  EXPECT_THAT(client.error(), HasSubstr("alert protocol version"));
}

TEST_F(HttpsServerTest, AgreesOnHttp11) {
  Host();
  auto options = Trusting();
  options.alpn = "http/1.1";
  EXPECT_EQ(TlsClient(port(), options).alpn(), "http/1.1");
}

TEST_F(HttpsServerTest, RefusesAClientThatOffersOtherProtocolsOnly) {
  Host();
  auto options = Trusting();
  options.alpn = "h2";
  TlsClient client(port(), options);
  EXPECT_FALSE(client.secure());
  EXPECT_THAT(client.error(), HasSubstr("no application protocol"));
}

class ResumptionTest : public HttpsServerTest, public testing::WithParamInterface<int> {};

TEST_P(ResumptionTest, LetsAClientResumeItsSessionAndTellsSo) {
  Host();
  auto options = Trusting();
  options.min_version = GetParam();
  options.max_version = GetParam();
  TlsClient first(port(), options);
  first.Send(kGet);
  EXPECT_EQ(first.ReadMessage(), kHello);
  options.session = first.session();
  TlsClient second(port(), options);
  EXPECT_TRUE(second.resumed());
  second.Send(kGet);
  EXPECT_EQ(second.ReadMessage(), kHello);
  const auto exchanges = handler_.AwaitExchanges(2);
  EXPECT_FALSE(exchanges.at(0).wire.tls->session_reused);
  EXPECT_TRUE(exchanges.at(1).wire.tls->session_reused);
}

// Without a handshake in full no certificate would be shown.
TEST_P(ResumptionTest, IsRefusedWhereAFlawedCertificateIsToBeShown) {
  handler_.accept = [](const ConnectionInfo& connection) {
    return connection.index == 2 ? ConnectionPlan{.fault = ConnectionFault::kTlsExpired}
                                 : ConnectionPlan{};
  };
  Host();
  auto options = Trusting();
  options.min_version = GetParam();
  options.max_version = GetParam();
  TlsClient first(port(), options);
  first.Send(kGet);
  EXPECT_EQ(first.ReadMessage(), kHello);
  options.session = first.session();
  TlsClient second(port(), options);
  EXPECT_FALSE(second.secure());
  EXPECT_EQ(second.verify_result(), X509_V_ERR_CERT_HAS_EXPIRED);
  TlsClient third(port(), options);
  EXPECT_TRUE(third.resumed());
}

INSTANTIATE_TEST_SUITE_P(Versions, ResumptionTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& row) {
                           return row.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

// --- Mutual TLS ---

TEST_F(HttpsServerTest, ServesAClientWithACertificateWhereOneIsRequired) {
  Host({.client_certificate = ClientCertificate::kRequired,
        .client_ca_pem = Ca()->certificate_pem()});
  auto options = Trusting();
  options.identity = Ca()->IssueClient("billing").value();
  TlsClient client(port(), options);
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

struct RefusedClientRow {
  std::string name;
  std::optional<CertificateFlaw> flaw;  // nullopt: no certificate
  std::string error;
};

class RefusedClientTest : public HttpsServerTest,
                          public testing::WithParamInterface<RefusedClientRow> {};

TEST_P(RefusedClientTest, IsRefusedInTheHandshake) {
  Host({.client_certificate = ClientCertificate::kRequired,
        .client_ca_pem = Ca()->certificate_pem(),
        .max_version = TlsVersion::kTls12});
  auto options = Trusting();
  if (GetParam().flaw) options.identity = Ca()->IssueClient("billing", *GetParam().flaw).value();
  TlsClient client(port(), options);
  EXPECT_FALSE(client.secure());
  const auto report = handler_.AwaitReports(1).at(0);
  EXPECT_THAT(report.handshake_error, HasSubstr(GetParam().error));
  EXPECT_EQ(report.requests, 0U);
}

INSTANTIATE_TEST_SUITE_P(Rows, RefusedClientTest,
                         testing::Values(RefusedClientRow{"None", std::nullopt,
                                                          "peer did not return a certificate"},
                                         RefusedClientRow{"Expired", CertificateFlaw::kExpired,
                                                          "certificate verify failed"},
                                         RefusedClientRow{"Stranger", CertificateFlaw::kUnknownCa,
                                                          "certificate verify failed"}),
                         [](const auto& row) { return row.param.name; });

TEST_F(HttpsServerTest, ServesAClientWithoutACertificateWhereOneIsOptional) {
  Host({.client_certificate = ClientCertificate::kOptional,
        .client_ca_pem = Ca()->certificate_pem()});
  TlsClient without(port(), Trusting());
  without.Send(kGet);
  EXPECT_EQ(without.ReadMessage(), kHello);
  auto options = Trusting();
  options.identity = Ca()->IssueClient("billing", CertificateFlaw::kUnknownCa).value();
  TlsClient stranger(port(), options);
  stranger.Send(kGet);
  EXPECT_EQ(stranger.ReadMessage(), "");
}

// --- Wrong options ---

struct WrongOptionsRow {
  std::string name;
  TlsOptions options;
  std::string message;
};

class WrongOptionsTest : public HttpsServerTest,
                         public testing::WithParamInterface<WrongOptionsRow> {};

TEST_P(WrongOptionsTest, AreRefused) {
  const auto server = HttpServer::Start(clock_, handler_, {.tls = GetParam().options});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(server.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, WrongOptionsTest,
    testing::Values(
        WrongOptionsRow{
            "NobodySigns", {.client_certificate = ClientCertificate::kRequired}, "names nobody"},
        WrongOptionsRow{"ClientCaWithoutEffect", {.client_ca_pem = "x"}, "has no effect"},
        WrongOptionsRow{
            "NoPem",
            {.client_certificate = ClientCertificate::kOptional, .client_ca_pem = "hello"},
            "not a PEM text"},
        WrongOptionsRow{"Versions",
                        {.min_version = TlsVersion::kTls13, .max_version = TlsVersion::kTls12},
                        "above"},
        WrongOptionsRow{"NoTime", {.handshake_timeout = Duration::zero()}, "positive"},
        WrongOptionsRow{
            "NoIdentity", {.identity = TlsIdentity{.certificate_pem = "x"}}, "not a PEM text"},
        WrongOptionsRow{
            "OtherKey",
            {.identity = TlsIdentity{.certificate_pem = Ca()->Issue({"a"}).value().certificate_pem,
                                     .key_pem = Ca()->Issue({"a"}).value().key_pem}},
            "does not belong"}),
    [](const auto& row) { return row.param.name; });

// --- The handshake ---

TEST_F(HttpsServerTest, TellsAClientInClearThatThePortSpeaksTls) {
  Host();
  RawClient client(port());
  client.Send(kGet);
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("use https://127.0.0.1:" + std::to_string(port())));
  EXPECT_EQ(client.end(), RawClient::End::kFin);
  EXPECT_EQ(handler_.AwaitReports(1).at(0).handshake_error, "the client speaks HTTP in clear");
}

TEST_F(HttpsServerTest, CutsOffAClientThatIsSlowInTheHandshake) {
  Host({.handshake_timeout = milliseconds(30)});
  RawClient silent(port());
  RawClient slow(port());
  slow.Send("\x16\x03\x01");
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_EQ(slow.ReadToEnd(), "");
  for (const auto& report : handler_.AwaitReports(2))
    EXPECT_THAT(report.handshake_error, HasSubstr("took too long"));
}

TEST_F(HttpsServerTest, SurvivesNoiseInPlaceOfAHandshake) {
  Host();
  RawClient noise(port());
  noise.Send(std::string("\x16\x03\x01\x00\x05\x01\x02\x03\x04\x05", 10) + std::string(5000, 'x'));
  noise.FinishSending();
  noise.ReadToEnd();
  TlsClient client(port(), Trusting());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

TEST_F(HttpsServerTest, StopsAtOnceWithHandshakesUnderWay) {
  Host({.handshake_timeout = hours(1)});
  RawClient silent(port());
  RawClient half(port());
  half.Send("\x16\x03\x01");
  TlsClient idle(port(), Trusting());
  idle.Send(kGet);
  EXPECT_EQ(idle.ReadMessage(), kHello);
  ASSERT_EQ(handler_.AwaitAccepted(3), 3U);
  const auto began = steady_clock::now();
  server_->Stop();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(idle.end(), End::kCloseNotify);
}

// --- Connections ---

TEST_F(HttpsServerTest, AnswersPipelinedRequestsAndLargeBodies) {
  handler_.answer = [](const http::Request& request) {
    return ResponsePlan{.response = {.body = request.body}};
  };
  Host();
  std::string body(3'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 % 251);
  TlsClient client(port(), Trusting());
  client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" +
      body);
  EXPECT_THAT(client.ReadMessage(), EndsWith("\r\n\r\none"));
  EXPECT_TRUE(client.ReadMessage().ends_with("\r\n\r\n" + body));
}

TEST_F(HttpsServerTest, ClosesASilentConnectionWithCloseNotify) {
  Host({}, {.keep_alive_timeout = milliseconds(20)});
  TlsClient client(port(), Trusting());
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), kHello);
  EXPECT_EQ(client.end(), End::kCloseNotify);
}

TEST_F(HttpsServerTest, ServesManyClientsAtOnce) {
  Host();
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<TlsClient>(port(), Trusting()));
    ASSERT_TRUE(clients.back()->secure()) << i << clients.back()->error();
  }
  for (const auto& client : clients) client->Send(kGet);
  for (const auto& client : clients) EXPECT_EQ(client->ReadMessage(), kHello);
}

// --- Faults of a connection ---

struct FlawRow {
  std::string name;
  ConnectionFault fault;
  long verify_result;
  std::string alert;
};

class FlawTest : public HttpsServerTest, public testing::WithParamInterface<FlawRow> {};

TEST_P(FlawTest, ShowsOnTheThirdConnectionAndOnNoOther) {
  handler_.accept = [](const ConnectionInfo& connection) {
    return connection.index == 3 ? ConnectionPlan{.fault = GetParam().fault} : ConnectionPlan{};
  };
  Host();
  for (int index = 1; index <= 4; ++index) {
    TlsClient client(port(), Trusting());
    EXPECT_EQ(client.secure(), index != 3) << index;
    if (index == 3) {
      EXPECT_EQ(client.verify_result(), GetParam().verify_result);
    }
  }
  const auto reports = handler_.AwaitReports(4);
  const auto third = std::find_if(reports.begin(), reports.end(),
                                  [](const auto& report) { return report.connection.index == 3; });
  ASSERT_NE(third, reports.end());
  EXPECT_EQ(third->plan.fault, GetParam().fault);
  EXPECT_THAT(third->handshake_error,
              HasSubstr("the client ended the handshake: " + GetParam().alert));
}

// A client that does not look is served: the flaw is in the certificate alone.
TEST_P(FlawTest, DoesNotKeepAClientOutThatDoesNotVerify) {
  handler_.accept = [](const ConnectionInfo&) { return ConnectionPlan{.fault = GetParam().fault}; };
  Host();
  auto options = Trusting();
  options.verify = false;
  TlsClient client(port(), options);
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, FlawTest,
    testing::Values(FlawRow{"Expired", ConnectionFault::kTlsExpired, X509_V_ERR_CERT_HAS_EXPIRED,
                            "certificate expired"},
                    FlawRow{"NotYetValid", ConnectionFault::kTlsNotYetValid,
                            X509_V_ERR_CERT_NOT_YET_VALID, "bad certificate"},
                    FlawRow{"WrongHost", ConnectionFault::kTlsWrongHost,
                            X509_V_ERR_HOSTNAME_MISMATCH, "bad certificate"},
                    FlawRow{"UnknownCa", ConnectionFault::kTlsUnknownCa,
                            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown CA"}),
    [](const auto& row) { return row.param.name; });

TEST_F(HttpsServerTest, RefusesTheHandshakeWithAnAlert) {
  handler_.accept = [](const ConnectionInfo&) {
    return ConnectionPlan{.fault = ConnectionFault::kTlsAlert};
  };
  Host();
  TlsClient client(port(), Trusting());
  EXPECT_FALSE(client.secure());
  EXPECT_THAT(client.error(), HasSubstr("alert handshake failure"));
}

TEST_F(HttpsServerTest, ResetsAfterTheClientHello) {
  handler_.accept = [](const ConnectionInfo&) {
    return ConnectionPlan{.fault = ConnectionFault::kTlsReset};
  };
  Host();
  TlsClient client(port(), {.handshake = false});
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(client.end(), End::kReset);
  EXPECT_TRUE(handler_.AwaitReports(1).at(0).wire.rst_sent);
}

TEST_F(HttpsServerTest, StallsAfterTheClientHelloUntilTheClientLeaves) {
  handler_.accept = [](const ConnectionInfo&) {
    return ConnectionPlan{.fault = ConnectionFault::kTlsStall};
  };
  Host({.handshake_timeout = milliseconds(1)});  // Does not end a planned stall.
  {
    TlsClient client(port(), {.handshake = false});
    ASSERT_EQ(handler_.AwaitAccepted(1), 1U);
  }
  const auto report = handler_.AwaitReports(1).at(0);
  EXPECT_TRUE(report.wire.fin_received);
  EXPECT_EQ(report.wire.response_bytes, 0U);
}

TEST_F(HttpsServerTest, StopsAtOnceWithAStalledHandshake) {
  handler_.accept = [](const ConnectionInfo&) {
    return ConnectionPlan{.fault = ConnectionFault::kTlsStall};
  };
  Host();
  TlsClient client(port(), {.handshake = false});
  ASSERT_EQ(handler_.AwaitAccepted(1), 1U);
  const auto began = steady_clock::now();
  server_->Stop();
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(HttpsServerTest, EndsWithoutCloseNotify) {
  handler_.accept = [](const ConnectionInfo&) {
    return ConnectionPlan{.fault = ConnectionFault::kTlsNoCloseNotify};
  };
  Host();
  TlsClient client(port(), Trusting());
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage(), kHello);
  client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), EndsWith("\r\n\r\nhello"));
  EXPECT_EQ(client.end(), End::kFin);
}

// --- Faults of an exchange, under TLS ---

struct FaultRow {
  FaultKind kind;
  std::string bytes;
  End end;
};

const std::string kClosingHead =
    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";

class TlsFaultTest : public testing::TestWithParam<std::tuple<FaultRow, bool>> {};

TEST_P(TlsFaultTest, ShowsUnderTlsAsPlanned) {
  const auto& [row, reused] = GetParam();
  SkippingClock clock;
  RecordingHandler handler;
  handler.answer = [fault = row.kind](const http::Request& request) {
    if (request.url.path() == "/well") return ResponsePlan{.response = {.body = "hello"}};
    return ResponsePlan{.response = {.headers = {{"A", "b"}}, .body = "0123456789"},
                        .latency = milliseconds(300),
                        .fault = fault,
                        .drip = {.piece_bytes = 4, .pause = milliseconds(50)}};
  };
  const auto server = HttpServer::Start(clock, handler, {.tls = TlsOptions{.ca = Ca()}}).value();
  TlsClient client(server->port(), {.ca_pem = Ca()->certificate_pem()});
  if (reused) {
    client.Send("GET /well HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_EQ(client.ReadMessage(), kHello);
  }
  client.Send(kGet);
  EXPECT_EQ(client.ReadToEnd(), row.bytes);
  EXPECT_EQ(client.end(), row.end);
  const auto exchange = handler.AwaitExchanges(reused ? 2 : 1).back();
  EXPECT_EQ(exchange.ended_by, ToString(row.kind));
  EXPECT_EQ(exchange.wire.reuse, reused ? 1U : 0U);
  EXPECT_EQ(exchange.wire.response_bytes, row.bytes.size());
  EXPECT_EQ(exchange.wire.rst_sent, row.end == End::kReset);
  EXPECT_EQ(exchange.wire.fin_sent, row.end != End::kReset);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TlsFaultTest,
    testing::Combine(
        testing::Values(
            FaultRow{FaultKind::kReset, "", End::kReset},
            FaultRow{FaultKind::kResetMidBody, kClosingHead + "01234", End::kReset},
            FaultRow{FaultKind::kTruncate, kClosingHead + "01234", End::kCloseNotify},
            FaultRow{FaultKind::kBadGzip,
                     "HTTP/1.1 200 OK\r\nA: b\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n"
                     "Connection: close\r\n\r\n0123456789",
                     End::kCloseNotify},
            FaultRow{FaultKind::kSlowDrip, kClosingHead + "0123456789", End::kCloseNotify}),
        testing::Bool()),
    [](const auto& row) {
      std::string name(ToString(std::get<0>(row.param).kind));
      name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
      return name + (std::get<1>(row.param) ? "Reused" : "Fresh");
    });

// --- As a real client sees it ---

struct CurlRow {
  std::string name;
  std::optional<ConnectionFault> fault;
  CURLcode code;
};

class HttpsCurlTest : public HttpsServerTest, public testing::WithParamInterface<CurlRow> {};

std::size_t Discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

TEST_P(HttpsCurlTest, SeesThePlannedEnd) {
  handler_.accept = [](const ConnectionInfo&) { return ConnectionPlan{.fault = GetParam().fault}; };
  Host();
  std::string ca = Ca()->certificate_pem();
  curl_blob blob{.data = ca.data(), .len = ca.size(), .flags = CURL_BLOB_COPY};
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, (server_->url() + "/x").c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO_BLOB, &blob);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Discard);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                   GetParam().code == CURLE_OPERATION_TIMEDOUT ? 100L : 20'000L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  EXPECT_EQ(curl_easy_perform(curl.get()), GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, HttpsCurlTest,
    testing::Values(
        CurlRow{"NoFault", std::nullopt, CURLE_OK},
        CurlRow{"Expired", ConnectionFault::kTlsExpired, CURLE_PEER_FAILED_VERIFICATION},
        CurlRow{"NotYetValid", ConnectionFault::kTlsNotYetValid, CURLE_PEER_FAILED_VERIFICATION},
        CurlRow{"WrongHost", ConnectionFault::kTlsWrongHost, CURLE_PEER_FAILED_VERIFICATION},
        CurlRow{"UnknownCa", ConnectionFault::kTlsUnknownCa, CURLE_PEER_FAILED_VERIFICATION},
        CurlRow{"Alert", ConnectionFault::kTlsAlert, CURLE_SSL_CONNECT_ERROR},
        CurlRow{"Reset", ConnectionFault::kTlsReset, CURLE_SSL_CONNECT_ERROR},
        CurlRow{"Stall", ConnectionFault::kTlsStall, CURLE_OPERATION_TIMEDOUT},
        CurlRow{"NoCloseNotify", ConnectionFault::kTlsNoCloseNotify, CURLE_OK}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy::harness
