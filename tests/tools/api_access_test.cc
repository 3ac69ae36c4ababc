#include "tools/understudy/api_access.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::tools {
namespace {

struct HostRow {
  const char* name;
  std::string host;
  bool this_machine;
};

class ThisMachineTest : public ::testing::TestWithParam<HostRow> {};

TEST_P(ThisMachineTest, IsToldFromOthers) {
  EXPECT_EQ(IsThisMachine(GetParam().host), GetParam().this_machine);
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, ThisMachineTest,
    ::testing::Values(HostRow{"Name", "localhost", true}, HostRow{"Capitals", "LOCALHOST", true},
                      HostRow{"V4", "127.0.0.1", true}, HostRow{"AnyOfTheBlock", "127.3.2.1", true},
                      HostRow{"V6", "::1", true}, HostRow{"AllInterfaces", "0.0.0.0", false},
                      HostRow{"AllInterfacesV6", "::", false},
                      HostRow{"AnotherMachine", "192.0.2.1", false},
                      HostRow{"ANameThatBeginsLikeOne", "127.example.test", false},
                      HostRow{"Nothing", "", false}, HostRow{"NoHost", "127.0.0.1/x?", false}),
    [](const auto& test) { return test.param.name; });

TEST(ReadApiTokenTest, NoneIsNeededOnThisMachineOnly) {
  EXPECT_TRUE(ReadApiToken("127.0.0.1", "", "--token", "give it a token")->empty());
  const auto refused = ReadApiToken("0.0.0.0", "", "--token", "give it a token");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "give it a token");
}

TEST(ReadApiTokenTest, AVariableThatIsNotSetIsAnError) {
  const auto refused = ReadApiToken("127.0.0.1", "UNDERSTUDY_NO_SUCH_VARIABLE", "--token", "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "--token: the variable UNDERSTUDY_NO_SUCH_VARIABLE is not set");
}

}  // namespace
}  // namespace understudy::tools
