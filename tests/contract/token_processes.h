// Real processes that share one rotating refresh token through a durable TokenStore, against a
// token endpoint on 127.0.0.1 that punishes a second use (defect OA-8). Include it in one source
// file of a test program and instantiate with the store.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/server/http_server.h"
#include "middleware/http/form.h"
#include "middleware/platform/system_clock.h"
#include "middleware/store/token_store.h"

namespace understudy::test {

// The durable store that the processes share.
struct SharedTokenStore {
  std::string argument = {};  // For token_process.
  std::unique_ptr<TokenStore> store = {};
  std::shared_ptr<void> owned = {};  // A temporary folder, say.
};

// Null `store` skips: it needs a server that is not installed.
using SharedTokenStoreFactory = std::function<SharedTokenStore()>;

// A token endpoint whose refresh tokens work once; using one again ends the grant, but within a
// grace, where there is one, it gives the new pair again (as Xero does).
class RotatingTokenEndpoint final : public harness::PlannedHandler {
 public:
  enum class First { kAnswered, kHangsBeforeRotation, kHangsAfterRotation };

  RotatingTokenEndpoint(First first, bool grace) : first_(first), grace_(grace) {}

  harness::ResponsePlan Handle(const http::Request& request) override {
    const http::FormPairs form = http::ParseForm(request.body);
    const std::string token(http::FormValue(form, "refresh_token").value_or(""));
    const std::lock_guard lock(mutex_);
    const bool is_first = askers_.empty();
    askers_.emplace_back(http::FormValue(form, "process").value_or("?"));
    arrived_.notify_all();
    harness::ResponsePlan plan;
    plan.id = askers_.size();
    // Long enough that the others are there before the answer is.
    plan.latency = std::chrono::milliseconds(200);
    if (is_first && first_ != First::kAnswered) plan.latency = std::chrono::minutes(10);
    if (is_first && first_ == First::kHangsBeforeRotation) return plan;
    if (token == Name("rt-", rotations_) && !ended_) {
      ++rotations_;
    } else if (!grace_ || rotations_ == 0 || token != Name("rt-", rotations_ - 1)) {
      ended_ = true;
      plan.response = {400, {}, R"({"error":"invalid_grant","error_description":"reuse"})"};
      return plan;
    }
    plan.response.status = 200;
    plan.response.body = R"({"token_type":"Bearer","expires_in":3600,"access_token":")" +
                         Name("at-", rotations_) + R"(","refresh_token":")" +
                         Name("rt-", rotations_) + "\"}";
    return plan;
  }

  // Blocks until somebody has asked; who was first.
  std::string AwaitFirst() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return !askers_.empty(); });
    return askers_.front();
  }
  std::vector<std::string> askers() const {
    const std::lock_guard lock(mutex_);
    return askers_;
  }
  int rotations() const {
    const std::lock_guard lock(mutex_);
    return rotations_;
  }

 private:
  static std::string Name(const std::string& prefix, int number) {
    return prefix + std::to_string(number);
  }

  const First first_;
  const bool grace_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> askers_;
  int rotations_ = 0;
  bool ended_ = false;
};

// A running token_process. Ends with the object, and with the test however that ends.
class TokenProcess {
 public:
  explicit TokenProcess(std::vector<std::string> arguments) {
    const auto program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "token_process";
    arguments.insert(arguments.begin(), program.string());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::array<int, 2> in = {};
    std::array<int, 2> out = {};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = out[0];
  }
  ~TokenProcess() {
    Kill();
    ::close(input_);
    ::close(output_);
  }
  TokenProcess(const TokenProcess&) = delete;
  TokenProcess& operator=(const TokenProcess&) = delete;

