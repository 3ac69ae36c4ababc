#include "middleware/store/key_ring.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/text.h"

namespace understudy::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kBytes = "0123456789abcdef0123456789ABCDEF";

TEST(ParseAeadKeyTest, OA15_ReadsHexAndBase64WithWhiteSpaceAround) {
  for (const std::string& text :
       {HexEncode(kBytes), Base64Encode(kBytes), "  " + Base64Encode(kBytes) + "\r\n"}) {
    const auto key = ParseAeadKey(Secret(text));
    ASSERT_TRUE(key.has_value()) << text;
    EXPECT_EQ(key->Reveal(), kBytes);
  }
}

TEST(ParseAeadKeyTest, OA15_RefusesAnythingElseWithoutRepeatingIt) {
  for (const std::string& text :
       {std::string(), std::string(" \n"), kBytes, HexEncode(kBytes.substr(1)),
        HexEncode(kBytes + "x"), Base64Encode(kBytes.substr(1)), Base64Encode(kBytes + "x"),
        std::string(64, 'g'), std::string(44, '!')}) {
    const auto key = ParseAeadKey(Secret(text));
    ASSERT_FALSE(key.has_value()) << text;
    EXPECT_EQ(key.error().code, ErrorCode::kInvalidArgument);
    if (text.size() <= 2) continue;
    EXPECT_THAT(key.error().ToString(), Not(HasSubstr(text)));
  }
}

using Keys = std::vector<std::pair<std::string, Secret>>;

Secret Key(char fill) { return Secret(std::string(32, fill)); }

TEST(KeyRingTest, FindsKeysByName) {
  const auto ring = KeyRing::Create({{"old", Key('o')}, {"new_2-B", Key('n')}}, "new_2-B");
  ASSERT_TRUE(ring.has_value());
  EXPECT_EQ(ring->current(), "new_2-B");
  EXPECT_EQ(ring->Find("old")->Reveal(), Key('o').Reveal());
  EXPECT_EQ(ring->Find("other"), nullptr);
}

TEST(KeyRingTest, RefusesWhatCannotWork) {
  Keys many;
  for (int i = 0; i < 65; ++i)
    many.emplace_back("k" + std::to_string(i), Key(static_cast<char>(i)));
  for (const auto& [keys, current] : std::vector<std::pair<Keys, std::string>>{
           {{}, "a"},
           {many, "k1"},
           {{{"a", Key('a')}}, "b"},
           {{{"", Key('a')}}, ""},
           {{{"a.b", Key('a')}}, "a.b"},
           {{{std::string(33, 'a'), Key('a')}}, std::string(33, 'a')},
           {{{"a", Secret("short")}}, "a"},
           {{{"a", Key('a')}, {"a", Key('b')}}, "a"},
           {{{"a", Key('a')}, {"b", Key('a')}}, "a"}}) {
    const auto ring = KeyRing::Create(keys, current);
    ASSERT_FALSE(ring.has_value()) << current;
    EXPECT_EQ(ring.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace understudy::test
