// WireClock: the clock of a run over real sockets. Time stands still while anybody works and jumps
// when all wait.
//
// The rule of the simulator, with real threads and real connections: time moves only at quiescence,
// and only the clock moves it. So 24 idle hours pass in milliseconds, a slow machine changes
// nothing, and durations equal those of the simulated run (ADR 0006). The clock counts who holds
// time:
//
//   - an actor (WireExecutor's threads and the main one) while it runs and is not parked in the
//   clock;
//   - a request on its way between a client blocked in its transport and the server that works on
//   it. While the
//     server waits in the clock for that request (injected latency), the two together hold nothing.
//
// In real mode the same accounting runs, but time is real time and nothing is skipped.
//
// Thread-safe. A run that cannot go on (deadlock, ceiling, nobody lets go of time for too long) is
// ended: every actor in a wait is unwound with an internal exception, and the report says why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "middleware/runtime/clock.h"

namespace understudy::harness {

struct WireClockOptions {
  enum class Mode { kSkip, kReal };
  Mode mode = Mode::kSkip;
  SystemTime start = {};                          // wall-clock time at the beginning
  Duration limit = std::chrono::hours(24 * 365);  // virtual-time ceiling
  Duration stall_limit =
      std::chrono::seconds(30);  // real time without any progress before the run is given up
};

enum class WireEnd {
  kRunning,    // not ended early
  kDeadlock,   // everybody waits and no timer is pending
  kTimeLimit,  // the ceiling was reached
  kStalled,    // somebody held time for longer than stall_limit
};

class WireClock final : public Clock {
 public:
  // `real` gives real time for stall detection and real mode; it must outlive this clock.
  WireClock(Clock& real, WireClockOptions options);
  ~WireClock() override;

  TimePoint Now() const override;
  SystemTime SystemNow() const override;
  void SleepUntil(TimePoint wake_at) override;
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex);

  // An actor holds time from Started to Ended unless it is parked. Started is called by who creates
  // the actor, before the thread exists; Enter and Leave mark the thread itself. Leave ends the
  // actor.
  void ActorStarted();
  void ActorEnter(std::string name);
  void ActorLeave();

  // The calling actor is about to block in its transport for request `id`; the request now holds
  // time in its place. `wake` is called (on another thread) when virtual time reaches `deadline`:
  // it must make the transport look at the clock. RequestEnded is called when the transport has
  // returned.
  void RequestBegun(std::uint64_t id, TimePoint deadline, std::function<void()> wake);
  // The client was told to stop: it is on its way out, so the request holds time until
  // RequestEnded.
  void RequestWaking(std::uint64_t id);
  void RequestEnded(std::uint64_t id, bool gave_up);

  // The calling thread of a server works on request `id` (0 if unknown) from Begun to Ended.
  void ServingBegun(std::uint64_t id);
  void ServingEnded();
  // Whether the client of the request that the calling thread serves has given up.
  bool ClientGaveUp() const;
  // Parks the calling server's thread until that client has given up, or the clock is shut down.
  void AwaitClientGone();

  // Ends the run from outside: every wait returns or unwinds.
  void Shutdown();

  WireEnd end() const;
  std::string detail() const;

  // Runs `body` and swallows the exception that ends a run early. For the outermost frame of an
  // actor.
  static void RunActor(FunctionRef<void()> body);

 private:
  struct Parker;
  struct Request;

  int Contribution(const Request& request) const;
  void ChangeRequest(std::uint64_t id, FunctionRef<void(Request&)> change);
  void ParkCurrent(Parker& parker, TimePoint deadline, std::string_view waits_for);
  void AccountPark(Parker& parker, bool parked);
  void WakeLocked(Parker& parker);
  void Adjust(int delta);
  void SkipIfQuiet(std::unique_lock<std::mutex>& lock);
  void FireDue(std::unique_lock<std::mutex>& lock);
  void EndLocked(WireEnd end, std::string detail);
  void UnwindIfEnded() const;
  std::string DescribeLocked() const;
  void Watch();
  Duration RealElapsed() const;

  Clock& real_;
  const WireClockOptions options_;
  const TimePoint real_start_;
  mutable std::mutex mutex_;
  std::condition_variable watch_changed_;
  std::atomic<Duration::rep> now_{0};
  int busy_ = 0;
  std::uint64_t progress_ = 0;
  std::multimap<TimePoint, Parker*> timers_;
  std::multimap<TimePoint, std::uint64_t> request_timers_;
  std::unordered_map<std::uint64_t, Request> requests_;
  std::map<std::thread::id, std::string> actors_;
  std::map<Parker*, std::string> parked_;
  std::unordered_map<std::uint64_t, Parker*>
      await_gone_;  // servers that wait for their client to leave
  WireEnd end_ = WireEnd::kRunning;
  std::string detail_;
  bool shutdown_ = false;
  std::thread watcher_;
};

}  // namespace understudy::harness
