#include "middleware/client/expiring_keys.h"

namespace understudy {

void ExpiringKeys::Add(std::string_view key, TimePoint until, TimePoint now) {
  Remove(key);
  while (!by_time_.empty() && (by_time_.begin()->first <= now || by_key_.size() >= keys_max_)) {
    Drop(by_time_.begin());
  }
  by_key_.emplace(key, by_time_.emplace(until, std::string(key)));
}

void ExpiringKeys::Remove(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) Drop(found->second);
}

bool ExpiringKeys::Holds(std::string_view key, TimePoint now) const {
  const auto found = by_key_.find(key);
  return found != by_key_.end() && now < found->second->first;
}

void ExpiringKeys::Drop(Times::iterator time) {
  by_key_.erase(by_key_.find(time->second));
  by_time_.erase(time);
}

}  // namespace understudy
