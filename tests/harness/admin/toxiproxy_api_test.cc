#include "harness/admin/toxiproxy_api.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/plan/handler_host.h"
#include "harness/plan/seeded_random.h"
#include "harness/server/http_server.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/tcp_peer.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using End = TcpSocket::End;

struct Answer {
  int status = 0;
  std::string body;
  std::string type;
  Json json() const { return Json::parse(body, nullptr, false); }
  std::string error() const { return json().value("error", ""); }
};

class ToxiproxyApiTest : public ::testing::Test {
 protected:
  explicit ToxiproxyApiTest(ToxiproxyApiOptions options = {})
      : api_(clock_, random_, logger_, std::move(options)) {}

  Answer Call(std::string_view method, const std::string& path, std::string body = "",
              http::Headers headers = {}) {
    http::Request request{.method = http::Method(method),
                          .url = *http::Url::Parse("http://127.0.0.1:8474" + path),
                          .headers = std::move(headers),
                          .body = std::move(body)};
    const http::Response response = api_.Handle(request);
    return {response.status, response.body,
            std::string(response.headers.Get("Content-Type").value_or(""))};
  }

  std::string ProxyBody(const std::string& name, const std::string& more = "") const {
    return R"({"name":")" + name + R"(","listen":"localhost:0","upstream":")" + peer_.address() +
           "\"" + more + "}";
  }
  // Its port.
  std::uint16_t Create(const std::string& name, const std::string& more = "") {
    const Answer answer = Call("POST", "/proxies", ProxyBody(name, more));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return PortOf(answer.json());
  }
  static std::uint16_t PortOf(const Json& proxy) {
    return ParseHostPort(proxy.at("listen").get<std::string>())->port;
  }

  SystemClock clock_;
  SeededRandom random_{1};
  NullLogger logger_;
  TcpPeer peer_;
  ToxiproxyApi api_;
};

TEST_F(ToxiproxyApiTest, ListsNoProxiesAtFirst) {
  const Answer answer = Call("GET", "/proxies");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{}");
  EXPECT_EQ(answer.type, "application/json");
}

TEST_F(ToxiproxyApiTest, CreatesAProxyThatListensAndTellsItsPort) {
  const std::uint16_t port = Create("p");
  EXPECT_NE(port, 0);
  TcpSocket client(port);
  client.Send("a");
  EXPECT_EQ(peer_.Accept().Read(1), "a");
  const Json shown = Call("GET", "/proxies/p").json();
  EXPECT_EQ(shown.at("listen"), "127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(shown.at("enabled"), true);
  EXPECT_EQ(Call("GET", "/proxies").json().at("p"), shown);
}

TEST_F(ToxiproxyApiTest, AProxyNeedsANameAndAnUpstream) {
  EXPECT_EQ(Call("POST", "/proxies", "{}").error(), "missing required field: name");
  const Answer answer = Call("POST", "/proxies", R"({"name":"p"})");
  EXPECT_EQ(answer.error(), "missing required field: upstream");
  EXPECT_EQ(answer.json().at("status"), 400);
  EXPECT_EQ(answer.status, 400);
}

TEST_F(ToxiproxyApiTest, WithoutListenItIsLoopbackOnAnyFreePort) {
  const Answer answer =
      Call("POST", "/proxies", R"({"name":"p","upstream":")" + peer_.address() + "\"}");
  EXPECT_THAT(answer.json().at("listen").get<std::string>(), HasSubstr("127.0.0.1:"));
}

TEST_F(ToxiproxyApiTest, ADisabledProxyKeepsItsTextAndListensNotBeforeItIsEnabled) {
  std::uint16_t port = 0;
  { port = TcpPeer().port(); }
  const std::string listen = "localhost:" + std::to_string(port);
  const Answer created = Call("POST", "/proxies",
                              R"({"name":"p","enabled":false,"listen":")" + listen +
                                  R"(","upstream":")" + peer_.address() + "\"}");
  EXPECT_EQ(created.json().at("listen"), listen);
  EXPECT_TRUE(TcpSocket(port).refused());
  EXPECT_EQ(Call("PATCH", "/proxies/p", R"({"enabled":true})").json().at("enabled"), true);
  EXPECT_TRUE(TcpSocket(port).connected());
  EXPECT_EQ(Call("POST", "/proxies/p", R"({"enabled":false})").json().at("enabled"), false);
  EXPECT_TRUE(TcpSocket(port).refused());
}

