#include "tools/understudy/command_line.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/audit/hash_chain.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/store/audit_sink.h"

namespace understudy::tools {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

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

constexpr const char* kScenario = R"json({
  "format": 1,
  "name": "two calls are answered",
  "why": "they are what this test needs",
  "vendor": { "routes": [ { "id": "ping", "match": { "path": "/ping" }, "latency": "5ms", "respond": [ { "times": 2, "status": 200 } ] } ] },
  "client": { "operations": { "ping": { "method": "GET", "path": "/ping" } }, "stack": [ { "deadline": { "total": "1s" } } ] },
  "steps": [ { "id": "two", "call": "ping", "times": 2 } ],
  "expect": [ { "id": "answered", "count": { "event": "call.end", "where": { "status": 200 } }, "is": 2 } ]
})json";

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    std::string pattern = (fs::temp_directory_path() / "understudy-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~CommandLineTest() override { fs::remove_all(folder_); }

  // Writes the scenario with `from` replaced by `to`.
  std::string Write(const std::string& from = "", const std::string& to = "") {
    std::string text = kScenario;
    if (!from.empty()) {
      const std::size_t at = text.find(from);
      EXPECT_NE(at, std::string::npos) << from;
      text.replace(at, from.size(), to);
    }
    const std::string path = (folder_ / "a.scn.json").string();
    std::ofstream(path) << text;
    return path;
  }

  fs::path folder_;
};

