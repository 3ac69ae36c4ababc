// Fuzz target: any bytes as an HTTP/1.1 request, head and chunked body. Nothing may crash, no limit
// may be exceeded, and it makes no difference in how many pieces the bytes arrive: what two readers
// could take differently is how requests are smuggled.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./request_parser_fuzz corpus/
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "harness/server/request_parser.h"

namespace {

using understudy::harness::ChunkedDecoder;
using understudy::harness::HeadScanner;
using understudy::harness::ParseRequestHead;
using understudy::harness::Refusal;
using understudy::harness::RequestHead;
using understudy::harness::RequestLimits;

constexpr RequestLimits kLimits{.head_bytes_max = 4096, .headers_max = 32, .body_bytes_max = 4096};

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckHead(std::string_view bytes) {
  HeadScanner whole;
  const HeadScanner::Status status = whole.Scan(bytes);
  HeadScanner piecewise;
  HeadScanner::Status last = HeadScanner::Status::kIncomplete;
  for (std::size_t size = 0; size <= bytes.size() && last == HeadScanner::Status::kIncomplete;
       ++size) {
    last = piecewise.Scan(bytes.substr(0, size));
  }
  Require(last == status);
  if (status != HeadScanner::Status::kComplete) return;
  Require(whole.size() == piecewise.size() && whole.size() <= bytes.size());
  const auto parsed = ParseRequestHead(bytes.substr(0, whole.size()), kLimits, "127.0.0.1:1");
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
    Require(refusal->status >= 400 && refusal->status <= 599);
    return;
  }
  const auto& head = std::get<RequestHead>(parsed);
  Require(head.request.headers.size() <= kLimits.headers_max);
  Require(head.content_length <= kLimits.body_bytes_max);
  Require(!head.chunked || head.content_length == 0);
}

// The decoded body and how it ended, for pieces of `piece` bytes.
std::string Decode(std::string_view bytes, std::size_t piece) {
  ChunkedDecoder decoder(kLimits);
  std::string input;
  std::string body;
  auto status = ChunkedDecoder::Status::kMore;
  while (status == ChunkedDecoder::Status::kMore && !bytes.empty()) {
    input.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    status = decoder.Decode(input, body);
  }
  Require(body.size() <= kLimits.body_bytes_max);
  return std::to_string(static_cast<int>(status)) + body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 8192));
  CheckHead(text);
  const std::size_t body = std::min(text.find("\r\n\r\n"), text.size());
  for (const std::string_view bytes :
       {std::string_view(text), std::string_view(text).substr(std::min(body + 4, text.size()))}) {
    Require(Decode(bytes, 1) == Decode(bytes, 7));
    Require(Decode(bytes, 1) == Decode(bytes, 100'000));
  }
  return 0;
}
