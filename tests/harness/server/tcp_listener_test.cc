#include "harness/server/tcp_listener.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

TEST(TcpListenerTest, ReadsHostAndPort) {
  struct Row {
    std::string text;
    HostPort address;
  };
  for (const Row& row :
       {Row{"127.0.0.1:80", {.host = "127.0.0.1", .port = 80}},
        Row{"localhost:0", {.host = "localhost", .port = 0}},
        Row{":65535", {.host = "", .port = 65535}},
        Row{"[::1]:8080", {.host = "::1", .port = 8080}},
        Row{"redis-1.internal:6379", {.host = "redis-1.internal", .port = 6379}}}) {
    const auto parsed = ParseHostPort(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.address) << row.text;
    EXPECT_EQ(ToString(*parsed), row.text);
  }
}

TEST(TcpListenerTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "host", "host:", "host:x", "host:-1", "host:65536", "::1:80",
                           "a b:80", "[::1:80", "http://host:80", "user@host:80"}) {
    const auto parsed = ParseHostPort(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(TcpListenerTest, KnowsTheSamePlaceUnderTwoNames) {
  EXPECT_TRUE(SamePlace({.host = "localhost", .port = 1}, {.host = "127.0.0.1", .port = 1}));
  EXPECT_TRUE(SamePlace({.host = "0.0.0.0", .port = 1}, {.host = "::", .port = 1}));
  EXPECT_FALSE(SamePlace({.host = "localhost", .port = 1}, {.host = "localhost", .port = 2}));
  EXPECT_FALSE(SamePlace({.host = "", .port = 1}, {.host = "127.0.0.1", .port = 1}));
}

TEST(TcpListenerTest, TellsThePortThatWasChosenAndRefusesASecondListenerOnIt) {
  const auto listener = TcpListener::Open({.host = "localhost", .port = 0});
  ASSERT_TRUE(listener);
  const auto address = ParseHostPort(listener->address());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "127.0.0.1");
  EXPECT_NE(address->port, 0);
  const auto second = TcpListener::Open(*address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "port-in-use");
}

TEST(TcpListenerTest, AnEmptyHostIsEveryAddress) {
  const auto listener = TcpListener::Open({.host = "", .port = 0});
  ASSERT_TRUE(listener);
  EXPECT_FALSE(listener->address().starts_with("127."));
}

TEST(TcpListenerTest, AnAddressOfAnotherMachineIsRefused) {
  const auto listener = TcpListener::Open({.host = "192.0.2.1", .port = 0});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace understudy::harness
