#include "middleware/auth/oauth_auth.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/store/in_memory_token_store.h"
#include "tests/middleware/auth/fake_token_source.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;

class OAuthAuthTest : public testing::Test {
 protected:
  http::Request Applied() {
    http::Request request;
    EXPECT_TRUE(auth_.Apply(request, {}, {}).has_value());
    return request;
  }

  TestRuntime world_;
  FakeTokenSource source_{world_.clock};
  InMemoryTokenStore store_;
  TokenManager manager_{world_.runtime(), source_, store_, {}};
  OAuthAuth auth_{manager_};
  const http::Response unauthorized_{.status = 401};
};

TEST_F(OAuthAuthTest, PutsTheAccessTokenOnTheRequest) {
  EXPECT_EQ(Applied().headers.Get("Authorization"), "Bearer access-1");
}

TEST_F(OAuthAuthTest, OA5_A401RefreshesAndTheNextApplyUsesTheNewToken) {
  http::Request request = Applied();
  world_.clock.Advance(seconds(10));
  EXPECT_TRUE(auth_.HandleUnauthorized(request, unauthorized_, {}, {}));
  ASSERT_TRUE(auth_.Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.GetAll("Authorization"),
            std::vector<std::string_view>{"Bearer access-2"});
}

TEST_F(OAuthAuthTest, OA5_A401ForATokenThatWasReplacedMeanwhileRefreshesNothing) {
  const http::Request old = Applied();
  world_.clock.Advance(seconds(10));
  ASSERT_TRUE(auth_.HandleUnauthorized(old, unauthorized_, {}, {}));
  EXPECT_TRUE(auth_.HandleUnauthorized(old, unauthorized_, {}, {}));
  EXPECT_EQ(source_.sent().size(), 2u);
}

TEST_F(OAuthAuthTest, A401WhoseRefreshFailsIsNotRepeated) {
  const http::Request request = Applied();
  world_.clock.Advance(seconds(10));
  source_.Fail(Error{.code = ErrorCode::kAuth, .message = "dead", .reason = "invalid_grant"});
  EXPECT_FALSE(auth_.HandleUnauthorized(request, unauthorized_, {}, {}));
}

TEST_F(OAuthAuthTest, A401ForARequestWithoutABearerTokenIsNotRepeated) {
  http::Request request;
  EXPECT_FALSE(auth_.HandleUnauthorized(request, unauthorized_, {}, {}));
  ASSERT_TRUE(request.headers.Set("Authorization", "Basic abc").has_value());
  EXPECT_FALSE(auth_.HandleUnauthorized(request, unauthorized_, {}, {}));
  EXPECT_TRUE(source_.sent().empty());
}

TEST_F(OAuthAuthTest, AFailedRefreshMeansThatTheRequestWasNotSent) {
  source_.Fail(Error{.code = ErrorCode::kConnection,
                     .message = "503",
                     .delivery = Delivery::kAnswered,
                     .origin = Origin::kRemote,
                     .reason = "503"});
  http::Request request;
  const auto applied = auth_.Apply(request, {}, {});
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(applied.error().origin, Origin::kLocal);
  EXPECT_FALSE(request.headers.Has("Authorization"));
}

}  // namespace
}  // namespace understudy::test
