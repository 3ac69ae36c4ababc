#include "middleware/platform/system_runtime.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "middleware/base/text.h"
#include "middleware/platform/environment.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy {
namespace {

class CountingSink final : public EventSink {
 public:
  using EventSink::Publish;
  void Publish(std::string_view, std::span<const Field>) noexcept override { ++count; }
  int count = 0;
};

TEST(ThreadExecutorTest, RunsTheBodyOnANamedThreadUntilItIsStopped) {
  ThreadExecutor executor;
  std::string name;
  std::atomic<bool> stopped = false;
  Task task = executor.Spawn("a name longer than fifteen", [&](std::stop_token stop) {
    std::array<char, 16> label = {};
    pthread_getname_np(pthread_self(), label.data(), label.size());
    name = label.data();
    while (!stop.stop_requested()) std::this_thread::yield();
    stopped = true;
  });
  task.RequestStop();
  task.Join();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(name, "a name longer t");
}

TEST(ThreadExecutorTest, StopsAndJoinsWhenTheTaskIsDropped) {
  ThreadExecutor executor;
  std::atomic<bool> ended = false;
  {
    const Task task = executor.Spawn("dropped", [&](std::stop_token stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
      ended = true;
    });
  }
  EXPECT_TRUE(ended);
}

TEST(SystemRandomTest, DrawsDifferentValues) {
  SystemRandom random;
  std::set<std::uint64_t> values;
  for (int i = 0; i < 1000; ++i) values.insert(random.Next("test"));
  EXPECT_EQ(values.size(), 1000U);
}

TEST(OpensslCryptoTest, ComputesThePublishedTestVectors) {
  const OpensslCrypto crypto;
  // RFC 4231 test case 2, RFC 2202 test case 2, FIPS 180-4 "abc".
  EXPECT_EQ(HexEncode(crypto.HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HexEncode(crypto.HmacSha1("Jefe", "what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(HexEncode(crypto.Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(OpensslCryptoTest, AcceptsEmptyKeysAndData) {
  const OpensslCrypto crypto;
  EXPECT_EQ(HexEncode(crypto.HmacSha256(std::string_view(), std::string_view())),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(HexEncode(crypto.Sha256(std::string_view())),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(StderrLoggerTest, WritesOneLineWithLevelAndComponent) {
  testing::internal::CaptureStderr();
  StderrLogger().Log(LogLevel::kWarning, "retry", "gave up");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning retry: gave up\n");
}

TEST(StderrLoggerTest, DropsWhatIsBelowItsLevelAndLetsNobodyForgeALine) {
  testing::internal::CaptureStderr();
  StderrLogger logger(LogLevel::kError);
  logger.Log(LogLevel::kWarning, "retry", "dropped");
  logger.Log(LogLevel::kError, "http", "a\r\nerror auth: forged\x1b[2J");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error http: a??error auth: forged?[2J\n");
}

TEST(SystemRuntimeTest, IsSilentByDefault) {
  testing::internal::CaptureStderr();
  SystemRuntime system;
  const Runtime runtime = system.view();
  runtime.logger.Log(LogLevel::kError, "test", "nobody hears this");
  runtime.events.Publish("retry", {{"attempt", 1}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(runtime.clock.Now(), TimePoint());
}

TEST(SystemRuntimeTest, LogsAndPublishesWhereItIsTold) {
  CountingSink sink;
  testing::internal::CaptureStderr();
  SystemRuntime system({.log = LogTo::kStderr, .events = &sink});
  system.view().logger.Log(LogLevel::kInfo, "test", "hello");
  system.view().events.Publish("retry", {});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "info test: hello\n");
  EXPECT_EQ(sink.count, 1);
}

TEST(EnvironmentTest, TellsAnEmptyVariableFromAMissingOne) {
  ASSERT_EQ(setenv("UNDERSTUDY_TEST_VARIABLE", "", 1), 0);
  EXPECT_EQ(GetEnvironment("UNDERSTUDY_TEST_VARIABLE"), "");
  ASSERT_EQ(unsetenv("UNDERSTUDY_TEST_VARIABLE"), 0);
  EXPECT_EQ(GetEnvironment("UNDERSTUDY_TEST_VARIABLE"), std::nullopt);
}

}  // namespace
}  // namespace understudy
