// Kills a webhook worker with SIGKILL at random moments under load, again and again: whatever it
// has acknowledged takes effect exactly once. 20 kills; UNDERSTUDY_KILLS=200 for the proof.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/platform/postgres_webhook_store.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "tests/middleware/webhook/webhook_counter.h"
#include "tests/support/postgres_server.h"

namespace understudy::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::string WorkerProgram() {
#ifdef UNDERSTUDY_WEBHOOK_WORKER
  return UNDERSTUDY_WEBHOOK_WORKER;
#else
  const char* const path = std::getenv("UNDERSTUDY_WEBHOOK_WORKER");
  return path != nullptr ? path : "";
#endif
}

int Kills() {
  const char* const text = std::getenv("UNDERSTUDY_KILLS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 20;
}

// A running worker and what it has acknowledged so far.
class Worker {
 public:
  Worker(const std::string& kind, const std::string& where, int life, std::uint64_t seed) {
    std::array<int, 2> ends = {};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    std::vector<std::string> arguments = {WorkerProgram(), kind, where, std::to_string(life),
                                          std::to_string(seed)};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~Worker() {
    if (pid_ > 0) Kill();
    close(output_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Reads acknowledgements for that long, or until there are `count`, or the worker has ended.
  void Read(milliseconds duration, std::size_t count) {
    const auto end = steady_clock::now() + duration;
    while (!ended_ && acknowledgements_ < count) {
      const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
      if (left <= milliseconds::zero()) return;
      pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
      if (poll(&entry, 1, static_cast<int>(left.count())) > 0) ReadSome();
    }
  }

  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
    pid_ = -1;
    while (!ended_) ReadSome();  // What it said before it died.
  }

  std::size_t acknowledgements() const { return acknowledgements_; }
  const std::set<std::string>& ids() const { return ids_; }
  bool WasKilled() const { return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL; }

 private:
  void ReadSome() {
    std::array<char, 4096> buffer = {};
    const ssize_t size = read(output_, buffer.data(), buffer.size());
    if (size <= 0) {
      ended_ = true;
      return;
    }
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      if (text_.starts_with("A ")) {
        ids_.insert(text_.substr(2, end - 2));
        ++acknowledgements_;
      }
      text_.erase(0, end + 1);
    }
  }

  pid_t pid_ = -1;
  int output_ = -1;
  int status_ = 0;
  bool ended_ = false;
  std::string text_;
  std::size_t acknowledgements_ = 0;
  std::set<std::string> ids_;
};

class WebhookCrashTest : public testing::Test {
 protected:
  void SetUp() override {
    if (WorkerProgram().empty()) GTEST_SKIP() << "UNDERSTUDY_WEBHOOK_WORKER is not set";
  }

  // Lives and deaths of workers over one store. `between` is called after each death.
  void KillAgainAndAgain(const std::string& kind, const std::string& where,
                         const std::function<void(int)>& between = {}) {
    std::mt19937_64 random(20'240'607);
    for (int life = 0; life < Kills(); ++life) {
      Worker worker(kind, where, life, random());
      if (random() % 8 == 0) {
        // In its start: opening, migrating, recovering.
        worker.Read(milliseconds(random() % 40), 1'000'000);
      } else {
        worker.Read(seconds(30), 1);
        ASSERT_GT(worker.acknowledgements(), 0U) << "life " << life << " acknowledged nothing";
        worker.Read(milliseconds(random() % 120), 1'000'000);
      }
      worker.Kill();
      ASSERT_TRUE(worker.WasKilled()) << "life " << life << " ended on its own";
      acknowledgements_ += worker.acknowledgements();
      acknowledged_.insert(worker.ids().begin(), worker.ids().end());
      if (between) between(life);
    }
  }

  // Lets workers of this process finish what the dead ones have left.
  void Finish(WebhookStore& store) {
    SystemRuntime system;
    WebhookProcessor processor(system.view(), store, WorkerProcessorOptions());
    processor.RegisterHandler("order.paid", CountRuns);
    processor.Start();
    const auto end = steady_clock::now() + seconds(60);
    for (;;) {
      const auto due = store.NextDue();
      ASSERT_TRUE(due) << due.error().ToString();
      if (!*due) return;
      ASSERT_LT(steady_clock::now(), end) << "events are left over";
      poll(nullptr, 0, 20);
    }
  }

  void ExpectEachEffectOnce(WebhookStore& store) {
    const auto completed = store.List(WebhookStatus::kCompleted, 10'000'000);
    ASSERT_TRUE(completed) << completed.error().ToString();
    std::set<std::string> ids;
    std::map<std::string, int> totals;
    int attempts = 0;
    for (const WebhookRecord& record : *completed) {
      const std::string& id = record.event.key.event_id;
      ids.insert(id);
      ++totals[TotalOf(id)];
      attempts += record.attempts;
      EXPECT_EQ(store.GetEffect("runs/" + id)->value_or("none"), "1") << "event " << id;
    }
    EXPECT_EQ(ids.size(), completed->size());
    const auto lost = std::count_if(acknowledged_.begin(), acknowledged_.end(),
                                    [&](const std::string& id) { return !ids.contains(id); });
    EXPECT_EQ(lost, 0) << "acknowledged events without effect";
    for (const auto& [key, count] : totals) {
      EXPECT_EQ(store.GetEffect(key)->value_or("none"), std::to_string(count)) << key;
    }
    for (const auto status : {WebhookStatus::kDead, WebhookStatus::kUnhandled}) {
      EXPECT_TRUE(store.List(status, 1)->empty());
    }
    std::cout << Kills() << " kills: " << acknowledgements_ << " acknowledgements of "
              << acknowledged_.size() << " events, " << ids.size() << " completed, " << attempts
              << " claims\n";
  }

  std::size_t acknowledgements_ = 0;
  std::set<std::string> acknowledged_;
};

TEST_F(WebhookCrashTest, WH11_NothingIsLostOrRepeatedWhenWorkersAreKilledOverSqlite) {
  std::string folder = (std::filesystem::temp_directory_path() / "us-crash-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/webhooks.db";
  KillAgainAndAgain("sqlite", file);
  if (!HasFatalFailure()) {
    auto store = SqliteWebhookStore::Open(file);
    ASSERT_TRUE(store) << store.error().ToString();
    Finish(**store);
    ExpectEachEffectOnce(**store);
  }
  std::filesystem::remove_all(folder);
}

TEST_F(WebhookCrashTest, WH11_NothingIsLostOrRepeatedWhenWorkersAreKilledOverPostgres) {
  auto server = PostgresServer::Start({.fsync = true});
  if (!server && server.error().code == ErrorCode::kNotFound) {
    GTEST_SKIP() << server.error().message;
  }
  ASSERT_TRUE(server) << server.error().message;
  // Now and then the server crashes too, right after a worker that it served.
  KillAgainAndAgain("postgres", (*server)->conninfo(), [&](int life) {
    if (life % 25 != 10) return;
    ASSERT_TRUE((*server)->Restart());
  });
  if (HasFatalFailure()) return;
  auto store = PostgresWebhookStore::Open((*server)->conninfo());
  ASSERT_TRUE(store) << store.error().ToString();
  Finish(**store);
  ExpectEachEffectOnce(**store);
}

}  // namespace
}  // namespace understudy::test
