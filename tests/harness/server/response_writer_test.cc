#include "harness/server/response_writer.h"

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

TEST(EncodeHeadTest, KeepsOrderAndRepeatsAndAddsOnlyTheLength) {
  const http::Response response{
      .headers = {{"Set-Cookie", "a=1"}, {"x-Id", "7"}, {"Set-Cookie", "b=2"}}};
  EXPECT_EQ(EncodeHead(response, {.body_bytes = 5}),
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nx-Id: 7\r\nSet-Cookie: b=2\r\nContent-Length: "
            "5\r\n\r\n");
}

TEST(EncodeHeadTest, CorrectsAPlannedLengthAtItsPlace) {
  const http::Response response{
      .headers = {{"content-length", "99"}, {"Content-Length", "98"}, {"A", "b"}}};
  EXPECT_EQ(EncodeHead(response, {.body_bytes = 2}),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nA: b\r\n\r\n");
}

TEST(EncodeHeadTest, DropsAPlannedTransferEncoding) {
  const http::Response response{.headers = {{"Transfer-Encoding", "chunked"}}};
  EXPECT_EQ(EncodeHead(response, {}), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(EncodeHeadTest, ReplacesAPlannedConnectionWhenClosing) {
  const http::Response response{.headers = {{"Connection", "keep-alive"}, {"A", "b"}}};
  EXPECT_EQ(EncodeHead(response, {.close = true}),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(EncodeHeadTest, KeepsAPlannedConnectionOtherwise) {
  const http::Response response{.headers = {{"Connection", "keep-alive"}}};
  EXPECT_EQ(EncodeHead(response, {}),
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
}

TEST(EncodeHeadTest, Gives204NoLength) {
  const http::Response response{.status = 204, .headers = {{"Content-Length", "0"}}};
  EXPECT_EQ(EncodeHead(response, {.bodiless = true}), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(EncodeHeadTest, KeepsThePlannedLengthOfA304) {
  const http::Response planned{.status = 304, .headers = {{"Content-Length", "12"}}};
  EXPECT_EQ(EncodeHead(planned, {.bodiless = true}),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n");
  EXPECT_EQ(EncodeHead({.status = 304}, {.bodiless = true}), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(EncodeHeadTest, SendsAnUnregisteredStatusWithAnEmptyPhrase) {
  EXPECT_EQ(EncodeHead({.status = 599}, {}), "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n");
}

TEST(EncodeRefusalTest, SaysWhyAndCloses) {
  EXPECT_EQ(
      EncodeRefusal({.status = 400, .reason = "no"}),
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
      "Connection: close\r\n\r\nno\n");
}

}  // namespace
}  // namespace understudy::harness
