#include "middleware/mock/mock_registry.h"

#include <utility>
#include <vector>

#include "middleware/base/check.h"

namespace understudy {

MockTransport& MockRegistry::Mock(std::string_view provider) {
  UNDERSTUDY_CHECK(!provider.empty(), "a mock needs the name of its vendor");
  const MutexLock lock(mutex_);
  const auto known = mocks_.find(provider);
  if (known != mocks_.end()) return *known->second;
  UNDERSTUDY_CHECK(mocks_.size() < kProvidersMax, "too many mocked vendors");
  auto mock = std::make_unique<MockTransport>(clock_);
  return *mocks_.emplace(provider, std::move(mock)).first->second;
}

http::Transport* MockRegistry::TransportFor(std::string_view provider) {
  const MutexLock lock(mutex_);
  const auto known = mocks_.find(provider);
  return known == mocks_.end() ? nullptr : known->second.get();
}

Result<void> MockRegistry::Verify() const { return CheckAll(&MockTransport::Verify); }

Result<void> MockRegistry::VerifyAllUsed() const { return CheckAll(&MockTransport::VerifyAllUsed); }

Result<void> MockRegistry::CheckAll(Check check) const {
  std::vector<std::pair<std::string, const MockTransport*>> mocks;
  {
    const MutexLock lock(mutex_);
    for (const auto& [provider, mock] : mocks_) mocks.emplace_back(provider, mock.get());
  }
  std::string text;
  for (const auto& [provider, mock] : mocks) {
    const Result<void> result = (mock->*check)();
    if (result) continue;
    text.append(text.empty() ? "" : " || ").append(provider).append(": ");
    text.append(result.error().message);
  }
  if (text.empty()) return {};
  Error error = InvalidArgument(std::move(text));
  error.reason = "no-mock";
  return error;
}

}  // namespace understudy
