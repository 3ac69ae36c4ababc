#include "middleware/adapter/adapter.h"

#include "middleware/adapter/vendor_text.h"

namespace understudy {

std::string ExternalIdOf(const ExactJson& external) {
  for (const std::string_view name : {"id", "Id"}) {
    const ExactJson* member = external.Find(name);
    const auto text = member == nullptr ? std::nullopt : member->StringText();
    if (text) return IdentifierOrEmpty(*text, "_-.", kVendorWordMax);
  }
  return {};
}

}  // namespace understudy
