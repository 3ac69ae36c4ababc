#include "harness/server/tcp_proxy.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/seeded_random.h"
#include "middleware/platform/system_clock.h"
#include "tests/harness/server/server_fakes.h"
#include "tests/harness/server/tcp_peer.h"
#include "tests/support/fake_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::Contains;
using ::testing::HasSubstr;
using End = TcpSocket::End;
using RealClock = std::chrono::steady_clock;

constexpr ToxicStream kUp = ToxicStream::kUpstream;
constexpr ToxicStream kDown = ToxicStream::kDownstream;

class RecordingLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(message);
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

Toxic Make(ToxicEffect effect, ToxicStream stream = kDown, double toxicity = 1.0) {
  return {.name = "t", .stream = stream, .toxicity = toxicity, .effect = std::move(effect)};
}

std::uint16_t PortOf(const TcpProxy& proxy) { return ParseHostPort(proxy.Snapshot().listen)->port; }

class TcpProxyTest : public ::testing::Test {
 protected:
  std::unique_ptr<TcpProxy> Proxy(std::vector<Toxic> toxics = {}, Clock* clock = nullptr) {
    auto proxy =
        TcpProxy::Create(clock == nullptr ? clock_ : *clock, random_, logger_,
                         {.name = "p", .upstream = peer_.address(), .toxics = std::move(toxics)});
    EXPECT_TRUE(proxy) << proxy.error().ToString();
    return std::move(*proxy);
  }

  // A connection through the proxy: the client's and the server's socket.
  struct Pair {
    TcpSocket client;
    TcpSocket server;
  };
  Pair Connect(const TcpProxy& proxy) {
    TcpSocket client(PortOf(proxy));
    EXPECT_TRUE(client.connected());
    TcpSocket server = peer_.Accept();
    EXPECT_TRUE(server.connected());
    return {std::move(client), std::move(server)};
  }

  SystemClock clock_;
  SeededRandom random_{7};
  RecordingLogger logger_;
  TcpPeer peer_;
};

TEST_F(TcpProxyTest, PassesBytesBothWays) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  pair.client.Send("question");
  EXPECT_EQ(pair.server.Read(8), "question");
  pair.server.Send("answer");
  EXPECT_EQ(pair.client.Read(6), "answer");
  ASSERT_TRUE(proxy->Update({.enabled = false}));  // Counted once the peer may have it.
  EXPECT_EQ(proxy->counters().received[0].load(), 8U);
  EXPECT_EQ(proxy->counters().sent[1].load(), 6U);
  EXPECT_EQ(proxy->counters().connections.load(), 1U);
}

TEST_F(TcpProxyTest, AClientThatHasFinishedSendingStillGetsItsAnswer) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  pair.client.Send("question");
  pair.client.FinishSending();
  EXPECT_EQ(pair.server.ReadToEnd(), "question");
  EXPECT_EQ(pair.server.end(), End::kFin);
  pair.server.Send("answer");
  pair.server.FinishSending();
  EXPECT_EQ(pair.client.ReadToEnd(), "answer");
  EXPECT_EQ(pair.client.end(), End::kFin);
}

TEST_F(TcpProxyTest, AResetOfTheServerReachesTheClientAsAReset) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  // Else the reset could come before the proxy has seen that it is connected.
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
  pair.server.Reset();
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  EXPECT_EQ(pair.client.end(), End::kReset);
}

TEST_F(TcpProxyTest, AResetOfTheClientReachesTheServerAsAReset) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  pair.client.Reset();
  pair.server.ReadToEnd();
  EXPECT_EQ(pair.server.end(), End::kReset);
}

TEST_F(TcpProxyTest, LatencyDelaysOneDirectionOnly) {
  const auto proxy = Proxy({Make(LatencyToxic{.latency = 80ms})});
  Pair pair = Connect(*proxy);
  const auto begin = RealClock::now();
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
  const auto turned = RealClock::now();
  pair.server.Send("b");
  EXPECT_EQ(pair.client.Read(1), "b");
  EXPECT_GE(RealClock::now() - turned, 80ms);
  EXPECT_LT(turned - begin, 5s);
}

