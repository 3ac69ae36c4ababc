// StopGate: everything that stopping a server must end, i.e. waits on the clock and reads on
// sockets.
//
// It is the only place of the server that blocks in a Clock, hence a harness that counts who is
// parked in the clock sees a connection only while it waits for a planned latency, drip or hang.
//
//   if (!gate.Enter(socket)) return;              // stopping already
//   if (!gate.SleepUntil(deadline)) return;       // stopped while waiting
//   gate.Leave(socket);                           // before the socket is closed
#pragma once

#include <atomic>
#include <set>

#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"

namespace understudy::harness {

// Thread-safe. Bounded by the connections of its server.
class StopGate {
 public:
  // `clock` must outlive the gate.
  explicit StopGate(Clock& clock) : clock_(clock) {}

  Clock& clock() { return clock_; }

  // Registers a socket to be woken by Stop; false if the gate is stopping, and then it is not
  // registered.
  bool Enter(int socket);
  void Leave(int socket);

  // Blocks in the clock until `wake_at` (kNever: for ever); false if stopped first.
  bool SleepUntil(TimePoint wake_at);

  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  // Ends every SleepUntil, and every read of a registered socket as if its peer had closed. Answers
  // can still be written.
  void Stop();
  // Ends blocked writes, too.
  void Sever();

 private:
  void ShutdownSockets(int how) REQUIRES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  CondVar stopped_{"the HTTP server's stop"};
  std::atomic<bool> stopping_ = false;  // Written under mutex_, so that no wait misses it.
  std::set<int> sockets_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
