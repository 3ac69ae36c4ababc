#include "middleware/audit/hash_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/store/audit_sink.h"

namespace understudy {
namespace {

using ::testing::HasSubstr;

class HashChainTest : public ::testing::TestWithParam<const char*> {
 protected:
  HashChainTest() {
    HashChain chain(crypto_, key());
    for (int i = 1; i <= 5; ++i) {
      const std::string id = "c-" + std::to_string(i);
      lines_.push_back(
          chain.Seal(AuditLineHead(SystemTime(), id, "c") + ",\"n\":" + std::to_string(i) + "}"));
    }
    end_ = chain.point();
  }

  Secret key() const { return Secret(GetParam()); }
  std::string Text() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }
  ChainReport Verify(ChainVerifyOptions options) const {
    options.key = key();
    return VerifyChain(Text(), std::move(options), crypto_);
  }
  ChainReport Verify() const { return Verify(ChainVerifyOptions{.end = end_}); }

  OpensslCrypto crypto_;
  std::vector<std::string> lines_;
  ChainPoint end_;
};

INSTANTIATE_TEST_SUITE_P(Keys, HashChainTest, ::testing::Values("", "a key"), [](const auto& test) {
  return std::string(test.param).empty() ? "Plain" : "Keyed";
});

TEST_P(HashChainTest, AU7_AnUntouchedTrailFits) {
  const ChainReport report = Verify();
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.records, 5u);
  EXPECT_EQ(report.last, end_);
  EXPECT_EQ(end_.number, 5u);
}

TEST_P(HashChainTest, AU7_AnEditedRecordIsNamed) {
  std::string& line = lines_[2];
  line.replace(line.find("\"n\":3"), 5, "\"n\":4");
  const ChainReport report = Verify();
  EXPECT_EQ(report.broken_line, 3u);
  EXPECT_EQ(report.broken_id, "c-3");
  EXPECT_THAT(report.ToString(), HasSubstr("line 3 (\"c-3\"): it was changed"));
}

TEST_P(HashChainTest, AU7_ADeletedRecordIsNoticedAtTheNextOne) {
  lines_.erase(lines_.begin() + 1);
  const ChainReport report = Verify();
  EXPECT_EQ(report.broken_line, 2u);
  EXPECT_EQ(report.broken_id, "c-3");
  EXPECT_THAT(report.problem, HasSubstr("record 3 where 2 is due"));
}

TEST_P(HashChainTest, AU7_AnotherOrderIsNoticed) {
  std::swap(lines_[2], lines_[3]);
  const ChainReport report = Verify();
  EXPECT_EQ(report.broken_line, 3u);
  EXPECT_THAT(report.problem, HasSubstr("record 4 where 3 is due"));
}

TEST_P(HashChainTest, AU7_ARepeatedRecordIsNoticed) {
  lines_.insert(lines_.begin() + 1, lines_[0]);
  EXPECT_EQ(Verify().broken_line, 2u);
}

TEST_P(HashChainTest, AU7_ACutAtTheEndIsNoticedByTheAnchor) {
  lines_.pop_back();
  EXPECT_THAT(Verify().problem, HasSubstr("ends at record 4, the anchor is record 5"));
  EXPECT_TRUE(Verify(ChainVerifyOptions{}).ok());
  lines_.clear();
  EXPECT_THAT(Verify().problem, HasSubstr("ends at record 0"));
}

TEST_P(HashChainTest, AU7_ACutAtTheBeginningIsNoticedUnlessAllowed) {
  const ChainPoint second = ChainPoint::OfLine(lines_[1]).value();
  lines_.erase(lines_.begin(), lines_.begin() + 2);
  EXPECT_EQ(Verify().broken_line, 1u);
  EXPECT_TRUE(Verify({.any_start = true, .end = end_}).ok());
  EXPECT_TRUE(Verify({.start = second, .end = end_}).ok());
  EXPECT_FALSE(Verify({.start = end_, .end = end_}).ok());
}

TEST_P(HashChainTest, AU7_AStartThatIsGivenCountsAlthoughAnyWouldDo) {
  const ChainPoint first = ChainPoint::OfLine(lines_[0]).value();
  const ChainPoint second = ChainPoint::OfLine(lines_[1]).value();
  lines_.erase(lines_.begin(), lines_.begin() + 2);
  EXPECT_TRUE(Verify({.start = second, .any_start = true}).ok());
  EXPECT_FALSE(Verify({.start = first, .any_start = true}).ok());
}

