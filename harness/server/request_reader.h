// RequestReader: the requests of one connection, one after the other, pipelined or not.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "harness/server/request_parser.h"
#include "harness/server/socket_stream.h"

namespace understudy::harness {

struct ReceivedRequest {
  http::Request request = {};
  bool keep_alive = true;  // The client would send another one on this connection.
};

// The client has closed, was silent too long between two requests, or the server stops. Nobody
// waits for an answer.
struct ConnectionEnd {};

// Not thread-safe. Keeps at most one head, or one receive buffer, beyond the request it returns.
class RequestReader {
 public:
  // `stream` must outlive the reader. `authority` ("127.0.0.1:8080") stands in for an absent Host.
  RequestReader(SocketStream& stream, RequestLimits limits, std::string authority);

  // Blocks until a request has arrived completely. Answers "Expect: 100-continue" once the head is
  // accepted. 408 for a client that falls silent in the middle of a request; other refusals: see
  // ParseRequestHead.
  std::variant<ReceivedRequest, Refusal, ConnectionEnd> Next();

 private:
  using Interruption = std::variant<Refusal, ConnectionEnd>;

  std::optional<Interruption> ReceiveMore();
  std::variant<RequestHead, Refusal, ConnectionEnd> ReadHead();
  std::optional<Interruption> ReadBody(RequestHead& head);
  std::optional<Interruption> ReadSizedBody(RequestHead& head);
  std::optional<Interruption> ReadChunkedBody(RequestHead& head);

  SocketStream& stream_;
  const RequestLimits limits_;
  const std::string authority_;
  std::string buffer_;
};

}  // namespace understudy::harness
