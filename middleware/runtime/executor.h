// Executor: where background work runs. Threads in production, scheduled actors under simulation.
//
//   Task refresher = executor.Spawn("token refresher", [&](std::stop_token stop) { Run(stop); });
//   ...
//   refresher.RequestStop();   // or let the destructor stop and join it
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace understudy {

// A running piece of work. Move-only; the destructor requests a stop and waits for the end, so no
// work outlives the objects it uses. Not thread-safe: one owner.
class Task {
 public:
  // How an Executor implements the handle.
  class Control {
   public:
    virtual ~Control() = default;
    virtual void RequestStop() = 0;
    virtual void Join() = 0;  // Blocks until the body has returned.
  };

  Task() = default;
  explicit Task(std::unique_ptr<Control> control) : control_(std::move(control)) {}
  Task(Task&&) noexcept = default;
  Task& operator=(Task&& other) noexcept;
  ~Task();

  void RequestStop();
  // Blocks until the body has returned; then the Task is empty. Nothing for an empty Task.
  void Join();

 private:
  std::unique_ptr<Control> control_;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Starts `body` concurrently. `name` labels the thread in logs, debuggers and deadlock reports.
  // The body gets a token that is requested by Task::RequestStop; it must return soon after.
  // Thread-safe.
  virtual Task Spawn(std::string name, std::function<void(std::stop_token)> body) = 0;
};

}  // namespace understudy
