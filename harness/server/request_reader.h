// RequestReader: the requests of one connection, one after the other, pipelined or not.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "harness/server/request_parser.h"
#include "harness/server/socket_stream.h"
#include "middleware/base/function_ref.h"

namespace understudy::harness {

struct ReceivedRequest {
  http::Request request = {};
  bool keep_alive = true;  // The client would send another one on this connection.
};

// The client has closed, was silent too long between two requests, or the server stops. Nobody
// waits for an answer.
struct ConnectionEnd {};

// What a server does when the head of a request has arrived.
enum class AfterHead {
  kReadBody,     // Reads the body, if any, and returns the request.
  kDiscardBody,  // Answered already: reads the body for nobody and goes on with the next request.
  kEnd,          // The connection has ended.
};

// How requests are read. Real time, because the clients are real.
struct ReadingRules {
  RequestLimits limits = {};
  // From the first byte of a head, or of a body, to its last one: a client that sends a byte now
  // and then does not hold a thread for ever.
  Duration head_timeout = std::chrono::seconds(30);
  Duration body_timeout = std::chrono::minutes(5);
  bool decode_bodies = false;        // Undo the Content-Encoding; see content_decoder.h.
  std::string authority = {};        // "127.0.0.1:8080" stands in for an absent Host.
  std::string_view scheme = "http";  // Of the URLs; a literal.
};

// Not thread-safe. Keeps at most one head, or one receive buffer, beyond the request it returns.
class RequestReader {
 public:
  using HeadHook = FunctionRef<AfterHead(const RequestHead& head)>;

  // `stream` must outlive the reader.
  RequestReader(SocketStream& stream, ReadingRules rules);

  // Blocks until a request has arrived completely, and asks `on_head` before its body is read. A
  // body that is discarded is bounded as one that is read. Answers "Expect: 100-continue" once the
  // head is accepted. 408 for a client that falls silent in the middle of a request or is too slow;
  // 400, 413 and 415 of DecodeContent; other refusals: see ParseRequestHead.
  std::variant<ReceivedRequest, Refusal, ConnectionEnd> Next(HeadHook on_head);

 private:
  using Interruption = std::variant<Refusal, ConnectionEnd>;

  // Tells the stream how much of what arrived is the request that ends here.
  void EndOfRequest();
  std::optional<Interruption> ReceiveMore();
  std::variant<RequestHead, Refusal, ConnectionEnd> ReadHead();
  std::optional<Interruption> ReadBody(RequestHead& head);
  std::optional<Interruption> ReadSizedBody(RequestHead& head);
  std::optional<Interruption> ReadChunkedBody(RequestHead& head);
  std::optional<Interruption> DecodeBody(http::Request& request) const;

  SocketStream& stream_;
  const ReadingRules rules_;
  std::string buffer_;
  std::uint64_t taken_ = 0;  // Received bytes of the requests so far.
};

}  // namespace understudy::harness
