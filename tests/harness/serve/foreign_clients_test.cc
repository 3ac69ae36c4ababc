// The fake vendor as other people's HTTP clients meet it, in clear and over TLS: those of Python's
// library and of Node.js, and the program curl. Each is skipped where it is not installed.
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/serve/fake_vendor.h"
#include "middleware/platform/file.h"
#include "tests/support/temporary_folder.h"

namespace understudy::harness {
namespace {

using ::testing::HasSubstr;

// What a shell command prints, its errors included; it ends after a minute at the latest.
std::string Shell(const std::string& command) {
  std::FILE* const pipe = ::popen(("timeout 60 sh -c '" + command + "' 2>&1").c_str(), "r");
  if (pipe == nullptr) return "no shell";
  std::string text;
  std::array<char, 4096> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe)) {
    text.append(piece.data(), size);
  }
  ::pclose(pipe);
  return text;
}

bool Has(const std::string& program) { return !Shell("command -v " + program).empty(); }

constexpr const char* kFolder = UNDERSTUDY_SOURCE_DIR "/tests/harness/serve/clients/";

class ForeignClientsTest : public ::testing::TestWithParam<bool> {
 protected:
  ForeignClientsTest() {
    FakeVendorOptions options;
    if (tls()) options.tls = TlsOptions{};
    auto vendor = FakeVendor::StartFile(std::string(kFolder) + "vendor.json", std::move(options));
    EXPECT_TRUE(vendor.has_value()) << vendor.error().message;
    vendor_.emplace(*std::move(vendor));
    if (tls()) {
      ca_ = folder_.File("ca.pem");
      EXPECT_TRUE(WriteFileAtomically(ca_, vendor_->ca_pem()).has_value());
    }
  }
  static bool tls() { return GetParam(); }
  std::string url() const { return vendor_->url(); }

  test::TemporaryFolder folder_;
  std::optional<FakeVendor> vendor_;
  std::string ca_;  // Empty in clear.
};

INSTANTIATE_TEST_SUITE_P(Hosts, ForeignClientsTest, ::testing::Bool(), [](const auto& test) {
  return std::string(test.param ? "OverTls" : "InClear");
});

TEST_P(ForeignClientsTest, Python) {
  if (!Has("python3")) GTEST_SKIP() << "python3 is not installed";
  EXPECT_EQ(Shell(std::string("python3 ") + kFolder + "drive.py " + url() + " " + ca_),
            std::string("flaky 503 503 200\n"
                        "slow at last True\n"
                        "drip 64 True\n"
                        "limited 200 200 429 1 0 0 True\n"
                        "gzip gzip bad\n") +
                // Python's ssl takes a reset for an end (SSL_read_ex does not return -1 for it).
                (tls() ? "/reset RemoteDisconnected\n/half IncompleteRead\n"
                       : "/reset ConnectionResetError\n/half ConnectionResetError\n") +
                "/cut IncompleteRead\n"
                "kept alive True\n" +
                (tls() ? "without the CA SSLCertVerificationError\n" : ""));
  EXPECT_EQ(vendor_->ComplaintText(), "");
}

TEST_P(ForeignClientsTest, Node) {
  if (!Has("node")) GTEST_SKIP() << "node is not installed";
  if (Shell("node -p \"typeof fetch\"") != "function\n") GTEST_SKIP() << "this node has no fetch";
  const std::string trust = tls() ? "NODE_EXTRA_CA_CERTS=" + ca_ + " " : "";
  EXPECT_EQ(Shell(trust + "node " + kFolder + "drive.js " + url() + " " + ca_),
            "flaky 503 503 200\n"
            "slow 7 true\n"
            "drip 64 true\n"
            "limited 200 200 429 1 0 0\n"
            "/reset ECONNRESET\n"
            "/half cut off\n"
            "/cut cut off\n"
            "kept alive false true true\n"
            "gzip Z_DATA_ERROR\n");
  EXPECT_EQ(vendor_->ComplaintText(), "");
}

TEST_P(ForeignClientsTest, Curl) {
  if (!Has("curl")) GTEST_SKIP() << "curl is not installed";
  const std::string curl = "curl -sS " + (tls() ? "--cacert " + ca_ + " " : std::string());
  const std::string codes = curl + "-o /dev/null -w \"%{http_code} \" ";
  EXPECT_EQ(Shell("for i in 1 2 3; do " + codes + url() + "/flaky; done"), "503 503 200 ");
  EXPECT_EQ(Shell("for i in 1 2 3; do " + codes + url() + "/limited; done"), "200 200 429 ");
  EXPECT_THAT(Shell(curl + "-i " + url() + "/limited"), HasSubstr("x-ratelimit-remaining: 0"));
  EXPECT_GE(std::stod(Shell(curl + "-o /dev/null -w \"%{time_total}\" " + url() + "/drip")), 0.15);
  EXPECT_THAT(Shell(curl + url() + "/reset"), HasSubstr("curl: (56)"));
  EXPECT_THAT(Shell(curl + url() + "/half"), HasSubstr("curl: (56)"));
  EXPECT_THAT(Shell(curl + url() + "/cut"), HasSubstr("curl: (18)"));
  EXPECT_THAT(Shell(curl + "--compressed " + url() + "/gzip"), HasSubstr("curl: (61)"));
  if (tls()) {
    EXPECT_THAT(Shell("curl -sS " + url() + "/slow"), HasSubstr("curl: (60)"));
  }
  EXPECT_EQ(vendor_->ComplaintText(), "");
}

}  // namespace
}  // namespace understudy::harness
