#include "middleware/platform/thread_executor.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr std::size_t kThreadNameMax = 15;  // pthread_setname_np(3), without the terminating NUL.

class ThreadControl final : public Task::Control {
 public:
  ThreadControl(std::string name, std::function<void(std::stop_token)> body)
      : thread_([label = std::move(name), run = std::move(body)](std::stop_token stop) {
          // A label is a courtesy: failing to set it changes nothing.
          static_cast<void>(pthread_setname_np(pthread_self(), label.c_str()));
          run(std::move(stop));
        }) {}

  void RequestStop() override { thread_.request_stop(); }
  void Join() override {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::jthread thread_;
};

}  // namespace

Task ThreadExecutor::Spawn(std::string name, std::function<void(std::stop_token)> body) {
  name.resize(std::min(name.size(), kThreadNameMax));
  std::unique_ptr<Task::Control> control;
  try {
    control = std::make_unique<ThreadControl>(std::move(name), std::move(body));
  } catch (const std::system_error& failure) {
    UNDERSTUDY_CHECK(false, std::string("cannot start a thread: ") + failure.what());
  }
  return Task(std::move(control));
}

}  // namespace understudy
