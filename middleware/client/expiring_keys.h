// ExpiringKeys: a small, bounded memory of names that something holds for until a time.
//
//   ExpiringKeys resting(1000);
//   resting.Add("/v1/things", now + 1s, now);
//   if (resting.Holds("/v1/things", now)) return;
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy {

// Not thread-safe. Forgets the key that expires first when it is full: only for what may be
// forgotten early.
class ExpiringKeys {
 public:
  // `keys_max` at least 1.
  explicit ExpiringKeys(std::size_t keys_max) : keys_max_(keys_max) {}

  // Until before `until`; replaces an earlier time.
  void Add(std::string_view key, TimePoint until, TimePoint now);
  void Remove(std::string_view key);
  bool Holds(std::string_view key, TimePoint now) const;
  std::size_t size() const { return by_key_.size(); }

 private:
  using Times = std::multimap<TimePoint, std::string>;

  void Drop(Times::iterator time);

  const std::size_t keys_max_;
  Times by_time_;
  std::map<std::string, Times::iterator, std::less<>> by_key_;
};

}  // namespace understudy
