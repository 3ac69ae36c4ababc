// Name resolution that hangs. The test program's own getaddrinfo stands before the C library's for
// the whole process, libcurl included, and answers for a few names; nothing here asks a real name
// server.
#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_clock.h"
#include "tests/middleware/platform/raw_server.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;

// Blocks look-ups of "stuck.test" while closed. Lives as long as the process: resolver threads
// outlive the tests.
class Gate {
 public:
  void Close() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

Gate& StuckNames() {
  static Gate* const gate = new Gate;  // Never destroyed, see above.
  return *gate;
}

}  // namespace
}  // namespace understudy

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  const std::string_view name = node == nullptr ? "" : node;
  if (name == "unknown.test") return EAI_NONAME;
  if (name == "stuck.test") {
    understudy::StuckNames().Pass();
    node = "127.0.0.1";
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, result);
}

namespace understudy {
namespace {

class CurlResolverTest : public testing::Test {
 protected:
  CurlResolverTest() { StuckNames().Close(); }
  ~CurlResolverTest() override {
    StuckNames().Open();
    while (StuckNames().waiting() > 0) std::this_thread::yield();
  }

  http::Request To(const std::string& host) {
    const std::string origin = server_.origin();
    return {
        .method = http::Method::Post(),
        .url = http::Url::Parse("http://" + host + origin.substr(origin.rfind(':')) + "/").value(),
        .body = "x"};
  }
  http::SendOptions Within(Duration time) {
    return {.deadline = Deadline::After(clock_.Now(), time)};
  }

  SystemClock clock_;
  RawServer server_{[](const RawRequest&) { return RawReply{Answer("ok")}; }};
};

TEST_F(CurlResolverTest, ReportsAnUnknownNameAsNotSent) {
  CurlTransport transport(clock_);
  const auto answer = transport.Send(To("unknown.test"), Within(2s));
  EXPECT_EQ(answer.error().code, ErrorCode::kConnection);
  EXPECT_EQ(answer.error().reason, "dns");
  EXPECT_EQ(answer.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(answer.error().origin, Origin::kRemote);
}

TEST_F(CurlResolverTest, EnforcesTheDeadlineWhileTheResolverHangs) {
  CurlTransport transport(clock_);
  const TimePoint before = clock_.Now();
  const auto answer = transport.Send(To("stuck.test"), Within(50ms));
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(answer.error().delivery, Delivery::kNotSent);
  EXPECT_LT(clock_.Now() - before, 500ms);
}

TEST_F(CurlResolverTest, StopsPromptlyWhileTheResolverHangs) {
  CurlTransport transport(clock_);
  std::stop_source stop;
  std::thread stopper([&] {
    while (StuckNames().waiting() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  const TimePoint before = clock_.Now();
  const auto answer = transport.Send(To("stuck.test"), {.stop = stop.get_token()});
  stopper.join();
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(answer.error().delivery, Delivery::kNotSent);
  EXPECT_LT(clock_.Now() - before, 500ms);
}

TEST_F(CurlResolverTest, AppliesTheConnectTimeoutWhileTheResolverHangs) {
  CurlTransport transport(clock_, {.connect_timeout = 30ms});
  const auto answer = transport.Send(To("stuck.test"), Within(5s));
  EXPECT_EQ(answer.error().code, ErrorCode::kConnection);
  EXPECT_EQ(answer.error().reason, "connect");
}

TEST_F(CurlResolverTest, DestroysTheTransportWithoutWaitingForTheResolver) {
  const TimePoint before = clock_.Now();
  {
    CurlTransport transport(clock_);
    EXPECT_FALSE(transport.Send(To("stuck.test"), Within(20ms)));
  }
  EXPECT_LT(clock_.Now() - before, 500ms);
}

TEST_F(CurlResolverTest, BoundsTheResolverThreadsThatAreLeftBehind) {
  CurlTransport transport(clock_);
  ErrorCode last = ErrorCode::kDeadlineExceeded;
  int calls = 0;
  while (last == ErrorCode::kDeadlineExceeded && calls < 100) {
    ++calls;
    last = transport.Send(To("stuck.test"), Within(2ms)).error().code;
  }
  EXPECT_EQ(last, ErrorCode::kOverloaded);
  EXPECT_EQ(calls, 33) << "32 are left behind, the next is refused";
}

TEST_F(CurlResolverTest, StillServesKeptConnectionsWhileTheBoundIsReached) {
  CurlTransport transport(clock_);
  ASSERT_TRUE(transport.Send(To("127.0.0.1"), Within(2s)));
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(transport.Send(To("stuck.test"), Within(2ms)));
  EXPECT_EQ(transport.Send(To("stuck.test"), Within(2ms)).error().reason, "resolver");
  EXPECT_TRUE(transport.Send(To("127.0.0.1"), Within(2s)));
}

TEST_F(CurlResolverTest, SendsNothingOfACallThatWasAbandonedAndRecovers) {
  CurlTransport transport(clock_);
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(transport.Send(To("stuck.test"), Within(2ms)));
  StuckNames().Open();
  while (StuckNames().waiting() > 0) std::this_thread::yield();
  auto answer = transport.Send(To("stuck.test"), Within(2s));
  while (!answer && answer.error().code == ErrorCode::kOverloaded) {
    answer = transport.Send(To("stuck.test"), Within(2s));  // The threads are about to finish.
  }
  EXPECT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(server_.requests(), 1);
  EXPECT_EQ(server_.accepted(), 1);
}

}  // namespace
}  // namespace understudy
