#include "harness/server/content_decoder.h"

#include <brotli/decode.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kCodingsMax = 3;
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;
// zlib's window bits: 15, +16 for the gzip format, negative for bare deflate (inflateInit2).
constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;
constexpr int kBare = -15;

using Decoded = std::variant<std::string, Refusal>;

Refusal NotWhatItSays(std::string_view coding) {
  return Refusal{.status = 400, .reason = "the body is not valid " + std::string(coding)};
}

Refusal TooLarge(std::size_t bytes_max) {
  return Refusal{
      .status = 413,
      .reason = "the decoded body is larger than " + std::to_string(bytes_max) + " bytes"};
}

// zlib's state for one stream.
class Inflater {
 public:
  Inflater(std::string_view input, int window_bits) {
    // zlib does not write to its input; the field is not const for historic reasons.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    ready_ = ::inflateInit2(&stream_, window_bits) == Z_OK;
  }
  ~Inflater() {
    if (ready_) ::inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ready() const { return ready_; }
  bool drained() const { return stream_.avail_in == 0; }
  bool NextMember() { return ::inflateReset(&stream_) == Z_OK; }

  // Z_OK: there may be more.
  int Step(std::string& output) {
    std::array<char, kPieceBytes> piece;
    stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream_.avail_out = static_cast<uInt>(piece.size());
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    output.append(piece.data(), piece.size() - stream_.avail_out);
    return result;
  }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
};

Decoded Inflate(const std::string& body, int window_bits, std::string_view coding,
                std::size_t bytes_max) {
  if (body.size() > std::numeric_limits<uInt>::max()) return TooLarge(bytes_max);
  Inflater inflater(body, window_bits);
  if (!inflater.ready()) return Refusal{.status = 503, .reason = "no memory to decode the body"};
  std::string output;
  for (;;) {
    const int result = inflater.Step(output);
    if (output.size() > bytes_max) return TooLarge(bytes_max);
    if (result == Z_OK) continue;
    if (result != Z_STREAM_END) return NotWhatItSays(coding);
    if (inflater.drained()) return output;
    if (window_bits != kGzip || !inflater.NextMember()) return NotWhatItSays(coding);
  }
}

// RFC 9110 section 8.4.1.2 means the zlib format; some clients send the bare one.
Decoded InflateDeflate(const std::string& body, std::size_t bytes_max) {
  Decoded decoded = Inflate(body, kZlib, "deflate", bytes_max);
  const auto* const refusal = std::get_if<Refusal>(&decoded);
  if (refusal == nullptr || refusal->status != 400) return decoded;
  return Inflate(body, kBare, "deflate", bytes_max);
}

struct FreeBrotli {
  void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
};

Decoded Unbrotli(const std::string& body, std::size_t bytes_max) {
  const std::unique_ptr<BrotliDecoderState, FreeBrotli> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
  if (state == nullptr) return Refusal{.status = 503, .reason = "no memory to decode the body"};
  std::size_t input_left = body.size();
  const auto* input = reinterpret_cast<const std::uint8_t*>(body.data());
  std::array<std::uint8_t, kPieceBytes> piece;
  std::string output;
  for (;;) {
    std::size_t output_left = piece.size();
    std::uint8_t* next = piece.data();
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(
        state.get(), &input_left, &input, &output_left, &next, nullptr);
    output.append(reinterpret_cast<const char*>(piece.data()), piece.size() - output_left);
    if (output.size() > bytes_max) return TooLarge(bytes_max);
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) continue;
    if (result != BROTLI_DECODER_RESULT_SUCCESS || input_left > 0) return NotWhatItSays("br");
    return output;
  }
}

Decoded DecodeOne(std::string_view coding, std::string body, std::size_t bytes_max) {
  if (coding == "identity") return body;
  if (coding == "gzip" || coding == "x-gzip") return Inflate(body, kGzip, "gzip", bytes_max);
  if (coding == "deflate") return InflateDeflate(body, bytes_max);
  if (coding == "br") return Unbrotli(body, bytes_max);
  return Refusal{.status = 415,
                 .reason = "the Content-Encoding is not gzip, deflate, br or identity"};
}

}  // namespace

std::variant<std::string, Refusal> DecodeContent(const std::vector<std::string_view>& fields,
                                                 std::string body, std::size_t bytes_max) {
  std::vector<std::string> codings;
  for (const std::string_view field : fields) {
    for (const std::string_view element : Split(field, ',')) {
      const std::string_view coding = TrimOws(element);
      if (!coding.empty()) codings.push_back(AsciiLower(coding));
      if (codings.size() > kCodingsMax)
        return Refusal{.status = 415, .reason = "more than three content codings"};
    }
  }
  for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
    Decoded decoded = DecodeOne(*coding, std::move(body), bytes_max);
    if (std::holds_alternative<Refusal>(decoded)) return decoded;
    body = std::get<std::string>(std::move(decoded));
  }
  return body;
}

}  // namespace understudy::harness
