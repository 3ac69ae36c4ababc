#include "middleware/client/client_factory.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RecordingLogger final : public Logger {
 public:
  void Log(LogLevel level, std::string_view component, std::string_view message) override {
    lines.push_back(std::string(ToString(level)) + " " + std::string(component) + ": " +
                    std::string(message));
  }
  std::vector<std::string> lines = {};
};

// Has a mock for stripe.
class StripeMock final : public MockSource {
 public:
  explicit StripeMock(http::Transport& mock) : mock_(mock) {}
  http::Transport* TransportFor(std::string_view provider) override {
    ++asked;
    return provider == "stripe" ? &mock_ : nullptr;
  }
  int asked = 0;

 private:
  http::Transport& mock_;
};

class ClientFactoryTest : public ::testing::Test {
 protected:
  Runtime runtime() {
    return {world_.clock, world_.executor, world_.random, logger_, world_.events};
  }
  // A program for development, or (without mocks) one for production.
  Result<ClientFactory> Create(std::optional<std::string> mode, bool with_mocks) {
    return ClientFactory::Create(
        {.mode_text = std::move(mode), .real = &vendor_, .mocks = with_mocks ? &mocks_ : nullptr},
        runtime());
  }

  test::TestRuntime world_;
  RecordingLogger logger_;
  test::ScriptedTransport vendor_ = test::ScriptedTransport(world_.clock);
  test::ScriptedTransport mock_ = test::ScriptedTransport(world_.clock);
  StripeMock mocks_ = StripeMock(mock_);
};

struct ModeCase {
  std::string_view name;
  std::optional<std::string> text;
  std::optional<bool> mocks;  // nullopt: refused
};

class MockModeTest : public ::testing::TestWithParam<ModeCase> {};

