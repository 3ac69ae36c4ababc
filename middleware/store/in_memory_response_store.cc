#include "middleware/store/in_memory_response_store.h"

#include <algorithm>
#include <utility>

namespace understudy {
namespace {

std::size_t SizeOf(const ResponseKey& key, const StoredResponse& stored) {
  std::size_t size = key.resource.size() + key.identity.size() + stored.response.body.size();
  for (const auto& [name, value] : stored.response.headers) size += name.size() + value.size();
  for (const auto& [name, value] : stored.selecting) {
    size += name.size() + (value ? value->size() : 0);
  }
  return size;
}

bool SameNames(const SelectingFields& a, const SelectingFields& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

}  // namespace

Result<std::vector<StoredResponsePtr>> InMemoryResponseStore::Find(const ResponseKey& key) {
  const MutexLock lock(mutex_);
  const auto found = groups_.find(key);
  if (found == groups_.end()) return std::vector<StoredResponsePtr>();
  uses_.splice(uses_.begin(), uses_, found->second.use);
  return found->second.variants;
}

Result<void> InMemoryResponseStore::Put(const ResponseKey& key, StoredResponsePtr response) {
  const std::size_t size = SizeOf(key, *response);
  const MutexLock lock(mutex_);
  if (const auto group = groups_.find(key); group != groups_.end()) {
    if (!Supersede(group, *response)) return {};
  }
  if (size > options_.bytes_max || options_.entries_max == 0) return {};
  MakeRoom(size);
  const auto [group, is_new] = groups_.try_emplace(key);
  if (is_new) group->second.use = uses_.insert(uses_.begin(), &group->first);
  uses_.splice(uses_.begin(), uses_, group->second.use);
  std::vector<StoredResponsePtr>& variants = group->second.variants;
  variants.insert(variants.begin(), std::move(response));
  ++entries_;
  bytes_ += size;
  return {};
}

bool InMemoryResponseStore::Supersede(Groups::iterator group, const StoredResponse& response) {
  std::vector<StoredResponsePtr>& variants = group->second.variants;
  const auto superseded = [&](const StoredResponse& old) {
    return old.selecting == response.selecting || !SameNames(old.selecting, response.selecting);
  };
  const bool outdated = std::any_of(variants.begin(), variants.end(), [&](const auto& old) {
    return superseded(*old) && old->sent.steady > response.sent.steady;
  });
  if (outdated) return false;
  for (std::size_t i = variants.size(); i-- > 0;) {
    if (superseded(*variants[i])) EraseVariant(group, i);
  }
  while (!variants.empty() && variants.size() >= options_.variants_max) {
    EraseVariant(group, variants.size() - 1);
  }
  if (variants.empty()) EraseGroup(group);
  return true;
}

Result<void> InMemoryResponseStore::Erase(const ResponseKey& key,
                                          const SelectingFields& selecting) {
  const MutexLock lock(mutex_);
  const auto group = groups_.find(key);
  if (group == groups_.end()) return {};
  const std::vector<StoredResponsePtr>& variants = group->second.variants;
  const auto found = std::find_if(variants.begin(), variants.end(), [&](const auto& stored) {
    return stored->selecting == selecting;
  });
  if (found == variants.end()) return {};
  EraseVariant(group, static_cast<std::size_t>(found - variants.begin()));
  if (variants.empty()) EraseGroup(group);
  return {};
}

Result<void> InMemoryResponseStore::EraseResource(const std::string& resource) {
  const MutexLock lock(mutex_);
  auto group = groups_.lower_bound(ResponseKey{resource, {}});
  while (group != groups_.end() && group->first.resource == resource) group = EraseGroup(group);
  return {};
}

void InMemoryResponseStore::EraseVariant(Groups::iterator group, std::size_t index) {
  std::vector<StoredResponsePtr>& variants = group->second.variants;
  bytes_ -= SizeOf(group->first, *variants[index]);
  --entries_;
  variants.erase(variants.begin() + static_cast<std::ptrdiff_t>(index));
}

InMemoryResponseStore::Groups::iterator InMemoryResponseStore::EraseGroup(Groups::iterator group) {
  while (!group->second.variants.empty()) EraseVariant(group, group->second.variants.size() - 1);
  uses_.erase(group->second.use);
  return groups_.erase(group);
}

void InMemoryResponseStore::MakeRoom(std::size_t bytes) {
  while (!uses_.empty() &&
         (entries_ >= options_.entries_max || bytes_ + bytes > options_.bytes_max)) {
    EraseGroup(groups_.find(*uses_.back()));
  }
}

std::size_t InMemoryResponseStore::entries() const {
  const MutexLock lock(mutex_);
  return entries_;
}

std::size_t InMemoryResponseStore::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace understudy
