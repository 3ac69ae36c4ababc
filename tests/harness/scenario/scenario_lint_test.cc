#include "harness/scenario/scenario_lint.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/scenario_loader.h"

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Nothing to say about this one.
constexpr std::string_view kBase = R"({
  "format": 1, "name": "the base", "params": { "n": 5 },
  "vendor": {
    "routes": [
      { "id": "order", "match": { "method": "GET", "path": "/v1/orders/{id}" }, "respond": [ { "status": 200 } ] },
      { "id": "number", "match": { "path_regex": "/v1/n/[0-9]+" }, "respond": [ { "status": 200 } ] } ],
    "webhooks": [ { "id": "acme", "to": "receiver" } ] },
  "client": {
    "operations": {
      "get_order": { "method": "GET", "path": "/v1/orders/{id}" },
      "get_number": { "method": "GET", "path": "/v1/n/{n}" } },
    "stack": [ { "deadline": { "total": "2s" } }, { "retry": {} } ] },
  "steps": [
    { "id": "first", "call": "get_order", "args": { "id": "o1" } },
    { "id": "second", "call": "get_number", "args": { "n": 12 } } ],
  "expect": [
    { "id": "total", "count": { "event": "http.request", "where": { "route": "order" } }, "is": "${n}" } ],
  "explore": { "seeds": 2 }
}
)";

std::vector<std::string> Lint(std::string_view from, std::string_view to,
                              const LintOptions& options = {}) {
  std::string text(kBase);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  const LoadResult loaded = LoadScenarioText("t.scn.json", text);
  EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
  std::vector<std::string> warnings;
  for (const Diagnostic& warning : LintScenario(loaded.cells, options))
    warnings.push_back(warning.ToString());
  return warnings;
}

TEST(ScenarioLintTest, HasNothingToSayAboutASoundScenario) {
  EXPECT_THAT(Lint("{", "{"), IsEmpty());
}

struct LintRow {
  const char* name;
  const char* from;
  const char* to;
  const char* warning;
};

class LintRowTest : public ::testing::TestWithParam<LintRow> {};

TEST_P(LintRowTest, IsTheOneWarning) {
  EXPECT_THAT(Lint(GetParam().from, GetParam().to), ElementsAre(GetParam().warning));
}

