#include "middleware/audit/audit_log.h"

#include <atomic>
#include <memory>
#include <new>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"
#include "middleware/platform/system_random.h"
#include "middleware/store/in_memory_audit_sink.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A sink in memory that fails or hangs as a test wants it.
class FlakySink final : public AuditSink {
 public:
  Result<void> Append(std::span<const AuditEntry> batch) override {
    ++appends;
    Gate();
    if (failing) return Failure();
    if (refusing) return InvalidArgument("not this one");
    const MutexLock lock(mutex);
    for (const AuditEntry& entry : batch) appended.insert(entry.id);
    return inner.Append(batch);
  }
  Result<void> Flush() override {
    ++flushes;
    if (failing || flush_failing) return Failure();
    const MutexLock lock(mutex);
    durable.merge(appended);
    return {};
  }
  bool IsDurable(const std::string& id) {
    const MutexLock lock(mutex);
    return durable.contains(id);
  }
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override {
    return inner.Find(query);
  }
  Result<std::optional<AuditEntry>> Last() override { return inner.Last(); }
  Result<std::size_t> Retain(SystemTime now, SystemTime before) override {
    return inner.Retain(now, before);
  }

  // Appends block until `open` again.
  void Gate() {
    MutexLock lock(mutex);
    entered = true;
    changed.NotifyAll();
    clock.AwaitUntil(mutex, changed, kNever, [&] { return open; });
  }
  void SetOpen(bool value) {
    const MutexLock lock(mutex);
    open = value;
    entered = false;
    changed.NotifyAll();
  }
  void AwaitEntered() {
    const MutexLock lock(mutex);
    clock.AwaitUntil(mutex, changed, kNever, [&] { return entered; });
  }

  static Error Failure() {
    return {ErrorCode::kStorage, "disk full", Delivery::kNotSent, Origin::kLocal, {}, "full"};
  }

  InMemoryAuditSink inner = InMemoryAuditSink();
  SystemClock clock = {};
  Mutex mutex = {};
  CondVar changed{"the gate"};
  bool open = true;
  bool entered = false;
  std::set<std::string> appended = {};  // Ids, since the last flush.
  std::set<std::string> durable = {};   // Ids.
  std::atomic<bool> failing = false;
  std::atomic<bool> flush_failing = false;
  std::atomic<bool> refusing = false;
  std::atomic<int> appends = 0;
  std::atomic<int> flushes = 0;
};

// Has no memory for digests.
class FullCrypto final : public Crypto {
 public:
  std::string Sha256(std::string_view) const override { throw std::bad_alloc(); }
  std::string HmacSha256(std::string_view, std::string_view) const override { return {}; }
  std::string HmacSha1(std::string_view, std::string_view) const override { return {}; }
  std::string HmacSha512(std::string_view, std::string_view) const override { return {}; }
  Result<bool> VerifyEd25519(std::string_view, std::string_view, std::string_view) const override {
    return false;
  }
  Result<std::string> SignEd25519(std::string_view, std::string_view) const override {
    return std::string();
  }
  Result<std::string> Ed25519PublicKey(std::string_view) const override { return std::string(); }
  Result<bool> VerifyRsaSha256(std::string_view, std::string_view,
                               std::string_view) const override {
    return false;
  }
  Result<std::string> SignRsaSha256(std::string_view, std::string_view) const override {
    return std::string();
  }
  Result<std::shared_ptr<const CertificateRoots>> ReadRoots(std::string_view) const override {
    return InvalidArgument("no certificate");
  }
};

// Another clock's time; tells how it is waited for.
class WatchedClock final : public Clock {
 public:
  explicit WatchedClock(Clock& clock) : clock_(clock) {}

  TimePoint Now() const override { return clock_.Now(); }
  SystemTime SystemNow() const override { return clock_.SystemNow(); }
  void SleepUntil(TimePoint wake_at) override { clock_.SleepUntil(wake_at); }
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex) {
    for_ever = deadline == kNever;
    ++waits;
    return clock_.AwaitUntil(mutex, condition, deadline, predicate);
  }

  std::atomic<int> waits = 0;
  std::atomic<bool> for_ever = false;  // The last wait has no end but being told.

 private:
  Clock& clock_;
};

