#include "harness/server/content_decoder.h"

#include <brotli/encode.h>
#include <zlib.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

constexpr std::size_t kMax = 1'000'000;
constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;
constexpr int kBare = -15;

std::string Deflate(std::string text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(
      ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY),
      Z_OK);
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string Brotli(const std::string& text) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 16;
  std::string out(size, '\0');
  EXPECT_EQ(
      BrotliEncoderCompress(BROTLI_DEFAULT_QUALITY, BROTLI_DEFAULT_WINDOW, BROTLI_DEFAULT_MODE,
                            text.size(), reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                            reinterpret_cast<std::uint8_t*>(out.data())),
      BROTLI_TRUE);
  out.resize(size);
  return out;
}

const std::string kText = R"({"amount":1000,"currency":"eur"})";

// Made when the row runs: a bomb takes a second to make, and each test is a process of its own.
using MakeBody = std::function<std::string()>;
MakeBody Just(std::string body) {
  return [body = std::move(body)] { return body; };
}
MakeBody Many(std::size_t size, std::function<std::string(std::string)> encode) {
  return [size, encode = std::move(encode)] { return encode(std::string(size, 'x')); };
}
std::string Gzip(std::string text) { return Deflate(std::move(text), kGzip); }

struct Row {
  std::string name;
  std::vector<std::string_view> fields;
  MakeBody body;
  std::string decoded;  // Or, with a status, nothing.
  int status = 200;
};

class DecodeContentTest : public testing::TestWithParam<Row> {};

TEST_P(DecodeContentTest, GivesTheBodyOrSaysWhyNot) {
  const Row& row = GetParam();
  const auto decoded = DecodeContent(row.fields, row.body(), kMax);
  if (row.status != 200) {
    ASSERT_TRUE(std::holds_alternative<Refusal>(decoded));
    EXPECT_EQ(std::get<Refusal>(decoded).status, row.status) << std::get<Refusal>(decoded).reason;
    return;
  }
  ASSERT_TRUE(std::holds_alternative<std::string>(decoded)) << std::get<Refusal>(decoded).reason;
  EXPECT_TRUE(std::get<std::string>(decoded) == row.decoded);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DecodeContentTest,
    testing::Values(
        Row{"NoHeader", {}, Just(kText), kText}, Row{"EmptyHeader", {""}, Just(kText), kText},
        Row{"Identity", {"Identity"}, Just(kText), kText},
        Row{"Gzip", {"gzip"}, Just(Deflate(kText, kGzip)), kText},
        Row{"XGzipInCapitals", {"X-GZIP"}, Just(Deflate(kText, kGzip)), kText},
        Row{"GzipMembers",
            {"gzip"},
            Just(Deflate("one,", kGzip) + Deflate("two", kGzip)),
            "one,two"},
        Row{"GzipOfNothing", {"gzip"}, Just(Deflate("", kGzip)), ""},
        Row{"Deflate", {"deflate"}, Just(Deflate(kText, kZlib)), kText},
        Row{"BareDeflate", {"deflate"}, Just(Deflate(kText, kBare)), kText},
        Row{"Brotli", {"br"}, Just(Brotli(kText)), kText},
        Row{"TwoInOneField", {"br, gzip"}, Just(Deflate(Brotli(kText), kGzip)), kText},
        Row{"TwoInTwoFields", {"br", "gzip"}, Just(Deflate(Brotli(kText), kGzip)), kText},
        Row{"ExactlyTheBound", {"gzip"}, Many(kMax, Gzip), std::string(kMax, 'x')},
        Row{"OneMoreThanTheBound", {"gzip"}, Many(kMax + 1, Gzip), "", 413},
        Row{"GzipBomb", {"gzip"}, Many(100 * kMax, Gzip), "", 413},
        Row{"DeflateBomb",
            {"deflate"},
            Many(100 * kMax, [](std::string text) { return Deflate(std::move(text), kBare); }),
            "",
            413},
        Row{"BrotliBomb", {"br"}, Many(100 * kMax, Brotli), "", 413},
        Row{"BombInABomb",
            {"gzip, gzip"},
            Many(100 * kMax, [](std::string text) { return Gzip(Gzip(std::move(text))); }),
            "",
            413},
        Row{"NoGzip", {"gzip"}, Just(kText), "", 400},
        Row{"EmptyGzip", {"gzip"}, Just(""), "", 400},
        Row{"GzipCutShort", {"gzip"}, Just(Deflate(kText, kGzip).substr(0, 20)), "", 400},
        Row{"GzipWithoutItsChecksum",
            {"gzip"},
            Just(Deflate(kText, kGzip).substr(0, Deflate(kText, kGzip).size() - 1)),
            "",
            400},
        Row{"BytesAfterGzip", {"gzip"}, Just(Deflate(kText, kGzip) + "more"), "", 400},
        Row{"BytesAfterDeflate", {"deflate"}, Just(Deflate(kText, kZlib) + "more"), "", 400},
        Row{"NoDeflate", {"deflate"}, Just(kText), "", 400},
        Row{"NoBrotli", {"br"}, Just("\xff\xff\xff\xff"), "", 400},
        Row{"BrotliCutShort", {"br"}, Just(Brotli(kText).substr(0, 10)), "", 400},
        Row{"BytesAfterBrotli", {"br"}, Just(Brotli(kText) + "x"), "", 400},
        Row{"OtherCoding", {"zstd"}, Just(kText), "", 415},
        Row{"TooManyCodings", {"gzip, gzip, gzip, gzip"}, Just(kText), "", 415}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy::harness