  // Blocks for its next line; empty when it has ended.
  std::string ReadLine() {
    std::string line;
    for (char c = 0; ::read(output_, &c, 1) == 1;) {
      if (c == '\n') return line;
      line.push_back(c);
    }
    return line;
  }
  void Go() {
    const std::string line = "go\n";
    EXPECT_EQ(::write(input_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

class TokenProcessesTest : public testing::TestWithParam<SharedTokenStoreFactory> {
 protected:
  using First = RotatingTokenEndpoint::First;

  void SetUp() override {
    if (shared_.store == nullptr) GTEST_SKIP() << "the store's server is not installed";
    TokenSet expired;
    expired.access_token = Secret("at-0");
    expired.refresh_token = Secret("rt-0");
    expired.issued_at = clock_.SystemNow() - std::chrono::hours(2);
    expired.expires_at = clock_.SystemNow() - std::chrono::hours(1);
    ASSERT_TRUE(shared_.store->Save("acme", expired, 0).has_value());
  }

  // Starts an endpoint and processes "p0", "p1", ... that all want a token at once.
  void Start(int processes, First first, bool grace, const std::string& refresh_timeout_ms,
             const std::string& lease_margin_ms) {
    endpoint_ = std::make_unique<RotatingTokenEndpoint>(first, grace);
    server_ = harness::HttpServer::Start(clock_, *endpoint_, {}).value();
    for (int i = 0; i < processes; ++i) {
      processes_.push_back(std::make_unique<TokenProcess>(
          std::vector<std::string>{shared_.argument, "acme", server_->url() + "/token",
                                   "p" + std::to_string(i), refresh_timeout_ms, lease_margin_ms}));
    }
    for (const auto& process : processes_) ASSERT_EQ(process->ReadLine(), "ready");
    for (const auto& process : processes_) process->Go();
  }
  // Ends the process that asked the endpoint first, in the middle of its refresh; the other one's
  // line.
  std::string KillTheWinner() {
    const std::size_t winner = endpoint_->AwaitFirst() == "p0" ? 0 : 1;
    processes_.at(winner)->Kill();
    return processes_.at(1 - winner)->ReadLine();
  }
  std::string Stored() {
    const TokenSet tokens = **shared_.store->Load("acme");
    return std::string(tokens.access_token.Reveal()) + " " +
           std::string(tokens.refresh_token.Reveal());
  }

  SystemClock clock_;
  SharedTokenStore shared_ = GetParam()();
  std::unique_ptr<RotatingTokenEndpoint> endpoint_;
  std::unique_ptr<harness::HttpServer> server_;
  std::vector<std::unique_ptr<TokenProcess>> processes_;  // End before the server.
};

TEST_P(TokenProcessesTest, OA8_TwoProcessesThatShareARefreshTokenMakeOneRefresh) {
  Start(2, First::kAnswered, false, "10000", "5000");
  EXPECT_EQ(processes_[0]->ReadLine(), "token at-1");
  EXPECT_EQ(processes_[1]->ReadLine(), "token at-1");
  EXPECT_EQ(endpoint_->askers().size(), 1u);
  EXPECT_EQ(Stored(), "at-1 rt-1");
}

TEST_P(TokenProcessesTest, OA8_SixProcessesThatShareARefreshTokenMakeOneRefresh) {
  Start(6, First::kAnswered, false, "10000", "5000");
  for (const auto& process : processes_) EXPECT_EQ(process->ReadLine(), "token at-1");
  EXPECT_EQ(endpoint_->askers().size(), 1u);
}

TEST_P(TokenProcessesTest, OA8_AWinnerKilledBeforeTheVendorRotatedIsReplacedWhenItsLeaseEnds) {
  Start(2, First::kHangsBeforeRotation, false, "1000", "200");
  EXPECT_EQ(KillTheWinner(), "token at-1");
  EXPECT_EQ(endpoint_->rotations(), 1);
  EXPECT_EQ(Stored(), "at-1 rt-1");
}

TEST_P(TokenProcessesTest, OA8_AWinnerKilledAfterTheVendorRotatedIsHelpedByTheVendorsGrace) {
  Start(2, First::kHangsAfterRotation, true, "1000", "200");
  EXPECT_EQ(KillTheWinner(), "token at-1");
  EXPECT_EQ(endpoint_->rotations(), 1);
  EXPECT_EQ(Stored(), "at-1 rt-1");
}

TEST_P(TokenProcessesTest, OA8_WithoutAGraceTheLossIsATypedErrorAndNothingIsOverwritten) {
  Start(2, First::kHangsAfterRotation, false, "1000", "200");
  EXPECT_EQ(KillTheWinner(), "error auth invalid_grant");
  EXPECT_EQ(endpoint_->askers().size(), 2u) << "a dead grant is not asked for again";
  EXPECT_EQ(Stored(), "at-0 rt-0");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TokenProcessesTest);

}  // namespace understudy::test
