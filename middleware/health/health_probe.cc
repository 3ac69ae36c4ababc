#include "middleware/health/health_probe.h"

namespace understudy {

Result<ProbeOutcome> JudgeAnswer(const Result<http::Response>& answer) {
  if (!answer) return answer.error();
  const int status = answer->status;
  if (status >= 200 && status < 400) return ProbeOutcome::Healthy();
  if (status == 429) return ProbeOutcome::Degraded("throttled");
  return ProbeOutcome::Unhealthy("status-" + std::to_string(status));
}

}  // namespace understudy
