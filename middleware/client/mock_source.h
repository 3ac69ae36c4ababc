// MockSource: where a ClientFactory gets mocks from. Declared here so that a binary can be built
// without any; middleware/mock has the implementation, MockRegistry.
#pragma once

#include <string_view>

#include "middleware/http/transport.h"

namespace understudy {

// Thread-safe.
class MockSource {
 public:
  virtual ~MockSource() = default;
  // The mock of that vendor, owned by the source, valid as long as the source; nullptr if it has
  // none. Does not block.
  virtual http::Transport* TransportFor(std::string_view provider) = 0;
};

}  // namespace understudy