TEST_P(MockModeTest, MeansMocksOrVendorsOrIsRefused) {
  const Result<bool> mode = ParseMockMode(GetParam().text);
  ASSERT_EQ(mode.has_value(), GetParam().mocks.has_value());
  if (mode) {
    EXPECT_EQ(*mode, *GetParam().mocks);
  } else {
    EXPECT_EQ(mode.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(mode.error().reason, "mock-mode");
    EXPECT_THAT(mode.error().message, HasSubstr("API_MOCK_MODE"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, MockModeTest,
    ::testing::Values(
        ModeCase{"Unset", std::nullopt, false}, ModeCase{"Empty", "", false},
        ModeCase{"Zero", "0", false}, ModeCase{"False", "false", false},
        ModeCase{"Off", "off", false}, ModeCase{"No", "no", false},
        ModeCase{"UpperCaseFalse", "FALSE", false}, ModeCase{"One", "1", true},
        ModeCase{"True", "true", true}, ModeCase{"On", "on", true}, ModeCase{"Yes", "yes", true},
        ModeCase{"MixedCaseOn", "On", true}, ModeCase{"Two", "2", std::nullopt},
        ModeCase{"Mistyped", "flase", std::nullopt}, ModeCase{"Padded", " 1", std::nullopt},
        ModeCase{"TrailingNewline", "1\n", std::nullopt}, ModeCase{"TwoOnes", "11", std::nullopt},
        ModeCase{"TheLetterO", "O", std::nullopt}, ModeCase{"Space", " ", std::nullopt},
        ModeCase{"Nul", std::string("1\0", 2), std::nullopt},
        ModeCase{"Long", std::string(1 << 20, '1'), std::nullopt}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(MockModeMessageTest, SuggestsWhatWasMeant) {
  EXPECT_THAT(ParseMockMode("flase").error().message, HasSubstr("Did you mean \"false\"?"));
}

TEST(MockModeMessageTest, StaysAShortPrintableLine) {
  const std::string message = ParseMockMode("\n\x1b[2J\"" + std::string(9999, 'x')).error().message;
  EXPECT_THAT(message, AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
  EXPECT_LT(message.size(), 300u);
}

TEST_F(ClientFactoryTest, TalksToTheVendorsUnlessToldOtherwise) {
  for (const bool with_mocks : {false, true}) {
    const auto factory = Create(std::nullopt, with_mocks);
    ASSERT_TRUE(factory);
    EXPECT_FALSE(factory->mocking());
    EXPECT_EQ(factory->TransportFor("stripe").value(), &vendor_);
    EXPECT_EQ(factory->TransportFor("paypal").value(), &vendor_);
  }
  EXPECT_EQ(mocks_.asked, 0);
  EXPECT_THAT(logger_.lines, IsEmpty());
}

TEST_F(ClientFactoryTest, MK7_AProgramThatCannotMockRefusesToStart) {
  const auto factory = Create("1", false);
  ASSERT_FALSE(factory);
  EXPECT_EQ(factory.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(factory.error().reason, "cannot-mock");
  EXPECT_THAT(factory.error().message,
              AllOf(HasSubstr("API_MOCK_MODE is \"1\""), HasSubstr("refuses to start")));
  EXPECT_THAT(logger_.lines, IsEmpty());
}

TEST_F(ClientFactoryTest, MK7_ATypingMistakeDecidesNothing) {
  for (const bool with_mocks : {false, true}) {
    EXPECT_EQ(Create("treu", with_mocks).error().reason, "mock-mode");
  }
}

TEST_F(ClientFactoryTest, MK7_MocksAreAnnouncedLoudly) {
  const auto factory = Create("yes", true);
  ASSERT_TRUE(factory);
  EXPECT_TRUE(factory->mocking());
  ASSERT_EQ(logger_.lines.size(), 1u);
  EXPECT_THAT(logger_.lines[0],
              AllOf(HasSubstr("warning client-factory: API_MOCK_MODE is on"), HasSubstr("MOCKS")));
  ASSERT_TRUE(factory->NewClient("stripe"));
  EXPECT_THAT(logger_.lines.back(),
              HasSubstr("warning client-factory: the client of \"stripe\" talks to a MOCK"));
}

TEST_F(ClientFactoryTest, AVendorWithoutAMockIsAnErrorWhenItsClientIsMade) {
  const auto factory = Create("1", true);
  for (const Error& error :
       {factory->TransportFor("paypal").error(), factory->NewClient("paypal").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.reason, "no-mock");
    EXPECT_THAT(error.message, HasSubstr("no mock for \"paypal\""));
  }
  EXPECT_EQ(factory->TransportFor("stripe").value(), &mock_);
}

TEST_F(ClientFactoryTest, AVendorNeedsAName) {
  for (const char* mode : {"0", "1"}) {
    EXPECT_EQ(Create(mode, true)->TransportFor("").error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(Create(mode, true)->NewClient("").error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(ClientFactoryTest, NeedsATransportToTheVendorsUnlessItMocks) {
  EXPECT_EQ(ClientFactory::Create({.mocks = &mocks_}, runtime()).error().reason, "no-transport");
  EXPECT_TRUE(ClientFactory::Create({.mode_text = "1", .mocks = &mocks_}, runtime()));
}

TEST_F(ClientFactoryTest, ItsClientsUseTheTransportThatWasDecided) {
  struct Row {
    const char* mode;
    std::size_t vendor_sends;
    std::size_t mock_sends;
  };
  for (const Row row : {Row{"1", 0, 1}, Row{"0", 1, 1}}) {
    vendor_.Answer(200);
    mock_.Answer(200);
    auto builder = Create(row.mode, true)->NewClient("stripe");
    ASSERT_TRUE(builder);
    const auto client = builder->BaseUrl("https://api.stripe.com").Retry({}).Build().value();
    EXPECT_EQ(client->provider(), "stripe");
    EXPECT_TRUE(client->Call(client->NewRequest(http::Method::Get(), "/v1/balance").value()));
    EXPECT_EQ(vendor_.sends(), row.vendor_sends) << row.mode;
    EXPECT_EQ(mock_.sends(), row.mock_sends) << row.mode;
  }
}

}  // namespace
}  // namespace understudy
