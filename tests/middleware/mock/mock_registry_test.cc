#include "middleware/mock/mock_registry.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/client/client_factory.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MockRegistryTest : public ::testing::Test {
 protected:
  Result<http::Response> Send(std::string_view provider, std::string_view path) {
    http::Request request;
    request.url = http::Url::Parse("https://vendor.example" + std::string(path)).value();
    return registry_.TransportFor(provider)->Send(request, {});
  }

  test::TestRuntime world_;
  MockRegistry registry_ = MockRegistry(world_.clock);
};

TEST_F(MockRegistryTest, KeepsOneMockPerVendor) {
  MockTransport& stripe = registry_.Mock("stripe");
  EXPECT_NE(&stripe, &registry_.Mock("paypal"));
  EXPECT_EQ(&stripe, &registry_.Mock("stripe"));
  EXPECT_EQ(&stripe, registry_.TransportFor("stripe"));
}

TEST_F(MockRegistryTest, HasNoMockForAVendorThatNobodyMocked) {
  registry_.Mock("stripe");
  EXPECT_EQ(registry_.TransportFor("strype"), nullptr);
  EXPECT_EQ(registry_.TransportFor(""), nullptr);
}

TEST_F(MockRegistryTest, VerifiesAllVendorsAndNamesThem) {
  registry_.Mock("stripe").When("GET", "/a").Respond(200);
  registry_.Mock("paypal").When("GET", "/b").Respond(200);
  EXPECT_TRUE(registry_.Verify());
  EXPECT_THAT(
      registry_.VerifyAllUsed().error().message,
      AllOf(HasSubstr("stripe: GET /a: never used"), HasSubstr("paypal: GET /b: never used")));
  EXPECT_TRUE(Send("stripe", "/a"));
  EXPECT_TRUE(Send("paypal", "/b"));
  EXPECT_TRUE(registry_.VerifyAllUsed());
  EXPECT_FALSE(Send("paypal", "/a"));
  const auto verified = registry_.Verify();
  EXPECT_EQ(verified.error().reason, "no-mock");
  EXPECT_THAT(verified.error().message, HasSubstr("paypal: 1 request had no mock"));
}

TEST_F(MockRegistryTest, AClientOfTheFactoryTalksToItsMockAndNeverToTheVendor) {
  test::ScriptedTransport vendor(world_.clock);
  registry_.Mock("stripe").When("GET", "/v1/balance").Respond(200, R"({"available":[]})");
  const ClientFactory factory =
      ClientFactory::Create({.mode_text = "1", .real = &vendor, .mocks = &registry_},
                            world_.runtime())
          .value();
  auto builder = factory.NewClient("stripe");
  ASSERT_TRUE(builder);
  const auto client = builder->BaseUrl("https://api.stripe.com").Build().value();
  http::Request request = client->NewRequest(http::Method::Get(), "/v1/balance").value();
  EXPECT_EQ(client->Call(std::move(request))->body, R"({"available":[]})");
  EXPECT_EQ(factory.NewClient("paypal").error().reason, "no-mock");
  EXPECT_EQ(vendor.sends(), 0u);
}

TEST(MockRegistryDeathTest, AVendorNeedsAName) {
  test::FakeClock clock;
  MockRegistry registry(clock);
  EXPECT_DEATH(registry.Mock(""), "needs the name of its vendor");
}

}  // namespace
}  // namespace understudy