const LintRow kRows[] = {
    {"StackOrder", R"({ "deadline": { "total": "2s" } }, { "retry": {} })",
     R"({ "retry": {} }, { "deadline": { "total": "2s" } })",
     R"(t.scn.json:12:33: /client/stack/1: "deadline" is listed inside "retry", but the stack will be built in the documented order; list the policies in that order: fallback, cache, deadline, hedge, retry, breaker, rate_limit, bulkhead, auth)"},
    {"UnusedParam", R"("n": 5 })", R"("n": 5, "m": 1 })",
     R"(t.scn.json:2:61: /params/m: nothing refers to the parameter "m"; use it as "${m}", or remove it)"},
    {"UnusedOperation", R"("get_number": {)",
     R"("get_other": { "method": "GET", "path": "/v1/n/1" }, "get_number": {)",
     R"(t.scn.json:11:20: /client/operations/get_other: no step calls the operation "get_other")"},
    {"UnreachedRoute", R"("/v1/n/[0-9]+")", R"("/v1/m/[0-9]+")",
     R"(t.scn.json:6:7: /vendor/routes/1: no step makes a call that the route "number" answers; compare its method and path with the operations)"},
    {"RouteOfAnotherMethod", R"("method": "GET", "path": "/v1/orders/{id}" }, "respond")",
     R"("method": "POST", "path": "/v1/orders/{id}" }, "respond")",
     R"(t.scn.json:5:7: /vendor/routes/0: no step makes a call that the route "order" answers; compare its method and path with the operations)"},
    {"UnknownField", R"("where": { "route": "order" })", R"("where": { "rout": "order" })",
     R"(t.scn.json:17:31: /expect/0/count: the event "http.request" has no field "rout"; did you mean "route"?)"},
    {"UnknownRoute", R"("where": { "route": "order" })", R"("where": { "route": "ordr" })",
     R"(t.scn.json:17:31: /expect/0/count: there is no route "ordr": nothing can match; did you mean "order"?)"},
    {"UnknownStep", R"("where": { "route": "order" })", R"("where": { "step": "frist" })",
     R"(t.scn.json:17:31: /expect/0/count: there is no step "frist": nothing can match; did you mean "first"?)"},
    {"UnknownWebhook", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "webhook.ack", "where": { "webhook": "acmee" } })",
     R"(t.scn.json:17:31: /expect/0/count: there is no webhook "acmee": nothing can match; did you mean "acme"?)"},
    {"UnknownProjectedField",
     R"("count": { "event": "http.request", "where": { "route": "order" } }, "is": "${n}")",
     R"("of": { "event": "retry" }, "project": ["atempt"], "sequence": [["${n}"]])",
     R"(t.scn.json:17:5: /expect/0: the event "retry" has no field "atempt"; did you mean "attempt"?)"},
    {"UnknownPer", R"("is": "${n}")", R"("is": "${n}", "per": "rute")",
     R"(t.scn.json:17:5: /expect/0: the event "http.request" has no field "rute"; did you mean "route"?)"},
    {"NoBreaker", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "breaker" })",
     R"(t.scn.json:17:31: /expect/0/count: no "breaker" event can happen: the stack has no breaker)"},
    {"NoFallback", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "fallback" })",
     R"(t.scn.json:17:31: /expect/0/count: no "fallback" event can happen: the stack has no fallback)"},
    {"NoOAuth", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "token.refresh" })",
     R"(t.scn.json:17:31: /expect/0/count: no "token.refresh" event can happen: the stack has no OAuth)"},
    {"NoProgramNoEffect", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "effect" })",
     R"(t.scn.json:17:31: /expect/0/count: no "effect" event can happen: there is no program that could have effects)"},
    {"NothingCrashes", R"({ "event": "http.request", "where": { "route": "order" } })",
     R"({ "event": "crash" })",
     R"(t.scn.json:17:31: /expect/0/count: no "crash" event can happen: nothing crashes)"},
    {"MinZero", R"("is": "${n}")",
     R"("min": 0 }, { "id": "used", "count": { "event": "retry" }, "max": "${n}")",
     R"(t.scn.json:17:5: /expect/0: "min": 0 always holds; raise it, or add "max")"},
    {"ModeOff", R"("is": "${n}" } ],)",
     R"("is": "${n}", "only_in": "wire" } ], "modes": { "wire": false },)",
     R"(t.scn.json:17:5: /expect/0: "total" is for a mode that is off: it is never checked)"},
    {"SometimesWithoutExplore",
     "{ \"id\": \"total\", \"count\": { \"event\": \"http.request\", \"where\": { \"route\": "
     "\"order\" } }, \"is\": \"${n}\" } ],\n  \"explore\": { \"seeds\": 2 }",
     "{ \"id\": \"total\", \"count\": { \"event\": \"http.request\", \"where\": { \"route\": "
     "\"order\" } }, \"is\": \"${n}\" },\n    { \"id\": \"x\", \"sometimes\": { \"event\": "
     "\"retry\" } } ]",
     R"(t.scn.json:18:5: /expect/1: "sometimes" is judged over many seeds, and this scenario has no "explore"; add "explore", or use "eventually")"},
    {"ExactCountUnderReset", R"("seeds": 2)",
     R"("seeds": 2, "faults": [ { "fault": "reset", "on": "order" } ])",
     R"(t.scn.json:17:5: /expect/0: an exact count of "http.request", while explore injects "reset", which makes repetitions legal; use "max", or take the fault out of explore)"},
    {"ExactAckCountUnderLostAcks",
     "{ \"event\": \"http.request\", \"where\": { \"route\": \"order\" } }, \"is\": \"${n}\" } "
     "],\n  \"explore\": { \"seeds\": 2 }",
     "{ \"event\": \"webhook.ack\" }, \"is\": \"${n}\" } ],\n  \"explore\": { \"faults\": [ { "
     "\"fault\": \"drop-ack\" } ] }",
     R"(t.scn.json:17:5: /expect/0: an exact count of "webhook.ack", while explore injects "drop-ack", which makes repetitions legal; use "max", or take the fault out of explore)"},
    {"PinnedTokenMalformed", R"("seeds": 2)",
     R"("pinned": [ { "replay": "s1:what", "note": "x" } ])",
     R"(t.scn.json:18:28: /explore/pinned/0: the pinned token "s1:what" is malformed: it will not be replayed; a token is "s1:<hash>.<seed>" or "s1:<hash>@<choices>")"},
};

INSTANTIATE_TEST_SUITE_P(Rows, LintRowTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

TEST(ScenarioLintTest, KnowsWhoseAPinnedTokenIs) {
  LintOptions options;
  options.scenario_hash = "ab";
  const char* const seeds = "\"seeds\": 2";
  const char* const pinned = R"("seeds": 2, "pinned": [ { "replay": "s1:ab.7", "note": "x" } ])";
  EXPECT_THAT(Lint(seeds, pinned, options), IsEmpty());
  options.scenario_hash = "cd";
  EXPECT_THAT(Lint(seeds, pinned, options),
              ElementsAre("t.scn.json:18:40: /explore/pinned/0: the pinned token \"s1:ab.7\" is of "
                          "another scenario or an "
                          "older version of this one; this scenario's tokens begin with \"s1:cd\"; "
                          "replay it and pin it anew"));
}

TEST(ScenarioLintTest, WarnsOnceForAllCells) {
  EXPECT_THAT(Lint("\"params\": { \"n\": 5 }", R"("matrix": { "n": [1, 2], "m": [1, 2] })"),
              ElementsAre("t.scn.json:2:66: /matrix/m: nothing refers to the parameter \"m\"; use "
                          "it as \"${m}\", or remove it"));
}

TEST(ScenarioLintTest, CountsPlacesOfStepsInLanesAsCalls) {
  EXPECT_THAT(
      Lint(
          R"({ "id": "second", "call": "get_number", "args": { "n": 12 } })",
          R"({ "parallel": [ [ { "id": "second", "call": "get_number", "args": { "n": 12 } } ] ] })"),
      IsEmpty());
}

}  // namespace
}  // namespace understudy::harness