TEST_P(HashChainTest, AU7_AnyStartAllowsNoHoleLaterOn) {
  lines_.erase(lines_.begin());
  lines_.erase(lines_.begin() + 1);
  EXPECT_EQ(Verify({.any_start = true}).broken_line, 2u);
}

TEST_P(HashChainTest, AU7_ATrailWithoutNewRecordsStillEndsAtItsAnchor) {
  lines_.clear();
  EXPECT_TRUE(Verify({.start = end_, .end = end_}).ok());
}

TEST_P(HashChainTest, APlaceInTheChainHasOneSpelling) {
  const std::string number = "\"chain\":{\"n\":1,";
  for (const std::string_view other :
       {"\"chain\":{\"n\":0,", "\"chain\":{\"n\":01,", "\"chain\":{\"n\":-1,", "\"chain\":{\"n\":,",
        "\"chain\":{\"n\":18446744073709551616,"}) {
    std::string line = lines_[0];
    line.replace(line.find(number), number.size(), other);
    EXPECT_EQ(ChainPoint::OfLine(line).error().reason, "chain-missing") << other;
  }
  for (const char digit : {'A', 'g', 'F', '.', '\0'}) {
    std::string line = lines_[0];
    line[line.size() - 4] = digit;
    EXPECT_EQ(ChainPoint::OfLine(line).error().reason, "chain-missing") << digit;
  }
}

TEST_P(HashChainTest, AU7_ANewChainDoesNotMatchTheAnchor) {
  // Whoever has the key, or needs none, can write another chain; not one that ends in the anchor.
  HashChain other(crypto_, key());
  for (std::string& line : lines_) line = other.Seal(R"({"forged":1})");
  EXPECT_THAT(Verify().problem, HasSubstr("not the record of the anchor"));
}

TEST_P(HashChainTest, AU7_ARecordOfAnotherChainDoesNotFollow) {
  HashChain other(crypto_, key());
  std::string third;
  for (int i = 0; i < 3; ++i) third = other.Seal(R"({"forged":1})");
  lines_[2] = third;  // The right number, and whole in itself.
  EXPECT_EQ(Verify().broken_line, 3u);
  EXPECT_THAT(Verify().problem, HasSubstr("does not follow the record before it"));
}

TEST_P(HashChainTest, AU7_AnotherKeyDoesNotFit) {
  const ChainReport report = VerifyChain(Text(), {.key = Secret("another"), .end = end_}, crypto_);
  EXPECT_EQ(report.broken_line, 1u);
}

TEST_P(HashChainTest, ARecordMayLookLikeAChainItself) {
  HashChain chain(crypto_, key(), end_);
  lines_.push_back(chain.Seal(lines_[0]));
  EXPECT_TRUE(Verify(ChainVerifyOptions{.end = chain.point()}).ok());
}

TEST_P(HashChainTest, EveryOtherTextOfALineIsRefused) {
  const std::string line = lines_[0];
  for (std::size_t i = 0; i < line.size(); ++i) {
    lines_ = {line};
    lines_[0][i] = static_cast<char>(lines_[0][i] ^ 1);
    EXPECT_EQ(Verify(ChainVerifyOptions{}).broken_line, 1u) << i;
    lines_[0] = line.substr(0, i);
    if (i > 0) {
      EXPECT_EQ(Verify(ChainVerifyOptions{}).broken_line, 1u) << i;
    }
  }
  lines_ = {line + " "};
  EXPECT_EQ(Verify(ChainVerifyOptions{}).broken_line, 1u);
}

TEST_P(HashChainTest, AWriterThatRewindsSealsAgain) {
  HashChain chain(crypto_, key());
  const ChainPoint before = chain.point();
  const std::string first = chain.Seal(R"({"a":1})");
  chain.Rewind(before);
  EXPECT_EQ(chain.Seal(R"({"a":1})"), first);
}

TEST(ChainPointTest, AnAnchorIsReadAsItIsWritten) {
  const ChainPoint point{12, std::string(63, '0') + "a"};
  EXPECT_EQ(ChainPoint::Parse(point.ToString()).value(), point);
  for (const char* const text : {"", "12", "12:", ":00", "x:00", "12:zz"})
    EXPECT_EQ(ChainPoint::Parse(text).error().code, ErrorCode::kInvalidArgument) << text;
  EXPECT_FALSE(ChainPoint::Parse("12:" + std::string(64, 'A')));
}

TEST(ChainPointTest, ALineWithoutAChainIsUnverified) {
  EXPECT_EQ(ChainPoint::OfLine(R"({"a":1})").error().code, ErrorCode::kUnverified);
}

}  // namespace
}  // namespace understudy