TEST_F(TcpProxyTest, LatencyIsOnTheClockNotInRealTime) {
  SkippingClock clock;
  const auto proxy = Proxy({Make(LatencyToxic{.latency = 10h})}, &clock);
  Pair pair = Connect(*proxy);
  const TimePoint before = clock.Now();
  pair.server.Send("b");
  EXPECT_EQ(pair.client.Read(1), "b");
  EXPECT_GE(clock.Now() - before, 10h);
}

TEST_F(TcpProxyTest, BandwidthSlowsDown) {
  const auto proxy = Proxy({Make(BandwidthToxic{.rate = 100})});
  Pair pair = Connect(*proxy);
  const auto begin = RealClock::now();
  pair.server.Send(std::string(20'000, 'x'));
  EXPECT_EQ(pair.client.Read(20'000).size(), 20'000U);
  EXPECT_GE(RealClock::now() - begin, 190ms);
}

TEST_F(TcpProxyTest, SlowCloseDelaysTheFin) {
  const auto proxy = Proxy({Make(SlowCloseToxic{.delay = 60ms})});
  Pair pair = Connect(*proxy);
  const auto begin = RealClock::now();
  pair.server.Send("b");
  pair.server.FinishSending();
  EXPECT_EQ(pair.client.ReadToEnd(), "b");
  EXPECT_EQ(pair.client.end(), End::kFin);
  EXPECT_GE(RealClock::now() - begin, 60ms);
}

TEST_F(TcpProxyTest, TimeoutSwallowsAndCloses) {
  const auto proxy = Proxy({Make(TimeoutToxic{.timeout = 50ms})});
  Pair pair = Connect(*proxy);
  pair.server.Send("b");
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  EXPECT_EQ(pair.client.end(), End::kFin);
}

TEST_F(TcpProxyTest, RemovingATimeoutOfZeroClosesTheConnection) {
  const auto proxy = Proxy({Make(TimeoutToxic{})});
  Pair pair = Connect(*proxy);
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
  ASSERT_TRUE(proxy->RemoveToxic("t"));
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  EXPECT_EQ(pair.client.end(), End::kFin);
}

TEST_F(TcpProxyTest, ResetPeerSendsAnRstToBothSides) {
  for (const ToxicStream stream : {kUp, kDown}) {
    const auto proxy = Proxy({Make(ResetPeerToxic{}, stream)});
    Pair pair = Connect(*proxy);
    (stream == kUp ? pair.client : pair.server).Send("x");
    EXPECT_EQ(pair.client.ReadToEnd(), "");
    EXPECT_EQ(pair.client.end(), End::kReset) << ToString(stream);
    EXPECT_EQ(pair.server.ReadToEnd(), "");
    EXPECT_EQ(pair.server.end(), End::kReset) << ToString(stream);
  }
}

TEST_F(TcpProxyTest, ResetPeerWithToxicityZeroTouchesNothing) {
  const auto proxy = Proxy({Make(ResetPeerToxic{}, kDown, 0.0)});
  Pair pair = Connect(*proxy);
  pair.server.Send("b");
  pair.server.FinishSending();
  EXPECT_EQ(pair.client.ReadToEnd(), "b");
  EXPECT_EQ(pair.client.end(), End::kFin);
  pair.client.FinishSending();
  pair.server.ReadToEnd();
  EXPECT_EQ(pair.server.end(), End::kFin);
}

TEST_F(TcpProxyTest, AfterResetPeerIsRemovedNewConnectionsAreClean) {
  const auto proxy = Proxy({Make(ResetPeerToxic{})});
  Pair broken = Connect(*proxy);
  broken.server.Send("x");
  broken.client.ReadToEnd();
  ASSERT_TRUE(proxy->RemoveToxic("t"));
  Pair pair = Connect(*proxy);
  pair.server.Send("b");
  pair.server.FinishSending();
  EXPECT_EQ(pair.client.ReadToEnd(), "b");
  EXPECT_EQ(pair.client.end(), End::kFin);
}

TEST_F(TcpProxyTest, SlicerKeepsTheBytesAndSendsSmallPieces) {
  const auto proxy = Proxy({Make(SlicerToxic{.average_size = 10, .delay = 20ms})});
  Pair pair = Connect(*proxy);
  pair.server.Send(std::string(30, 'x'));
  const std::string first = pair.client.ReadSome();
  EXPECT_LE(first.size(), 10U);
  EXPECT_EQ(first.size() + pair.client.Read(30 - first.size()).size(), 30U);
}

TEST_F(TcpProxyTest, LimitDataEndsWithAFinAfterExactlyItsBytesThoughTheClientStillSends) {
  const auto proxy = Proxy({Make(LimitDataToxic{.bytes = 100})});
  Pair pair = Connect(*proxy);
  pair.client.Send(std::string(100'000, 'q'));
  pair.server.Send(std::string(5000, 'x'));
  EXPECT_EQ(pair.client.ReadToEnd().size(), 100U);
  EXPECT_EQ(pair.client.end(), End::kFin);
}

TEST_F(TcpProxyTest, ALimitUpstreamEndsBothSides) {
  const auto proxy = Proxy({Make(LimitDataToxic{.bytes = 3}, kUp)});
  Pair pair = Connect(*proxy);
  pair.client.Send("abcdef");
  EXPECT_EQ(pair.server.ReadToEnd(), "abc");
  EXPECT_EQ(pair.server.end(), End::kFin);
  EXPECT_EQ(pair.client.ReadToEnd(), "");
}

TEST_F(TcpProxyTest, RemovingALatencyFromALiveConnectionReleasesItsBytes) {
  test::FakeClock clock(test::FakeClock::Waits::kBlock);
  const auto proxy = Proxy({Make(LatencyToxic{.latency = 10h})}, &clock);
  Pair pair = Connect(*proxy);
  pair.server.Send("abc");
  while (proxy->counters().received[1].load() < 3) std::this_thread::yield();
  ASSERT_TRUE(proxy->RemoveToxic("t"));
  EXPECT_EQ(pair.client.Read(3), "abc");
}

TEST_F(TcpProxyTest, ChangingAToxicCountsForALiveConnection) {
  const auto proxy = Proxy({Make(LatencyToxic{.latency = 10h})});
  Pair pair = Connect(*proxy);
  pair.server.Send("abc");
  ASSERT_TRUE(proxy->UpdateToxic(Make(LatencyToxic{.latency = 1ms})));
  EXPECT_EQ(pair.client.Read(3), "abc");
}

TEST_F(TcpProxyTest, AnAddedToxicActsOnALiveConnection) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  pair.server.Send("abc");
  EXPECT_EQ(pair.client.Read(3), "abc");
  ASSERT_TRUE(proxy->AddToxic(Make(ResetPeerToxic{})));
  pair.server.Send("d");
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  EXPECT_EQ(pair.client.end(), End::kReset);
}

TEST_F(TcpProxyTest, DisabledMeansRefusedAndClosedAndEnabledAgainOnTheSamePort) {
  const auto proxy = Proxy();
  const std::uint16_t port = PortOf(*proxy);
  Pair pair = Connect(*proxy);
  ASSERT_TRUE(proxy->Update({.enabled = false}));
  EXPECT_TRUE(TcpSocket(port).refused());
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  EXPECT_EQ(pair.server.ReadToEnd(), "");
  EXPECT_FALSE(proxy->Snapshot().enabled);
  ASSERT_TRUE(proxy->Update({.enabled = true}));
  EXPECT_EQ(PortOf(*proxy), port);
  Pair again = Connect(*proxy);
  again.client.Send("a");
  EXPECT_EQ(again.server.Read(1), "a");
}

TEST_F(TcpProxyTest, AnotherUpstreamKeepsThePortAndClosesTheConnections) {
  const auto proxy = Proxy();
  const std::uint16_t port = PortOf(*proxy);
  Pair pair = Connect(*proxy);
  TcpPeer other;
  ASSERT_TRUE(proxy->Update({.upstream = other.address()}));
  EXPECT_EQ(PortOf(*proxy), port);
  EXPECT_EQ(pair.client.ReadToEnd(), "");
  TcpSocket client(port);
  client.Send("a");
  EXPECT_EQ(other.Accept().Read(1), "a");
}

TEST_F(TcpProxyTest, AChangeThatCannotBeLeavesEverythingAsItWas) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  const std::string listen = proxy->Snapshot().listen;
  const auto refused = proxy->Update({.listen = peer_.address(), .upstream = "other:1"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "port-in-use");
  EXPECT_FALSE(proxy->Update({.listen = "nonsense"}));
  EXPECT_FALSE(proxy->Update({.upstream = "no-port"}));
  EXPECT_EQ(proxy->Snapshot().listen, listen);
  EXPECT_EQ(proxy->Snapshot().upstream, peer_.address());
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
}

TEST_F(TcpProxyTest, AnUpdateThatChangesNothingKeepsTheConnections) {
  const auto proxy = Proxy();
  Pair pair = Connect(*proxy);
  const std::string port = std::to_string(PortOf(*proxy));
  ASSERT_TRUE(
      proxy->Update({.listen = "localhost:" + port, .upstream = peer_.address(), .enabled = true}));
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
}

TEST_F(TcpProxyTest, AClientIsClosedIfTheUpstreamRefuses) {
  std::uint16_t free_port = 0;
  { free_port = TcpPeer().port(); }
  const auto proxy = Proxy();
  ASSERT_TRUE(proxy->Update({.upstream = "127.0.0.1:" + std::to_string(free_port)}));
  TcpSocket client(PortOf(*proxy));
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_NE(client.end(), End::kTimeout);
  ASSERT_TRUE(proxy->Update({.enabled = false}));  // Logged once the client may have seen it.
  EXPECT_THAT(logger_.lines(), Contains(HasSubstr("cannot connect to 127.0.0.1")));
}

TEST_F(TcpProxyTest, LocalhostReachesAnIPv4Upstream) {
  const auto proxy = Proxy();
  ASSERT_TRUE(proxy->Update({.upstream = "localhost:" + std::to_string(peer_.port())}));
  Pair pair = Connect(*proxy);
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
}

TEST_F(TcpProxyTest, MoreConnectionsThanAllowedAreClosedAtOnce) {
  auto proxy = TcpProxy::Create(
      clock_, random_, logger_,
      {.name = "p", .upstream = peer_.address(), .limits = {.connections_max = 1}});
  ASSERT_TRUE(proxy);
  Pair pair = Connect(**proxy);
  TcpSocket second(PortOf(**proxy));
  EXPECT_EQ(second.ReadToEnd(), "");
  pair.client.Send("a");
  EXPECT_EQ(pair.server.Read(1), "a");
}

TEST_F(TcpProxyTest, TheSameSeedDrawsTheSameConnections) {
  const auto pattern = [this](std::uint64_t seed) {
    SeededRandom random(seed);
    auto proxy = TcpProxy::Create(
        clock_, random, logger_,
        {.name = "p", .upstream = peer_.address(), .toxics = {Make(LimitDataToxic{}, kDown, 0.5)}});
    std::string drawn;
    for (int i = 0; i < 24; ++i) {
      Pair pair = Connect(**proxy);
      pair.server.Send("x");
      pair.server.FinishSending();
      drawn.push_back(pair.client.ReadToEnd().empty() ? '1' : '0');
    }
    return drawn;
  };
  const std::string first = pattern(1);
  EXPECT_EQ(first, pattern(1));
  EXPECT_NE(first, pattern(2));
  EXPECT_NE(first.find('1'), std::string::npos);
  EXPECT_NE(first.find('0'), std::string::npos);
}

TEST_F(TcpProxyTest, EachApplicationIsLogged) {
  const auto proxy = Proxy({Make(LimitDataToxic{.bytes = 1})});
  Pair pair = Connect(*proxy);
  pair.server.Send("xy");
  pair.client.ReadToEnd();
  ASSERT_TRUE(proxy->Update({.enabled = false}));
  EXPECT_THAT(logger_.lines(), Contains("p: connection 1: downstream: the toxic t applies"));
  EXPECT_EQ(proxy->counters().toxics_applied.load(), 1U);
}

TEST_F(TcpProxyTest, ToxicsAreCheckedAndNamedOnce) {
  const auto proxy = Proxy({Make(NoopToxic{})});
  EXPECT_EQ(proxy->AddToxic(Make(NoopToxic{})).error().reason, "exists");
  EXPECT_EQ(proxy->RemoveToxic("other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(proxy->UpdateToxic({.name = "other"}).error().code, ErrorCode::kNotFound);
  Toxic wrong{.name = "w", .toxicity = 1.5};
  EXPECT_EQ(proxy->AddToxic(wrong).error().code, ErrorCode::kInvalidArgument);
  for (int i = 1; i < 64; ++i) ASSERT_TRUE(proxy->AddToxic({.name = "n" + std::to_string(i)}));
  EXPECT_EQ(proxy->AddToxic({.name = "one more"}).error().reason, "full");
}

std::size_t Threads() {
  std::size_t count = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task"))
    if (each.is_directory()) ++count;
  return count;
}

TEST_F(TcpProxyTest, ItsEndLeavesNoThreadAndWaitsForNobody) {
  const std::size_t before = Threads();
  {
    const auto proxy =
        Proxy({Make(TimeoutToxic{}),
               {.name = "l", .stream = kUp, .effect = LatencyToxic{.latency = 10h}}});
    std::vector<Pair> pairs;
    for (int i = 0; i < 20; ++i) {
      pairs.push_back(Connect(*proxy));
      pairs.back().client.Send("x");
      pairs.back().server.Send("y");
    }
  }
  EXPECT_EQ(Threads(), before);
}

TEST_F(TcpProxyTest, NoByteIsLostWhileToxicsComeAndGo) {
  constexpr std::size_t kBytes = std::size_t{4} * 1024 * 1024;
  const auto proxy = Proxy();
  std::string sent;
  for (std::size_t i = 0; sent.size() < kBytes; ++i) sent += std::to_string(i) + ",";
  std::vector<std::thread> threads;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::string> received(4);
  for (int i = 0; i < 4; ++i) pairs.push_back(std::make_unique<Pair>(Connect(*proxy)));
  std::atomic<int> reading = 4;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    threads.emplace_back([&, i] {
      pairs[i]->server.Send(sent);
      pairs[i]->server.FinishSending();
    });
    threads.emplace_back([&, i] {
      received[i] = pairs[i]->client.ReadToEnd();
      --reading;
    });
  }
  for (int i = 0; reading > 0; ++i) {
    const std::string name = "t" + std::to_string(i % 4);
    const ToxicEffect effect =
        i % 3 == 0   ? ToxicEffect(LatencyToxic{.latency = 2ms, .jitter = 2ms})
        : i % 3 == 1 ? ToxicEffect(SlicerToxic{.average_size = 5000, .size_variation = 2000})
                     : ToxicEffect(BandwidthToxic{.rate = 50'000});
    static_cast<void>(proxy->RemoveToxic(name).has_value());
    EXPECT_TRUE(proxy->AddToxic({.name = name, .toxicity = 0.7, .effect = effect}));
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : received) EXPECT_TRUE(each == sent) << each.size();
}

}  // namespace
}  // namespace understudy::harness
