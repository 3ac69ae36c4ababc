// SimNetwork: an in-memory network that joins a Transport to PlannedHandlers, under the
// simulation's clock.
//
// It answers as libcurl over sockets would: the same errors with the same delivery, the same
// faults, the same deadlines. Of connections it models what a client can tell: which request is the
// first on a new one (PlannedHandler::OnAccept), and which one meets a connection that has gone
// stale. What it does not model: TLS, name resolution and redirects.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/plan/answer_script.h"
#include "harness/plan/response_plan.h"
#include "harness/sim/simulation.h"
#include "middleware/base/mutex.h"
#include "middleware/http/transport.h"

namespace understudy::harness {

// Thread-safe, but only for actors of the simulation.
class SimNetwork final : public http::Transport {
 public:
  explicit SimNetwork(Simulation& simulation);
  ~SimNetwork() override;

  // Answers requests to `origin` ("http://acme.sim") with `handler`, which must outlive the network
  // or its Close. The handler decides at once (a vendor model): it runs on the caller's actor.
  void Listen(std::string origin, PlannedHandler& handler);
  // The same for a handler that may block (an application's server): each request gets an actor of
  // its own named `lane`, and the client's deadline ends only the client's side.
  void ListenBlocking(std::string origin, PlannedHandler& handler, std::string lane);
  // Further connections are refused. Requests in flight go on.
  void Close(std::string_view origin);

  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override;

 private:
  struct Host {
    PlannedHandler* handler = nullptr;
    bool blocking = false;
    std::string lane = {};
  };
  struct Serving;
  // As seen by the client, which uses the one that it used last first.
  struct Connection {
    ConnectionReport report = {};
    AnswerScript::Finish next = AnswerScript::Finish::kServeNext;
  };

  Result<Host> FindHost(const http::Request& request) const;
  // Gives the exchange a connection, new or used.
  Result<Connection> Connect(Host& host, const http::Request& request,
                             const http::SendOptions& options);
  std::optional<Connection> TakeIdle(const std::string& origin);
  void PutBack(Host& host, const std::string& origin, Connection connection);
  Result<http::Response> Exchange(Host& host, const http::Request& request,
                                  const http::SendOptions& options);
  Result<ResponsePlan> Ask(Host& host, const http::Request& request,
                           const http::SendOptions& options, std::shared_ptr<Serving>& serving);
  // `next`: what became of the connection.
  Result<http::Response> CarryOut(const ResponsePlan& plan, const http::Request& request,
                                  const http::SendOptions& options, AnswerScript::Finish& next);
  Result<http::Response> Fail(const ResponsePlan& plan, const http::Request& request,
                              const http::SendOptions& options, AnswerScript::Finish& next);
  // False, with the error in `ended`, if the client went away first.
  Result<void> WaitForClient(TimePoint until, const http::SendOptions& options);
  void ReapServed();

  Simulation& simulation_;
  mutable Mutex mutex_;
  std::map<std::string, Host, std::less<>> hosts_ GUARDED_BY(mutex_);
  std::list<std::shared_ptr<Serving>> served_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Connection>, std::less<>> idle_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t, std::less<>> accepted_ GUARDED_BY(mutex_);  // By origin.
};

}  // namespace understudy::harness