TEST_F(ToxiproxyApiTest, ASecondProxyOfThatNameIsAConflict) {
  Create("p");
  const Answer answer = Call("POST", "/proxies", ProxyBody("p"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.error(), "proxy already exists");
}

TEST_F(ToxiproxyApiTest, APortInUseIsAnErrorOfTheServerAndCreatesNothing) {
  const Answer answer = Call(
      "POST", "/proxies", R"({"name":"p","upstream":"a:1","listen":")" + peer_.address() + "\"}");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.error(), HasSubstr("ddress already in use"));
  EXPECT_EQ(Call("GET", "/proxies/p").status, 404);
}

TEST_F(ToxiproxyApiTest, DeletesAProxyAndItsPort) {
  const std::uint16_t port = Create("p");
  const Answer answer = Call("DELETE", "/proxies/p");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_TRUE(TcpSocket(port).refused());
  EXPECT_EQ(Call("GET", "/proxies").body, "{}");
}

TEST_F(ToxiproxyApiTest, UnknownProxiesAreNotFoundByAnyMethod) {
  for (const char* method : {"GET", "POST", "PATCH", "DELETE"}) {
    const Answer answer = Call(method, "/proxies/none", "{}");
    EXPECT_EQ(answer.status, 404) << method;
    EXPECT_EQ(answer.error(), "proxy not found") << method;
  }
  EXPECT_EQ(Call("GET", "/proxies/none/toxics").error(), "proxy not found");
  EXPECT_EQ(Call("POST", "/proxies/none/toxics", "{}").error(), "proxy not found");
}

TEST_F(ToxiproxyApiTest, AnUpdateMovesTheListenerAndRefusesAnImpossibleOne) {
  const std::uint16_t port = Create("p");
  EXPECT_EQ(Call("POST", "/proxies/p", R"({"listen":")" + peer_.address() + "\"}").status, 500);
  EXPECT_TRUE(TcpSocket(port).connected());
  EXPECT_EQ(Call("POST", "/proxies/p", R"({"listen":"nonsense"})").status, 400);
  EXPECT_EQ(Call("POST", "/proxies/p", "not json").status, 400);
  const Answer moved = Call("POST", "/proxies/p", R"({"listen":"127.0.0.1:0"})");
  EXPECT_EQ(moved.status, 200);
  EXPECT_TRUE(TcpSocket(PortOf(moved.json())).connected());
}

TEST_F(ToxiproxyApiTest, AnUpdateIgnoresTheToxicsThatAClientSendsBack) {
  Create("p");
  Call("POST", "/proxies/p/toxics", R"({"type":"noop"})");
  const std::string shown = Call("GET", "/proxies/p").body;
  Call("DELETE", "/proxies/p/toxics/noop_downstream");
  EXPECT_THAT(Call("POST", "/proxies/p", shown).json().at("toxics"), IsEmpty());
}

TEST_F(ToxiproxyApiTest, CreatesShowsUpdatesAndDeletesAToxic) {
  Create("p");
  const Answer created = Call(
      "POST", "/proxies/p/toxics",
      R"({"type":"latency","stream":"upstream","toxicity":0.5,"attributes":{"latency":100,"jitter":10}})");
  EXPECT_EQ(created.status, 200);
  EXPECT_EQ(
      created.body,
      R"({"attributes":{"latency":100,"jitter":10},"name":"latency_upstream","type":"latency","stream":"upstream","toxicity":0.5})");
  EXPECT_EQ(Call("GET", "/proxies/p/toxics/latency_upstream").body, created.body);
  for (const char* method : {"POST", "PATCH"}) {
    const Answer updated = Call(method, "/proxies/p/toxics/latency_upstream",
                                R"({"attributes":{"latency":7},"toxicity":1})");
    EXPECT_EQ(updated.status, 200);
    EXPECT_EQ(updated.json().at("attributes"), (Json{{"latency", 7}, {"jitter", 10}}));
    EXPECT_EQ(updated.json().at("toxicity"), 1);
  }
  EXPECT_EQ(Call("DELETE", "/proxies/p/toxics/latency_upstream").status, 204);
  EXPECT_EQ(Call("GET", "/proxies/p/toxics").body, "[]");
}