class AuditLogTest : public ::testing::Test {
 protected:
  void Open(AuditLogOptions options = {}) {
    auto created = AuditLog::Create(std::move(options), sink_, crypto_, runtime());
    ASSERT_TRUE(created) << created.error().message;
    log_ = *std::move(created);
  }
  AuditCapture Capture(std::string_view operation = "op") {
    AuditCapture capture(AuditKind::kCall);
    capture.number = capture.call = log_->NextNumber();
    capture.at = world_.clock.SystemNow();
    capture.Put(AuditCapture::Tag::kOperation, operation);
    return capture;
  }
  std::vector<std::string> Stored(const char* member = "operation") {
    std::vector<std::string> found;
    for (const std::string& line : sink_->inner.Lines()) {
      const json record = json::parse(line);
      found.push_back(record["kind"] == "gap" ? "gap " + record["dropped"].dump()
                                              : record[member].get<std::string>());
    }
    return found;
  }
  // Lets time pass until the log has stopped failing or `done`.
  template <typename Predicate>
  void AdvanceUntil(Predicate done) {
    while (!done()) {
      world_.clock.Advance(50ms);
      std::this_thread::yield();
    }
  }

  // Each log of a trail draws another number for its ids.
  Runtime runtime() {
    return {world_.clock, world_.executor, random_, world_.logger, world_.events};
  }

  SystemRandom random_;
  test::TestRuntime world_ = test::TestRuntime(test::FakeClock::Waits::kBlock);
  OpensslCrypto crypto_;
  std::shared_ptr<FlakySink> sink_ = std::make_shared<FlakySink>();
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, AU5_RecordsAreStoredInTheirOrderOffTheCallersThread) {
  Open();
  for (const char* const name : {"a", "b", "c"}) log_->Record(Capture(name));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  const AuditStats stats = log_->stats();
  EXPECT_EQ(stats.accepted, 3u);
  EXPECT_EQ(stats.stored, 3u);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.queued_bytes, 0u);
  EXPECT_GE(sink_->flushes, 1);
}

TEST_F(AuditLogTest, RecordsLingerToShareAnAppend) {
  Open();
  for (int i = 0; i < 10; ++i) log_->Record(Capture());
  world_.clock.AwaitSleepers(1);
  EXPECT_EQ(sink_->appends, 0);
  AdvanceUntil([&] { return log_->stats().stored == 10; });
  EXPECT_EQ(sink_->appends, 1);
}

TEST_F(AuditLogTest, AFullBatchDoesNotLinger) {
  Open({.batch_max = 4});
  for (int i = 0; i < 4; ++i) log_->Record(Capture());
  while (log_->stats().stored < 4) std::this_thread::yield();  // Without time passing.
  EXPECT_EQ(sink_->appends, 1);
}

TEST_F(AuditLogTest, AQuietLogSleepsUntilARecordComes) {
  WatchedClock clock(world_.clock);
  Runtime watched = {clock, world_.executor, random_, world_.logger, world_.events};
  log_ = AuditLog::Create({}, sink_, crypto_, watched).value();
  // Looks for work some times, then waits to be told.
  constexpr int kLooksMax = 1000;
  while (!clock.for_ever && clock.waits < kLooksMax) {
    world_.clock.Advance(10ms);
    std::this_thread::yield();
  }
  ASSERT_TRUE(clock.for_ever);
  const int waits = clock.waits;
  log_->Record(Capture("wakes it"));
  while (log_->stats().stored < 1) std::this_thread::yield();  // Without time passing.
  EXPECT_THAT(Stored(), ElementsAre("wakes it"));
  EXPECT_LE(clock.waits, waits + 1);  // The next one.
  log_.reset();                       // It uses the clock.
}

TEST_F(AuditLogTest, AU5_AFullQueueDropsAndCountsAndTheTrailSaysSo) {
  Open({.records_max = 3});
  sink_->SetOpen(false);
  log_->Record(Capture("a"));
  AdvanceUntil([&] { return sink_->appends == 1; });
  for (const char* const name : {"b", "c", "lost", "lost"}) log_->Record(Capture(name));
  EXPECT_EQ(log_->stats().lost(AuditDrop::kQueueFull), 2u);
  sink_->SetOpen(true);
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_THAT(Stored(), ElementsAre("a", R"(gap {"queue-full":2})", "b", "c"));
  EXPECT_THAT(world_.events.Lines("audit.dropped"),
              ElementsAre("audit.dropped count=2 reason=queue-full"));
}

