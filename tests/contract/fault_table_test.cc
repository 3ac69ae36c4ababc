// Every fault, in memory and on sockets, on a new and on a reused connection: both hosts give a
// client the same, and docs/faults.md says what that is.
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/fault_decoder.h"
#include "harness/scenario/json_document.h"
#include "harness/scenario/world.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

struct Row {
  const char* fault;  // As in a file.
  const char* method = "GET";
  // Whether what the next request meets is certain. After an end that nobody announced it is a race
  // between that end and the request.
  bool next_is_certain = true;
};

// In the order of the table.
constexpr Row kRows[] = {
    {R"("refuse")"},
    {R"("dns-fail")"},
    {R"("hang")"},
    {R"({ "kind": "hang", "at": "headers" })"},
    {R"({ "kind": "hang", "at": { "body_byte": 10 } })"},
    {R"({ "kind": "hang", "at": "body", "framing": "chunked" })"},
    {R"("reset")"},
    {R"({ "kind": "reset", "at": { "head_byte": 1 } })"},
    {R"({ "kind": "reset", "at": "status-line" })"},
    {R"({ "kind": "reset", "at": "headers" })"},
    {R"({ "kind": "reset", "at": { "body_byte": 0 } })"},
    {R"({ "kind": "reset", "at": { "body_byte": 10 } })"},
    {R"({ "kind": "reset", "at": { "body_fraction": 0.9 } })"},
    {R"({ "kind": "reset", "at": { "chunk": 2, "byte": 5 }, "framing": "chunked" })"},
    {R"({ "kind": "reset", "at": "end" })", "GET", false},
    {R"("reset-mid-body")"},
    {R"("close")"},
    {R"({ "kind": "close", "at": "status-line" })"},
    {R"({ "kind": "close", "at": "headers" })"},
    {R"({ "kind": "close", "at": { "body_byte": 10 } })"},
    {R"({ "kind": "close", "at": { "chunk": 2, "byte": 5 }, "framing": "chunked" })"},
    {R"({ "kind": "close", "at": { "body_fraction": 1 }, "framing": "chunked" })"},
    {R"({ "kind": "close", "at": "end" })", "GET", false},
    {R"("truncate")"},
    {R"({ "kind": "truncate", "framing": "chunked" })"},
    {R"("truncate")", "HEAD"},
    {R"("malformed-chunk")"},
    {R"({ "kind": "malformed-chunk", "chunk": 1 })"},
    {R"("garbage")"},
    {R"({ "kind": "garbage", "bytes": 4 })"},
    {R"("bad-gzip")"},
    {R"("slow-drip")"},
    {R"({ "kind": "slow-drip", "piece_bytes": 4, "pause": "1s" })"},
    {R"({ "kind": "bandwidth", "bytes_per_second": 20 })"},
    {R"("early-response")", "POST"},
    {R"({ "kind": "early-response", "then": "keep" })", "POST"},
    {R"("stale-keep-alive")"},
    {R"({ "kind": "stale-keep-alive", "then": "close" })"},
};

ResponseSpec Well() {
  return {.status = 200, .body = R"({"text":"long enough to be cut in two"})"};
}

ResponseSpec Failing(const char* fault) {
  ResponseSpec response = Well();
  const JsonDocument document = JsonDocument::Parse("row", fault);
  EXPECT_TRUE(document.ok()) << fault;
  ProblemList problems(10);
  DecodeFault(NodeReader(document.root(), document.file(), problems), response.fault,
              response.fault_detail);
  EXPECT_TRUE(problems.empty()) << fault << ": "
                                << (problems.empty() ? "" : problems.problems()[0].message);
  return response;
}

std::string Describe(const Result<http::Response>& result, Duration took) {
  std::string text;
  if (result) {
    const bool whole = result->body == *Well().body;
    text = std::to_string(result->status) + (whole                  ? ", the whole body"
                                             : result->body.empty() ? ", no body"
                                                                    : ", " + result->body);
  } else {
    const Error& error = result.error();
    text = std::string(ToString(error.code));
    if (!error.reason.empty()) text += " (" + error.reason + ")";
    text += ", " + std::string(ToString(error.delivery));
  }
  return took > Duration::zero() ? text + ", after " + FormatDuration(took) : text;
}

class FaultTableTest : public ::testing::Test {
 protected:
  // What the client sees of the failing request, and of the next one if that fails, too.
  std::string See(World& world, const Row& row, bool reused) {
    std::vector<std::string> seen;
    std::unique_ptr<VendorModel> model;
    const WorldReport report = world.Run([&] {
      std::vector<ResponseSpec> responses = {Failing(row.fault), Well()};
      if (reused) responses.insert(responses.begin(), Well());
      VendorSpec spec{.name = "acme",
                      .routes = {{.id = "x", .match = {.path = "/x"}, .responses = responses}}};
      auto created = VendorModel::Create(
          spec, {.clock = world.clock(), .random = world.random(), .events = world.history()});
      ASSERT_TRUE(created.has_value()) << created.error().message;
      model = *std::move(created);
      const std::string origin = world.HostVendor("acme", *model).value();
      const std::size_t count = responses.size() - (row.next_is_certain ? 0 : 1);
      for (std::size_t i = 0; i < count; ++i) {
        const bool failing = i == (reused ? 1U : 0U);
        http::Request request{.method = http::Method(failing ? row.method : "GET"),
                              .url = http::Url::Parse(origin + "/x").value()};
        if (failing && std::string_view(row.method) == "POST") request.body = "an upload";
        const TimePoint start = world.clock().Now();
        const auto result = world.network().Send(request, {.deadline = Deadline::After(start, 5s)});
        seen.push_back(Describe(result, world.clock().Now() - start));
      }
    });
    EXPECT_EQ(report.end, WorldEnd::kFinished) << row.fault << ": " << report.detail;
    world.StopHosting();
    if (seen.empty() || !row.next_is_certain) return seen.empty() ? "nothing" : seen.back();
    const std::string& next = seen.back();
    const std::string& failed = seen[seen.size() - 2];
    return next == "200, the whole body" ? failed : failed + "; the next request: " + next;
  }

  OpensslCrypto crypto_;
  WorkerPool pool_;
};

std::string DocumentedTable() {
  std::ifstream file(std::string(UNDERSTUDY_SOURCE_DIR) + "/docs/faults.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const std::size_t begin = all.find("| fault |");
  const std::size_t end = all.find("\n\n", begin);
  return begin == std::string::npos ? "" : all.substr(begin, end - begin) + "\n";
}

TEST_F(FaultTableTest, IsWhatALibcurlClientSeesAndWhatTheSimulationSays) {
  std::string table =
      "| fault | on a new connection | on a reused connection |\n| --- | --- | --- |\n";
  for (const Row& row : kRows) {
    const bool get = std::string_view(row.method) == "GET";
    table += "| `" + std::string(row.fault) + "`" + (get ? "" : " to " + std::string(row.method));
    for (const bool reused : {false, true}) {
      const auto sim = MakeSimWorld({.seed = 0}, crypto_, pool_);
      const auto wire = MakeWireWorld({.seed = 0}, crypto_);
      const std::string on_sockets = See(*wire, row, reused);
      EXPECT_EQ(See(*sim, row, reused), on_sockets) << row.fault << (reused ? " reused" : " new");
      table += " | " + on_sockets;
    }
    table += " |\n";
  }
  EXPECT_EQ(DocumentedTable(), table) << "docs/faults.md should have this table:\n" << table;
}

}  // namespace
}  // namespace understudy::harness
