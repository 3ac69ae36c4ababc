#include "middleware/webhook/webhook_receiver.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/store/in_memory_webhook_store.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPaid = R"({"id":"evt_1","type":"order.paid"})";
constexpr const char* kDone = R"({"received":true,"duplicate":false})";
constexpr const char* kAgain = R"({"received":true,"duplicate":true})";

class WebhookReceiverTest : public testing::Test {
 protected:
  WebhookReceiverTest() {
    processor_.RegisterHandler(
        "order.paid", [this](const WebhookEvent& event, WebhookTransaction& t) -> Result<void> {
          ++runs_;
          if (fail_) return Error{.code = ErrorCode::kConnection, .message = "x", .reason = "x"};
          return t.Put(event.key.event_id, "paid");
        });
  }

  std::unique_ptr<WebhookReceiver> Receiver(WebhookReceiverOptions options = {},
                                            std::string_view scheme = "hmac-sha256-ts") {
    options.provider = "acme";
    auto verifier = SignatureVerifier::Create(crypto_, *FindScheme(scheme), {kSecret});
    return std::move(WebhookReceiver::Create(world_.runtime(), std::move(verifier).value(), store_,
                                             processor_, std::move(options)))
        .value();
  }
  http::Request Delivery(std::string_view body, std::string_view scheme = "hmac-sha256-ts",
                         std::string_view id = "evt_1") {
    http::Request request;
    request.method = http::Method::Post();
    request.body = body;
    request.headers =
        *Sign(crypto_, *FindScheme(scheme), kSecret, id, world_.clock.SystemNow(), body);
    return request;
  }
  bool NothingStored() {
    for (const auto status :
         {WebhookStatus::kPending, WebhookStatus::kProcessing, WebhookStatus::kCompleted,
          WebhookStatus::kDead, WebhookStatus::kUnhandled}) {
      if (!store_.List(status, 1)->empty()) return false;
    }
    return runs_ == 0;
  }

  const Secret kSecret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const OpensslCrypto crypto_;
  TestRuntime world_;
  InMemoryWebhookStore store_{{.events_max = 3}};
  WebhookProcessor processor_{world_.runtime(), store_, {.attempts_max = 2}};
  int runs_ = 0;
  bool fail_ = false;
};

TEST_F(WebhookReceiverTest, ProcessesAVerifiedEventAndAnswers200) {
  const auto response = Receiver()->Handle(Delivery(kPaid));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, kDone);
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(*store_.GetEffect("evt_1"), "paid");
  EXPECT_THAT(world_.events.Lines("webhook.received"),
              ElementsAre("webhook.received duplicate=false event_id=evt_1 outcome=completed "
                          "provider=acme reason= status=200 type=order.paid"));
}

TEST_F(WebhookReceiverTest, WH8_DuplicatesAreAcknowledgedWithoutAnotherRun) {
  const auto receiver = Receiver();
  ASSERT_EQ(receiver->Handle(Delivery(kPaid)).status, 200);
  for (int i = 0; i < 3; ++i) {
    const auto response = receiver->Handle(Delivery(kPaid));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, kAgain);
  }
  EXPECT_EQ(runs_, 1);
}

TEST_F(WebhookReceiverTest, AHandshakeIsAnsweredAsTheVendorWantsItAndNothingIsStored) {
  const auto receiver = Receiver({}, "slack");
  const auto response =
      receiver->Handle(Delivery(R"({"type":"url_verification","challenge":"c-1"})", "slack"));
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("c-1"));
  EXPECT_TRUE(NothingStored());
  EXPECT_THAT(world_.events.Lines("webhook.received"), ElementsAre(HasSubstr("outcome=handshake")));
}

TEST_F(WebhookReceiverTest, AHandshakeIsSmall) {
  WebhookReceiverOptions options;
  options.event_key = [](const http::Request&) -> Result<std::string> { return "key"; };
  const auto receiver = Receiver(std::move(options), "xero");
  const std::string head = R"({"events":[],"x":")";
  const std::size_t pad = std::size_t{64} * 1024 - head.size() - 2;
  const auto outcome = [&](std::size_t bytes) {
    static_cast<void>(receiver->Handle(Delivery(head + std::string(bytes, 'x') + "\"}", "xero")));
    return world_.events.Lines("webhook.received").back();
  };
  EXPECT_THAT(outcome(pad), HasSubstr("outcome=handshake"));
  EXPECT_TRUE(NothingStored());
  EXPECT_THAT(outcome(pad + 1), HasSubstr("outcome=unhandled"));
}

