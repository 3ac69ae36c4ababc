// TcpSession: a running TCP proxy: accepts connections on a listener, connects each to the upstream
// address, and passes the bytes through a ToxicPipe in each direction.
//
// One thread moves every byte (poll), one waits in the Clock for what is due, and one looks up a
// host name if the upstream has one; the number of connections adds none. Internal to TcpProxy,
// which gives a session a new one for each restart.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/server/tcp_listener.h"
#include "harness/server/toxic.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/logger.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

struct TcpProxyLimits {
  std::size_t connections_max = 1024;  // More are accepted and closed at once.
  std::size_t toxics_max = 64;
  Duration connect_timeout = std::chrono::seconds(30);  // in real time, because the peer is real
};

// Since the proxy was created, over all sessions. Index: ToxicStream.
struct TcpProxyCounters {
  std::atomic<std::uint64_t> connections = 0;
  std::array<std::atomic<std::uint64_t>, 2> received = {};  // bytes from the source
  std::array<std::atomic<std::uint64_t>, 2> sent = {};      // bytes to the destination
  std::atomic<std::uint64_t> toxics_applied = 0;            // toxics times links
};

// Thread-safe.
class TcpSession {
 public:
  struct Parts {
    Clock& clock;
    Random& random;
    Logger& logger;
    TcpProxyCounters& counters;  // outlive the session, all four
    std::string name = {};
    HostPort upstream = {};
    TcpProxyLimits limits = {};
    std::vector<Toxic> toxics = {};
  };

  // Accepts when it returns. kConnection if the system has no thread or descriptor for it.
  static Result<std::unique_ptr<TcpSession>> Start(TcpListener listener, Parts parts);
  // Closes the listener and every connection; returns when the threads have ended. Blocks no longer
  // than a look-up of the upstream's name that is under way.
  ~TcpSession();
  TcpSession(const TcpSession&) = delete;
  TcpSession& operator=(const TcpSession&) = delete;

  Result<TcpListener> DuplicateListener() const { return listener_.Duplicate(); }
  const std::string& address() const { return listener_.address(); }

  // Changes the toxics of present and future connections in one step: when it returns, whatever has
  // not left yet is subject to the change. The names have been checked by the caller.
  void AddToxic(const Toxic& toxic);
  void UpdateToxic(const Toxic& toxic);
  void RemoveToxic(std::string_view name);
  // Removes all and adds those.
  void SetToxics(std::vector<Toxic> toxics);

  std::size_t connections() const;

 private:
  struct Connection;
  struct LogLine;

  TcpSession(TcpListener listener, Parts parts);
  Result<void> StartThreads();

  void Loop();
  void TimerLoop();
  void ResolverLoop();
  void Wake();

  bool ServeAll(std::vector<LogLine>& lines) REQUIRES(mutex_);
  void ArmTimer(TimePoint due) REQUIRES(mutex_);
  int MsUntilDeadline() const;
  void Accept();
  void Admit(int client);
  void Serve(Connection& connection, TimePoint now) REQUIRES(mutex_);
  void ServeConnecting(Connection& connection, TimePoint now) REQUIRES(mutex_);
  void ConnectNext(Connection& connection, TimePoint now) REQUIRES(mutex_);
  void Open(Connection& connection, TimePoint now) REQUIRES(mutex_);
  void ServeOpen(Connection& connection, TimePoint now) REQUIRES(mutex_);
  bool Pump(Connection& connection, ToxicStream stream, TimePoint now) REQUIRES(mutex_);
  bool Read(Connection& connection, ToxicStream stream, TimePoint& now) REQUIRES(mutex_);
  bool Write(Connection& connection, ToxicStream stream, TimePoint now) REQUIRES(mutex_);
  void EndStream(Connection& connection, ToxicStream stream, TimePoint now) REQUIRES(mutex_);
  void ServeDraining(Connection& connection) REQUIRES(mutex_);
  template <typename Change>
  void ChangePipes(ToxicStream stream, Change change) REQUIRES(mutex_);

  Parts parts_;
  TcpListener listener_;
  int wake_ = -1;  // eventfd

  mutable Mutex mutex_;
  CondVar timer_changed_{"the next due piece of a TCP proxy"};
  bool stopping_ GUARDED_BY(mutex_) = false;
  TimePoint timer_due_ GUARDED_BY(mutex_) = kNever;
  std::vector<Toxic> toxics_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_ GUARDED_BY(mutex_);
  bool refused_ = false;               // Only the loop's: too many connections were reported.
  TimePoint next_deadline_ = kNever;   // Only the loop's; in real time.
  bool short_of_descriptors_ = false;  // Only the loop's.

  // Not the project's Mutex: a look-up waits for the system and must not be seen by a Clock.
  std::mutex resolver_mutex_;
  std::condition_variable resolver_changed_;
  std::deque<std::uint64_t> to_resolve_;  // guarded by resolver_mutex_; ids of connections
  bool resolver_stopping_ = false;        // guarded by resolver_mutex_

  std::thread loop_;
  std::thread timer_;
  std::thread resolver_;
};

}  // namespace understudy::harness
