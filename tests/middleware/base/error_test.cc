#include "middleware/base/error.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(ErrorTest, SaysCodeReasonMessageDeliveryAndOrigin) {
  const Error error{.code = ErrorCode::kConnection,
                    .message = "connect to 127.0.0.1 port 9 failed",
                    .delivery = Delivery::kNotSent,
                    .origin = Origin::kRemote,
                    .reason = "refused"};
  EXPECT_EQ(error.ToString(),
            "connection (refused): connect to 127.0.0.1 port 9 failed [not-sent, remote]");
}

TEST(ErrorTest, LeavesOutAnEmptyReason) {
  EXPECT_EQ(InvalidArgument("no").ToString(), "invalid-argument: no [not-sent, local]");
}

}  // namespace
}  // namespace understudy
