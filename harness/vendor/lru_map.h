// LruMap: values by text, at most so many; the one that was used longest ago makes room.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::harness {

// References stay valid until the next Get that adds, or Erase. Not thread-safe.
template <typename Value>
class LruMap {
 public:
  explicit LruMap(std::size_t max) : max_(max) {}
  LruMap(const LruMap&) = delete;  // The index refers to the entries.
  LruMap& operator=(const LruMap&) = delete;

  // nullptr if there is none. Does not count as use.
  Value* Find(std::string_view key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }
  const Value* Find(std::string_view key) const {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

  // The value of `key`, made by `make` if there is none.
  template <typename Make>
  Value& Get(std::string_view key, const Make& make) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->second;
    }
    if (entries_.size() >= max_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::string(key), make());
    index_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  // Removes the entries whose key has this beginning.
  void EraseWithPrefix(std::string_view prefix) {
    auto it = index_.lower_bound(prefix);
    while (it != index_.end() && it->first.starts_with(prefix)) {
      entries_.erase(it->second);
      it = index_.erase(it);
    }
  }

  template <typename Visit>
  void ForEachWithPrefix(std::string_view prefix, const Visit& visit) {
    for (auto it = index_.lower_bound(prefix); it != index_.end() && it->first.starts_with(prefix);
         ++it) {
      visit(it->second->second);
    }
  }

  // Copies; the one that was used longest ago first.
  std::vector<std::pair<std::string, Value>> Entries() const {
    return {entries_.rbegin(), entries_.rend()};
  }

  void Clear() {
    index_.clear();
    entries_.clear();
  }
  std::size_t size() const { return entries_.size(); }

 private:
  using Entry = std::pair<std::string, Value>;

  const std::size_t max_;
  std::list<Entry> entries_;  // The most recently used first.
  std::map<std::string, typename std::list<Entry>::iterator, std::less<>> index_;
};

}  // namespace understudy::harness
