#include "harness/plan/answer_script.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "harness/plan/answer_head.h"
#include "harness/plan/seeded_random.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Finish = AnswerScript::Finish;
using In = AnswerPoint::In;
using Reached = AnswerScript::Reached;

constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
// A body at a given bandwidth leaves in about so many pieces per second: often enough to look
// steady, seldom enough to cost nothing.
constexpr std::uint64_t kPiecesPerSecond = 50;
constexpr std::size_t kPieceBytesMax = std::size_t{64} * 1024;

std::string ChunkHead(std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[bytes % 16]);
    bytes /= 16;
  } while (bytes != 0);
  return digits + "\r\n";
}

// The chunked coding of a body (RFC 9112 section 7.1), chunk by chunk.
class Chunks {
 public:
  Chunks(std::string_view data, std::size_t chunk_bytes)
      : data_(data), chunk_bytes_(std::max<std::size_t>(chunk_bytes, 1)) {}

  std::size_t count() const { return (data_.size() + chunk_bytes_ - 1) / chunk_bytes_; }
  std::string_view Data(std::size_t index) const {
    return data_.substr(index * chunk_bytes_, chunk_bytes_);
  }
  // The first `count` chunks.
  std::string Encode(std::size_t count) const {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) {
      bytes.append(ChunkHead(Data(i).size())).append(Data(i)).append("\r\n");
    }
    return bytes;
  }
  // How long the coding is after `bytes` of the data of the chunk at `index`.
  std::size_t OffsetIn(std::size_t index, std::size_t bytes) const {
    if (index >= count()) return Encode(count()).size();
    const std::size_t before = index * (ChunkHead(chunk_bytes_).size() + chunk_bytes_ + 2);
    return before + ChunkHead(Data(index).size()).size() + std::min(bytes, Data(index).size());
  }
  // How long it is after `bytes` of data; after all of them only the last chunk is missing.
  std::size_t OffsetOf(std::size_t bytes) const {
    return bytes >= data_.size() ? Encode(count()).size()
                                 : OffsetIn(bytes / chunk_bytes_, bytes % chunk_bytes_);
  }

 private:
  const std::string_view data_;
  const std::size_t chunk_bytes_;
};

// Where a fault of this kind strikes.
AnswerPoint PointOf(FaultKind kind, const FaultDetail& detail) {
  switch (kind) {
    case FaultKind::kResetMidBody:
    case FaultKind::kTruncate:
      return AnswerPoint::Fraction(0.5);
    case FaultKind::kReset:
    case FaultKind::kClose:
    case FaultKind::kHang:
      return detail.at.in == In::kDefault ? AnswerPoint::Of(In::kBefore) : detail.at;
    default:
      return AnswerPoint::Of(In::kEnd);
  }
}

bool IsInBody(In in) { return in == In::kBodyByte || in == In::kBodyFraction || in == In::kChunk; }

Finish FinishOf(FaultKind kind, const FaultDetail& detail, bool keep_alive) {
  using Then = FaultDetail::Then;
  switch (kind) {
    case FaultKind::kReset:
    case FaultKind::kResetMidBody:
      return Finish::kReset;
    case FaultKind::kHang:
      return Finish::kStall;
    case FaultKind::kBandwidth:
      return keep_alive ? Finish::kServeNext : Finish::kClose;
    case FaultKind::kEarlyResponse:
      if (detail.then == Then::kReset) return Finish::kReset;
      return detail.then == Then::kKeep && keep_alive ? Finish::kServeNext : Finish::kClose;
    case FaultKind::kStaleKeepAlive:
      if (!keep_alive) return Finish::kClose;
      return detail.then == Then::kClose ? Finish::kCloseNext : Finish::kResetNext;
    default:
      return Finish::kClose;
  }
}

