#include "middleware/audit/secret_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

struct NameCase {
  std::string name;
  std::string text;
  bool secret = false;
};

class SecretNameTest : public ::testing::TestWithParam<NameCase> {};

TEST_P(SecretNameTest, AU3_NamesThatCarryCredentialsAreKnown) {
  EXPECT_EQ(IsSecretName(GetParam().text), GetParam().secret) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Names, SecretNameTest,
    ::testing::Values(
        NameCase{"Authorization", "Authorization", true},
        NameCase{"ProxyAuthorization", "proxy-authorization", true},
        NameCase{"Shopify", "X-Shopify-Access-Token", true},
        NameCase{"GitLab", "PRIVATE-TOKEN", true}, NameCase{"AuthToken", "X-Auth-Token", true},
        NameCase{"ApiKeyHeader", "api-key", true}, NameCase{"ApiKeyCamel", "apiKey", true},
        NameCase{"SetCookie", "Set-Cookie", true}, NameCase{"ClientSecret", "client_secret", true},
        NameCase{"Password", "newPassword2", true}, NameCase{"Pin", "pin", true},
        NameCase{"Cvc", "cvc_check", true}, NameCase{"CardNumber", "card-number", true},
        NameCase{"Signature", "Stripe-Signature", true}, NameCase{"RandomKey", "xyz_key", true},
        NameCase{"IdempotencyKey", "Idempotency-Key", false}, NameCase{"Id", "id", false},
        NameCase{"Amount", "amount", false}, NameCase{"Shipping", "shipping", false},
        NameCase{"ContentType", "Content-Type", false}, NameCase{"Empty", "", false},
        NameCase{"NoLetters", "\xff-_", false}),
    [](const auto& test) { return test.param.name; });

struct ValueCase {
  std::string name;
  std::string text;
  bool secret = false;
};

class SecretValueTest : public ::testing::TestWithParam<ValueCase> {};

TEST_P(SecretValueTest, AU3_ValuesThatLookLikeSecretsAreKnown) {
  EXPECT_EQ(LooksSecret(GetParam().text), GetParam().secret) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Values, SecretValueTest,
    ::testing::Values(ValueCase{"StripeKey", "sk_test_4eC39HqLyjWDarjtT1", true},
                      ValueCase{"GitHubToken", "see ghp_abcdefghijkl0123 there", true},
                      ValueCase{"SlackToken", "xoxb-123456789012-abc", true},
                      ValueCase{"AwsKey", "AKIAIOSFODNN7EXAMPLE", true},
                      ValueCase{"Jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", true},
                      ValueCase{"Pem", "-----BEGIN RSA PRIVATE KEY-----", true},
                      ValueCase{"CardNumber", "4242424242424242", true},
                      ValueCase{"CardNumberWithSpaces", "paid with 4242 4242 4242 4242 today",
                                true},
                      ValueCase{"CardNumberWithDashes", "4242-4242-4242-4242", true},
                      ValueCase{"AmexOf15Digits", "378282246310005", true},
                      ValueCase{"WrongCheckDigit", "4242424242424241", false},
                      ValueCase{"TwelveDigits", "424242424242", false},
                      ValueCase{"Zeros", "0000000000000000", false},
                      ValueCase{"HexOf32", "0123456789abcdef0123456789abcdef", true},
                      ValueCase{"HexOf31", "0123456789abcdef0123456789abcde", false},
                      ValueCase{"Uuid", "123e4567-e89b-42d3-a456-426614174000", false},
                      ValueCase{"LongWord", "donaudampfschifffahrtsgesellschaft", false},
                      ValueCase{"StripeId", "ch_3MmlLrLkdIwHu7ix0snN0B15", false},
                      ValueCase{"Sentence", "the card was declined", false},
                      ValueCase{"Empty", "", false}),
    [](const auto& test) { return test.param.name; });

TEST(CleanLineTest, AU7_ControlCharactersAndWhatReordersTextBecomeQuestionMarks) {
  EXPECT_EQ(CleanLine("a\nb\r\tc\x1b[31m\x7f", 100), "a?b??c?[31m?");
  EXPECT_EQ(CleanLine("a\xc2\x85"
                      "b\xe2\x80\xa8"
                      "c\xe2\x80\xae"
                      "d",
                      100),
            "a?b?c?d");
  EXPECT_EQ(CleanLine(std::string_view("a\0b", 3), 100), "a?b");
}

TEST(CleanLineTest, AU4_ACutNeverDividesACharacter) {
  const std::string text =
      "a\xe2\x82\xac"
      "b";  // a€b
  EXPECT_EQ(CleanLine(text, 5), text);
  EXPECT_EQ(CleanLine(text, 4), "a\xe2\x82\xac");
  EXPECT_EQ(CleanLine(text, 3), "a");
  EXPECT_EQ(CleanLine(text, 1), "a");
  EXPECT_EQ(CleanLine(text, 0), "");
}

TEST(CleanLineTest, BrokenUtf8BecomesQuestionMarks) {
  EXPECT_EQ(CleanLine("a\xff\xe2\x82", 100), "a???");
}

}  // namespace
}  // namespace understudy
