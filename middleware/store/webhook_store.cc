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

Result<std::size_t> WebhookStore::ReviveUnhandled(std::optional<std::string_view> type,
                                                  SystemTime now, std::size_t limit) {
  constexpr std::size_t kListMax = 10'000;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto parked, List(WebhookStatus::kUnhandled, kListMax));
  std::size_t revived = 0;
  for (const WebhookRecord& record : parked) {
    if (revived >= limit) break;
    if (type && record.event.type != *type) continue;
    const auto result = Revive(record.event.key, now);
    if (result) ++revived;
    // kNotFound: somebody else has revived it.
    if (!result && result.error().code != ErrorCode::kNotFound) return result.error();
  }
  return revived;
}

}  // namespace understudy
