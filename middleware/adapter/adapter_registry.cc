#include "middleware/adapter/adapter_registry.h"

namespace understudy {
namespace {

std::string Joined(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined.append(joined.empty() ? "" : ", ").append(name);
  return joined.empty() ? "none" : joined;
}

}  // namespace

Result<void> AdapterRegistry::Put(std::string provider, std::type_index type,
                                  std::shared_ptr<const void> adapter) {
  if (provider.empty())
    return InvalidArgument("adapter registry: the adapter has no provider name");
  const MutexLock lock(mutex_);
  if (adapters_.size() >= kAdaptersMax)
    return InvalidArgument("adapter registry: more than " + std::to_string(kAdaptersMax));
  const auto [at, added] = adapters_.try_emplace(Key(type, provider), std::move(adapter));
  if (added) return {};
  Error error = InvalidArgument("adapter registry: \"" + provider +
                                "\" has an adapter for this type already; register it once");
  error.reason = "duplicate";
  return error;
}

Result<std::shared_ptr<const void>> AdapterRegistry::Get(std::string_view provider,
                                                         std::type_index type) const {
  {
    const MutexLock lock(mutex_);
    const auto found = adapters_.find(Key(type, std::string(provider)));
    if (found != adapters_.end()) return found->second;
  }
  return Error{.code = ErrorCode::kNotFound,
               .message = "adapter registry: no adapter for provider \"" +
                          std::string(provider.substr(0, 64)) + "\" and this type; there are " +
                          Joined(ProvidersOf(type))};
}

std::vector<std::string> AdapterRegistry::ProvidersOf(std::type_index type) const {
  const MutexLock lock(mutex_);
  std::vector<std::string> providers;
  for (auto at = adapters_.lower_bound(Key(type, "")); at != adapters_.end(); ++at) {
    if (at->first.first != type) break;
    providers.push_back(at->first.second);
  }
  return providers;
}

}  // namespace understudy
