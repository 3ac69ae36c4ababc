// CorrelatingTransport: stamps each request with who sends it, so that the vendor's events name the
// caller.
#pragma once

#include <atomic>
#include <cstdint>

#include "middleware/http/transport.h"

namespace understudy::harness {

// Thread-safe. Wraps `inner`, which must outlive it.
class CorrelatingTransport final : public http::Transport {
 public:
  explicit CorrelatingTransport(http::Transport& inner) : inner_(inner) {}
  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override;

 private:
  http::Transport& inner_;
  std::atomic<std::uint64_t> exchanges_{0};
};

}  // namespace understudy::harness