TEST_F(ToxiproxyApiTest, ToxicsAreListedUpstreamFirstAndInTheirOrder) {
  Create("p");
  for (const char* body :
       {R"({"type":"noop","name":"d1"})", R"({"type":"noop","name":"u1","stream":"upstream"})",
        R"({"type":"noop","name":"d2"})", R"({"type":"noop","name":"u2","stream":"upstream"})"})
    EXPECT_EQ(Call("POST", "/proxies/p/toxics", body).status, 200);
  std::vector<std::string> names;
  for (const Json& toxic : Call("GET", "/proxies/p/toxics").json())
    names.push_back(toxic.at("name"));
  EXPECT_THAT(names, ElementsAre("u1", "u2", "d1", "d2"));
}

TEST_F(ToxiproxyApiTest, RefusesWrongToxics) {
  Create("p");
  Call("POST", "/proxies/p/toxics", R"({"type":"noop"})");
  struct Row {
    const char* body;
    int status;
    const char* error;
  };
  for (const Row& row : {Row{R"({"type":"noop"})", 409, "toxic already exists"},
                         Row{R"({"type":"none"})", 400, "invalid toxic type"},
                         Row{R"({"type":"noop","stream":"x"})", 400,
                             "stream was invalid, can be either upstream or downstream"},
                         Row{"", 400, "bad request body: EOF"}}) {
    const Answer answer = Call("POST", "/proxies/p/toxics", row.body);
    EXPECT_EQ(answer.status, row.status) << row.body;
    EXPECT_EQ(answer.error(), row.error) << row.body;
  }
  for (const char* method : {"GET", "POST", "PATCH", "DELETE"})
    EXPECT_EQ(Call(method, "/proxies/p/toxics/none", "{}").error(), "toxic not found") << method;
  EXPECT_EQ(Call("PATCH", "/proxies/p/toxics/noop_downstream", "nonsense").status, 400);
}

TEST_F(ToxiproxyApiTest, ResetEnablesEveryProxyAndRemovesEveryToxic) {
  const std::uint16_t port = Create("p");
  Create("q");
  Call("POST", "/proxies/p/toxics", R"({"type":"timeout"})");
  Call("POST", "/proxies/p", R"({"enabled":false})");
  Call("POST", "/proxies/q/toxics", R"({"type":"noop"})");
  const Answer answer = Call("POST", "/reset");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_TRUE(TcpSocket(port).connected());
  EXPECT_EQ(Call("GET", "/proxies/p/toxics").body, "[]");
  EXPECT_EQ(Call("GET", "/proxies/q/toxics").body, "[]");
}

TEST_F(ToxiproxyApiTest, AProxyAndItsToxicsAreCreatedInOneStep) {
  const std::uint16_t port =
      Create("p", R"(,"toxics":[{"type":"limit_data","attributes":{"bytes":2}}])");
  TcpSocket client(port);
  TcpSocket server = peer_.Accept();
  server.Send("abc");
  EXPECT_EQ(client.ReadToEnd(), "ab");
  EXPECT_EQ(Call("POST", "/proxies", ProxyBody("q", R"(,"toxics":[{"type":"x"}])")).status, 400);
  EXPECT_EQ(Call("GET", "/proxies/q").status, 404);
}

