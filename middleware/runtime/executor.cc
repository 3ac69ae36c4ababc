#include "middleware/runtime/executor.h"

namespace understudy {

Task& Task::operator=(Task&& other) noexcept {
  if (this != &other) {
    RequestStop();
    Join();
    control_ = std::move(other.control_);
  }
  return *this;
}

Task::~Task() {
  RequestStop();
  Join();
}

void Task::RequestStop() {
  if (control_) control_->RequestStop();
}

void Task::Join() {
  if (!control_) return;
  control_->Join();
  control_.reset();
}

}  // namespace understudy