std::string ReadAll(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(CommandLineTest, APassingScenarioExitsWithZero) {
  const Outcome outcome = Understudy({"run", Write()});
  EXPECT_EQ(outcome.exit, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("1 passed, 0 failed, 0 inconclusive"));
  EXPECT_THAT(outcome.out, HasSubstr("agree: outcomes counts"));
}

TEST_F(CommandLineTest, AFailedExpectationExitsWithOneAndExplainsItself) {
  const std::string path = Write("\"is\": 2", "\"is\": 3");
  const Outcome outcome = Understudy({"run", path, "--mode", "sim"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.out, HasSubstr("> answered"));
  EXPECT_THAT(outcome.out, HasSubstr("they are what this test needs"));
  EXPECT_THAT(outcome.out, HasSubstr("a.scn.json:8:"));
  EXPECT_THAT(outcome.out, HasSubstr("expected  exactly 3"));
  EXPECT_THAT(outcome.out, HasSubstr("actual    2 events"));
  EXPECT_THAT(outcome.out, HasSubstr("timeline around event #"));
  EXPECT_THAT(outcome.out, HasSubstr("understudy replay " + path + " s1:"));
}

TEST_F(CommandLineTest, TheReplayLineOfAFailureReplaysIt) {
  const Outcome failed = Understudy({"run", Write("\"is\": 2", "\"is\": 3"), "--mode", "sim"});
  std::smatch match;
  ASSERT_TRUE(
      std::regex_search(failed.out, match, std::regex("understudy replay (\\S+) (s1:\\S+)")));
  const Outcome replayed = Understudy({"replay", match[1], match[2]});
  EXPECT_EQ(replayed.exit, 1) << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("call.start"));
}

TEST_F(CommandLineTest, AStaleReplayTokenIsRefused) {
  const Outcome outcome = Understudy({"replay", Write(), "s1:00000000.5"});
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_THAT(outcome.err, HasSubstr("has changed"));
}

TEST_F(CommandLineTest, OneRequestMoreThanPlannedIsAFailure) {
  const Outcome outcome = Understudy(
      {"run", Write("\"times\": 2, \"status\"", "\"times\": 1, \"status\""), "--mode", "sim"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.out, HasSubstr("ping"));
}

struct BadFile {
  const char* name;
  const char* from;
  const char* to;
  const char* message;
};

class BadFileTest : public CommandLineTest, public ::testing::WithParamInterface<BadFile> {};

TEST_P(BadFileTest, ExitsWith64AndRunsNothing) {
  const std::string path = Write(GetParam().from, GetParam().to);
  const Outcome outcome = Understudy({"run", path});
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_THAT(outcome.err, HasSubstr("a.scn.json:"));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
  EXPECT_EQ(outcome.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadFileTest,
    ::testing::Values(
        BadFile{"UnknownKey", "\"latency\"", "\"latncy\"", "did you mean \"latency\"?"},
        BadFile{"BareNumberDuration", "\"5ms\"", "5", "/vendor/routes/0/latency"},
        BadFile{"UnknownEvent", "\"call.end\"", "\"call.ended\"", "did you mean \"call.end\"?"},
        BadFile{"UnknownOperation", "\"call\": \"ping\"", "\"call\": \"pong\"",
                "did you mean \"ping\"?"},
        BadFile{"MissingUseFile", "\"format\": 1,", "\"format\": 1, \"use\": [\"gone.json\"],",
                "gone.json"},
        BadFile{"InvalidUtf8", "they are", "they \xff are", "UTF-8"},
        BadFile{"Truncated", "\"is\": 2 } ]\n}", "", "a.scn.json:8"},
        BadFile{"UnknownDialect", "{ \"deadline\": { \"total\": \"1s\" } }",
                "{ \"quota\": { \"dialect\": \"klingon\" } }", "klingon"}),
    [](const auto& test) { return test.param.name; });

TEST_F(CommandLineTest, AProgramThatCannotStartExitsWith64AndTheReason) {
  const std::string path =
      Write("\"client\": { ", "\"client\": { \"program\": \"orders_client\", ");
  const Outcome outcome = Understudy({"run", path, "--mode", "sim"});
  EXPECT_EQ(outcome.exit, 64) << outcome.out << outcome.err;
}

TEST_F(CommandLineTest, ADeadlockExitsWithFive) {
  const std::string path = Write("\"respond\": [ { \"times\": 2, \"status\": 200 } ]",
                                 "\"respond\": [ { \"fault\": \"hang\" } ]");
  std::string text = ReadAll(path);
  const std::string stack = "{ \"deadline\": { \"total\": \"1s\" } }";
  text.replace(text.find(stack), stack.size(), "");
  std::ofstream(path) << text;
  const Outcome outcome = Understudy({"run", path});
  EXPECT_EQ(outcome.exit, 5) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("waits for"));
}

TEST_F(CommandLineTest, AVirtualTimeCeilingIsInconclusive) {
  const std::string path = Write(
      "\"steps\": [", "\"clock\": { \"limit\": \"1h\" }, \"steps\": [ { \"advance\": \"2h\" },");
  EXPECT_EQ(Understudy({"run", path}).exit, 4);
}

TEST_F(CommandLineTest, WritesJUnitHtmlAndHistories) {
  const std::string junit = (folder_ / "out/junit.xml").string();
  const std::string html = (folder_ / "out/report.html").string();
  const std::string history = (folder_ / "history").string();
  ASSERT_EQ(
      Understudy({"run", Write(), "--junit", junit, "--html", html, "--history", history}).exit, 0);
  EXPECT_THAT(ReadAll(junit), HasSubstr("<testcase"));
  EXPECT_THAT(ReadAll(junit), HasSubstr("two calls are answered [wire]"));
  EXPECT_THAT(ReadAll(html), HasSubstr("1 passed, 0 not"));
  int lines = 0;
  for (const auto& file : fs::directory_iterator(history)) {
    const std::string text = ReadAll(file.path());
    EXPECT_THAT(text, HasSubstr("\"event\":\"call.end\""));
    ++lines;
  }
  EXPECT_EQ(lines, 2);
}

TEST_F(CommandLineTest, BadArgumentsExitWith64) {
  EXPECT_EQ(Understudy({"run", "--budget", "20", Write()}).exit, 64);
  EXPECT_EQ(Understudy({"run", "--mode", "both-of-them", Write()}).exit, 64);
  EXPECT_EQ(Understudy({"run", (folder_ / "nothing").string()}).exit, 64);
  EXPECT_EQ(Understudy({"run", Write(), "--filter", "matches nothing"}).exit, 64);
  EXPECT_EQ(Understudy({}).exit, 64);
  EXPECT_EQ(Understudy({"--help"}).exit, 0);
  EXPECT_THAT(Understudy({"run", "--help"}).out, HasSubstr("Examples:"));
}

TEST_F(CommandLineTest, LintAndListKnowTheScenario) {
  EXPECT_EQ(Understudy({"lint", Write()}).exit, 0);
  const Outcome list = Understudy({"list", Write()});
  EXPECT_EQ(list.exit, 0);
  EXPECT_THAT(list.out, HasSubstr("two calls are answered"));
}

TEST_F(CommandLineTest, SeedsAreReportedAndReproducible) {
  const Outcome outcome = Understudy({"run", Write(), "--mode", "sim", "--seeds", "50"});
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_THAT(outcome.out, HasSubstr("50 seeds"));
}

TEST(WorkedExamplesTest, TheThreeExamplesOfTheFormatPassUnchanged) {
  const std::string folder = std::string(UNDERSTUDY_SHARED_DIR) + "/spec/scenario";
  if (!fs::exists(folder)) GTEST_SKIP() << "the folder with the shared test data is not here";
  const Outcome outcome = Understudy({"run", folder, "--mode", "both"});
  EXPECT_EQ(outcome.exit, 0) << outcome.out << outcome.err;
}

// A number that an expectation states, changed so that it contradicts what happens.
struct Flip {
  const char* name;
  const char* file;
  const char* from;
  const char* to;
  const char* expectation;
};

class FlippedExampleTest : public CommandLineTest, public ::testing::WithParamInterface<Flip> {};

TEST_P(FlippedExampleTest, IsCaughtAndNamed) {
  const fs::path source = fs::path(UNDERSTUDY_SHARED_DIR) / "spec/scenario" / GetParam().file;
  if (!fs::exists(source)) GTEST_SKIP() << "the folder with the shared test data is not here";
  std::string text = ReadAll(source);
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(GetParam().from).size(), GetParam().to);
  const std::string path = (folder_ / GetParam().file).string();
  std::ofstream(path) << text;
  const Outcome outcome = Understudy({"run", path, "--seeds", "0"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.out, HasSubstr(std::string("> ") + GetParam().expectation));
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, FlippedExampleTest,
    ::testing::Values(
        Flip{"OneProbe", "breaker.scn.json", "\"max\": 1 }", "\"max\": 0 }", "one-probe"},
        Flip{"RecoveryTime", "breaker.scn.json", "\"max\": \"33s\"", "\"max\": \"31s\"",
             "recovery-time"},
        Flip{"FastFail", "breaker.scn.json", "\"is\": 20", "\"is\": 21", "fast-fail"},
        Flip{"OneRefresh", "token.scn.json", "\"is\": 2,", "\"is\": 1,", "one-refresh-per-expiry"},
        Flip{"TwoInFlight", "token.scn.json", "\"max\": 1 }", "\"max\": 0 }",
             "never-two-in-flight"},
        Flip{"StaleToken", "token.scn.json", "\"status\": 401", "\"status\": 200",
             "no-stale-token"},
        Flip{"AtMostOnce", "webhook.scn.json", "\"per\": \"key\", \"max\": 1",
             "\"per\": \"key\", \"max\": 0", "at-most-once"},
        Flip{"AtLeastOnce", "webhook.scn.json",
             "\"within\": \"1h\" },\n    { \"id\": \"state-order\"",
             "\"within\": \"1ms\" },\n    { \"id\": \"state-order\"", "at-least-once"},
        Flip{"RedeliveryAcked", "webhook.scn.json", "\"min\": 1 }", "\"min\": 9 }",
             "redelivery-acked"}),
    [](const auto& test) { return test.param.name; });

// The trail of tests/fuzz/corpus/audit_chain, which another program has sealed.
std::string Trail(const std::string& name) {
  return std::string(UNDERSTUDY_SOURCE_DIR) + "/tests/fuzz/corpus/audit_chain/" + name;
}
constexpr const char* kAnchor =
    "3:0fd5b0d752149027f7d3d5f8c2ced9102bad1df9a26880ca24e4e692863c67e2";

TEST_F(CommandLineTest, AU7_AnUntouchedAuditTrailVerifies) {
  const Outcome outcome = Understudy({"audit", "verify", Trail("three"), "--anchor", kAnchor});
  EXPECT_EQ(outcome.exit, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("3 records fit"));
  EXPECT_THAT(Understudy({"audit", "verify", Trail("three")}).out, HasSubstr("without --anchor"));
}

TEST_F(CommandLineTest, AU7_TheFirstBrokenRecordOfAnAuditTrailIsNamed) {
  const Outcome edited = Understudy({"audit", "verify", Trail("edited")});
  EXPECT_EQ(edited.exit, 1);
  EXPECT_THAT(edited.out, HasSubstr(":1: line 1 (\"i-1\"): it was changed"));
  const Outcome swapped = Understudy({"audit", "verify", Trail("swapped")});
  EXPECT_EQ(swapped.exit, 1);
  EXPECT_THAT(swapped.out, HasSubstr("record 3 where 2 is due"));
  EXPECT_EQ(Understudy({"audit", "verify", Trail("torn")}).exit, 1);
}

TEST_F(CommandLineTest, AU7_ACutAuditTrailDoesNotReachItsAnchor) {
  std::ifstream whole(Trail("three"));
  std::string line;
  std::getline(whole, line);
  const std::string path = (folder_ / "cut.jsonl").string();
  std::ofstream(path) << line << "\n";
  EXPECT_EQ(Understudy({"audit", "verify", path}).exit, 0);
  EXPECT_EQ(Understudy({"audit", "verify", path, "--anchor", kAnchor}).exit, 1);
  EXPECT_EQ(Understudy({"audit", "verify", path, "--anchor", "3"}).exit, kExitUsage);
  EXPECT_EQ(Understudy({"audit", "verify", path + ".no"}).exit, kExitUsage);
}

class AuditVerifyTest : public CommandLineTest {
 protected:
  // Five records, sealed with `key`; line after line.
  std::vector<std::string> Seal(const std::string& key) {
    HashChain chain(crypto_, Secret(key));
    std::vector<std::string> lines;
    points_.clear();
    for (int i = 1; i <= 5; ++i) {
      lines.push_back(chain.Seal(AuditLineHead(SystemTime(), "r" + std::to_string(i), "") + "}"));
      points_.push_back(chain.point().ToString());
    }
    return lines;
  }
  std::string File(const std::string& name, const std::string& text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string Lines(const std::vector<std::string>& lines, std::size_t from, std::size_t to) const {
    std::string text;
    for (std::size_t i = from; i < to; ++i) text += lines[i] + "\n";
    return text;
  }

  OpensslCrypto crypto_;
  std::vector<std::string> points_;  // After each record.
};

TEST_F(AuditVerifyTest, AU7_AKeyedTrailNeedsItsKey) {
  const std::string trail = File("t.jsonl", Lines(Seal("the key"), 0, 5));
  const auto with = [&](const std::string& key) {
    return Understudy({"audit", "verify", trail, "--key-file", File("key", key)});
  };
  EXPECT_EQ(with("the key").exit, 0);
  EXPECT_EQ(with("the key\r\n").exit, 0) << "as editors leave it";
  EXPECT_EQ(with("another key").exit, 1);
  EXPECT_THAT(with("another key").out, HasSubstr(":1: line 1 (\"r1\")"));
  EXPECT_EQ(Understudy({"audit", "verify", trail}).exit, 1);
  EXPECT_EQ(with("\n").exit, kExitUsage) << "an empty key is none";
  EXPECT_EQ(Understudy({"audit", "verify", trail, "--key-file", trail + ".no"}).exit, kExitUsage);
  const std::string plain = File("p.jsonl", Lines(Seal(""), 0, 5));
  EXPECT_EQ(Understudy({"audit", "verify", plain}).exit, 0);
  EXPECT_EQ(Understudy({"audit", "verify", plain, "--key-file", File("key", "k")}).exit, 1);
}

TEST_F(AuditVerifyTest, AU7_ATrailWithoutItsBeginningNeedsAStart) {
  const std::vector<std::string> lines = Seal("");
  const std::string rest = File("rest.jsonl", Lines(lines, 2, 5));
  const Outcome bare = Understudy({"audit", "verify", rest});
  EXPECT_EQ(bare.exit, 1);
  EXPECT_THAT(bare.out, HasSubstr(":1: line 1 (\"r3\")"));
  const auto from = [&](const std::string& start) {
    return Understudy({"audit", "verify", rest, "--start", start});
  };
  EXPECT_EQ(from(points_[1]).exit, 0);
  EXPECT_THAT(from(points_[1]).out, HasSubstr("3 records fit"));
  EXPECT_EQ(from(points_[0]).exit, 1);
  EXPECT_EQ(from("2:" + points_[2].substr(2)).exit, 1) << "the number alone proves nothing";
  EXPECT_EQ(from("2").exit, kExitUsage);
  EXPECT_EQ(Understudy({"audit", "verify", rest, "--any-start"}).exit, 0);
  // Any start is no licence for anything else.
  const std::string holed = File("holed.jsonl", Lines(lines, 2, 3) + Lines(lines, 4, 5));
  EXPECT_EQ(Understudy({"audit", "verify", holed, "--any-start"}).exit, 1);
}

TEST_F(AuditVerifyTest, AU7_AnAnchorShowsWhatWasCutOff) {
  const std::vector<std::string> lines = Seal("k");
  const std::string key = File("key", "k");
  const auto verify = [&](const std::vector<std::string>& files, const std::string& anchor) {
    std::vector<std::string> arguments = {"audit", "verify"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    arguments.insert(arguments.end(), {"--key-file", key, "--anchor", anchor});
    return Understudy(arguments);
  };
  const std::string first = File("1.jsonl", Lines(lines, 0, 2));
  const std::string second = File("2.jsonl", Lines(lines, 2, 5));
  EXPECT_EQ(verify({first, second}, points_[4]).exit, 0);
  EXPECT_EQ(verify({first, second}, points_[2]).exit, 0) << "an older anchor";
  EXPECT_EQ(verify({first}, points_[4]).exit, 1);
  EXPECT_EQ(verify({second, first}, points_[4]).exit, 1) << "in another order";
  EXPECT_EQ(verify({first, second}, "5:" + points_[3].substr(2)).exit, 1);
  EXPECT_THAT(verify({first, second}, points_[4]).out,
              ::testing::Not(HasSubstr("without --anchor")));
}

}  // namespace
}  // namespace understudy::tools