TEST_F(ToxiproxyApiTest, PopulateCreatesKeepsAndReplaces) {
  const std::uint16_t kept = Create("kept");
  const std::uint16_t changed = Create("changed");
  Call("POST", "/proxies/kept/toxics", R"({"type":"noop"})");
  Call("POST", "/proxies/changed/toxics", R"({"type":"noop"})");
  TcpSocket client(kept);
  TcpSocket server = peer_.Accept();
  TcpPeer other;
  const std::string body =
      R"([{"name":"kept","listen":"localhost:)" + std::to_string(kept) + R"(","upstream":")" +
      peer_.address() + R"("},{"name":"changed","listen":"localhost:)" + std::to_string(changed) +
      R"(","upstream":")" + other.address() + R"("},{"name":"new","upstream":")" + peer_.address() +
      R"(","enabled":false}])";
  const Answer answer = Call("POST", "/populate", body);
  EXPECT_EQ(answer.status, 201) << answer.body;
  const Json proxies = answer.json().at("proxies");
  ASSERT_EQ(proxies.size(), 3U);
  EXPECT_EQ(proxies[0].at("toxics").size(), 1U);
  EXPECT_THAT(proxies[1].at("toxics"), IsEmpty());
  EXPECT_EQ(proxies[2].at("enabled"), false);
  client.Send("a");
  EXPECT_EQ(server.Read(1), "a");
  TcpSocket redirected(changed);
  redirected.Send("b");
  EXPECT_EQ(other.Accept().Read(1), "b");
}

TEST_F(ToxiproxyApiTest, ARepeatedPopulateKeepsThePortThatWasChosen) {
  const std::string body = "[" + ProxyBody("p") + "]";
  const Json first = Call("POST", "/populate", body).json();
  EXPECT_EQ(Call("POST", "/populate", body).json(), first);
}

TEST_F(ToxiproxyApiTest, PopulateSwapsTwoPorts) {
  const std::uint16_t a = Create("a");
  const std::uint16_t b = Create("b");
  const auto proxy = [&](const char* name, std::uint16_t port) {
    return R"({"name":")" + std::string(name) + R"(","listen":"127.0.0.1:)" + std::to_string(port) +
           R"(","upstream":")" + peer_.address() + "\"}";
  };
  const Answer answer = Call("POST", "/populate", "[" + proxy("a", b) + "," + proxy("b", a) + "]");
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(PortOf(Call("GET", "/proxies/a").json()), b);
  EXPECT_TRUE(TcpSocket(a).connected());
  EXPECT_TRUE(TcpSocket(b).connected());
}

TEST_F(ToxiproxyApiTest, APopulateWithOneMistakeChangesNothing) {
  const std::uint16_t port = Create("p");
  const std::string change = R"({"name":"p","upstream":"127.0.0.1:1","listen":"127.0.0.1:0"},)";
  struct Row {
    std::string last;
    int status;
  };
  for (const Row& row :
       {Row{R"({"name":"q"})", 400}, Row{R"({"upstream":"a:1"})", 400},
        Row{R"({"name":"q","upstream":"a:1","listen":"x"})", 400},
        Row{R"({"name":"q","upstream":"a:1","listen":")" + peer_.address() + "\"}", 500}}) {
    const Answer answer = Call("POST", "/populate", "[" + change + row.last + "]");
    EXPECT_EQ(answer.status, row.status) << row.last;
    EXPECT_NE(answer.error(), "") << row.last;
    EXPECT_EQ(answer.json().at("proxies").size(), 0U);
    EXPECT_EQ(PortOf(Call("GET", "/proxies/p").json()), port);
    EXPECT_EQ(Call("GET", "/proxies/q").status, 404);
    EXPECT_TRUE(TcpSocket(port).connected());
  }
}

TEST_F(ToxiproxyApiTest, TellsTheVersionOfTheApiItSpeaks) {
  const Answer answer = Call("GET", "/version");
  EXPECT_EQ(answer.type, "application/json;charset=utf-8");
  EXPECT_THAT(answer.body, ::testing::MatchesRegex("\\{\"version\": \"2\\.[0-9.]+\"\\}\n"));
}

