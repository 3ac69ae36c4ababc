#include "harness/server/request_parser.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

struct RefusalRow {
  std::string name;
  std::string head;
  int status;
};

class RefusedHeadTest : public testing::TestWithParam<RefusalRow> {};

TEST_P(RefusedHeadTest, IsRefusedWithTheStatus) {
  const RequestLimits limits{.headers_max = 3, .body_bytes_max = 100};
  const auto parsed = ParseRequestHead(GetParam().head, limits, "own:1");
  ASSERT_TRUE(std::holds_alternative<Refusal>(parsed));
  EXPECT_EQ(std::get<Refusal>(parsed).status, GetParam().status);
  EXPECT_FALSE(std::get<Refusal>(parsed).reason.empty());
}

std::string Post(const std::string& fields) {
  return "POST /x HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}
std::string Get(const std::string& line) { return line + "\r\nHost: h\r\n\r\n"; }

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedHeadTest,
    testing::Values(
        RefusalRow{"NoRequestLine", "\r\n", 400}, RefusalRow{"OneWord", Get("GET"), 400},
        RefusalRow{"NoVersion", Get("GET /"), 400},
        RefusalRow{"DoubleSpace", Get("GET  / HTTP/1.1"), 400},
        RefusalRow{"SpaceInTarget", Get("GET /a b HTTP/1.1"), 400},
        RefusalRow{"TabInsteadOfSpace", Get("GET\t/ HTTP/1.1"), 400},
        RefusalRow{"LowerCaseVersion", Get("GET / http/1.1"), 400},
        RefusalRow{"LongVersion", Get("GET / HTTP/1.10"), 400},
        RefusalRow{"Http2", Get("PRI * HTTP/2.0"), 505},
        RefusalRow{"BadMethod", Get("G@T / HTTP/1.1"), 400},
        RefusalRow{"Fragment", Get("GET /a#b HTTP/1.1"), 400},
        RefusalRow{"RelativeTarget", Get("GET a/b HTTP/1.1"), 400},
        RefusalRow{"QuoteInTarget", Get("GET /\" HTTP/1.1"), 400},
        RefusalRow{"Connect", Get("CONNECT h:443 HTTP/1.1"), 501},
        RefusalRow{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        RefusalRow{"TwoHosts", Post("Host: h\r\n"), 400},
        RefusalRow{"HostWithPath", "GET / HTTP/1.1\r\nHost: h/p\r\n\r\n", 400},
        RefusalRow{"HostWithUser", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
        RefusalRow{"Folded", Post("A: b\r\n c\r\n"), 400},
        RefusalRow{"SpaceBeforeColon", Post("A : b\r\n"), 400},
        RefusalRow{"NoColon", Post("Abc\r\n"), 400}, RefusalRow{"EmptyName", Post(": b\r\n"), 400},
        RefusalRow{"BareCr", Post("A: b\rc\r\n"), 400},
        RefusalRow{"Nul", Post(std::string("A: b\0c\r\n", 8)), 400},
        RefusalRow{"LengthAndCoding", Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
                   400},
        RefusalRow{"DifferentLengths", Post("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
        RefusalRow{"LengthList", Post("Content-Length: 3, 3\r\n"), 400},
        RefusalRow{"SignedLength", Post("Content-Length: +3\r\n"), 400},
        RefusalRow{"HexLength", Post("Content-Length: 0x3\r\n"), 400},
        RefusalRow{"EmptyLength", Post("Content-Length:\r\n"), 400},
        RefusalRow{"OverflowingLength", Post("Content-Length: 18446744073709551616\r\n"), 400},
        RefusalRow{"TwoCodings",
                   Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        RefusalRow{"UnknownCoding", Post("Transfer-Encoding: gzip, chunked\r\n"), 501},
        RefusalRow{"ObscuredCoding", Post("Transfer-Encoding: xchunked\r\n"), 501},
        RefusalRow{"CodingInHttp10",
                   "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        RefusalRow{"OneByteTooLong", Post("Content-Length: 101\r\n"), 413},
        RefusalRow{"TooManyFields", Post("A: 1\r\nB: 2\r\nC: 3\r\n"), 431}),
    [](const auto& row) { return row.param.name; });

RequestHead Parse(const std::string& head) {
  const auto parsed = ParseRequestHead(head, {}, "own:81");
  const auto* refusal = std::get_if<Refusal>(&parsed);
  EXPECT_EQ(refusal, nullptr) << refusal->reason;
  return refusal == nullptr ? std::get<RequestHead>(parsed) : RequestHead{};
}

TEST(RequestHeadTest, KeepsOrderAndRepeatsOfHeaders) {
  const RequestHead head =
      Parse("GET /a?b=%20 HTTP/1.1\r\nX: 1\r\nHost: Shop.test:8080\r\nx: 2 \r\nY:\r\n\r\n");
  const std::vector<http::Headers::Entry> expected = {
      {"X", "1"}, {"Host", "Shop.test:8080"}, {"x", "2"}, {"Y", ""}};
  EXPECT_EQ(std::vector(head.request.headers.begin(), head.request.headers.end()), expected);
  EXPECT_EQ(head.request.url.ToString(), "http://shop.test:8080/a?b=%20");
  EXPECT_TRUE(head.keep_alive);
}

TEST(RequestHeadTest, TakesTheAbsoluteFormFromTheTarget) {
  EXPECT_EQ(Parse("GET http://other.test/a HTTP/1.1\r\nHost: h\r\n\r\n").request.url.ToString(),
            "http://other.test/a");
}

TEST(RequestHeadTest, TakesTheAsteriskAsTheWholeServer) {
  EXPECT_EQ(Parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").request.url.ToString(), "http://h/");
}

TEST(RequestHeadTest, UsesItsOwnAuthorityWithoutHost) {
  const RequestHead head = Parse("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(head.request.url.ToString(), "http://own:81/a");
  EXPECT_FALSE(head.keep_alive);
}

TEST(RequestHeadTest, AcceptsEqualContentLengthsAsOne) {
  EXPECT_EQ(Parse(Post("Content-Length: 7\r\nContent-Length: 7\r\n")).content_length, 7U);
}

TEST(RequestHeadTest, FindsCloseInAListOfConnectionOptions) {
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n\r\n").keep_alive);
}

TEST(HeadScannerTest, FindsTheEndByteByByte) {
  const std::string bytes = "GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
  HeadScanner scanner;
  for (std::size_t size = 0; size < bytes.size() - 4; ++size) {
    ASSERT_EQ(scanner.Scan(std::string_view(bytes).substr(0, size)),
              HeadScanner::Status::kIncomplete)
        << size;
  }
  EXPECT_EQ(scanner.Scan(bytes), HeadScanner::Status::kComplete);
  EXPECT_EQ(scanner.size(), bytes.size() - 4);
}

TEST(HeadScannerTest, RefusesALineThatEndsWithLfAlone) {
  EXPECT_EQ(HeadScanner().Scan("GET / HTTP/1.1\nA: b\r\n\r\n"), HeadScanner::Status::kMalformed);
}

struct ChunkedRow {
  std::string name;
  std::string input;
  ChunkedDecoder::Status status;
  std::string body;
  int refusal;
};

class ChunkedDecoderTest : public testing::TestWithParam<ChunkedRow> {};

// Whole, and byte by byte: where the network cuts must not matter.
TEST_P(ChunkedDecoderTest, DecodesHoweverItArrives) {
  const RequestLimits limits{.head_bytes_max = 20, .body_bytes_max = 10};
  for (const std::size_t step : {GetParam().input.size(), std::size_t{1}}) {
    ChunkedDecoder decoder(limits);
    std::string buffer;
    std::string body;
    auto status = ChunkedDecoder::Status::kMore;
    for (std::size_t at = 0;
         at < GetParam().input.size() && status == ChunkedDecoder::Status::kMore; at += step) {
      buffer += GetParam().input.substr(at, step);
      status = decoder.Decode(buffer, body);
    }
    EXPECT_EQ(status, GetParam().status) << "in steps of " << step;
    EXPECT_EQ(body, GetParam().body);
    if (status == ChunkedDecoder::Status::kRefused) {
      EXPECT_EQ(decoder.refusal().status, GetParam().refusal);
    }
  }
}

constexpr auto kDone = ChunkedDecoder::Status::kDone;
constexpr auto kMore = ChunkedDecoder::Status::kMore;
constexpr auto kRefused = ChunkedDecoder::Status::kRefused;

INSTANTIATE_TEST_SUITE_P(
    Rows, ChunkedDecoderTest,
    testing::Values(
        ChunkedRow{"Empty", "0\r\n\r\n", kDone, "", 0},
        ChunkedRow{"TwoChunks", "3\r\nabc\r\nA;x=y\r\n", kRefused, "abc", 413},
        ChunkedRow{"ExactlyTheLimit", "a\r\n0123456789\r\n0\r\n\r\n", kDone, "0123456789", 0},
        ChunkedRow{"OneMoreThanTheLimit", "b\r\n", kRefused, "", 413},
        ChunkedRow{"Extension", "3;name=value\r\nabc\r\n0\r\n\r\n", kDone, "abc", 0},
        ChunkedRow{"Trailer", "1\r\na\r\n0\r\nX: y\r\n\r\n", kDone, "a", 0},
        ChunkedRow{"LargeTrailer", "0\r\nX: 0123456789\r\nY: 0123456789\r\n\r\n", kRefused, "",
                   431},
        ChunkedRow{"EndlessTrailerLine", "0\r\nX: 012345678901234567890123456789", kRefused, "",
                   431},
        ChunkedRow{"CrLfInTheData", "4\r\na\r\nb\r\n0\r\n\r\n", kDone, "a\r\nb", 0},
        ChunkedRow{"Unfinished", "5\r\nabc", kMore, "abc", 0},
        ChunkedRow{"LongerThanItsSize", "2\r\nabc\r\n", kRefused, "ab", 400},
        ChunkedRow{"NoSize", "\r\nabc", kRefused, "", 400},
        ChunkedRow{"NotHex", "3g\r\nabc\r\n", kRefused, "", 400},
        ChunkedRow{"Negative", "-1\r\n", kRefused, "", 400},
        ChunkedRow{"Overflow", "10000000000000003\r\nabc\r\n", kRefused, "", 400},
        ChunkedRow{"LfOnly", "3\nabc\r\n", kRefused, "", 400},
        ChunkedRow{"EndlessSizeLine", "1;" + std::string(2000, 'x'), kRefused, "", 400}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy::harness
