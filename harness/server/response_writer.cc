#include "harness/server/response_writer.h"

namespace understudy::harness {

std::string EncodeRefusal(const Refusal& refusal) {
  const http::Response response{.status = refusal.status,
                                .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                                .body = refusal.reason + "\n"};
  const Framing framing{.close = true, .body_bytes = response.body.size()};
  return EncodeHead(response, framing).append(response.body);
}

}  // namespace understudy::harness
