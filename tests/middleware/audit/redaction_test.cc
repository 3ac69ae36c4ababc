#include "middleware/audit/redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/audit/secret_text.h"

namespace understudy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Redactor Plain() { return Redactor::Create().value(); }

TEST(RedactorHeaderTest, AU3_OnlyListedHeadersAreShown) {
  const Redactor redactor = Plain();
  EXPECT_EQ(redactor.HeaderValue("Content-Type", "application/json"), "application/json");
  EXPECT_EQ(redactor.HeaderValue("RETRY-AFTER", "120"), "120");
  for (const char* const name :
       {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "api-key",
        "X-Shopify-Access-Token", "PRIVATE-TOKEN", "X-Auth-Token", "X-Something-New", "Referer"}) {
    EXPECT_EQ(redactor.HeaderValue(name, "v"), kRedacted) << name;
    EXPECT_FALSE(redactor.ShowsHeader(name)) << name;
  }
}

TEST(RedactorHeaderTest, AU3_TheListCanBeExtendedButNotByCredentials) {
  const Redactor redactor = Redactor::Create({.headers_shown = {"X-Shop-Region"}}).value();
  EXPECT_EQ(redactor.HeaderValue("x-shop-region", "eu"), "eu");
  EXPECT_TRUE(redactor.MayShowHeader("X-SHOP-REGION"));
  const auto refused = Redactor::Create(
      {.headers_shown = {"Authorization", ""}, .query_keys_shown = {"access_token"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("headers_shown has \"Authorization\""));
  EXPECT_THAT(refused.error().message, HasSubstr("query_keys_shown has \"access_token\""));
}

TEST(RedactorHeaderTest, AU3_AListedHeaderWithASecretInItIsHidden) {
  const Redactor redactor = Plain();
  EXPECT_EQ(redactor.HeaderValue("User-Agent", "app sk_live_4eC39HqLyjWDarjt"), kRedacted);
  EXPECT_EQ(redactor.HeaderValue("X-Request-Id", std::string(32, 'a') + "1"),
            std::string(32, 'a') + "1");
  EXPECT_EQ(redactor.HeaderValue("X-Request-Id", "ghp_abcdefghijkl0123"), kRedacted);
  EXPECT_EQ(redactor.HeaderValue("Content-Type", std::string(2000, 'a')), kRedacted);
}

TEST(RedactorHeaderTest, AU3_ALocationIsRedactedAsAUrl) {
  EXPECT_EQ(Plain().HeaderValue("Location", "https://u:p@h.example/cb?code=abc&page=2#t=1"),
            "https://h.example/cb?code=[redacted]&page=2");
}

TEST(RedactorHeaderTest, ATraceparentIsShownIfItIsOne) {
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(Plain().HeaderValue("traceparent", trace), trace);
  EXPECT_EQ(Plain().HeaderValue("traceparent", "00-secret"), kRedacted);
}

TEST(RedactorHeaderTest, TheQuickFilterNeverMissesAListedHeader) {
  const Redactor redactor = Redactor::Create({.headers_shown = {"a", "X-Y"}}).value();
  for (const char* const name :
       {"A", "x-y", "Content-Type", "ETag", "etag", "RETRY-AFTER", "X-RateLimit-Remaining"}) {
    EXPECT_TRUE(redactor.MayShowHeader(name)) << name;
  }
  EXPECT_FALSE(redactor.MayShowHeader("Authorization"));
  EXPECT_FALSE(redactor.MayShowHeader("Cookie"));
  EXPECT_FALSE(redactor.ShowsHeader(""));
}

struct UrlCase {
  std::string name;
  std::string url;
  std::string shown;
};

class RedactorUrlTest : public ::testing::TestWithParam<UrlCase> {};

TEST_P(RedactorUrlTest, AU3_UrlsShowNoUserInfoNoValuesAndNoFragment) {
  EXPECT_EQ(Plain().Url(GetParam().url), GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(
    Urls, RedactorUrlTest,
    ::testing::Values(
        UrlCase{"Plain", "https://api.example/v1/orders", "https://api.example/v1/orders"},
        UrlCase{"UserInfo", "https://user:hunter2@api.example:8443/x",
                "https://api.example:8443/x"},
        UrlCase{"TwoAts", "https://a@b:c@api.example/", "https://api.example/"},
        UrlCase{"NoPath", "https://u:p@api.example?q=1", "https://api.example?q=[redacted]"},
        UrlCase{"Fragment", "https://api.example/cb#access_token=abc", "https://api.example/cb"},
        UrlCase{"QueryValues", "https://api.example/?token=abc&email=a%40b",
                "https://api.example/?token=[redacted]&email=[redacted]"},
        UrlCase{"ListedKeys", "https://api.example/?limit=3&PAGE=2",
                "https://api.example/?limit=3&PAGE=2"},
        UrlCase{"ListedKeyWithSecret", "/?limit=sk_live_4eC39HqLyjWDarjt", "/?limit=[redacted]"},
        UrlCase{"EncodedKey", "/?lim%69t=3&%74oken=x", "/?limit=3&token=[redacted]"},
        UrlCase{"KeyAlone", "/?sk_live_abc&x", "/?[redacted]&[redacted]"},
        UrlCase{"SecretAsKey", "/?ghp_abcdefghijkl0123=1", "/?[redacted]=[redacted]"},
        UrlCase{"EmptyPieces", "/?&&limit=1&", "/?limit=1"},
        UrlCase{"BadEscape", "/?limit=%zz&%zz=1", "/?limit=%25zz&%25zz=[redacted]"},
        UrlCase{"SecretInPath", "/v1/tokens/ghp_abcdefghijkl0123/x", "/v1/tokens/[redacted]/x"},
        UrlCase{"LongTokenInPath", "/reset/0123456789abcdef0123456789abcdef", "/reset/[redacted]"},
        UrlCase{"EncodedSecretInPath", "/a/%67hp_abcdefghijkl0123", "/a/[redacted]"},
        UrlCase{"CardInPath", "/cards/4242424242424242", "/cards/[redacted]"},
        UrlCase{"NameAndValueInPath", "/x/token=abc/y", "/x/[redacted]/y"},
        UrlCase{"PathParameters", "/x;jsessionid=1/y", "/x;[redacted]/y"},
        UrlCase{"SlackWebhook", "https://hooks.slack.com/services/T0/B0/xyz",
                "https://hooks.slack.com/services/[redacted]"},
        UrlCase{"TelegramBot", "https://api.telegram.org/bot12:ab/getMe",
                "https://api.telegram.org/bot[redacted]"},
        UrlCase{"ProtocolRelative", "//u:p@h.example/x", "//h.example/x"},
        UrlCase{"DataUrl", "data:text/plain,secret", "[redacted]"},
        UrlCase{"Mail", "someone@example.com", "[redacted]"},
        UrlCase{"ControlCharacters", "https://h.example/a\nb\x1b", "https://h.example/a?b?"},
        UrlCase{"Empty", "", ""}),
    [](const auto& test) { return test.param.name; });

TEST(RedactorUrlTest, APersonInAPathIsHidden) {
  EXPECT_EQ(Plain().Url("/users/ann@x/orders"), "/users/[redacted]/orders");
  EXPECT_EQ(Plain().Url("/users/ann%40x"), "/users/[redacted]");
}

TEST(RedactorUrlTest, AUrlThatIsTooLongIsHidden) {
  EXPECT_EQ(Plain().Url("https://h.example/" + std::string(Redactor::kUrlBytesMax, 'a')),
            kRedacted);
}

TEST(RedactorUrlTest, OwnListsAreUsed) {
  const Redactor redactor =
      Redactor::Create({.query_keys_shown = {"Region"}, .secret_path_prefixes = {"/magic/"}})
          .value();
  EXPECT_EQ(redactor.Url("/a?region=eu&x=1"), "/a?region=eu&x=[redacted]");
  EXPECT_EQ(redactor.Url("/magic/abc/def"), "/magic/[redacted]");
  EXPECT_FALSE(Redactor::Create({.secret_path_prefixes = {"magic"}}));
  EXPECT_FALSE(Redactor::Create({.secret_pointers = {"a/b"}}));
  EXPECT_FALSE(Redactor::Create({.secret_keys = {"--"}}));
  EXPECT_FALSE(Redactor::Create({.preview_bytes_max = 65'537}));
}

struct MessageCase {
  std::string name;
  std::string text;
  std::string shown;
};

class RedactorMessageTest : public ::testing::TestWithParam<MessageCase> {};

TEST_P(RedactorMessageTest, AU3_MessagesHoldNoSecretsAndAU7_NoSecondLine) {
  EXPECT_EQ(Plain().Message(GetParam().text), GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(
    Messages, RedactorMessageTest,
    ::testing::Values(
        MessageCase{"Plain", "connect to 127.0.0.1 port 9 failed",
                    "connect to 127.0.0.1 port 9 failed"},
        MessageCase{"Url", "GET https://u:p@h.example/x?token=abc failed: timeout",
                    "GET https://h.example/x?token=[redacted] failed: timeout"},
        MessageCase{"QuotedUrl", "\"https://h.example/?a=b\", then",
                    "\"https://h.example/?a=[redacted]\", then"},
        MessageCase{"Bearer", "sent Bearer abc123 to it", "sent Bearer [redacted] to it"},
        MessageCase{"HeaderLine", "Authorization: Basic dXNlcjpwYXNz and more",
                    "Authorization:[redacted]"},
        MessageCase{"NameAndValue", "with password=hunter2 and more", "with password=[redacted]"},
        MessageCase{"SpacedName", "token : abc", "token :[redacted]"},
        MessageCase{"JsonText", R"(answered {"access_token":"abc"})",
                    R"(answered {"access_token":[redacted])"},
        MessageCase{"TokenAsWord", "the refresh token was refused",
                    "the refresh token was refused"},
        MessageCase{"Key", "used sk_live_4eC39HqLyjWDarjt here", "used [redacted] here"},
        MessageCase{"CardWithSpaces", "card 4242 4242 4242 4242 declined", "[redacted]"},
        MessageCase{"Lines", "a\r\nINFO forged", "a  INFO forged"},
        MessageCase{"BearerAfterTwoSpaces", "Bearer  abc123", "Bearer  [redacted]"},
        MessageCase{"BearerOverLines", "Bearer\nabc123", "Bearer [redacted]"},
        MessageCase{"Escape", "a\x1b[2Jb", "a?[2Jb"}),
    [](const auto& test) { return test.param.name; });

TEST(RedactorMessageTest, AMessageIsBoundedAndNotCutWithinASecret) {
  const std::string shown =
      Plain().Message(std::string(500, 'a') + " sk_live_4eC39HqLyjWDarjtT1zdp7dc");
  EXPECT_LE(shown.size(), Redactor::kMessageBytesMax);
  EXPECT_THAT(shown, Not(HasSubstr("sk_")));
  EXPECT_THAT(Plain().Message("x " + std::string(4090, 'b') + "ghp_abcdefghijkl0123"),
              Not(HasSubstr("ghp")));
}

}  // namespace
}  // namespace understudy
