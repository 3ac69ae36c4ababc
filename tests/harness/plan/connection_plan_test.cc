#include "harness/plan/connection_plan.h"

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

TEST(ConnectionFaultTest, IsReadAsItIsWritten) {
  for (int i = 0; i <= static_cast<int>(ConnectionFault::kTlsNoCloseNotify); ++i) {
    const auto fault = static_cast<ConnectionFault>(i);
    EXPECT_EQ(ParseConnectionFault(ToString(fault)), fault);
    EXPECT_EQ(IsTlsFault(fault), ToString(fault).starts_with("tls-"));
  }
}

TEST(ConnectionFaultTest, IsNothingElse) {
  EXPECT_EQ(ParseConnectionFault("expired"), std::nullopt);
  EXPECT_EQ(ParseConnectionFault(""), std::nullopt);
}

}  // namespace
}  // namespace understudy::harness
