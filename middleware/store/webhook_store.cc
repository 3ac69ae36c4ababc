#include "middleware/store/webhook_store.h"

namespace understudy {

std::string_view ToString(WebhookStatus status) {
  switch (status) {
    case WebhookStatus::kPending:
      return "pending";
    case WebhookStatus::kProcessing:
      return "processing";
    case WebhookStatus::kCompleted:
      return "completed";
    case WebhookStatus::kDead:
      return "dead";
    case WebhookStatus::kUnhandled:
      return "unhandled";
  }
  return "unknown";
}

}  // namespace understudy
