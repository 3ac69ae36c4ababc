// HandlerHost: makes an application's http::Handler hostable where a PlannedHandler is expected.
//
//   HandlerHost host(webhook_receiver);
//   auto server = HttpServer::Start(clock, host, {});
#pragma once

#include <atomic>
#include <cstdint>

#include "harness/plan/response_plan.h"
#include "middleware/http/handler.h"

namespace understudy::harness {

// Answers with what the handler answers: no latency, no fault. Thread-safe if the handler is.
// Unlike a vendor model, Handle blocks for as long as the handler does.
class HandlerHost final : public PlannedHandler {
 public:
  // `handler` must outlive the host.
  explicit HandlerHost(http::Handler& handler) : handler_(handler) {}

  ResponsePlan Handle(const http::Request& request) override;

 private:
  http::Handler& handler_;
  std::atomic<std::uint64_t> last_id_ = 0;
};

}  // namespace understudy::harness