// Writes the answer and cuts it.
class Composer {
 public:
  Composer(const ResponsePlan& plan, const http::Method& method, bool keep_alive)
      : kind_(*plan.fault),
        detail_(plan.fault_detail),
        drip_(plan.drip),
        point_(PointOf(kind_, detail_)) {
    script_.response = plan.response;
    script_.finish = FinishOf(kind_, detail_, keep_alive && !PlansToClose(plan.response));
    bodiless_ = IsBodiless(method, plan.response.status);
  }

  AnswerScript Compose() && {
    if (kind_ == FaultKind::kGarbage) {
      WriteGarbage();
    } else if (kind_ == FaultKind::kMalformedChunk && !bodiless_) {
      WriteMalformedChunk();
    } else {
      if (kind_ == FaultKind::kBadGzip) SpoilGzip();
      WriteAnswer();
      Cut();
    }
    Pace();
    return std::move(script_);
  }

 private:
  void WriteHead(bool chunked, std::size_t body_bytes) {
    // An end that nobody announced is a fault of its own: whoever gets everything is not told.
    const bool surprise =
        point_.in == In::kEnd &&
        (kind_ == FaultKind::kReset || kind_ == FaultKind::kClose || kind_ == FaultKind::kHang);
    const bool goes_on = script_.finish == Finish::kServeNext ||
                         script_.finish == Finish::kCloseNext ||
                         script_.finish == Finish::kResetNext;
    script_.head = EncodeHead(script_.response, Framing{.bodiless = bodiless_,
                                                        .close = !surprise && !goes_on,
                                                        .body_bytes = body_bytes,
                                                        .chunked = chunked});
  }

  void WriteAnswer() {
    const std::string& data = script_.response.body;
    const bool chunked = detail_.framing == FaultDetail::Framing::kChunked;
    // Of an empty body nothing can be missing; then more is promised.
    const std::size_t promised =
        IsInBody(point_.in) && data.empty() && !bodiless_ ? 1 : data.size();
    WriteHead(chunked, promised);
    if (bodiless_) return;
    if (chunked) {
      const Chunks chunks(data, detail_.chunk_bytes);
      script_.body = chunks.Encode(chunks.count()) + "0\r\n\r\n";
    } else {
      script_.body = data;
    }
  }