TEST_F(WebhookReceiverTest, AHandshakeThatIsNotVerifiedIsRefused) {
  http::Request request = Delivery(R"({"type":"url_verification","challenge":"c-1"})", "slack");
  request.body.back() = ' ';
  const auto response = Receiver({}, "slack")->Handle(request);
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.body, testing::Not(HasSubstr("c-1")));
}

TEST_F(WebhookReceiverTest, AVendorWithoutEventIdsIsTakenWithAKeyOfTheUsers) {
  WebhookReceiverOptions options;
  options.event_key = [](const http::Request& request) -> Result<std::string> {
    return "key-" + std::to_string(request.body.size());
  };
  const auto receiver = Receiver(std::move(options), "xero");
  const auto response = receiver->Handle(Delivery(R"({"events":[{"n":1}]})", "xero"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "") << "Xero accepts nothing else";
  const auto kept = store_.List(WebhookStatus::kUnhandled, 2);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->front().event.key.event_id, "key-20");
}

TEST_F(WebhookReceiverTest, AnErrorOfTheKeyRefusesTheRequest) {
  WebhookReceiverOptions options;
  options.event_key = [](const http::Request&) -> Result<std::string> {
    return InvalidArgument("no sequence");
  };
  const auto response = Receiver(std::move(options))->Handle(Delivery(kPaid));
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(NothingStored());
}

TEST_F(WebhookReceiverTest, AVendorThatSignsTheUrlIsVerifiedWithThePublicOne) {
  constexpr std::string_view kUrl = "https://shop.example/hooks/square";
  WebhookReceiverOptions options;
  options.public_url = kUrl;
  const auto receiver = Receiver(std::move(options), "square");
  http::Request request;
  request.method = http::Method::Post();
  request.url = *http::Url::Parse("http://127.0.0.1:8080/hooks/square");  // Behind a proxy.
  request.body = R"({"event_id":"e-1","type":"payment.created"})";
  const std::vector<Secret> secrets = {kSecret};
  request.headers = *Sign(
      crypto_, *FindScheme("square"), secrets,
      {.url = kUrl, .id = "e-1", .timestamp = world_.clock.SystemNow(), .body = request.body});
  EXPECT_EQ(receiver->Handle(request).status, 200);
  EXPECT_EQ(Receiver({}, "square")->Handle(request).status, 401);
}

TEST_F(WebhookReceiverTest, ABadSignatureIs401AndHasNoEffect) {
  http::Request request = Delivery(kPaid);
  request.body.back() = ' ';
  const auto response = Receiver()->Handle(request);
  EXPECT_EQ(response.status, 401);
  EXPECT_TRUE(NothingStored());
  EXPECT_THAT(world_.events.Lines("webhook.received"),
              ElementsAre("webhook.received duplicate=false event_id= outcome=unverified "
                          "provider=acme reason=no-match status=401 type="));
}

TEST_F(WebhookReceiverTest, WH2_AMalformedSignatureHeaderIs401NotAnError) {
  http::Request request = Delivery(kPaid);
  for (const char* header : {"", ",,", "t", "t=x,v1=potato", "\xff\xfe"}) {
    ASSERT_TRUE(request.headers.Set("Webhook-Signature", header).has_value());
    EXPECT_EQ(Receiver()->Handle(request).status, 401) << header;
  }
  EXPECT_TRUE(NothingStored());
}

TEST_F(WebhookReceiverTest, WH7_AVerifiedBodyThatIsNotJsonIs400) {
  for (const char* body : {"", "{", "not json", "{\"id\":\"\xff\"}", "[1,]"}) {
    EXPECT_EQ(Receiver()->Handle(Delivery(body)).status, 400) << body;
  }
  EXPECT_TRUE(NothingStored());
}

TEST_F(WebhookReceiverTest, WH7_AKeyThatIsThereTwiceIs400) {
  EXPECT_EQ(Receiver()->Handle(Delivery(R"({"id":"a","id":"b","type":"order.paid"})")).status, 400);
  EXPECT_EQ(
      Receiver()->Handle(Delivery(R"({"id":"a","x":{"y":1,"y":2},"type":"order.paid"})")).status,
      400);
  EXPECT_TRUE(NothingStored());
  EXPECT_EQ(
      Receiver()->Handle(Delivery(R"({"id":"a","x":{"id":1},"y":[{"id":1},{"id":2}]})")).status,
      200)
      << "the same key in different objects is fine";
}

