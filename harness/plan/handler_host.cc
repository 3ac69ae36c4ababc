#include "harness/plan/handler_host.h"

namespace understudy::harness {

ResponsePlan HandlerHost::Handle(const http::Request& request) {
  ResponsePlan plan;
  plan.id = last_id_.fetch_add(1, std::memory_order_relaxed) + 1;
  plan.response = handler_.Handle(request);
  return plan;
}

}  // namespace understudy::harness
