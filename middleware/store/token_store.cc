#include "middleware/store/token_store.h"

namespace understudy {

Result<void> CheckRefreshLease(std::string_view key, std::string_view owner, Duration ttl) {
  if (key.empty() || owner.empty()) return InvalidArgument("a refresh lease needs a key, an owner");
  if (ttl <= Duration::zero() || ttl > kRefreshLeaseMax) {
    return InvalidArgument("a refresh lease lasts more than 0 and at most 5 minutes");
  }
  return {};
}

}  // namespace understudy