TEST_F(ToxiproxyApiTest, CountsBytesForPrometheus) {
  const std::uint16_t port = Create("p");
  TcpSocket client(port);
  TcpSocket server = peer_.Accept();
  client.Send("abc");
  server.Read(3);
  const Answer answer = Call("GET", "/metrics");
  EXPECT_THAT(answer.type, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(
      answer.body,
      HasSubstr("toxiproxy_proxy_received_bytes_total{direction=\"upstream\",listener="
                "\"127.0.0.1:" +
                std::to_string(port) + "\",proxy=\"p\",upstream=\"" + peer_.address() + "\"} 3\n"));
}

TEST_F(ToxiproxyApiTest, BrowsersAreRefused) {
  const Answer answer =
      Call("POST", "/reset", "", {{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"}});
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(Call("GET", "/version", "", {{"User-Agent", "curl/8 Mozilla/5.0"}}).status, 200);
}

TEST_F(ToxiproxyApiTest, AnyContentTypeWillDo) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "nonsense"}) {
    EXPECT_EQ(Call("POST", "/proxies", ProxyBody(std::string(type).substr(0, 4)),
                   {{"Content-Type", type}})
                  .status,
              201);
  }
}

TEST_F(ToxiproxyApiTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(Call("GET", "/").status, 404);
  EXPECT_EQ(Call("GET", "/proxies/").status, 404);
  EXPECT_EQ(Call("GET", "/proxies/p/other").status, 404);
  EXPECT_EQ(Call("GET", "/reset").status, 405);
  EXPECT_EQ(Call("PUT", "/proxies").status, 405);
  EXPECT_EQ(Call("DELETE", "/version").status, 405);
}

TEST_F(ToxiproxyApiTest, NamesInAPathArePercentDecoded) {
  Create("a b/c");
  EXPECT_EQ(Call("GET", "/proxies/a%20b%2Fc").json().at("name"), "a b/c");
}

class ToxiproxyTokenTest : public ToxiproxyApiTest {
 protected:
  ToxiproxyTokenTest() : ToxiproxyApiTest({.token = Secret("s3cret"), .proxies_max = 1}) {}
};

TEST_F(ToxiproxyTokenTest, WithATokenEveryRequestNeedsIt) {
  EXPECT_EQ(Call("GET", "/version").status, 401);
  EXPECT_EQ(Call("GET", "/version", "", {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(Call("GET", "/version", "", {{"Authorization", "s3cret"}}).status, 401);
  EXPECT_EQ(Call("GET", "/version", "", {{"Authorization", "Bearer s3cret"}}).status, 200);
  EXPECT_EQ(Call("GET", "/version", "", {{"Authorization", "basic YW55OnMzY3JldA=="}}).status, 200);
  EXPECT_EQ(Call("GET", "/version", "", {{"Authorization", "Basic YW55Ong="}}).status, 401);
}

TEST_F(ToxiproxyTokenTest, TheNumberOfProxiesIsBounded) {
  const http::Headers token{{"Authorization", "Bearer s3cret"}};
  EXPECT_EQ(Call("POST", "/proxies", ProxyBody("p"), token).status, 201);
  EXPECT_EQ(Call("POST", "/proxies", ProxyBody("q"), token).status, 400);
  EXPECT_EQ(Call("POST", "/populate", "[" + ProxyBody("q") + "]", token).status, 400);
  EXPECT_EQ(Call("GET", "/proxies", "", token).json().size(), 1U);
}

TEST_F(ToxiproxyApiTest, AClientLibraryInPythonFindsWhatItExpects) {
  if (std::system("python3 -c pass >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  HandlerHost host(api_);
  auto server = HttpServer::Start(clock_, host, {});
  ASSERT_TRUE(server);
  const std::string command =
      "python3 " UNDERSTUDY_SOURCE_DIR "/tests/harness/admin/toxiproxy_client.py " +
      std::to_string((*server)->port()) + " " + std::to_string(peer_.port()) + " 2>&1";
  std::FILE* const pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
  EXPECT_EQ(pclose(pipe), 0) << output;
  EXPECT_EQ(output, "ok\n");
}

TEST_F(ToxiproxyApiTest, CallsFromManyThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const std::string name = "p" + std::to_string(i);
      for (int round = 0; round < 10; ++round) {
        EXPECT_EQ(Call("POST", "/proxies", ProxyBody(name)).status, 201);
        EXPECT_EQ(Call("POST", "/proxies/" + name + "/toxics", R"({"type":"timeout"})").status,
                  200);
        EXPECT_EQ(Call("GET", "/proxies").status, 200);
        EXPECT_EQ(Call("DELETE", "/proxies/" + name).status, 204);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Call("GET", "/proxies").body, "{}");
}

}  // namespace
}  // namespace understudy::harness
