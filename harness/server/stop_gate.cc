#include "harness/server/stop_gate.h"

#include <sys/socket.h>

namespace understudy::harness {

bool StopGate::Enter(int socket) {
  const MutexLock lock(mutex_);
  if (stopping()) return false;
  sockets_.insert(socket);
  return true;
}

void StopGate::Leave(int socket) {
  const MutexLock lock(mutex_);
  sockets_.erase(socket);
}

bool StopGate::SleepUntil(TimePoint wake_at) {
  const MutexLock lock(mutex_);
  return !clock_.AwaitUntil(mutex_, stopped_, wake_at, [this] { return stopping(); });
}

void StopGate::Stop() {
  const MutexLock lock(mutex_);
  stopping_.store(true, std::memory_order_release);
  stopped_.NotifyAll();
  ShutdownSockets(SHUT_RD);
}

void StopGate::Sever() {
  const MutexLock lock(mutex_);
  ShutdownSockets(SHUT_RDWR);
}

void StopGate::ShutdownSockets(int how) {
  // A failure means that the peer has closed already, which ends the read as well.
  for (const int socket : sockets_) static_cast<void>(::shutdown(socket, how));
}

}  // namespace understudy::harness