TEST_F(WebhookReceiverTest, WH9_AnEventWithoutIdIs400SoThatItCannotSwallowOthers) {
  for (const char* body : {"{}", R"({"id":""})", R"({"id":null})", R"({"id":{"x":1}})", "[]",
                           R"("id")", R"({"id":1.5})", R"({"id":true})"}) {
    const auto response = Receiver()->Handle(Delivery(body));
    EXPECT_EQ(response.status, 400) << body;
  }
  EXPECT_TRUE(NothingStored());
}

TEST_F(WebhookReceiverTest, WH9_StripesIdIsTheOneInTheBodySoThatEveryEventCounts) {
  const auto receiver = Receiver({}, "stripe");
  for (const char* body :
       {R"({"id":"evt_1","type":"order.paid"})", R"({"id":"evt_2","type":"order.paid"})"}) {
    EXPECT_EQ(receiver->Handle(Delivery(body, "stripe")).body, kDone);
  }
  EXPECT_EQ(runs_, 2);
}

TEST_F(WebhookReceiverTest, WH9_AnIdThatIsTooLongIs400) {
  const auto with_id = [](std::size_t length) {
    return R"({"type":"order.paid","id":")" + std::string(length, 'x') + "\"}";
  };
  EXPECT_EQ(Receiver()->Handle(Delivery(with_id(256))).status, 400);
  EXPECT_EQ(Receiver()->Handle(Delivery(with_id(255))).status, 200);
}

TEST_F(WebhookReceiverTest, WH12_AFailedHandlerIs503AndTheRedeliveryIsProcessed) {
  const auto receiver = Receiver();
  fail_ = true;
  const auto failed = receiver->Handle(Delivery(kPaid));
  EXPECT_EQ(failed.status, 503);
  EXPECT_EQ(failed.headers.Get("Retry-After"), "5");
  fail_ = false;
  const auto response = receiver->Handle(Delivery(kPaid));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, kDone) << "this delivery had the effect";
}

TEST_F(WebhookReceiverTest, WH12_ADeadEventIsNotAcknowledged) {
  const auto receiver = Receiver();
  fail_ = true;
  EXPECT_EQ(receiver->Handle(Delivery(kPaid)).status, 503);
  EXPECT_EQ(receiver->Handle(Delivery(kPaid)).status, 500);
  EXPECT_EQ(receiver->Handle(Delivery(kPaid)).status, 500);
  EXPECT_EQ(runs_, 2);
}

TEST_F(WebhookReceiverTest, WH12_AFullStoreIs503) {
  const auto receiver = Receiver();
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(receiver->Handle(Delivery(std::string(R"({"id":")") + id + "\"}")).status, 200);
  }
  const auto response = receiver->Handle(Delivery(R"({"id":"d"})"));
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.headers.Has("Retry-After"));
}

TEST_F(WebhookReceiverTest, WH19_NeitherAnswerNorEventHoldsAHandlersErrorText) {
  processor_.RegisterHandler("order.paid",
                             [](const WebhookEvent&, WebhookTransaction&) -> Result<void> {
                               return Error{.code = ErrorCode::kConnection,
                                            .message = "jane@example.com was refused",
                                            .reason = "refused"};
                             });
  const auto response = Receiver()->Handle(Delivery(kPaid));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, R"({"error":"deferred"})");
  for (const auto& event : world_.events.All()) {
    EXPECT_EQ(event.ToString().find("jane"), std::string::npos);
  }
}

TEST_F(WebhookReceiverTest, WH10_AnEventInProcessIs503WithTheRestOfItsLease) {
  const auto receiver = Receiver();
  fail_ = true;
  ASSERT_EQ(receiver->Handle(Delivery(kPaid)).status, 503);
  ASSERT_TRUE(
      store_.ClaimNext(world_.clock.SystemNow(), std::chrono::milliseconds(29'001))->has_value());
  const auto response = receiver->Handle(Delivery(kPaid));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.Get("Retry-After"), "30") << "rounded up";
}

TEST_F(WebhookReceiverTest, WH14_AnEventWithoutHandlerIsKeptAndAcknowledged) {
  EXPECT_EQ(Receiver()->Handle(Delivery(R"({"id":"e","type":"new.kind"})")).status, 200);
  EXPECT_EQ(store_.List(WebhookStatus::kUnhandled, 10)->size(), 1u);
}

TEST_F(WebhookReceiverTest, WH13_QueuedModeStoresAnswersAndLeavesTheHandlerToTheWorkers) {
  const auto receiver = Receiver({.mode = WebhookMode::kQueued});
  const auto first = receiver->Handle(Delivery(kPaid));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, kDone);
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ(store_.List(WebhookStatus::kPending, 10)->size(), 1u);
  EXPECT_EQ(receiver->Handle(Delivery(kPaid)).body, kAgain);
}

TEST_F(WebhookReceiverTest, RefusesOtherMethodsAndLargeBodies) {
  const auto receiver = Receiver({.body_bytes_max = kPaid.size()});
  EXPECT_EQ(receiver->Handle(Delivery(kPaid)).status, 200);
  EXPECT_EQ(receiver->Handle(Delivery(std::string(kPaid) + " ")).status, 413);
  http::Request get = Delivery(kPaid);
  get.method = http::Method::Get();
  const auto response = receiver->Handle(get);
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.Get("Allow"), "POST");
}

