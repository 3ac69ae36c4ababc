#include "middleware/webhook/handshake.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::test {
namespace {

const OpensslCrypto kCrypto;

std::optional<http::Response> Ask(std::string_view scheme, std::string_view body,
                                  const http::Headers& headers = {}) {
  return AnswerHandshake(kCrypto, FindScheme(scheme)->handshake, Secret("s3cret"), headers, body);
}

TEST(HandshakeTest, SlackGetsItsChallengeBack) {
  const auto answer =
      Ask("slack", R"({"token":"t","challenge":"3eZb\"<x>","type":"url_verification"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(nlohmann::json::parse(answer->body), nlohmann::json({{"challenge", "3eZb\"<x>"}}));
}

TEST(HandshakeTest, ZoomGetsTheHmacOfItsToken) {
  const auto answer =
      Ask("zoom", R"({"event":"endpoint.url_validation","payload":{"plainToken":"qgg8"}})");
  ASSERT_TRUE(answer);
  const auto body = nlohmann::json::parse(answer->body);
  EXPECT_EQ(body["plainToken"], "qgg8");
  EXPECT_EQ(body["encryptedToken"], HexEncode(kCrypto.HmacSha256("s3cret", "qgg8")));
}

TEST(HandshakeTest, ZoomIsNotAnsweredWithoutASecret) {
  EXPECT_FALSE(
      AnswerHandshake(kCrypto, WebhookHandshake::kZoom, Secret(), {},
                      R"({"event":"endpoint.url_validation","payload":{"plainToken":"q"}})"));
}

TEST(HandshakeTest, XerosIntentToReceiveGetsAnEmpty200) {
  const auto answer =
      Ask("xero", R"({"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "");
}

TEST(HandshakeTest, DiscordsPingsGetTheAnswerOfTheirKind) {
  const auto event = Ask("discord", R"({"version":1,"application_id":"1","type":0})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->status, 204);
  const auto interaction = Ask("discord", R"({"id":"1","type":1,"token":"t"})");
  ASSERT_TRUE(interaction);
  EXPECT_EQ(interaction->status, 200);
  EXPECT_EQ(interaction->body, R"({"type":1})");
}

TEST(HandshakeTest, GitHubsPingIsTold) {
  EXPECT_TRUE(Ask("github", "{}", {{"X-GitHub-Event", "ping"}}));
  EXPECT_FALSE(Ask("github", "{}", {{"X-GitHub-Event", "push"}}));
  EXPECT_FALSE(Ask("github", "{}", {{"X-GitHub-Event", "ping"}, {"x-github-event", "push"}}));
}

struct Row {
  const char* name;
  const char* scheme;
  std::string body;
};
class NoHandshakeTest : public ::testing::TestWithParam<Row> {};

TEST_P(NoHandshakeTest, IsNotAnswered) { EXPECT_FALSE(Ask(GetParam().scheme, GetParam().body)); }

INSTANTIATE_TEST_SUITE_P(
    Table, NoHandshakeTest,
    ::testing::Values(
        Row{"SlackEvent", "slack", R"({"type":"event_callback","challenge":"x"})"},
        Row{"SlackNoChallenge", "slack", R"({"type":"url_verification"})"},
        Row{"SlackChallengeIsNoText", "slack", R"({"type":"url_verification","challenge":1})"},
        Row{"SlackLongChallenge", "slack",
            R"({"type":"url_verification","challenge":")" + std::string(4097, 'x') + "\"}"},
        Row{"SlackRepeatedKey", "slack",
            R"({"type":"event","type":"url_verification","challenge":"x"})"},
        Row{"SlackForm", "slack", "token=x&type=url_verification"},
        Row{"ZoomEvent", "zoom", R"({"event":"meeting.started","payload":{"plainToken":"q"}})"},
        Row{"ZoomEmptyToken", "zoom",
            R"({"event":"endpoint.url_validation","payload":{"plainToken":""}})"},
        Row{"ZoomNoObject", "zoom", R"(["endpoint.url_validation"])"},
        Row{"XeroEvents", "xero", R"({"events":[{"resourceId":"1"}]})"},
        Row{"XeroLargeBody", "xero",
            R"({"events":[],"x":")" + std::string(std::size_t{64} * 1024, 'x') + "\"}"},
        Row{"XeroNothing", "xero", "{}"}, Row{"XeroNoJson", "xero", "\xff"},
        Row{"DiscordEvent", "discord", R"({"version":1,"type":1,"event":{"type":"X"}})"},
        Row{"DiscordCommand", "discord", R"({"type":2})"},
        Row{"DiscordTextType", "discord", R"({"type":"1"})"},
        Row{"DiscordBoolType", "discord", R"({"type":true})"}, Row{"DiscordList", "discord", "[1]"},
        Row{"StripeHasNone", "stripe", R"({"type":"url_verification","challenge":"x"})"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::test
