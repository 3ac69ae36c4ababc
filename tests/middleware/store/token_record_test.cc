#include "middleware/store/token_record.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace understudy::internal {
namespace {

TokenSet Full() {
  TokenSet tokens;
  tokens.access_token = Secret("access");
  tokens.refresh_token = Secret("refresh");
  tokens.issued_at = SystemTime(std::chrono::nanoseconds(-5));
  tokens.expires_at = SystemTime(std::chrono::nanoseconds(1'700'000'000'123'456'789));
  tokens.scope = "read";
  tokens.revoked = true;
  return tokens;
}

TEST(TokenRecordTest, ReadsBackEveryField) {
  const auto read = DecodeTokenRecord(EncodeTokenRecord(Full()).Reveal());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->access_token.Reveal(), "access");
  EXPECT_EQ(read->refresh_token.Reveal(), "refresh");
  EXPECT_EQ(read->issued_at, Full().issued_at);
  EXPECT_EQ(read->expires_at, Full().expires_at);
  EXPECT_EQ(read->scope, "read");
  EXPECT_TRUE(read->revoked);
}

TEST(TokenRecordTest, ReadsBackAbsentFields) {
  const auto read = DecodeTokenRecord(EncodeTokenRecord(TokenSet()).Reveal());
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->access_token.empty());
  EXPECT_FALSE(read->expires_at.has_value());
  EXPECT_FALSE(read->revoked);
}

TEST(TokenRecordTest, RefusesEveryShorterOrLongerRecord) {
  const std::string bytes(EncodeTokenRecord(Full()).Reveal());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = DecodeTokenRecord(bytes.substr(0, size));
    ASSERT_FALSE(read.has_value()) << size;
    EXPECT_EQ(read.error().code, ErrorCode::kStorage);
    EXPECT_EQ(read.error().reason, "format");
  }
  EXPECT_FALSE(DecodeTokenRecord(bytes + "x").has_value());
}

TEST(TokenRecordTest, RefusesUnknownFormatsFlagsAndForms) {
  const std::string bytes(EncodeTokenRecord(TokenSet()).Reveal());
  std::string format = bytes;
  format[0] = 2;
  EXPECT_FALSE(DecodeTokenRecord(format).has_value());
  std::string flags = bytes;
  flags[1] = 4;
  EXPECT_FALSE(DecodeTokenRecord(flags).has_value());
  std::string expiry_without_flag = bytes;
  expiry_without_flag[17] = 1;
  EXPECT_FALSE(DecodeTokenRecord(expiry_without_flag).has_value());
  std::string length_beyond_the_end = bytes;
  length_beyond_the_end[18] = '\xff';
  EXPECT_FALSE(DecodeTokenRecord(length_beyond_the_end).has_value());
}

}  // namespace
}  // namespace understudy::internal