TEST_F(AuditLogTest, AU5_TheQueueIsBoundedInBytesToo) {
  Open({.bytes_max = 64 * 1024});
  sink_->SetOpen(false);
  for (int i = 0; i < 1000; ++i) log_->Record(Capture());
  const AuditStats stats = log_->stats();
  EXPECT_LE(stats.queued_bytes, 64u * 1024);
  EXPECT_EQ(stats.accepted + stats.lost(AuditDrop::kQueueFull), 1000u);
  EXPECT_GT(stats.lost(AuditDrop::kQueueFull), 0u);
  sink_->SetOpen(true);
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
}

TEST_F(AuditLogTest, AU5_AFailingSinkIsTriedAgainAndNothingIsLost) {
  Open();
  sink_->failing = true;
  log_->Record(Capture("a"));
  AdvanceUntil([&] { return sink_->appends >= 3; });
  EXPECT_TRUE(log_->stats().failing);
  log_->Record(Capture("b"));
  sink_->failing = false;
  AdvanceUntil([&] { return log_->stats().stored == 2; });
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
  EXPECT_FALSE(log_->stats().failing);
  EXPECT_THAT(world_.events.Lines("audit.sink"),
              ElementsAre("audit.sink ok=false reason=full", "audit.sink ok=true reason="));
}

