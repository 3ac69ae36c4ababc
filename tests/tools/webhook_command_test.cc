#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_certificate.h"
#include "tools/understudy/command_line.h"
#include "tools/understudy/webhook_vectors.h"

namespace understudy::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int exit = 0;
  std::string out;
  std::string err;
};

Outcome Understudy(std::vector<std::string> arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{.out = out, .err = err};
  const int exit = RunCommandLine(std::move(arguments), console);
  return {exit, out.str(), err.str()};
}

class WebhookCommandTest : public ::testing::Test {
 protected:
  WebhookCommandTest() {
    std::string pattern = (fs::temp_directory_path() / "understudy-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    secret_ = Write("secret", "webhook_secret\n");
    body_ = Write("body", R"({"id":"evt_1"})");
  }
  ~WebhookCommandTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, std::string_view bytes) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  Outcome VerifyVectors(const json& vectors) const {
    return Understudy({"webhook", "verify", "--vectors", Write("v.json", vectors.dump())});
  }

  fs::path folder_;
  std::string secret_;
  std::string body_;
};

json Vector() {
  return {{"n", 22},
          {"vendor", "github"},
          {"secret", "It's a Secret to Everybody"},
          {"headers",
           {{"X-Hub-Signature-256",
             "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}},
          {"body", "Hello, World!"},
          {"valid", true},
          {"note", "official"}};
}

// ---- vectors ------------------------------------------------------------------------------------

TEST_F(WebhookCommandTest, VectorsThatAgreeExitWithZeroAndOneLineEach) {
  json wrong = Vector();
  wrong["n"] = 23;
  wrong["body"] = "Hello, world!";
  wrong["valid"] = false;
  const Outcome outcome = VerifyVectors({Vector(), wrong});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  EXPECT_THAT(outcome.out, HasSubstr("22  github"));
  EXPECT_THAT(outcome.out, HasSubstr("expected valid    actual valid"));
  EXPECT_THAT(outcome.out, HasSubstr("expected invalid  actual invalid (no-match)"));
  EXPECT_THAT(outcome.out, HasSubstr("official\n"));
  EXPECT_EQ(outcome.err, "2 vectors, 2 agree, 0 disagree\n");
}

TEST_F(WebhookCommandTest, ADisagreementExitsWithOneAndIsMarked) {
  json flipped = Vector();
  flipped["valid"] = false;
  const Outcome outcome = VerifyVectors({Vector(), flipped});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.out, HasSubstr("DISAGREES"));
  EXPECT_EQ(outcome.err, "2 vectors, 1 agree, 1 disagree\n");
}

TEST_F(WebhookCommandTest, ForeignTextStaysOnItsLineAndDoesNothingToATerminal) {
  json vector = Vector();
  vector["note"] = "two\nlines \x1b[31mred";
  const Outcome outcome = VerifyVectors(json::array({vector}));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
  EXPECT_THAT(outcome.out, HasSubstr("two?lines ?[31mred"));
}

struct BadVectors {
  const char* name;
  const char* text;
  const char* message;
};
class BadVectorsTest : public WebhookCommandTest,
                       public ::testing::WithParamInterface<BadVectors> {};

TEST_P(BadVectorsTest, ExitWith64AndNameFileAndPlace) {
  const std::string path = Write("v.json", GetParam().text);
  const Outcome outcome = Understudy({"webhook", "verify", "--vectors", path});
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(path + GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadVectorsTest,
    ::testing::Values(
        BadVectors{"Empty", "", ":1:1: the text is not JSON"},
        BadVectors{"Syntax", "[\n {\"n\": }\n]", ":2:8: the text is not JSON"},
        BadVectors{"Cut", "[{\"vendor\":\"stripe\"", ":1:20: the text is not JSON"},
        BadVectors{"RepeatedKey", R"([{"n":1,"n":2}])", ": the JSON text holds a key twice"},
        BadVectors{"NoList", "{}", ":1:1: must be a list of vectors"},
        BadVectors{"EmptyList", "[]", ":1:1: there is no vector"},
        BadVectors{"NoObject", "[1]", ": /0: must be an object"},
        BadVectors{"UnknownVendor", R"([{"vendor":"strpe"}])",
                   ": /0/vendor: \"strpe\" is no vendor that is known; did you mean \"stripe\"?"},
        BadVectors{"NoVendor", R"([{"secret":"s"}])", ": /0/vendor: \"\" is no vendor"},
        BadVectors{"VendorIsNoText", R"([{"vendor":1}])", ": /0/vendor: must be a text"},
        BadVectors{"NoSecret", R"([{"vendor":"stripe","valid":true}])", ": /0/secret: is missing"},
        BadVectors{"SecretIsNoText", R"([{"vendor":"stripe","secret":[1]}])",
                   ": /0/secret: must be a text or a list of texts"},
        BadVectors{"HeadersAreAList", R"([{"vendor":"stripe","secret":"s","headers":[]}])",
                   ": /0/headers: must be an object of texts"},
        BadVectors{"HeaderIsNoText", R"([{"vendor":"stripe","secret":"s","headers":{"a/b":1}}])",
                   ": /0/headers/a~1b: must be a text"},
        BadVectors{"NoVerdict", R"([{"vendor":"stripe","secret":"s"}])",
                   ": /0/valid: must be true or false"},
        BadVectors{"VerdictIsText", R"([{"vendor":"stripe","secret":"s","valid":"yes"}])",
                   ": /0/valid: must be true or false"},
        BadVectors{"NowIsText", R"([{"vendor":"stripe","secret":"s","now":"1","valid":true}])",
                   ": /0/now: must be a number"},
        BadVectors{"NowIsNegative", R"([{"vendor":"stripe","secret":"s","now":-1,"valid":true}])",
                   ": /0/now: must be seconds"},
        BadVectors{"NowIsHuge", R"([{"vendor":"stripe","secret":"s","now":1e300,"valid":true}])",
                   ": /0/now: must be seconds"},
        BadVectors{"BodyIsNoText", R"([{"vendor":"stripe","secret":"s","body":{},"valid":true}])",
                   ": /0/body: must be a text"},
        BadVectors{"BodyIsNoBase64",
                   R"([{"vendor":"stripe","secret":"s","body_base64":"?","valid":true}])",
                   ": /0/body_base64: must be base64"},
        BadVectors{"UnknownKind", R"([{"vendor":"zoom","secret":"s","kind":"dance"}])",
                   ": /0/kind: must be url_validation or parse"},
        BadVectors{"UnknownVersion", R"([{"vendor":"hubspot","secret":"s","scheme":"v9"}])",
                   ": /0/scheme: must be v1, v2 or v3"},
        BadVectors{"SecondVector",
                   R"([{"vendor":"xero","secret":"s","valid":true},{"vendor":"xero"}])",
                   ": /1/secret: is missing"}),
    [](const auto& test) { return test.param.name; });

TEST_F(WebhookCommandTest, AFileThatIsNotThereExitsWith64) {
  const Outcome outcome =
      Understudy({"webhook", "verify", "--vectors", (folder_ / "gone.json").string()});
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_THAT(outcome.err, HasSubstr("gone.json"));
}

TEST(WebhookVectorsShortTest, ADeepFileIsRefused) {
  const auto vectors = ParseWebhookVectors("v.json", std::string(100'000, '['));
  ASSERT_FALSE(vectors);
  EXPECT_THAT(vectors.error().message, HasSubstr("v.json: "));
}

// ---- by hand ------------------------------------------------------------------------------------

TEST_F(WebhookCommandTest, WhatSignPrintsIsVerified) {
  const Outcome signed_headers =
      Understudy({"webhook", "sign", "--scheme", "stripe", "--secret-file", secret_, "--body",
                  body_, "--now", "1700000000"});
  ASSERT_EQ(signed_headers.exit, 0) << signed_headers.err;
  EXPECT_THAT(signed_headers.out, HasSubstr("Stripe-Signature: t=1700000000,v1="));
  const std::string header = signed_headers.out.substr(0, signed_headers.out.size() - 1);
  std::vector<std::string> verify = {"webhook",       "verify", "--scheme", "stripe",
                                     "--secret-file", secret_,  "--header", header,
                                     "--body",        body_,    "--now"};
  verify.emplace_back("1700000300");
  EXPECT_EQ(Understudy(verify).exit, 0);
  EXPECT_EQ(Understudy(verify).out, "verified\n");
  verify.back() = "1700000301";
  const Outcome old = Understudy(verify);
  EXPECT_EQ(old.exit, 1);
  EXPECT_THAT(old.out, HasSubstr("not verified (too-old)"));
  verify.insert(verify.end(), {"--tolerance-past", "301s"});
  EXPECT_EQ(Understudy(verify).exit, 0);
}

TEST_F(WebhookCommandTest, TheClockIsTheDefaultOfNow) {
  const Outcome sign = Understudy(
      {"webhook", "sign", "--scheme", "slack", "--secret-file", secret_, "--body", body_});
  ASSERT_EQ(sign.exit, 0);
  std::vector<std::string> verify = {"webhook",       "verify", "--scheme", "slack",
                                     "--secret-file", secret_,  "--body",   body_};
  std::istringstream lines(sign.out);
  for (std::string line; std::getline(lines, line);) {
    verify.insert(verify.end(), {"--header", line});
  }
  EXPECT_EQ(Understudy(verify).exit, 0);
}

TEST_F(WebhookCommandTest, SecretsComeFromTheEnvironmentAndSeveralCount) {
  ASSERT_EQ(setenv("UNDERSTUDY_TEST_SECRET", "other", 1), 0);
  const Outcome sign = Understudy({"webhook", "sign", "--scheme", "github", "--secret-env",
                                   "UNDERSTUDY_TEST_SECRET", "--body", body_, "--id", "7f3e"});
  ASSERT_EQ(sign.exit, 0) << sign.err;
  EXPECT_THAT(sign.out, HasSubstr("X-GitHub-Delivery: 7f3e\n"));
  const std::string header = sign.out.substr(
      sign.out.find("X-Hub"), std::string("X-Hub-Signature-256: sha256=").size() + 64);
  EXPECT_EQ(
      Understudy({"webhook", "verify", "--scheme", "github", "--secret-file", secret_,
                  "--secret-env", "UNDERSTUDY_TEST_SECRET", "--body", body_, "--header", header})
          .exit,
      0);
  EXPECT_EQ(Understudy({"webhook", "verify", "--scheme", "github", "--secret-file", secret_,
                        "--body", body_, "--header", header})
                .exit,
            1);
}

// "--header" and its value for every line that sign printed.
std::vector<std::string> HeaderArguments(const std::string& printed) {
  std::vector<std::string> arguments;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    arguments.insert(arguments.end(), {"--header", line});
  }
  return arguments;
}

std::vector<std::string> Joined(std::vector<std::string> arguments,
                                const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST_F(WebhookCommandTest, ATimeAheadIsRefusedBeyondItsTolerance) {
  const Outcome sign = Understudy({"webhook", "sign", "--scheme", "stripe", "--secret-file",
                                   secret_, "--body", body_, "--now", "1700000100"});
  ASSERT_EQ(sign.exit, 0) << sign.err;
  const auto verify = [&](const std::string& now, std::vector<std::string> more) {
    return Understudy(Joined(Joined({"webhook", "verify", "--scheme", "stripe", "--secret-file",
                                     secret_, "--body", body_, "--now", now},
                                    HeaderArguments(sign.out)),
                             more));
  };
  EXPECT_EQ(verify("1700000040", {}).exit, 0) << "60 s, the scheme's own";
  const Outcome ahead = verify("1700000039", {});
  EXPECT_EQ(ahead.exit, 1);
  EXPECT_THAT(ahead.out, HasSubstr("not verified (in-future)"));
  EXPECT_EQ(verify("1700000000", {"--tolerance-future", "100s"}).exit, 0);
  EXPECT_EQ(verify("1699999999", {"--tolerance-future", "100s"}).exit, 1);
  EXPECT_EQ(verify("1700000099", {"--tolerance-future", "0s"}).exit, 1);
  EXPECT_EQ(verify("1700000100", {"--tolerance-future", "0s"}).exit, 0);
  // The two tolerances are not one.
  EXPECT_EQ(verify("1700000039", {"--tolerance-past", "1h"}).exit, 1);
  EXPECT_EQ(verify("1700000401", {"--tolerance-future", "1h"}).exit, 1);
  const Outcome bad = verify("1700000100", {"--tolerance-future", "soon"});
  EXPECT_EQ(bad.exit, 64);
  EXPECT_THAT(bad.err, HasSubstr("--tolerance-future: \"soon\""));
}

TEST_F(WebhookCommandTest, NowMayBeInMilliseconds) {
  const auto sign = [&](const std::string& now) {
    return Understudy({"webhook", "sign", "--scheme", "slack", "--secret-file", secret_, "--body",
                       body_, "--now", now})
        .out;
  };
  EXPECT_EQ(sign("1700000000999"), sign("1700000000"));
  EXPECT_NE(sign("1700000001000"), sign("1700000000"));
  EXPECT_EQ(sign("99999999999"), "") << "seconds up to there, and too many of them";
}

TEST_F(WebhookCommandTest, MethodAndUrlAreSignedWhereTheSchemeSignsThem) {
  const std::vector<std::string> common = {"--scheme", "hubspot", "--secret-file", secret_,
                                           "--body",   body_,     "--now",         "1700000000"};
  const std::vector<std::string> url = {"--url", "https://me.example/hooks?a=1"};
  const Outcome sign = Understudy(Joined(Joined({"webhook", "sign"}, common), url));
  ASSERT_EQ(sign.exit, 0) << sign.err;
  const auto verify = [&](const std::vector<std::string>& more) {
    return Understudy(
        Joined(Joined(Joined({"webhook", "verify"}, common), HeaderArguments(sign.out)), more));
  };
  EXPECT_EQ(verify(url).exit, 0) << "POST is the default";
  EXPECT_EQ(verify(Joined(url, {"--method", "POST"})).exit, 0);
  const Outcome other_method = verify(Joined(url, {"--method", "PUT"}));
  EXPECT_EQ(other_method.exit, 1);
  EXPECT_THAT(other_method.out, HasSubstr("not verified (no-match)"));
  EXPECT_EQ(verify({"--url", "https://me.example/hooks?a=2"}).exit, 1);
  EXPECT_EQ(verify({}).exit, 64);
  const Outcome put =
      Understudy(Joined(Joined(Joined({"webhook", "sign"}, common), url), {"--method", "PUT"}));
  EXPECT_NE(put.out, sign.out);
}

TEST_F(WebhookCommandTest, ThereIsNoOptionForASecretItself) {
  EXPECT_EQ(Understudy({"webhook", "sign", "--scheme", "github", "--secret", "s3cret"}).exit, 64);
  EXPECT_THAT(Understudy({"webhook", "sign", "--help"}).out, Not(HasSubstr("--secret TEXT")));
}

TEST_F(WebhookCommandTest, PayPalIsSignedAndVerifiedWithFilesOnly) {
  const std::string id = Write("id", "WH-1");
  const Outcome sign =
      Understudy({"webhook", "sign", "--scheme", "paypal", "--secret-file", id, "--body", body_,
                  "--id", "t1", "--private-key", Write("key", test::kLeafKeyPem),
                  "--certificate-url", "https://api.paypal.com/c"});
  ASSERT_EQ(sign.exit, 0) << sign.err;
  std::vector<std::string> verify = {"webhook",       "verify", "--scheme", "paypal",
                                     "--secret-file", id,       "--body",   body_};
  std::istringstream lines(sign.out);
  for (std::string line; std::getline(lines, line);) {
    verify.insert(verify.end(), {"--header", line});
  }
  EXPECT_EQ(Understudy(verify).exit, 64);  // Nothing is fetched.
  verify.insert(verify.end(), {"--certificate", Write("certificate", test::kLeafPem)});
  const Outcome verified = Understudy(verify);
  EXPECT_EQ(verified.exit, 0) << verified.out << verified.err;
}

struct BadArguments {
  const char* name;
  std::vector<std::string> arguments;
  const char* message;
};
class BadArgumentsTest : public WebhookCommandTest,
                         public ::testing::WithParamInterface<BadArguments> {};

TEST_P(BadArgumentsTest, ExitWith64AndSayWhy) {
  std::vector<std::string> arguments = {"webhook"};
  for (const std::string& argument : GetParam().arguments) {
    arguments.push_back(argument == "SECRET" ? secret_ : argument == "BODY" ? body_ : argument);
  }
  const Outcome outcome = Understudy(arguments);
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadArgumentsTest,
    ::testing::Values(
        BadArguments{"Nothing", {}, "subcommand"},
        BadArguments{"NoScheme", {"verify"}, "--scheme is missing"},
        BadArguments{"UnknownScheme", {"sign", "--scheme", "strpe"}, "did you mean \"stripe\"?"},
        BadArguments{"NoSecret", {"sign", "--scheme", "stripe"}, "--secret-env or --secret-file"},
        BadArguments{"UnsetVariable",
                     {"sign", "--scheme", "stripe", "--secret-env", "UNDERSTUDY_NO_SUCH"},
                     "UNDERSTUDY_NO_SUCH is not set"},
        BadArguments{"NoSecretFile",
                     {"sign", "--scheme", "stripe", "--secret-file", "/no/such"},
                     "/no/such"},
        BadArguments{"NoBodyFile",
                     {"sign", "--scheme", "stripe", "--secret-file", "SECRET", "--body", "/no"},
                     "/no"},
        BadArguments{"BadNow",
                     {"sign", "--scheme", "stripe", "--secret-file", "SECRET", "--now", "soon"},
                     "--now: \"soon\""},
        BadArguments{
            "HugeNow",
            {"sign", "--scheme", "stripe", "--secret-file", "SECRET", "--now", "9999999999999999"},
            "--now: "},
        BadArguments{"BadHeader",
                     {"verify", "--scheme", "stripe", "--secret-file", "SECRET", "--header", "x"},
                     "--header: \"x\""},
        BadArguments{
            "BadTolerance",
            {"verify", "--scheme", "stripe", "--secret-file", "SECRET", "--tolerance-past", "300"},
            "--tolerance-past: \"300\""},
        BadArguments{"SecretIsNoBase64",
                     {"sign", "--scheme", "svix", "--secret-file", "SECRET", "--id", "1"},
                     "must be base64"},
        BadArguments{"UrlIsMissing",
                     {"sign", "--scheme", "square", "--secret-file", "SECRET", "--body", "BODY"},
                     "signs the URL"},
        BadArguments{"UrlIsMissingToVerify",
                     {"verify", "--scheme", "square", "--secret-file", "SECRET", "--body", "BODY"},
                     "give --url"},
        BadArguments{"TwoModes", {"verify", "--scheme", "stripe", "--vectors", "x"}, "exclude"}),
    [](const auto& test) { return test.param.name; });

TEST_F(WebhookCommandTest, HelpShowsExamplesAndSchemesAreListed) {
  EXPECT_THAT(Understudy({"webhook", "verify", "--help"}).out, HasSubstr("Examples:"));
  EXPECT_THAT(Understudy({"webhook", "sign", "--help"}).out, HasSubstr("Examples:"));
  const Outcome schemes = Understudy({"webhook", "schemes"});
  EXPECT_EQ(schemes.exit, 0);
  EXPECT_THAT(schemes.out, HasSubstr("stripe"));
  EXPECT_THAT(schemes.out, HasSubstr("{t}.{body}"));
}

}  // namespace
}  // namespace understudy::tools
