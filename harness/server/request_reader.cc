#include "harness/server/request_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::size_t kReceiveBytes = std::size_t{16} * 1024;

}  // namespace

RequestReader::RequestReader(SocketStream& stream, RequestLimits limits, std::string authority)
    : stream_(stream), limits_(limits), authority_(std::move(authority)) {}

std::variant<ReceivedRequest, Refusal, ConnectionEnd> RequestReader::Next() {
  auto head = ReadHead();
  if (auto* refusal = std::get_if<Refusal>(&head)) return std::move(*refusal);
  if (std::holds_alternative<ConnectionEnd>(head)) return ConnectionEnd{};
  auto& received = std::get<RequestHead>(head);
  if (auto interruption = ReadBody(received)) {
    if (auto* refusal = std::get_if<Refusal>(&*interruption)) return std::move(*refusal);
    return ConnectionEnd{};
  }
  return ReceivedRequest{.request = std::move(received.request), .keep_alive = received.keep_alive};
}

std::optional<RequestReader::Interruption> RequestReader::ReceiveMore() {
  switch (stream_.Receive(buffer_, kReceiveBytes)) {
    case SocketStream::Received::kData:
      return std::nullopt;
    case SocketStream::Received::kEnd:
      break;
    case SocketStream::Received::kTimeout:
      return Refusal{.status = 408, .reason = "the request did not arrive in time"};
  }
  return ConnectionEnd{};
}

std::variant<RequestHead, Refusal, ConnectionEnd> RequestReader::ReadHead() {
  HeadScanner scanner;
  bool skipped = false;
  for (;;) {
    // RFC 9112 section 2.2: one empty line before a request is a habit of old clients.
    if (!skipped && buffer_.size() >= 2) {
      if (buffer_.starts_with("\r\n")) buffer_.erase(0, 2);
      skipped = true;
    }
    const auto status = skipped ? scanner.Scan(buffer_) : HeadScanner::Status::kIncomplete;
    if (status == HeadScanner::Status::kMalformed) {
      return Refusal{.status = 400, .reason = "every line of the head must end with CR LF"};
    }
    const std::size_t head_bytes =
        status == HeadScanner::Status::kComplete ? scanner.size() : buffer_.size();
    if (head_bytes > limits_.head_bytes_max) {
      return Refusal{
          .status = 431,
          .reason = "the head is larger than " + std::to_string(limits_.head_bytes_max) + " bytes"};
    }
    if (status == HeadScanner::Status::kComplete) break;
    const bool idle = buffer_.empty();
    if (auto interruption = ReceiveMore()) {
      if (auto* refusal = std::get_if<Refusal>(&*interruption); refusal != nullptr && !idle)
        return *refusal;
      return ConnectionEnd{};
    }
  }
  auto parsed =
      ParseRequestHead(std::string_view(buffer_).substr(0, scanner.size()), limits_, authority_);
  buffer_.erase(0, scanner.size());
  if (auto* refusal = std::get_if<Refusal>(&parsed)) return std::move(*refusal);
  return std::get<RequestHead>(std::move(parsed));
}

std::optional<RequestReader::Interruption> RequestReader::ReadBody(RequestHead& head) {
  if (!head.chunked && head.content_length == 0) return std::nullopt;
  // RFC 9110 section 10.1.1: no need to say it to a client that has not waited.
  if (head.expects_continue && buffer_.empty() && !stream_.Send("HTTP/1.1 100 Continue\r\n\r\n")) {
    return ConnectionEnd{};
  }
  return head.chunked ? ReadChunkedBody(head) : ReadSizedBody(head);
}

std::optional<RequestReader::Interruption> RequestReader::ReadSizedBody(RequestHead& head) {
  const auto size = static_cast<std::size_t>(head.content_length);
  std::string& body = head.request.body;
  body = buffer_.substr(0, size);
  buffer_.erase(0, body.size());
  while (body.size() < size) {
    // Straight into the body: it grows with what arrives, not with what a client promises.
    switch (stream_.Receive(body, size - body.size())) {
      case SocketStream::Received::kData:
        break;
      case SocketStream::Received::kEnd:
        return ConnectionEnd{};
      case SocketStream::Received::kTimeout:
        return Refusal{.status = 408, .reason = "the body did not arrive in time"};
    }
  }
  return std::nullopt;
}

std::optional<RequestReader::Interruption> RequestReader::ReadChunkedBody(RequestHead& head) {
  ChunkedDecoder decoder(limits_);
  for (;;) {
    switch (decoder.Decode(buffer_, head.request.body)) {
      case ChunkedDecoder::Status::kDone:
        return std::nullopt;
      case ChunkedDecoder::Status::kRefused:
        return decoder.refusal();
      case ChunkedDecoder::Status::kMore:
        break;
    }
    if (auto interruption = ReceiveMore()) return interruption;
  }
}

}  // namespace understudy::harness