TEST_F(AuditLogTest, ARefusedBatchIsDroppedAndTold) {
  Open();
  sink_->refusing = true;
  log_->Record(Capture("a"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_EQ(log_->stats().lost(AuditDrop::kRefused), 1u);
  sink_->refusing = false;
  log_->Record(Capture("b"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_THAT(Stored(), ElementsAre(R"(gap {"refused":1})", "b"));
}

TEST_F(AuditLogTest, ALossIsAnnouncedOnceAlsoIfItsGapRecordIsRefused) {
  Open();
  sink_->refusing = true;
  for (const char* const name : {"a", "b"}) {  // The second one with the gap of the first.
    log_->Record(Capture(name));
    ASSERT_TRUE(log_->Flush(Deadline::Never()));
  }
  sink_->refusing = false;
  log_->Record(Capture("c"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_THAT(Stored(), ElementsAre(R"(gap {"refused":2})", "c"));
  EXPECT_THAT(
      world_.events.Lines("audit.dropped"),
      ElementsAre("audit.dropped count=1 reason=refused", "audit.dropped count=1 reason=refused"));
}

TEST_F(AuditLogTest, AU5_AFlushAfterARefusedBatchMakesDurableWhatCameBefore) {
  Open();
  AuditCapture capture = Capture("a");
  const std::string id = log_->CallId(capture.number);
  log_->Record(std::move(capture));
  AdvanceUntil([&] { return log_->stats().stored == 1; });
  EXPECT_FALSE(sink_->IsDurable(id));
  sink_->refusing = true;
  log_->Record(Capture("b"));
  AdvanceUntil([&] { return log_->stats().lost(AuditDrop::kRefused) == 1; });
  sink_->refusing = false;
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_TRUE(sink_->IsDurable(id));
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenThereIsNoMemoryForTheRecord) {
  const FullCrypto crypto;
  log_ = AuditLog::Create({}, sink_, crypto, runtime()).value();
  http::Request request{.method = http::Method::Post(),
                        .url = http::Url::Parse("https://api.example/v1").value(),
                        .body = "x"};
  AuditCapture capture = Capture("start");
  capture.TakeRequest(request, log_->redactor(), BodyAudit::kDigest);
  const auto room = log_->Require(std::move(capture));
  ASSERT_FALSE(room);
  EXPECT_THAT(room.error().message, HasSubstr("was not stored"));
  EXPECT_EQ(log_->stats().lost(AuditDrop::kInternal), 1u);
  log_.reset();  // It uses the crypto.
}

TEST_F(AuditLogTest, AU5_AMustAuditRecordIsDurableAlsoWhileOthersFlush) {
  Open();
  std::atomic<bool> done = false;
  std::vector<std::thread> flushers;
  for (int t = 0; t < 2; ++t) {
    flushers.emplace_back([&] {
      while (!done) EXPECT_TRUE(log_->Flush(Deadline::Never()));
    });
  }
  std::vector<std::thread> callers;
  std::atomic<int> early = 0;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        AuditCapture capture = Capture("start");
        const std::string id = log_->CallId(capture.number);
        ASSERT_TRUE(log_->Require(std::move(capture)));
        if (!sink_->IsDurable(id)) ++early;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  done = true;
  for (std::thread& flusher : flushers) flusher.join();
  EXPECT_EQ(early, 0);
}

TEST_F(AuditLogTest, AFlushGivesUpAtItsDeadline) {
  Open();
  sink_->failing = true;
  log_->Record(Capture("a"));
  AdvanceUntil([&] { return log_->stats().failing; });
  const auto flushed = log_->Flush(Deadline::After(world_.clock.Now(), Duration::zero()));
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(flushed.error().reason, "audit-unavailable");
  sink_->failing = false;
}

TEST_F(AuditLogTest, AU5_TheEndOfTheLogStoresWhatWaits) {
  Open();
  for (const char* const name : {"a", "b", "c"}) log_->Record(Capture(name));
  log_.reset();
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  EXPECT_GE(sink_->flushes, 1);
}

TEST_F(AuditLogTest, AU5_TheEndOfTheLogIsBoundedIfTheSinkFails) {
  Open({.shutdown_max = 2s});
  sink_->failing = true;
  for (const char* const name : {"a", "b"}) log_->Record(Capture(name));
  std::atomic<bool> ended = false;
  const TimePoint start = world_.clock.Now();
  std::thread ender([&] {
    log_.reset();
    ended = true;
  });
  AdvanceUntil([&] { return ended.load(); });
  ender.join();
  EXPECT_GE(world_.clock.Now() - start, 2s);
  EXPECT_THAT(Stored(), ElementsAre());
}

TEST_F(AuditLogTest, AU5_AMustAuditRecordIsDurableBeforeItReturns) {
  Open();
  auto room = log_->Require(Capture("start"));
  ASSERT_TRUE(room) << room.error().message;
  EXPECT_THAT(Stored(), ElementsAre("start"));
  EXPECT_EQ(sink_->flushes, 1);
  log_->Record(Capture("end"), *std::move(room));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_THAT(Stored(), ElementsAre("start", "end"));
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenTheSinkFails) {
  Open();
  sink_->failing = true;
  for (int i = 0; i < 2; ++i) {  // The first one learns it, the second one knows it.
    const auto room = log_->Require(Capture("start"));
    ASSERT_FALSE(room);
    EXPECT_EQ(room.error().code, ErrorCode::kStorage);
    EXPECT_EQ(room.error().reason, "audit-unavailable");
    EXPECT_EQ(room.error().delivery, Delivery::kNotSent);
    EXPECT_EQ(room.error().origin, Origin::kLocal);
  }
  sink_->failing = false;
  AdvanceUntil([&] { return !log_->stats().failing; });
  EXPECT_TRUE(log_->Require(Capture("start")));
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenAFlushFails) {
  Open();
  sink_->flush_failing = true;
  EXPECT_EQ(log_->Require(Capture("start")).error().reason, "audit-unavailable");
  sink_->flush_failing = false;
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenTheSinkIsTooSlow) {
  Open({.must_audit_wait = 100ms});
  sink_->SetOpen(false);
  std::atomic<bool> done = false;
  std::thread caller([&] {
    const auto room = log_->Require(Capture("start"));
    EXPECT_FALSE(room);
    if (!room) {
      EXPECT_THAT(room.error().message, HasSubstr("too slow"));
    }
    done = true;
  });
  AdvanceUntil([&] { return done.load(); });
  caller.join();
  sink_->SetOpen(true);
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenTheRecordIsRefused) {
  Open();
  sink_->refusing = true;
  EXPECT_EQ(log_->Require(Capture("start")).error().reason, "audit-unavailable");
}

TEST_F(AuditLogTest, AU5_MustAuditFailsClosedWhenTheQueueIsFull) {
  Open({.records_max = 2});
  auto room = log_->Require(Capture("start"));
  ASSERT_TRUE(room);
  // One place is kept for its end: not enough for a second one's start and end.
  EXPECT_THAT(log_->Require(Capture("start")).error().message, HasSubstr("queue is full"));
  log_->Record(Capture("other"));
  log_->Record(Capture("lost"));
  log_->Record(Capture("end"), *std::move(room));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_EQ(log_->stats().lost(AuditDrop::kQueueFull), 2u);
  EXPECT_TRUE(log_->Require(Capture("start")));  // The place is free again.
}

TEST_F(AuditLogTest, MustAuditEndsWithTheCallsDeadline) {
  Open({.must_audit_wait = 1h});
  sink_->SetOpen(false);
  const auto room =
      log_->Require(Capture("start"), Deadline::After(world_.clock.Now(), Duration::zero()));
  EXPECT_FALSE(room);
  sink_->SetOpen(true);
}

TEST_F(AuditLogTest, AU7_TheChainGoesOnWhereTheTrailEnds) {
  for (int run = 0; run < 3; ++run) {
    Open({.chain = true, .chain_key = Secret("k")});
    log_->Record(Capture("a"));
    log_->Record(Capture("b"));
    ASSERT_TRUE(log_->Flush(Deadline::Never()));
    EXPECT_EQ(log_->stats().chain.number, 2u * static_cast<unsigned>(run) + 2);
    log_.reset();
  }
  std::string text;
  for (const std::string& line : sink_->inner.Lines()) text += line + "\n";
  const ChainReport report = VerifyChain(text, {.key = Secret("k")}, crypto_);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.records, 6u);
}

TEST_F(AuditLogTest, AU7_ALostBatchLeavesNoHoleInTheChain) {
  Open({.chain = true});
  sink_->refusing = true;
  log_->Record(Capture("a"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  sink_->refusing = false;
  log_->Record(Capture("b"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  std::string text;
  for (const std::string& line : sink_->inner.Lines()) text += line + "\n";
  EXPECT_TRUE(VerifyChain(text, {.end = log_->stats().chain}, crypto_).ok());
}

TEST_F(AuditLogTest, AU7_AChainCannotGoOnFromATrailWithoutOne) {
  Open();
  log_->Record(Capture("a"));
  log_.reset();
  const auto created = AuditLog::Create({.chain = true}, sink_, crypto_, runtime());
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kUnverified);
}

TEST_F(AuditLogTest, AU7_OldRecordsAreRemoved) {
  Open();
  log_->Record(Capture("old"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  world_.clock.Advance(48h);
  log_->Record(Capture("new"));
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_EQ(log_->Retain(24h).value(), 1u);
  EXPECT_THAT(Stored(), ElementsAre("new"));
  EXPECT_FALSE(log_->Retain(0h));
}

TEST_F(AuditLogTest, AllProblemsOfTheOptionsAreToldAtOnce) {
  const auto created = AuditLog::Create({.records_max = 0,
                                         .bytes_max = 1,
                                         .batch_max = 0,
                                         .linger = 0s,
                                         .retry_first = 20s,
                                         .chain_key = Secret("k")},
                                        sink_, crypto_, runtime());
  ASSERT_FALSE(created);
  EXPECT_THAT(
      created.error().message,
      AllOf(HasSubstr("records_max is 0"), HasSubstr("bytes_max is 1"), HasSubstr("batch_max is 0"),
            HasSubstr("linger is"), HasSubstr("retry_max is shorter"), HasSubstr("chain is off")));
  EXPECT_FALSE(AuditLog::Create({}, nullptr, crypto_, runtime()));
}

TEST_F(AuditLogTest, AU5_ManyThreadsLoseNothing) {
  Open({.records_max = 100'000});
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) log_->Record(Capture());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log_->Flush(Deadline::Never()));
  EXPECT_EQ(sink_->inner.Lines().size(), std::size_t{kThreads} * kEach);
  EXPECT_EQ(log_->stats().stored, std::uint64_t{kThreads} * kEach);
}

}  // namespace
}  // namespace understudy
