#include "middleware/auth/pkce.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_random.h"

namespace understudy::test {
namespace {

// RFC 7636 appendix B.
TEST(PkceTest, OA11_MakesTheChallengeOfTheStandard) {
  const Secret verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  EXPECT_EQ(PkceChallenge(OpensslCrypto(), verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

// RFC 7636 appendix A.
TEST(PkceTest, Base64UrlIsThatOfTheStandard) {
  EXPECT_EQ(Base64UrlEncode("\x03\xec\xff\xe0\xc1"), "A-z_4ME");
  EXPECT_EQ(Base64UrlEncode(""), "");
  EXPECT_EQ(Base64UrlEncode("abc"), "YWJj");
}

TEST(PkceTest, OA11_AVerifierIs43UnreservedCharactersAndNeverTheSame) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string verifier(NewPkceVerifier(random).Reveal());
    EXPECT_EQ(verifier.size(), 43u);
    EXPECT_EQ(verifier.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-._~"),
              std::string::npos);
    EXPECT_TRUE(seen.insert(verifier).second);
  }
}

TEST(PkceTest, RandomTextHasTheAskedSizeAndABound) {
  SystemRandom random;
  EXPECT_EQ(RandomBase64Url(random, "test", 16).size(), 22u);
  EXPECT_EQ(RandomBase64Url(random, "test", 0), "");
  EXPECT_EQ(RandomBase64Url(random, "test", 1'000'000).size(), 1366u);
}

}  // namespace
}  // namespace understudy::test
