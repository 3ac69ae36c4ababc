// AdapterRegistry: the adapters of a program, by provider and by what they produce. Made and filled
// by the program itself, and passed to who needs it: nothing registers itself (defects.md AD-12).
//
//   AdapterRegistry registry;
//   UNDERSTUDY_RETURN_IF_ERROR(registry.Register<Invoice>(std::make_shared<StripeInvoiceAdapter>(
//       StripeInvoiceAdapterOptions{})));
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto adapter, registry.Find<Invoice>("stripe"));
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

#include "middleware/adapter/adapter.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"

namespace understudy {

inline constexpr std::size_t kAdaptersMax = 1000;

// Thread-safe; a Mutex is held for a look-up, never while an adapter runs. An adapter that was
// found stays valid without the registry.
class AdapterRegistry {
 public:
  AdapterRegistry() = default;
  AdapterRegistry(const AdapterRegistry&) = delete;
  AdapterRegistry& operator=(const AdapterRegistry&) = delete;

  // kInvalidArgument: no adapter, no provider name, one that is registered for this type already
  // (reason "duplicate"), or more than kAdaptersMax.
  template <typename Internal>
  Result<void> Register(std::shared_ptr<const Adapter<Internal>> adapter) {
    if (adapter == nullptr) return InvalidArgument("adapter registry: no adapter given");
    std::string provider(adapter->provider());
    return Put(std::move(provider), typeid(Internal), std::move(adapter));
  }

  // kNotFound, with the providers there are for this type.
  template <typename Internal>
  Result<std::shared_ptr<const Adapter<Internal>>> Find(std::string_view provider) const {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<const void> found,
                                Get(provider, typeid(Internal)));
    return std::static_pointer_cast<const Adapter<Internal>>(found);
  }

  // Sorted.
  template <typename Internal>
  std::vector<std::string> Providers() const {
    return ProvidersOf(typeid(Internal));
  }

 private:
  using Key = std::pair<std::type_index, std::string>;

  Result<void> Put(std::string provider, std::type_index type, std::shared_ptr<const void> adapter)
      EXCLUDES(mutex_);
  Result<std::shared_ptr<const void>> Get(std::string_view provider, std::type_index type) const
      EXCLUDES(mutex_);
  std::vector<std::string> ProvidersOf(std::type_index type) const EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::map<Key, std::shared_ptr<const void>> adapters_ GUARDED_BY(mutex_);
};

}  // namespace understudy
