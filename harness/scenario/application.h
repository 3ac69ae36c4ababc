// Application: the program under test with its lives: started, crashed, started again, always at
// the same address.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/plan/response_plan.h"
#include "harness/scenario/incarnation.h"
#include "harness/scenario/program.h"
#include "harness/scenario/world.h"

namespace understudy::harness {

// How to make one life of the program from what survived.
using StartProgram = std::function<Result<std::unique_ptr<Program>>(ProgramEnvironment)>;

// Thread-safe. While it is down, connections to its server are refused; an answer of a life that is
// over never leaves.
class Application final : public PlannedHandler {
 public:
  struct Parts {
    World& world;
    WebhookStore& webhooks;  // durable
    TokenStore& tokens;      // durable
    StartProgram start;
    CrashChoice crash = {};  // the exploration's choice; may be empty
  };

  Application(std::string name, Parts parts) : name_(std::move(name)), parts_(std::move(parts)) {}
  ~Application() override;

  // What each life is told beside its stores. Call before Start.
  void Configure(std::map<std::string, VendorAddress, std::less<>> vendors, std::string config);
  Result<void> Start();

  // Ends the current life; `between` describes the point for the "crash" event. Restarts after
  // `restart_after` if given. False if there is no life to end.
  bool Crash(std::string_view between, std::optional<Duration> restart_after);

  Result<http::Response> Call(std::string_view operation, const std::string& args,
                              const std::stop_token& stop);

  // Why a restart failed, if one did.
  std::vector<std::string> problems() const;

  std::optional<FaultKind> OnConnect(const http::Request& request) override;
  ResponsePlan Handle(const http::Request& request) override;

  // Ends everything; joins the tasks of every life.
  void Stop();

 private:
  // One life with the fences that cut it off.
  struct Incarnation {
    Incarnation(const Parts& parts, CrashChoice crash)
        : webhooks(parts.webhooks, life, std::move(crash)),
          tokens(parts.tokens, life),
          network(parts.world.network(), life),
          events(parts.world.history(), life) {}

    std::shared_ptr<Life> life = std::make_shared<Life>();
    FencedWebhookStore webhooks;
    FencedTokenStore tokens;
    FencedTransport network;
    FencedEventSink events;
    NullLogger logger;
    std::unique_ptr<Program> program;
  };

  std::shared_ptr<Incarnation> Current() const;
  bool EndLife(const std::shared_ptr<Incarnation>& incarnation, std::string_view between,
               std::optional<Duration> restart_after);

  const std::string name_;
  const Parts parts_;
  std::map<std::string, VendorAddress, std::less<>> vendors_;
  std::string config_ = "{}";
  mutable Mutex mutex_;
  std::shared_ptr<Incarnation> current_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Incarnation>> ghosts_
      GUARDED_BY(mutex_);  // kept until the end: their threads may run
  std::vector<std::string> problems_ GUARDED_BY(mutex_);
  std::vector<Task> restarts_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy::harness