  void WriteMalformedChunk() {
    WriteHead(/*chunked=*/true, 0);
    const Chunks chunks(script_.response.body, detail_.chunk_bytes);
    const auto good = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max<std::uint64_t>(detail_.bad_chunk, 1) - 1, chunks.count()));
    script_.body = chunks.Encode(good) + "not-a-size\r\n";
    script_.sent = script_.head.size() + script_.body.size();
    script_.reached = Reached::kMalformed;
  }

  // The same bytes for everyone, none of them ASCII: no client can take them for a status line.
  void WriteGarbage() {
    const std::size_t size = std::clamp<std::size_t>(detail_.garbage_bytes, 1, kGarbageBytesMax);
    for (std::size_t i = 0; i < size; ++i) {
      script_.body.push_back(static_cast<char>(static_cast<unsigned char>(Mix64(i) | 0x80U)));
    }
    script_.sent = size;
    script_.reached = Reached::kNotHttp;
  }

  void SpoilGzip() {
    script_.readable = false;
    http::Response& response = script_.response;
    const auto set = response.headers.Set("Content-Encoding", "gzip");
    UNDERSTUDY_CHECK(set.has_value(), "a literal header is valid");
    const bool could_be_gzip = response.body.empty() || response.body.starts_with("\x1f\x8b");
    if (could_be_gzip) response.body = "these bytes are not gzip";
  }

  std::size_t PointInBody() const {
    const std::string& data = script_.response.body;
    std::size_t bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(point_.bytes, data.size()));
    if (point_.in == In::kBodyFraction) {
      const double fraction = point_.fraction >= 0 ? std::min(point_.fraction, 1.0) : 0;
      bytes = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(data.size())));
    }
    if (detail_.framing == FaultDetail::Framing::kChunked) {
      const Chunks chunks(data, detail_.chunk_bytes);
      if (point_.in != In::kChunk) return chunks.OffsetOf(bytes);
      const auto chunk =
          std::min<std::uint64_t>(point_.chunk - (point_.chunk > 0 ? 1 : 0), chunks.count());
      return chunks.OffsetIn(
          static_cast<std::size_t>(chunk),
          static_cast<std::size_t>(std::min<std::uint64_t>(point_.bytes, detail_.chunk_bytes)));
    }
    return std::min(bytes, data.empty() ? 0 : data.size() - 1);
  }

  std::size_t PointInAnswer() const {
    const std::size_t head = script_.head.size();
    const std::size_t line = script_.head.find("\r\n") + 2;
    switch (point_.in) {
      case In::kDefault:
      case In::kBefore:
        return 0;
      case In::kStatusLine:
        return line / 2;
      case In::kHeaders:
        return line + (head - line) / 2;
      case In::kHeadByte:
        return static_cast<std::size_t>(std::min<std::uint64_t>(point_.bytes, head));
      case In::kBodyByte:
      case In::kBodyFraction:
      case In::kChunk:
        return bodiless_ ? head / 2 : head + PointInBody();
      case In::kEnd:
        break;
    }
    return head + script_.body.size();
  }

  void Cut() {
    script_.sent = PointInAnswer();
    const std::size_t line = script_.head.find("\r\n") + 2;
    if (script_.sent == 0) {
      script_.reached = Reached::kNothing;
    } else if (script_.sent < line) {
      script_.reached = Reached::kStatusLine;
    } else if (script_.sent < script_.head.size()) {
      script_.reached = Reached::kHeaders;
    } else if (IsInBody(point_.in) || script_.sent < script_.head.size() + script_.body.size()) {
      script_.reached = bodiless_ ? Reached::kAll : Reached::kBody;
    }
  }

  void Pace() {
    if (kind_ == FaultKind::kSlowDrip) {
      script_.piece_bytes = std::max<std::size_t>(drip_.piece_bytes, 1);
      script_.pause = std::max(drip_.pause, Duration::zero());
    } else if (kind_ == FaultKind::kBandwidth) {
      script_.bytes_per_second =
          std::clamp<std::uint64_t>(detail_.bytes_per_second, 1, kBytesPerSecondMax);
      script_.piece_bytes = static_cast<std::size_t>(std::clamp<std::uint64_t>(
          script_.bytes_per_second / kPiecesPerSecond, 1, kPieceBytesMax));
    }
  }

  const FaultKind kind_;
  const FaultDetail& detail_;
  const Drip& drip_;
  const AnswerPoint point_;
  bool bodiless_ = false;
  AnswerScript script_;
};

}  // namespace

Duration AnswerScript::DueOf(std::size_t offset) const {
  if (piece_bytes == 0) return {};
  if (bytes_per_second == 0) {
    return pause * static_cast<Duration::rep>(offset / piece_bytes);
  }
  const std::uint64_t end = std::min(offset + piece_bytes, body_sent());
  const std::uint64_t whole = end / bytes_per_second;
  const std::uint64_t rest = end % bytes_per_second;
  // The rest is below 10^9, so the product cannot overflow.
  const std::uint64_t nanos = rest * kNanosPerSecond / bytes_per_second;
  return std::chrono::seconds(whole) + Duration(static_cast<Duration::rep>(nanos));
}

Duration AnswerScript::Total() const {
  if (piece_bytes == 0 || body_sent() == 0) return {};
  return DueOf((body_sent() - 1) / piece_bytes * piece_bytes);
}

AnswerScript ComposeAnswer(const ResponsePlan& plan, const http::Method& method, bool keep_alive) {
  UNDERSTUDY_CHECK(plan.fault.has_value(), "an answer without a fault has no script");
  return Composer(plan, method, keep_alive).Compose();
}

bool PlansToClose(const http::Response& response) {
  const auto connection = response.headers.Get("Connection");
  return connection && EqualsIgnoreAsciiCase(*connection, "close");
}

}  // namespace understudy::harness