TEST_F(WebhookReceiverTest, AnIdThatIsThereTwiceIsNone) {
  http::Request request = Delivery("{}", "github", "guid-1");
  ASSERT_TRUE(request.headers.Set("X-GitHub-Event", "order.paid").has_value());
  ASSERT_TRUE(request.headers.Add("X-GitHub-Delivery", "guid-2").has_value());
  EXPECT_EQ(Receiver({}, "github")->Handle(request).status, 400);
  EXPECT_TRUE(NothingStored());
}

TEST_F(WebhookReceiverTest, TakesGitHubsIdAndTypeFromItsHeaders) {
  http::Request request = Delivery("payload=%7B%7D", "github", "guid-1");
  ASSERT_TRUE(request.headers.Set("X-GitHub-Event", "order.paid").has_value());
  EXPECT_EQ(Receiver({}, "github")->Handle(request).status, 200);
  EXPECT_EQ(*store_.GetEffect("guid-1"), "paid");
}

TEST_F(WebhookReceiverTest, WH6_AReplayOfAGitHubDeliveryHasNoSecondEffect) {
  http::Request request = Delivery("{}", "github", "guid-1");
  ASSERT_TRUE(request.headers.Set("X-GitHub-Event", "order.paid").has_value());
  const auto receiver = Receiver({}, "github");
  ASSERT_EQ(receiver->Handle(request).body, kDone);
  world_.clock.Advance(std::chrono::hours(24 * 30));
  EXPECT_EQ(receiver->Handle(request).body, kAgain);
  EXPECT_EQ(runs_, 1);
}

TEST_F(WebhookReceiverTest, TakesTheIdOfStandardWebhooksFromItsSignedHeader) {
  const auto request = Delivery(R"({"type":"order.paid"})", "standard-webhooks", "msg_1");
  EXPECT_EQ(Receiver({}, "standard-webhooks")->Handle(request).status, 200);
  EXPECT_EQ(*store_.GetEffect("msg_1"), "paid");
}

TEST_F(WebhookReceiverTest, IdAndTypeCanBeElsewhere) {
  const auto receiver = Receiver({.event_id = EventField{.pointer = "/meta/a~1b/0"},
                                  .event_type = EventField{.pointer = "/meta/kind"}});
  EXPECT_EQ(receiver->Handle(Delivery(R"({"meta":{"a/b":[42],"kind":"order.paid"}})")).status, 200);
  EXPECT_EQ(*store_.GetEffect("42"), "paid");
}

TEST_F(WebhookReceiverTest, ARefusalTellsTheSenderNothingAboutWhy) {
  http::Request request = Delivery(kPaid);
  world_.clock.Advance(seconds(301));
  const auto response = Receiver()->Handle(request);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, R"({"error":"unverified"})");
}

TEST_F(WebhookReceiverTest, ASetupThatWouldMixEventsIsRefused) {
  const auto create = [&](SignatureScheme scheme, WebhookReceiverOptions options) {
    auto verifier = SignatureVerifier::Create(crypto_, std::move(scheme), {kSecret});
    return WebhookReceiver::Create(world_.runtime(), std::move(verifier).value(), store_,
                                   processor_, std::move(options))
        .has_value();
  };
  SignatureScheme no_id = *FindScheme("stripe");
  no_id.event_id = {};
  EXPECT_TRUE(create(*FindScheme("stripe"), {.provider = "acme"}));
  EXPECT_FALSE(create(*FindScheme("stripe"), {.provider = ""}));
  EXPECT_FALSE(create(no_id, {.provider = "acme"}));
}

}  // namespace
}  // namespace understudy::test
