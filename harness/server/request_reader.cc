#include "harness/server/request_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "harness/server/content_decoder.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kReceiveBytes = std::size_t{16} * 1024;

}  // namespace

RequestReader::RequestReader(SocketStream& stream, ReadingRules rules)
    : stream_(stream), rules_(std::move(rules)) {}

std::variant<ReceivedRequest, Refusal, ConnectionEnd> RequestReader::Next(HeadHook on_head) {
  for (;;) {
    auto head = ReadHead();
    stream_.UnlimitReceiving();
    if (auto* refusal = std::get_if<Refusal>(&head)) return std::move(*refusal);
    if (std::holds_alternative<ConnectionEnd>(head)) return ConnectionEnd{};
    auto& received = std::get<RequestHead>(head);
    EndOfRequest();  // As far as an answer that does not wait for the body can know.
    const AfterHead then = on_head(received);
    if (then == AfterHead::kEnd) return ConnectionEnd{};
    auto interruption = ReadBody(received);
    stream_.UnlimitReceiving();
    const bool has_body = !received.request.body.empty();
    if (!interruption && has_body && rules_.decode_bodies && then == AfterHead::kReadBody)
      interruption = DecodeBody(received.request);
    if (interruption) {
      auto* refusal = std::get_if<Refusal>(&*interruption);
      // Nobody waits for a second answer.
      if (refusal == nullptr || then == AfterHead::kDiscardBody) return ConnectionEnd{};
      return std::move(*refusal);
    }
    if (then == AfterHead::kDiscardBody) {
      taken_ = stream_.facts().request_bytes - buffer_.size();  // Of no exchange.
      continue;
    }
    EndOfRequest();
    return ReceivedRequest{.request = std::move(received.request),
                           .keep_alive = received.keep_alive};
  }
}

void RequestReader::EndOfRequest() {
  const std::uint64_t taken = stream_.facts().request_bytes - buffer_.size();
  stream_.AddRequestBytes(taken - taken_);
  taken_ = taken;
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

std::optional<RequestReader::Interruption> RequestReader::DecodeBody(http::Request& request) const {
  auto decoded = DecodeContent(request.headers.GetAll("Content-Encoding"), std::move(request.body),
                               rules_.limits.body_bytes_max);
  if (auto* refusal = std::get_if<Refusal>(&decoded)) return std::move(*refusal);
  request.body = std::get<std::string>(std::move(decoded));
  return std::nullopt;
}

std::variant<RequestHead, Refusal, ConnectionEnd> RequestReader::ReadHead() {
  HeadScanner scanner;
  bool skipped = false;
  bool limited = false;
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
    if (head_bytes > rules_.limits.head_bytes_max) {
      return Refusal{.status = 431,
                     .reason = "the head is larger than " +
                               std::to_string(rules_.limits.head_bytes_max) + " bytes"};
    }
    if (status == HeadScanner::Status::kComplete) break;
    const bool idle = buffer_.empty();
    if (!idle && !limited) {
      stream_.LimitReceiving(rules_.head_timeout);
      limited = true;
    }
    if (auto interruption = ReceiveMore()) {
      if (auto* refusal = std::get_if<Refusal>(&*interruption); refusal != nullptr && !idle)
        return *refusal;
      return ConnectionEnd{};
    }
  }
  auto parsed = ParseRequestHead(std::string_view(buffer_).substr(0, scanner.size()), rules_.limits,
                                 rules_.authority, rules_.scheme);
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
  if (buffer_.size() < head.content_length || head.chunked)
    stream_.LimitReceiving(rules_.body_timeout);
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
  ChunkedDecoder decoder(rules_.limits);
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
