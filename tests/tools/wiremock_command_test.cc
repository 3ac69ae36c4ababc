#include "tools/understudy/wiremock_command.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/server/raw_client.h"
#include "tests/support/temporary_folder.h"

namespace understudy::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class WireMockCommandTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.File(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  // Serves, and sends `request` once the port is known; returns the answer.
  std::string Serve(const std::string& request) {
    Console console{.out = out_, .err = err_};
    std::string answer;
    bool asked = false;
    code_ = ServeWireMockUntil({.folder = folder_.File("")}, console, [&](Duration) {
      if (asked) return true;
      asked = true;
      const std::string line = out_.str();
      const std::size_t colon = line.rfind("127.0.0.1:");
      harness::RawClient client(static_cast<std::uint16_t>(std::stoi(line.substr(colon + 10))));
      client.Send(request);
      answer = client.ReadMessage();
      return false;
    });
    return answer;
  }

  test::TemporaryFolder folder_;
  std::ostringstream out_;
  std::ostringstream err_;
  int code_ = -1;
};

TEST_F(WireMockCommandTest, ServesTheStubsOfAFolderWithTheirBodyFiles) {
  Write("mappings/deep/a.json",
        R"({"request":{"url":"/a"},"response":{"statusMessage":"Fine","bodyFileName":"b/x.txt"}})");
  Write("__files/b/x.txt", "from a file");
  Write("mappings/readme.txt", "not a mapping");
  EXPECT_THAT(Serve("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("from a file"));
  EXPECT_EQ(code_, 0);
  EXPECT_THAT(out_.str(), StartsWith("listening on http://127.0.0.1:"));
  EXPECT_THAT(out_.str(), HasSubstr("(1 stub, 1 part lost)"));
  EXPECT_THAT(err_.str(), HasSubstr("mappings/deep/a.json: /response/statusMessage: lost"));
}

TEST_F(WireMockCommandTest, AShutdownByTheApiEndsIt) {
  Write("mappings/a.json", "{}");
  EXPECT_THAT(Serve("POST /__admin/shutdown HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(code_, 0);
}

TEST_F(WireMockCommandTest, AMalformedFileIsNamedAndNothingIsServed) {
  Write("mappings/a.json", R"({"request":{"url":5}})");
  Console console{.out = out_, .err = err_};
  EXPECT_EQ(
      ServeWireMockUntil({.folder = folder_.File("")}, console, [](Duration) { return true; }),
      kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("mappings/a.json: /request/url: it is a text"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(WireMockCommandTest, RefusesWhatCannotBeServed) {
  Console console{.out = out_, .err = err_};
  const auto code = [&](const WireMockServeOptions& options) {
    return ServeWireMockUntil(options, console, [](Duration) { return true; });
  };
  EXPECT_EQ(code({.folder = folder_.File("")}), kExitUsage);  // There is no mappings/.
  EXPECT_EQ(code({.host = "0.0.0.0"}), kExitUsage);
  EXPECT_EQ(code({.ports = {"70000"}}), kExitUsage);
  EXPECT_EQ(code({.ports = {"0"}}), 0);
}

}  // namespace
}  // namespace understudy::tools
