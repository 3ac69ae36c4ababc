// MockRegistry: the mocks of a binary that can mock, one MockTransport per vendor.
//
//   MockRegistry mocks(system.clock());
//   mocks.Mock("stripe").When("GET", "/v1/balance").Respond(200, R"({"available": []})");
//   auto factory = ClientFactory::Create(
//       {.mode_text = GetEnvironment(kMockModeVariable), .real = &curl, .mocks = &mocks},
//       system.view());
//
// Linking this component, and naming a MockRegistry in main, is the decision that a binary may
// mock. A binary for production does neither, and then no environment can make it mock.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/client/mock_source.h"
#include "middleware/mock/mock_transport.h"

namespace understudy {

// Owns its transports; they stay until the registry ends, so clients may keep them. Thread-safe.
// Nothing blocks.
class MockRegistry final : public MockSource {
 public:
  static constexpr std::size_t kProvidersMax = 1000;

  // The clock must outlive the registry.
  explicit MockRegistry(Clock& clock) : clock_(clock) {}

  // The mock of a vendor; made empty when it is first asked for. Aborts for an empty name and for
  // more than kProvidersMax vendors: the names are in the source code.
  MockTransport& Mock(std::string_view provider) EXCLUDES(mutex_);

  // nullptr for a vendor that Mock was never called for: a misspelt name is not a mock.
  http::Transport* TransportFor(std::string_view provider) override EXCLUDES(mutex_);

  // MockTransport::Verify and VerifyAllUsed of all vendors, as one Error that names each.
  Result<void> Verify() const EXCLUDES(mutex_);
  Result<void> VerifyAllUsed() const EXCLUDES(mutex_);

 private:
  using Check = Result<void> (MockTransport::*)() const;
  Result<void> CheckAll(Check check) const EXCLUDES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<MockTransport>, std::less<>> mocks_ GUARDED_BY(mutex_);
};

}  // namespace understudy
