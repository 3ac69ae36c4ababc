// TcpProxy: a TCP proxy that misbehaves on request, as Toxiproxy does: a place to listen on, an
// upstream address, and toxics for each direction, all of which may change while it runs.
//
//   auto proxy = TcpProxy::Create(clock, random, logger, {.name = "redis",
//                                                         .listen = "127.0.0.1:0",
//                                                         .upstream = "localhost:6379"});
//   if (!proxy) return proxy.error();
//   (*proxy)->AddToxic({.name = "slow", .effect = LatencyToxic{.latency = 200ms}});
//   Connect((*proxy)->Snapshot().listen);
//
// Whether a toxic applies to a connection is drawn from the Random, once for each direction, before
// the socket is touched: a toxicity of 0 changes nothing. The draws depend on the seed, the name of
// the proxy, the number of the connection and the name of the toxic, hence a run with the same seed
// replays. A client that sends its FIN can still read the answer, and an RST of one side reaches
// the other as an RST.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/server/tcp_session.h"
#include "harness/server/toxic.h"
#include "middleware/base/result.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/logger.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

struct TcpProxyOptions {
  std::string name = {};
  std::string listen = "127.0.0.1:0";  // "host:port"; ":port" is every address of the machine
  std::string upstream = {};           // "host:port"; looked up for each connection
  bool enabled = true;
  std::vector<Toxic> toxics = {};
  TcpProxyLimits limits = {};
};

// Thread-safe. Changes take place one at a time, and none half: an error leaves everything as it
// was.
class TcpProxy {
 public:
  struct State {
    std::string name = {};
    std::string listen = {};  // With the chosen port once it listened.
    std::string upstream = {};
    bool enabled = false;
    std::vector<Toxic> toxics = {};  // Upstream first, then downstream, each in chain order.
  };

  // What Update changes; nullopt: leave it.
  struct Change {
    std::optional<std::string> listen = {};
    std::optional<std::string> upstream = {};
    std::optional<bool> enabled = {};
  };

  // Listens when it returns, if enabled. `clock`, `random` and `logger` must outlive the proxy.
  // With `started` false an enabled proxy holds its port, but takes no connection before Start().
  // `inherited` is a listener for the same place, instead of a new one.
  //
  // Errors: kInvalidArgument for an address or toxic that cannot be; kConnection, with reason
  // "port-in-use", "permission" or "listen", if the system refuses.
  static Result<std::unique_ptr<TcpProxy>> Create(Clock& clock, Random& random, Logger& logger,
                                                  TcpProxyOptions options, bool started = true,
                                                  std::optional<TcpListener> inherited = {});
  // As an Update to enabled = false.
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  // Takes connections; for a proxy that was created without. Errors: as the system's refusals of
  // Create.
  Result<void> Start();

  State Snapshot() const;
  // Would Update with these find nothing to do? "localhost" is 127.0.0.1, and the text it was
  // created with counts as well as the port that was chosen for it.
  bool Matches(std::string_view listen, std::string_view upstream) const;
  // A second handle of the listening socket, for a proxy that takes this one's place; nullopt if it
  // does not listen on `listen`.
  std::optional<TcpListener> ListenerOn(std::string_view listen) const;

  // Another listen or upstream closes the connections; enabled = false also closes the listener, so
  // that a client's connect is refused when it returns. What is as it was changes nothing. Blocks
  // until the connections are closed. Errors: as Create.
  Result<void> Update(const Change& change);

  // Apply to present and future connections at once; see ToxicPipe.
  // kInvalidArgument for a toxic that cannot be; kNotFound (Update, Remove); reason "exists" for a
  // second one of that name, reason "full" for more than limits.toxics_max.
  Result<void> AddToxic(const Toxic& toxic);
  // Attributes and toxicity; stream and type stay.
  Result<void> UpdateToxic(const Toxic& toxic);
  Result<void> RemoveToxic(std::string_view name);
  // Exactly these from now on.
  Result<void> SetToxics(std::vector<Toxic> toxics);

  const TcpProxyCounters& counters() const { return counters_; }
  std::size_t connections() const;

 private:
  TcpProxy(Clock& clock, Random& random, Logger& logger, TcpProxyOptions options);

  Result<std::unique_ptr<TcpSession>> NewSession(TcpListener listener, const HostPort& upstream);
  Toxic* Find(std::string_view name);

  Clock& clock_;
  Random& random_;
  Logger& logger_;
  TcpProxyCounters counters_;
  // Not the project's Mutex: a change waits, with it held, for the session's threads.
  mutable std::mutex mutex_;
  // All guarded by mutex_.
  TcpProxyOptions options_;
  std::string listen_asked_;
  std::optional<TcpListener> waiting_;  // Held, but not started.
  std::unique_ptr<TcpSession> session_;
};

}  // namespace understudy::harness
