#include "harness/scenario/scenario_loader.h"

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/rfc3339.h"

namespace understudy::harness {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Every section, one thing per line, so that a mutation of it has an obvious place.
constexpr std::string_view kBase = R"({
  "format": 1,
  "name": "the base",
  "tags": ["a-tag"],
  "params": { "open_for": "30s", "n": 5 },
  "clock": { "start": "2026-01-01T00:00:00Z", "limit": "3d" },
  "vendor": {
    "routes": [
      { "id": "orders", "match": { "method": "GET", "path": "/v1/orders/{id}" }, "latency": "20ms",
        "respond": [ { "times": 5, "status": 503 }, { "status": 200, "json": { "id": "o1" } } ] },
      { "id": "invoices", "match": { "path_regex": "/v1/invoices/[0-9]+" }, "respond": [ { "fault": "reset" } ] } ],
    "oauth": { "path": "/oauth/token", "ttl": "1h" },
    "limits": [ { "id": "quota", "max": 10, "window": "1m" } ],
    "webhooks": [ { "id": "acme", "to": "receiver", "retry": ["5s"] } ] },
  "client": {
    "operations": { "get_order": { "method": "GET", "path": "/v1/orders/{id}" } },
    "stack": [ { "retry": { "attempts": 3 } }, { "breaker": { "open_for": "${open_for}" } } ] },
  "steps": [
    { "id": "fail", "call": "get_order", "args": { "id": "o1" }, "times": 5 },
    { "advance": "30s" },
    { "wait": { "event": "breaker", "where": { "to": "open" } }, "within": "1h" },
    { "deliver": { "webhook": "acme", "event_id": "e1" } },
    { "crash": "receiver", "when": { "after": { "event": "effect" } } },
    { "set": { "route": "orders", "respond": [ { "status": 500 } ] } } ],
  "expect": [
    { "id": "transitions", "of": { "event": "breaker" }, "project": ["from", "to"], "sequence": [["closed", "open"]] },
    { "id": "total", "count": { "event": "http.request" }, "is": 5 },
    { "id": "quiet", "never": { "event": "retry" }, "between": [ { "event": "breaker" }, { "event": "crash" } ] },
    { "id": "one", "always": { "open": { "event": "http.request" }, "max": 1 } },
    { "id": "soon", "gap": [ { "event": "breaker" }, { "event": "crash" } ], "min": "1s" } ],
  "modes": { "sim": true, "wire": { "clock": "skip" } },
  "explore": { "seeds": 10, "faults": [ { "fault": "latency", "on": "orders" } ],
    "pinned": [ { "replay": "s1:ab.1", "note": "x" } ] }
}
)";

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

LoadResult Load(std::string text, const LoadOptions& options = {}) {
  return LoadScenarioText("t.scn.json", std::move(text), options);
}

// The one cell of a scenario that must be right.
Scenario LoadOne(std::string text) {
  LoadResult loaded = Load(std::move(text));
  EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
  EXPECT_THAT(loaded.cells, SizeIs(1));
  return loaded.cells.empty() ? Scenario{} : std::move(loaded.cells.front().scenario);
}

// ---- what is wrong ----

struct MutationRow {
  const char* name;
  const char* from;
  const char* to;
  const char* problem;  // the first one, as printed
};

class MutationTest : public ::testing::TestWithParam<MutationRow> {};

TEST_P(MutationTest, IsReportedAtItsPlaceWithASuggestion) {
  const LoadResult loaded = Load(Replaced(std::string(kBase), GetParam().from, GetParam().to));
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.cells, IsEmpty());
  EXPECT_EQ(loaded.diagnostics.front().ToString(), GetParam().problem);
}

const MutationRow kMutations[] = {
    {"UnknownRootKey", R"("format": 1,)", R"("format": 1, "exepct": [],)",
     R"(t.scn.json:2:16: /exepct: unknown key "exepct"; did you mean "expect"?)"},
    {"FormatTwo", R"("format": 1)", R"("format": 2)",
     "t.scn.json:2:13: /format: format 2 is not known; this program reads format 1"},
    {"FormatMissing", "  \"format\": 1,\n", "",
     R"(t.scn.json:1:1: (root): the key "format" is missing; add it)"},
    {"NameTooShort", R"("the base")", R"("ab")",
     R"(t.scn.json:3:11: /name: a name has at least 3 characters; say what holds, e.g. "breaker opens after 5 failures")"},
    {"BadTag", R"("a-tag")", R"("A tag")",
     R"(t.scn.json:4:12: /tags/0: "A tag" is no tag; use lower-case letters, digits and "-")"},
    {"TagTwice", R"(["a-tag"])", R"(["a-tag", "a-tag"])",
     R"(t.scn.json:4:21: /tags/1: the tag "a-tag" is listed twice)"},
    {"BareNumberLatency", R"("latency": "20ms")", R"("latency": 20)",
     R"(t.scn.json:9:93: /vendor/routes/0/latency: durations are strings with a unit, e.g. "20ms"; got 20; write "20ms" or "20s")"},
    {"SpelledDuration", R"("within": "1h")", R"("within": "30 sec")",
     R"(t.scn.json:21:76: /steps/2/within: durations are strings with a unit, e.g. "20ms"; got the string "30 sec"; did you mean "30s"?)"},
    {"DurationWithoutUnit", R"("advance": "30s")", R"("advance": "30")",
     R"(t.scn.json:20:18: /steps/1/advance: durations are strings with a unit, e.g. "20ms"; got the string "30"; units are us, ms, s, m, h and d)"},
    {"BetweenOfOne", R"("latency": "20ms")", R"("latency": { "between": ["1s"] })",
     "t.scn.json:9:106: /vendor/routes/0/latency/between: expected two durations, from "
     "and to; got "
     "1"},
    {"BetweenBackwards", R"("latency": "20ms")", R"("latency": { "between": ["2s", "1s"] })",
     "t.scn.json:9:106: /vendor/routes/0/latency/between: the first duration is longer "
     "than the "
     "second; swap them"},
    {"SignedTwice", R"("event_id": "e1" })",
     R"("event_id": "e1", "signed_ago": "1s", "signed_ahead": "1s" })",
     R"(t.scn.json:22:77: /steps/3/deliver/signed_ahead: a delivery is signed in the past or in the future, not both; keep "signed_ago" or "signed_ahead")"},
    {"UnknownForgery", R"("event_id": "e1" })", R"("event_id": "e1", "signature": "wronk" })",
     R"(t.scn.json:22:70: /steps/3/deliver/signature: expected "right", "wrong" or "none", got the string "wronk"; did you mean "wrong"?)"},
    {"SecretAndSecrets", R"("retry": ["5s"] })",
     R"("sign": { "scheme": "stripe", "secret": "a", "secrets": ["b"] } })",
     R"(t.scn.json:14:98: /vendor/webhooks/0/sign/secrets: a webhook has "secret" or "secrets", not both)"},
    {"NoSecrets", R"("retry": ["5s"] })", R"("sign": { "scheme": "stripe", "secrets": [] } })",
     R"(t.scn.json:14:94: /vendor/webhooks/0/sign/secrets: "secrets" needs at least one secret)"},
    {"HealthWithoutItsOperation", R"({ "retry": { "attempts": 3 } })",
     R"({ "health": { "probe": "pnig" } })",
     R"(t.scn.json:17:16: /client/stack/0: health probes the operation "pnig", which is not there; declare it in client.operations)"},
    {"HealthThatOverlaps", R"({ "retry": { "attempts": 3 } })",
     R"({ "health": { "probe": "get_order", "every": "1s" } })",
     R"(t.scn.json:17:28: /client/stack/0/health: a probe would start before the one before it has timed out; raise "every", or lower "timeout")"},
    {"SinkThatWorksBeforeItFails", R"({ "retry": { "attempts": 3 } })",
     R"({ "audit": { "sink_fails": { "from": "2s", "until": "2s" } } })",
     R"(t.scn.json:17:43: /client/stack/0/audit/sink_fails: the sink works again before it fails; raise "until")"},
    {"DuplicateRoute", R"("id": "invoices")", R"("id": "orders")",
     R"(t.scn.json:11:15: /vendor/routes/1/id: duplicate route id "orders", first at line 9; ids are unique; rename one of them)"},
    {"DuplicateStep", R"({ "advance": "30s" })", R"({ "id": "fail", "advance": "30s" })",
     R"(t.scn.json:20:13: /steps/1/id: duplicate step id "fail", first at line 19; ids are unique; rename one of them)"},
    {"DuplicateStepGenerated", R"({ "id": "fail",)", R"({ "id": "step-2",)",
     R"(t.scn.json:20:5: /steps/1: duplicate step id "step-2", first at line 19; ids are unique; rename one of them)"},
    {"DuplicateExpectation", R"({ "id": "total")", R"({ "id": "transitions")",
     R"(t.scn.json:27:13: /expect/1/id: duplicate expectation id "transitions", first at line 26; ids are unique; rename one of them)"},
    {"DuplicateLimit", R"("limits": [ {)",
     R"("limits": [ { "id": "quota", "max": 1, "window": "1s" }, {)",
     R"(t.scn.json:13:70: /vendor/limits/1/id: duplicate limit id "quota", first at line 13; ids are unique; rename one of them)"},
    {"DuplicateWebhook", R"("webhooks": [ {)",
     R"("webhooks": [ { "id": "acme", "to": "receiver" }, {)",
     R"(t.scn.json:14:63: /vendor/webhooks/1/id: duplicate webhook id "acme", first at line 14; ids are unique; rename one of them)"},
    {"EmptyId", R"("id": "total")", R"("id": "")",
     "t.scn.json:27:13: /expect/1/id: the expectation's id is empty"},
    {"IdMissing", R"("id": "total", )", "",
     R"(t.scn.json:27:5: /expect/1: the key "id" is missing; add it)"},
    {"UnknownEvent", R"("count": { "event": "http.request" })",
     R"("count": { "event": "http.reqest" })",
     R"(t.scn.json:27:42: /expect/1/count/event: unknown event "http.reqest"; did you mean "http.request"?)"},
    {"UnknownEventWithoutLikeness", R"("count": { "event": "http.request" })",
     R"("count": { "event": "zzzzzzzz" })",
     R"(t.scn.json:27:42: /expect/1/count/event: unknown event "zzzzzzzz"; the events are "http.request", "http.response", "breaker", "retry", "token.refresh", "rate_limit", "call.start", "call.end", "fallback", "failover", "bulkhead", "hedge", "cache", "deadline", "webhook.delivery", "webhook.ack", "audit.record", "audit.sink", "audit.dropped", "health.check", "health.changed", "health.ready", "effect", "crash", "restart" or "fault")"},
    {"UnknownOperation", R"("call": "get_order")", R"("call": "get_ordr")",
     R"(t.scn.json:19:29: /steps/0/call: unknown operation "get_ordr"; did you mean "get_order"?)"},
    {"TwoVerbs", R"({ "advance": "30s" })", R"({ "advance": "30s", "call": "get_order" })",
     R"(t.scn.json:20:25: /steps/1/call: each step has one verb; this one has "advance" and "call"; split it in two)"},
    {"NoVerb", R"({ "advance": "30s" })", R"({ "id": "idle" })",
     R"(t.scn.json:20:5: /steps/1: this step has no verb; add one of "call", "advance", "wait", "deliver", "crash", "set" or "parallel")"},
    {"MisspeltVerb", R"({ "advance": "30s" })", R"({ "advnace": "30s" })",
     R"(t.scn.json:20:7: /steps/1/advnace: unknown key "advnace"; did you mean "advance"?)"},
    {"UnknownStepKey", R"("times": 5 })", R"("tmies": 5 })",
     R"(t.scn.json:19:66: /steps/0/tmies: unknown key "tmies"; did you mean "times"?)"},
    {"TwoKinds", R"("is": 5 })", R"("is": 5, "never": { "event": "retry" } })",
     R"(t.scn.json:27:69: /expect/1/never: each expectation has one kind; this one has "count" and "never"; split it in two)"},
    {"MisspeltKind", R"("always": { "open")", R"("alwyas": { "open")",
     R"(t.scn.json:29:20: /expect/3/alwyas: unknown key "alwyas"; did you mean "always"?)"},
    {"NoKind",
     R"("never": { "event": "retry" }, "between": [ { "event": "breaker" }, { "event": "crash" } ])",
     R"("why": "?")",
     R"(t.scn.json:28:5: /expect/2: this expectation has no kind; add one of "sequence", "count", "always", "never", "eventually", "gap" or "sometimes")"},
    {"CountWithoutBound", R"(, "is": 5 })", " }",
     R"(t.scn.json:27:5: /expect/1: "count" needs a bound; add "is", "min" or "max")"},
    {"GapWithoutBound", R"(, "min": "1s" })", " }",
     R"(t.scn.json:30:5: /expect/4: "gap" needs a bound; add "min" or "max")"},
    {"BetweenOfThree", R"("between": [ {)", R"("between": [ { "event": "retry" }, {)",
     "t.scn.json:28:64: /expect/2/between: expected two events, from and to; got 3"},
    {"SequenceItemTooShort", R"([["closed", "open"]])", R"([["closed"]])",
     R"(t.scn.json:26:98: /expect/0/sequence/0: expected 2 values, one per field of "project"; got 1)"},
    {"SequenceEmpty", R"([["closed", "open"]])", "[]",
     R"(t.scn.json:26:97: /expect/0/sequence: an empty sequence is no expectation; to expect no such event, use "never")"},
    {"OpenWithoutSpan", R"("open": { "event": "http.request" })",
     R"("open": { "event": "breaker" })",
     R"(t.scn.json:29:40: /expect/3/always/open: the event "breaker" begins no span; "open" takes "http.request", "token.refresh", "call.start" or "webhook.delivery")"},
    {"MaxBelowMin", R"("is": 5 })", R"("min": 5, "max": 4 })",
     R"(t.scn.json:27:70: /expect/1/max: "max" is smaller than "min")"},
    {"UnknownOperator", R"("to": "open" } }, "within")", R"("to": { "gt": 5 } } }, "within")",
     R"(t.scn.json:21:56: /steps/2/wait/where/to/gt: unknown key "gt"; did you mean "gte"?)"},
    {"BadWhereRegex", R"("to": "open" } }, "within")", R"("to": { "regex": "(" } } }, "within")",
     "t.scn.json:21:65: /steps/2/wait/where/to/regex: RE2 refuses this regular "
     "expression: missing "
     "): ("},
    {"BadPathRegex", "[0-9]+", "[0-9",
     "t.scn.json:11:52: /vendor/routes/1/match/path_regex: RE2 refuses this regular "
     "expression: "
     "missing ]: [0-9"},
    {"PathWithoutSlash", R"("path": "/v1/orders/{id}" }, "latency")",
     R"("path": "v1/orders/{id}" }, "latency")",
     R"(t.scn.json:9:61: /vendor/routes/0/match/path: a path begins with "/"; write "/v1/orders/{id}")"},
    {"PathAndRegex", R"("path_regex":)", R"("path": "/a", "path_regex":)",
     "t.scn.json:11:36: /vendor/routes/1/match: two of path, path_exact, path_regex, target and "
     "target_regex are given; keep one"},
    {"UnknownWebhook", R"("webhook": "acme")", R"("webhook": "acmee")",
     R"(t.scn.json:22:31: /steps/3/deliver/webhook: unknown webhook "acmee"; did you mean "acme"?)"},
    {"UnknownCrashTarget", R"("crash": "receiver")", R"("crash": "reciever")",
     R"(t.scn.json:23:16: /steps/4/crash: unknown crash target "reciever"; did you mean "receiver"?)"},
    {"UnknownSetRoute", R"("route": "orders")", R"("route": "order")",
     R"(t.scn.json:24:25: /steps/5/set/route: unknown route "order"; did you mean "orders"?)"},
    {"UnknownParameter", R"("${open_for}")", R"("${open_fro}")",
     R"(t.scn.json:17:75: /client/stack/1/breaker/open_for: unknown parameter "open_fro"; did you mean "open_for"?)"},
    {"UnclosedParameter", R"("${open_for}")", R"("${open_for")",
     R"(t.scn.json:17:75: /client/stack/1/breaker/open_for: "${" without "}"; write "$${" for the characters themselves)"},
    {"WrongTypeString", R"("name": "the base")", R"("name": 7)",
     R"(t.scn.json:3:11: /name: expected a string, got 7; write "7")"},
    {"WrongTypeInteger", R"("times": 5 })", R"("times": "5" })",
     R"(t.scn.json:19:75: /steps/0/times: expected an integer from 1 to 1000000, got the string "5"; write it without quotes)"},
    {"WrongTypeBoolean", R"("sim": true)", R"("sim": "true")",
     R"(t.scn.json:31:21: /modes/sim: expected true or false, got the string "true"; write it without quotes)"},
    {"WrongTypeArray", R"("respond": [ { "fault": "reset" } ])",
     R"("respond": { "fault": "reset" })",
     "t.scn.json:11:88: /vendor/routes/1/respond: expected an array, got an object"},
    {"WrongTypeObject", R"("retry": { "attempts": 3 })", R"("retry": 3)",
     "t.scn.json:17:27: /client/stack/0/retry: expected an object, got 3"},
    {"TimesZero", R"("times": 5 })", R"("times": 0 })",
     "t.scn.json:19:75: /steps/0/times: expected an integer from 1 to 1000000, got 0"},
    {"TimesTooMany", R"("times": 5 })", R"("times": 1000001 })",
     "t.scn.json:19:75: /steps/0/times: expected an integer from 1 to 1000000, got "
     "1000001"},
    {"CallersTooMany", R"("times": 5 })", R"("callers": 10001 })",
     "t.scn.json:19:77: /steps/0/callers: expected an integer from 1 to 10000, got "
     "10001"},
    {"TooManyCalls", R"("times": 5 })", R"("times": 1000, "callers": 1001 })",
     R"(t.scn.json:19:5: /steps/0: "times" x "callers" is more than 1000000 calls)"},
    {"FractionalCount", R"("is": 5)", R"("is": 5.5)",
     "t.scn.json:27:66: /expect/1/is: expected an integer of at least 0, got 5.5"},
    {"NegativeCount", R"("is": 5)", R"("is": -1)",
     "t.scn.json:27:66: /expect/1/is: expected an integer of at least 0, got -1"},
    {"StatusOutOfRange", R"("status": 503)", R"("status": 600)",
     "t.scn.json:10:46: /vendor/routes/0/respond/0/status: expected an integer from "
     "100 to 599, "
     "got 600"},
    {"UnknownFault", R"("fault": "reset" } ])", R"("fault": "rest" } ])", R"(t.scn.json:11:101: /vendor/routes/1/respond/0/fault: expected "reset", "reset-mid-body", "hang", "truncate", "bad-gzip", "slow-drip", "refuse", "dns-fail", "close", "malformed-chunk", "garbage", "bandwidth", "early-response" or "stale-keep-alive", got the string "rest"; did you mean "reset"?)"},
    {"RouteWithoutMatch", R"("match": { "path_regex": "/v1/invoices/[0-9]+" }, )", "",
     R"(t.scn.json:11:7: /vendor/routes/1: the key "match" is missing; add it)"},
    {"RouteWithoutResponse", R"("respond": [ { "fault": "reset" } ])", R"("respond": [])",
     R"(t.scn.json:11:88: /vendor/routes/1/respond: "respond" needs at least one response)"},
    {"RouteCalledOauth", R"("id": "invoices")", R"("id": "oauth")",
     R"(t.scn.json:11:15: /vendor/routes/1/id: "oauth" is the id of the token endpoint; give the route another id)"},
    {"OauthWithoutTtl", R"(, "ttl": "1h")", "",
     R"(t.scn.json:12:14: /vendor/oauth: the key "ttl" is missing; add it)"},
    {"UnknownPolicy", R"("breaker": { "open_for")", R"("braker": { "open_for")",
     R"(t.scn.json:17:50: /client/stack/1/braker: unknown key "braker"; did you mean "breaker"?)"},
    {"UnknownPolicyOption", R"("attempts": 3)", R"("atempts": 3)",
     R"(t.scn.json:17:29: /client/stack/0/retry/atempts: unknown key "atempts"; did you mean "attempts"?)"},
    {"AliasGivenTwice", R"("attempts": 3)", R"("attempts": 3, "max_attempts": 4)",
     R"(t.scn.json:17:44: /client/stack/0/retry/max_attempts: "max_attempts" is another name of "attempts"; give one of them)"},
    {"TwoPoliciesInOne", R"({ "retry": { "attempts": 3 } })", R"({ "retry": {}, "bulkhead": {} })",
     R"(t.scn.json:17:16: /client/stack/0: each element of "stack" is one policy; this one has 2; write one object per policy)"},
    {"PolicyTwice", R"({ "retry": { "attempts": 3 } })", R"({ "retry": {} }, { "retry": {} })",
     R"(t.scn.json:17:35: /client/stack/1/retry: the stack has two "retry" policies, the first at line 17; keep one)"},
    {"OperationWithoutPath", R"("method": "GET", "path": "/v1/orders/{id}" } },)",
     R"("method": "GET" } },)",
     R"(t.scn.json:16:34: /client/operations/get_order: the key "path" is missing; add it)"},
    {"UnknownVendorOfOperation", R"("method": "GET", "path": "/v1/orders/{id}" } },)",
     R"("vendor": "acme", "method": "GET", "path": "/v1/orders/{id}" } },)",
     R"(t.scn.json:16:34: /client/operations/get_order: there is no vendor "acme"; the vendors are "vendor")"},
    {"BadStart", R"("2026-01-01T00:00:00Z")", R"("2026-02-30T00:00:00Z")",
     R"(t.scn.json:6:23: /clock/start: "2026-02-30T00:00:00Z" is no date and time of RFC 3339; write e.g. "2026-01-01T00:00:00Z")"},
    {"NoMode", R"("sim": true, "wire": { "clock": "skip" })", R"("sim": false, "wire": false)",
     R"(t.scn.json:31:12: /modes: neither "sim" nor "wire" is on: nothing would run; turn one of them on)"},
    {"WireDespiteReason", R"("sim": true)", R"("sim_only_because": "sockets cannot do this")",
     R"(t.scn.json:31:60: /modes/wire: "wire" is on although there is a "sim_only_because"; keep one of them)"},
    {"ReasonTooShort", R"("sim": true, "wire": { "clock": "skip" })", R"("sim_only_because": "no")",
     "t.scn.json:31:34: /modes/sim_only_because: a reason has at least 10 characters; "
     "say what the "
     "wire cannot show"},
    {"UnknownWireClock", R"("clock": "skip")", R"("clock": "skipp")",
     R"(t.scn.json:31:46: /modes/wire/clock: expected "skip" or "real", got the string "skipp"; did you mean "skip"?)"},
    {"ExploreTargetUnknown", R"("on": "orders")", R"("on": "order")",
     R"(t.scn.json:32:69: /explore/faults/0/on: the fault "latency" has no target "order"; did you mean "orders"?)"},
    {"PinWithoutNote", R"(, "note": "x")", "",
     R"(t.scn.json:33:17: /explore/pinned/0: the key "note" is missing; add it)"},
    {"PinNoToken", R"("s1:ab.1")", R"("ab.1")",
     R"(t.scn.json:33:29: /explore/pinned/0/replay: "ab.1" is no replay token; tokens begin with "s1:"; copy one from a report)"},
    {"MatrixNameInParams", R"("params")", R"("matrix": { "n": [1] }, "params")",
     R"(t.scn.json:5:20: /matrix/n: "n" is in "params" too; keep it in one of them)"},
    {"MatrixEmptyAxis", R"("params")", R"("matrix": { "m": [] }, "params")",
     "t.scn.json:5:20: /matrix/m: a matrix axis needs at least one value"},
    {"MatrixValueTwice", R"("params")", R"("matrix": { "m": [1, 1] }, "params")",
     "t.scn.json:5:24: /matrix/m/1: the value 1 is listed twice; remove one of them"},
    {"ParamIsObject", R"("n": 5)", R"("n": {})",
     "t.scn.json:5:39: /params/n: a parameter is a string, a number or a boolean, got "
     "an object"},
    {"UseMissing", R"("format": 1,)", R"("format": 1, "use": ["vendors/none.json"],)",
     R"(t.scn.json:2:24: /use/0: cannot use "vendors/none.json": there is no such file; paths are relative to the folder of this file)"},
    {"UseAbsolute", R"("format": 1,)", R"("format": 1, "use": ["/etc/vendor.json"],)",
     R"(t.scn.json:2:24: /use/0: "use" takes paths relative to the folder of this file)"},
    {"BodyFileMissing", R"("json": { "id": "o1" })", R"("body_file": "none.json")",
     R"(t.scn.json:10:83: /vendor/routes/0/respond/1/body_file: cannot read "none.json": there is no such file)"},
    {"AfterUnknownStep", R"("sequence": [[)", R"("after": "fial", "sequence": [[)",
     R"(t.scn.json:26:94: /expect/0/after: unknown step "fial"; did you mean "fail"?)"},
    {"NoSteps", R"("steps": [)", R"("steps": [], "x-steps": [)",
     "t.scn.json:18:12: /steps: a scenario needs at least one step"},
    {"VendorMissing", "\"vendor\": {\n", "\"x-vendor\": {\n",
     R"(t.scn.json:1:1: (root): the key "vendor" is missing; add "vendor", "vendors", or a file in "use" that has one)"},
    {"DuplicateKey", R"("name": "the base")", R"("name": "the base", "name": "again")",
     R"(t.scn.json:3:23: /name: duplicate key "name", first at line 3, column 3; remove or rename one of them)"},
};

INSTANTIATE_TEST_SUITE_P(Rows, MutationTest, ::testing::ValuesIn(kMutations),
                         [](const auto& row) { return row.param.name; });

TEST(ScenarioLoaderTest, CollectsAllProblemsInTheOrderOfTheFile) {
  std::string text = Replaced(std::string(kBase), "\"is\": 5", "\"is\": -5");
  text = Replaced(text, "\"advance\": \"30s\"", "\"advance\": 30");
  text = Replaced(text, "\"status\": 503", "\"status\": 99");
  const LoadResult loaded = Load(text);
  ASSERT_THAT(loaded.diagnostics, SizeIs(3));
  EXPECT_EQ(loaded.diagnostics[0].pointer, "/vendor/routes/0/respond/0/status");
  EXPECT_EQ(loaded.diagnostics[1].pointer, "/steps/1/advance");
  EXPECT_EQ(loaded.diagnostics[2].pointer, "/expect/1/is");
  EXPECT_EQ(loaded.ErrorText().find(loaded.diagnostics[0].ToString()), 0U);
}

TEST(ScenarioLoaderTest, ReportsAtMostTwentyProblems) {
  std::string keys;
  for (int i = 0; i < 50; ++i) keys += "\"zz" + std::to_string(i) + "\": 0, ";
  EXPECT_THAT(Load(Replaced(std::string(kBase), "\"format\"", keys + "\"format\"")).diagnostics,
              SizeIs(20));
}

TEST(ScenarioLoaderTest, ReportsAProblemOfAllCellsOnce) {
  const LoadResult loaded = Load(Replaced(
      Replaced(std::string(kBase), "\"params\"", "\"matrix\": { \"m\": [1, 2, 3] }, \"params\""),
      "\"is\": 5", "\"is\": -5"));
  EXPECT_THAT(loaded.diagnostics, SizeIs(1));
}

TEST(ScenarioLoaderTest, ToResultCarriesTheFirstProblem) {
  EXPECT_TRUE(Load(std::string(kBase)).ToResult().has_value());
  const auto result = Load("[]").ToResult();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().message, "t.scn.json:1:1: (root): expected an object, got an array");
}

TEST(ScenarioLoaderTest, SaysThatAFileDoesNotExist) {
  const LoadResult loaded = LoadScenarioFile("no/such.scn.json");
  EXPECT_EQ(loaded.ErrorText(),
            "no/such.scn.json:1:1: (root): cannot read the file: there is no such file\n");
}

TEST(ScenarioLoaderTest, SaysThatAFolderIsNoFile) {
  EXPECT_THAT(LoadScenarioFile("/").ErrorText(), HasSubstr("it is a folder"));
}

// ---- what is read ----

// What limits and dialects get wrong: `problem` is a part of what is said.
class LimitMutationTest : public ::testing::TestWithParam<MutationRow> {};

TEST_P(LimitMutationTest, IsReportedAtItsPlace) {
  const LoadResult loaded = Load(Replaced(std::string(kBase), GetParam().from, GetParam().to));
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.diagnostics.front().ToString(), HasSubstr(GetParam().problem));
}

const MutationRow kLimitMutations[] = {
    {"UnknownDialect", R"("window": "1m" })", R"("window": "1m", "dialect": "githb" })",
     R"(t.scn.json:13:72: /vendor/limits/0/dialect: there is no dialect "githb"; did you mean "github"?)"},
    {"UnknownDialectForm", R"("window": "1m" })",
     R"("window": "1m", "dialect": "github/secondry" })",
     R"(the dialect "github" has no form "secondry"; did you mean "secondary"?)"},
    {"UnknownLimitRoute", R"("window": "1m" })",
     R"("window": "1m", "scope": { "routes": ["ordrs"] } })",
     R"(/vendor/limits/0/scope/routes/0: the vendor "vendor" has no route "ordrs"; did you mean "orders"?)"},
    {"UnknownCostRoute", R"("window": "1m" })",
     R"("window": "1m", "cost": [ { "routes": ["ordrs"], "points": 2 } ] })",
     R"(/vendor/limits/0/cost/0/routes/0: the vendor "vendor" has no route "ordrs")"},
    {"UnknownScopeKey", R"("window": "1m" })", R"("window": "1m", "scope": { "route": ["a"] } })",
     R"(did you mean "routes"?)"},
    {"PerNeedsOneName", R"("window": "1m" })",
     R"("window": "1m", "scope": { "per": { "header": "A", "query": "b" } } })",
     R"(/vendor/limits/0/scope/per: "per" names one header or one query parameter)"},
    {"PerUnknownWord", R"("window": "1m" })", R"("window": "1m", "scope": { "per": "tokn" } })",
     R"(did you mean "token"?)"},
    {"EmptyLimitRoutes", R"("window": "1m" })", R"("window": "1m", "scope": { "routes": [] } })",
     "an empty list means nothing at all; leave it out"},
    {"WindowMissing", R"(, "window": "1m" })", R"( })",
     "/vendor/limits/0: the key \"window\" is missing"},
    {"EveryOfAFixedWindow", R"("window": "1m" })", R"("every": "1s" })",
     "/vendor/limits/0/every: only a bucket gives points back one by one"},
    {"EveryAndWindow", R"("window": "1m" })",
     R"("window": "1m", "every": "1s", "kind": "token-bucket" })", "not both"},
    {"EveryForEver", R"("max": 10, "window": "1m" })",
     R"("max": 1000000000, "every": "1h", "kind": "leaky-bucket" })", "would take for ever"},
    {"DialectPackWrong", R"("webhooks": [ {)",
     R"("dialects": { "mine": { "forms": { "f": { "headers": { "X": "{remaning}" } } } } },
    "webhooks": [ {)",
     R"(/vendor/dialects/mine/forms/f/headers/X: "{remaning}" is no place that can be filled in; did you mean "remaining"?)"},
    {"DialectFileMissing", R"("webhooks": [ {)",
     R"("dialects": { "mine": { "file": "no-such.json" } }, "webhooks": [ {)",
     R"(/vendor/dialects/mine/file: cannot read "no-such.json")"},
};

INSTANTIATE_TEST_SUITE_P(Rows, LimitMutationTest, ::testing::ValuesIn(kLimitMutations),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ScenarioLoaderTest, ReadsEverythingThatALimitMaySay) {
  std::string text(kBase);
  const std::string before = R"("limits": [ { "id": "quota", "max": 10, "window": "1m" } ],)";
  const std::size_t at = text.find(before);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, before.size(),
               R"("dialects": { "mine": { "forms": { "f": { "headers": { "X": "{limit}" } } } } },
    "limits": [
      { "id": "bucket", "max": 40, "every": "500ms", "kind": "leaky-bucket", "dialect": "shopify-rest" },
      { "id": "permits", "max": 3, "kind": "concurrency", "dialect": "mine/f",
        "scope": { "per": { "header": "X-Key" }, "each_route": true, "callers": 7 } },
      { "id": "points", "max": 900, "window": "1m", "dialect": "github/secondary",
        "scope": { "routes": ["orders"], "methods": ["GET", "POST"], "per": "token" },
        "cost": [ { "methods": ["GET"], "points": 1 }, { "points": 5 } ] },
      { "id": "flat", "max": 900, "window": "1m", "cost": 3 } ],)");
  const VendorSpec vendor = LoadOne(text).vendors.at("vendor");
  ASSERT_THAT(vendor.limits, SizeIs(4));
  EXPECT_EQ(vendor.limits[0].kind, LimitSpec::Kind::kLeakyBucket);
  EXPECT_EQ(vendor.limits[0].window, seconds(20));
  EXPECT_EQ(vendor.limits[0].dialect, "shopify-rest");
  EXPECT_EQ(vendor.limits[1].kind, LimitSpec::Kind::kConcurrency);
  EXPECT_EQ(vendor.limits[1].scope.per, LimitScope::Per::kHeader);
  EXPECT_EQ(vendor.limits[1].scope.name, "X-Key");
  EXPECT_TRUE(vendor.limits[1].scope.each_route);
  EXPECT_EQ(vendor.limits[1].scope.callers, 7);
  EXPECT_THAT(vendor.limits[2].scope.routes, ElementsAre("orders"));
  EXPECT_THAT(vendor.limits[2].scope.methods, ElementsAre("GET", "POST"));
  EXPECT_EQ(vendor.limits[2].scope.per, LimitScope::Per::kToken);
  ASSERT_THAT(vendor.limits[2].costs, SizeIs(2));
  EXPECT_THAT(vendor.limits[2].costs[0].methods, ElementsAre("GET"));
  EXPECT_EQ(vendor.limits[2].costs[1].points, 5);
  EXPECT_EQ(vendor.limits[3].costs[0].points, 3);
  ASSERT_THAT(vendor.dialects, SizeIs(1));
  EXPECT_EQ(vendor.dialects[0].name, "mine");
}

TEST(ScenarioLoaderTest, ReadsEverySection) {
  const Scenario scenario = LoadOne(std::string(kBase));
  EXPECT_EQ(scenario.file, "t.scn.json");
  EXPECT_EQ(scenario.name, "the base");
  EXPECT_THAT(scenario.tags, ElementsAre("a-tag"));
  EXPECT_EQ(scenario.clock.start, SystemTime(seconds(1'767'225'600)));
  EXPECT_EQ(scenario.clock.limit, hours(72));
  const VendorSpec& vendor = scenario.vendors.at("vendor");
  EXPECT_EQ(vendor.routes[0].latency->low, milliseconds(20));
  EXPECT_EQ(vendor.routes[0].responses[0].times, 5);
  EXPECT_EQ(vendor.routes[0].responses[1].body, R"({"id":"o1"})");
  EXPECT_EQ(vendor.routes[1].responses[0].fault, FaultKind::kReset);
  EXPECT_EQ(vendor.oauth->ttl, hours(1));
  EXPECT_EQ(vendor.limits[0].max, 10);
  EXPECT_THAT(vendor.webhooks[0].retry, ElementsAre(seconds(5)));
  EXPECT_EQ(scenario.client.operations.at("get_order").vendor, "vendor");
  EXPECT_TRUE(scenario.modes.sim);
  EXPECT_TRUE(scenario.modes.wire.enabled);
  EXPECT_EQ(scenario.modes.wire.tolerance, milliseconds(50));
  EXPECT_EQ(scenario.explore->seeds, 10);
  EXPECT_EQ(scenario.explore->pinned[0].replay, "s1:ab.1");
  EXPECT_THAT(scenario.places, ::testing::Contains(::testing::Key("route vendor/orders")));
}

TEST(ScenarioLoaderTest, ReadsStepsWithTheirPlacesAndGeneratedIds) {
  const Scenario scenario = LoadOne(std::string(kBase));
  ASSERT_THAT(scenario.steps, SizeIs(6));
  EXPECT_EQ(scenario.steps[0].id, "fail");
  EXPECT_EQ(std::get<CallStep>(scenario.steps[0].action).args, R"({"id":"o1"})");
  EXPECT_EQ(scenario.steps[1].id, "step-2");
  EXPECT_TRUE(scenario.steps[1].generated_id);
  EXPECT_EQ(scenario.steps[1].at.position.line, 20U);
  EXPECT_EQ(scenario.steps[1].at.pointer, "/steps/1");
  EXPECT_EQ(std::get<WaitStep>(scenario.steps[2].action).match.where,
            (std::vector<FieldPredicate>{{"to", "\"open\""}}));
  EXPECT_EQ(std::get<DeliverStep>(scenario.steps[3].action).vendor, "vendor");
  EXPECT_EQ(std::get<CrashStep>(scenario.steps[4].action).after->event, "effect");
  EXPECT_EQ(std::get<SetStep>(scenario.steps[5].action).respond[0].status, 500);
}

TEST(ScenarioLoaderTest, NumbersStepsInLanesDepthFirst) {
  const Scenario scenario =
      LoadOne(Replaced(std::string(kBase), R"({ "advance": "30s" })",
                       R"({ "parallel": [ [ { "advance": "1s" } ], [ { "advance": "2s" } ] ] })"));
  const auto& lanes = std::get<ParallelStep>(scenario.steps[1].action).lanes;
  ASSERT_THAT(lanes, SizeIs(2));
  EXPECT_EQ(scenario.steps[1].id, "step-2");
  EXPECT_EQ(lanes[0][0].id, "step-3");
  EXPECT_EQ(lanes[1][0].id, "step-4");
  EXPECT_EQ(scenario.steps[2].id, "step-5");
}

TEST(ScenarioLoaderTest, ReadsExpectationsWithTheirSourceLines) {
  const Scenario scenario = LoadOne(std::string(kBase));
  ASSERT_THAT(scenario.expects, SizeIs(5));
  const auto& sequence = std::get<SequenceExpect>(scenario.expects[0].kind);
  EXPECT_THAT(sequence.project, ElementsAre("from", "to"));
  EXPECT_THAT(sequence.items, ElementsAre(ElementsAre(FieldPredicate{"from", "\"closed\""},
                                                      FieldPredicate{"to", "\"open\""})));
  EXPECT_EQ(std::get<CountExpect>(scenario.expects[1].kind).is, 5);
  EXPECT_EQ(scenario.expects[1].source_line,
            R"({ "id": "total", "count": { "event": "http.request" }, "is": 5 },)");
  EXPECT_EQ(scenario.expects[1].at.ToString(), "t.scn.json:27:5");
  EXPECT_EQ(std::get<NeverExpect>(scenario.expects[2].kind).between->to.event, "crash");
  EXPECT_EQ(std::get<AlwaysExpect>(scenario.expects[3].kind).gauge, GaugeKind::kOpen);
  EXPECT_EQ(std::get<GapExpect>(scenario.expects[4].kind).min, seconds(1));
}

TEST(ScenarioLoaderTest, ASequenceWithoutProjectComparesTheFieldsOfItsItems) {
  const Scenario scenario = LoadOne(
      Replaced(std::string(kBase), R"("project": ["from", "to"], "sequence": [["closed", "open"]])",
               R"("sequence": [{ "to": "open" }, { "from": "open", "to": "half-open" }])"));
  const auto& sequence = std::get<SequenceExpect>(scenario.expects[0].kind);
  EXPECT_THAT(sequence.project, ElementsAre("to", "from"));
  ASSERT_THAT(sequence.items, SizeIs(2));
  EXPECT_THAT(sequence.items[1], SizeIs(2));
}

TEST(ScenarioLoaderTest, ReadsTheWindowsOfABreaker) {
  const auto breaker = [](std::string_view options) {
    const Scenario scenario =
        LoadOne(Replaced(std::string(kBase), R"({ "open_for": "${open_for}" })", options));
    return *scenario.client.Find<BreakerOptions>();
  };
  const BreakerOptions rate =
      breaker(R"({ "failure_rate": 0.25, "min_calls": 4, "slow_rate": 0.5, "slow_call": "2s",
                   "open_for": "${open_for}", "open_growth": 2, "ramp_up": "9s" })");
  EXPECT_EQ(rate.kind, BreakerWindowKind::kTime);
  EXPECT_EQ(rate.failure_rate, 0.25);
  EXPECT_EQ(rate.min_calls, 4);
  EXPECT_EQ(rate.slow_call, seconds(2));
  EXPECT_EQ(rate.open_growth, 2.0);
  EXPECT_EQ(rate.ramp_up, seconds(9));
  const BreakerOptions count =
      breaker(R"({ "calls": 20, "failure_rate": 0.5, "open_for": "${open_for}" })");
  EXPECT_EQ(count.kind, BreakerWindowKind::kCount);
  EXPECT_EQ(count.calls, 20);
}

TEST(ScenarioLoaderTest, ReadsEveryPolicyOfTheStack) {
  const Scenario scenario = LoadOne(Replaced(
      std::string(kBase),
      R"({ "retry": { "attempts": 3 } }, { "breaker": { "open_for": "${open_for}" } })",
      R"({ "fallback": { "json": { "a": 1 }, "status": 203 } }, { "cache": { "ttl": "1m", "stale_if_error": "1h" } },
         { "deadline": { "total": "2s", "attempt": "500ms" } }, { "hedge": { "after": "50ms", "max": 2 } },
         { "retry": { "max_attempts": 4, "base": "10ms", "max_backoff": "1s", "jitter": "none", "budget": false,
                      "generate_keys": true } },
         { "breaker": { "failures": 7, "scope": "operation", "half_open_max": "5s" } },
         { "quota": { "dialect": "github", "wait_max": "7s", "keep_back": 0.1, "pace_below": 0.5 } },
         { "rate_limit": { "max": 10, "window": "1s", "burst": 3, "algorithm": "sliding-window" } },
         { "bulkhead": { "max": 4, "queue": 2, "wait": "1s", "adaptive": "vegas", "min": 2, "initial": 3 } },
         { "auth": { "oauth": { "refresh_skew": "1m" } } },
         { "audit": { "must": true, "attempts": false, "wait": "2s", "sink_fails": { "from": "3s", "until": "4s" } } },
         { "health": { "probe": "get_order", "every": "7s", "timeout": "3s", "failures": 4, "successes": 5,
                       "critical": false } })"));
  const ClientSpec& client = scenario.client;
  ASSERT_THAT(client.stack, SizeIs(std::size(kPolicyNames)));
  const auto& audit = *client.Find<AuditOptions>();
  EXPECT_TRUE(audit.must);
  EXPECT_FALSE(audit.attempts);
  EXPECT_EQ(audit.wait, seconds(2));
  EXPECT_EQ(audit.fails_from, seconds(3));
  EXPECT_EQ(audit.fails_until, seconds(4));
  const auto& health = *client.Find<HealthOptions>();
  EXPECT_EQ(health.probe, "get_order");
  EXPECT_EQ(health.every, seconds(7));
  EXPECT_EQ(health.timeout, seconds(3));
  EXPECT_EQ(health.failures, 4);
  EXPECT_EQ(health.successes, 5);
  EXPECT_FALSE(health.critical);
  for (std::size_t i = 0; i < client.stack.size(); ++i)
    EXPECT_EQ(PolicyName(client.stack[i]), kPolicyNames[i]);
  EXPECT_EQ(client.Find<QuotaOptions>()->dialect, "github");
  EXPECT_EQ(client.Find<QuotaOptions>()->wait_max, seconds(7));
  EXPECT_EQ(client.Find<QuotaOptions>()->pace_below, 0.5);
  EXPECT_TRUE(client.Find<RateLimitOptions>()->sliding);
  EXPECT_EQ(client.Find<BulkheadOptions>()->adaptive, AdaptiveKind::kVegas);
  EXPECT_EQ(client.Find<BulkheadOptions>()->initial, 3);
  EXPECT_EQ(client.Find<FallbackOptions>()->json, R"({"a":1})");
  EXPECT_EQ(client.Find<FallbackOptions>()->status, 203);
  EXPECT_EQ(client.Find<CacheOptions>()->stale_if_error, hours(1));
  EXPECT_EQ(client.Find<DeadlineOptions>()->attempt, milliseconds(500));
  EXPECT_EQ(client.Find<HedgeOptions>()->max, 2);
  const RetryOptions& retry = *client.Find<RetryOptions>();
  EXPECT_EQ(retry.attempts, 4);
  EXPECT_EQ(retry.backoff, milliseconds(10));
  EXPECT_EQ(retry.backoff_max, seconds(1));
  EXPECT_EQ(retry.jitter, RetryJitter::kNone);
  EXPECT_FALSE(retry.budget.has_value());
  EXPECT_TRUE(retry.generate_keys);
  EXPECT_EQ(client.Find<BreakerOptions>()->failures, 7);
  EXPECT_EQ(client.Find<BreakerOptions>()->scope, BreakerScope::kOperation);
  EXPECT_EQ(client.Find<RateLimitOptions>()->burst, 3);
  EXPECT_EQ(client.Find<BulkheadOptions>()->queue, 2);
  EXPECT_EQ(std::get<OAuthAuth>(client.Find<AuthOptions>()->method).refresh_skew, seconds(60));
}

TEST(ScenarioLoaderTest, APolicyWithoutOptionsHasTheDocumentedDefaults) {
  const Scenario scenario = LoadOne(Replaced(std::string(kBase), R"({ "attempts": 3 })", "{}"));
  const RetryOptions& retry = *scenario.client.Find<RetryOptions>();
  EXPECT_EQ(retry.attempts, 3);
  EXPECT_EQ(retry.backoff, milliseconds(100));
  EXPECT_EQ(retry.budget->min, 10);
  EXPECT_TRUE(retry.respect_retry_after);
}

TEST(ScenarioLoaderTest, WireIsOffByDefaultWhereThereIsAReasonAgainstIt) {
  const Scenario scenario =
      LoadOne(Replaced(std::string(kBase), R"("sim": true, "wire": { "clock": "skip" })",
                       R"("sim_only_because": "needs a reset in mid-air")"));
  EXPECT_FALSE(scenario.modes.wire.enabled);
}

TEST(ScenarioLoaderTest, BothModesRunWithoutModes) {
  const Scenario scenario =
      LoadOne(Replaced(std::string(kBase),
                       R"("modes": { "sim": true, "wire": { "clock": "skip" } })", R"("x-m": 0)"));
  EXPECT_TRUE(scenario.modes.sim);
  EXPECT_TRUE(scenario.modes.wire.enabled);
}

TEST(ScenarioLoaderTest, TheOnlyVendorIsTheVendorOfEveryOperation) {
  std::string text =
      Replaced(std::string(kBase), "\"vendor\": {\n", "\"vendors\": { \"acme\": {\n");
  text = Replaced(text, "\"retry\": [\"5s\"] } ] },", "\"retry\": [\"5s\"] } ] } },");
  EXPECT_EQ(LoadOne(text).client.operations.at("get_order").vendor, "acme");
}

// ---- parameters ----

TEST(ScenarioParametersTest, KeepTheirTypeAloneAndBecomeTextInsideText) {
  std::string text = Replaced(std::string(kBase), "\"is\": 5", "\"is\": \"${n}\"");
  text = Replaced(text, "the base", "${n} calls in ${open_for}, $${n} as is");
  const Scenario scenario = LoadOne(text);
  EXPECT_EQ(std::get<CountExpect>(scenario.expects[1].kind).is, 5);
  EXPECT_EQ(scenario.name, "5 calls in 30s, ${n} as is");
  EXPECT_EQ(scenario.client.Find<BreakerOptions>()->open_for, seconds(30));
}

TEST(ScenarioParametersTest, ATextParameterIsNoInteger) {
  const LoadResult loaded =
      Load(Replaced(std::string(kBase), "\"is\": 5", "\"is\": \"${open_for}\""));
  EXPECT_EQ(
      loaded.diagnostics.front().ToString(),
      "t.scn.json:27:66: /expect/1/is: expected an integer of at least 0, got the string \"30s\"");
}

TEST(ScenarioParametersTest, AnUnknownOneIsReportedOnceWithoutWhatFollowsFromIt) {
  EXPECT_THAT(Load(Replaced(std::string(kBase), "\"is\": 5", "\"is\": \"${m}\"")).diagnostics,
              SizeIs(1));
}

TEST(ScenarioParametersTest, RememberWhichOnesAreUsed) {
  const Scenario scenario = LoadOne(std::string(kBase));
  ASSERT_THAT(scenario.params, SizeIs(2));
  EXPECT_TRUE(scenario.params[0].used);
  EXPECT_FALSE(scenario.params[1].used);
}

TEST(ScenarioMatrixTest, MultipliesInTheOrderOfDeclaration) {
  const LoadResult loaded =
      Load(Replaced(Replaced(std::string(kBase), "\"params\"",
                             R"("matrix": { "z": [2, 50], "a": ["0ms", "5s"] }, "params")"),
                    "\"is\": 5", "\"is\": \"${z}\""));
  ASSERT_TRUE(loaded.ok()) << loaded.ErrorText();
  std::vector<std::string> ids;
  for (const Cell& cell : loaded.cells) ids.push_back(cell.id);
  EXPECT_THAT(ids, ElementsAre("z=2,a=0ms", "z=2,a=5s", "z=50,a=0ms", "z=50,a=5s"));
  EXPECT_EQ(loaded.cells[3].scenario.cell, "z=50,a=5s");
  EXPECT_EQ(std::get<CountExpect>(loaded.cells[0].scenario.expects[1].kind).is, 2);
  EXPECT_EQ(std::get<CountExpect>(loaded.cells[3].scenario.expects[1].kind).is, 50);
}

TEST(ScenarioMatrixTest, HasABoundOnItsCells) {
  LoadOptions options;
  options.max_cells = 4;
  const std::string two_by_two = Replaced(std::string(kBase), "\"params\"",
                                          R"("matrix": { "a": [1, 2], "b": [1, 2] }, "params")");
  EXPECT_THAT(Load(two_by_two, options).cells, SizeIs(4));
  options.max_cells = 3;
  EXPECT_EQ(Load(two_by_two, options).diagnostics.front().ToString(),
            "t.scn.json:5:3: /matrix: the matrix has more than 3 cells");
}

// ---- use ----

using Files = std::map<std::string, std::string>;

LoadResult LoadFrom(const Files& files, const std::string& path) {
  LoadOptions options;
  options.read_file = [files](const std::string& name) -> Result<std::string> {
    const auto found = files.find(name);
    if (found == files.end())
      return Error{.code = ErrorCode::kNotFound, .message = "there is no such file"};
    return found->second;
  };
  return LoadScenarioFile(path, options);
}

std::string Using(std::string_view names) {
  return Replaced(std::string(kBase), "\"format\": 1,",
                  "\"format\": 1, \"use\": [" + std::string(names) + "],");
}

TEST(ScenarioUseTest, AppendsVendorOperationsAndExpectations) {
  const LoadResult loaded = LoadFrom(
      {{"s/a.scn.json", Using("\"../v/acme.json\"")},
       {"v/acme.json",
        R"({ "vendor": { "routes": [ { "id": "more", "match": {}, "respond": [ { "status": 200 } ] } ] },
  "vendors": { "acme": { "routes": [] } },
  "client": { "operations": { "list": { "vendor": "acme", "method": "GET", "path": "/" } } },
  "expect": [ { "id": "extra", "count": { "event": "call.end" }, "min": 1 } ] })"}},
      "s/a.scn.json");
  ASSERT_TRUE(loaded.ok()) << loaded.ErrorText();
  const Scenario& scenario = loaded.cells.front().scenario;
  EXPECT_THAT(scenario.vendors.at("vendor").routes, SizeIs(3));
  EXPECT_THAT(scenario.vendors, SizeIs(2));
  EXPECT_EQ(scenario.client.operations.at("list").vendor, "acme");
  EXPECT_EQ(scenario.expects.back().id, "extra");
  EXPECT_EQ(scenario.expects.back().at.ToString(), "v/acme.json:4:15");
}

TEST(ScenarioUseTest, PutsTheParametersOfTheScenarioIntoUsedFiles) {
  const LoadResult loaded = LoadFrom(
      {{"a.scn.json", Using("\"e.json\"")},
       {"e.json",
        R"({ "expect": [ { "id": "x", "count": { "event": "call.end" }, "is": "${n}" } ] })"}},
      "a.scn.json");
  ASSERT_TRUE(loaded.ok()) << loaded.ErrorText();
  EXPECT_EQ(std::get<CountExpect>(loaded.cells[0].scenario.expects.back().kind).is, 5);
}

struct UseRow {
  const char* name;
  Files files;
  const char* problem;
};

class UseProblemTest : public ::testing::TestWithParam<UseRow> {};

TEST_P(UseProblemTest, IsReportedAtItsPlace) {
  const LoadResult loaded = LoadFrom(GetParam().files, "a.scn.json");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.diagnostics.front().ToString(), GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, UseProblemTest,
    ::testing::Values(
        UseRow{"Missing",
               {{"a.scn.json", Using("\"b.json\"")}},
               "a.scn.json:2:24: /use/0: cannot use \"b.json\": there is no such file; paths are "
               "relative to the folder of this file"},
        UseRow{"Cycle",
               {{"a.scn.json", Using("\"b.json\"")}, {"b.json", R"({ "use": ["a.scn.json"] })"}},
               "b.json:1:11: /use/0: \"use\" goes in a circle: a.scn.json -> b.json -> a.scn.json"},
        UseRow{"Itself",
               {{"a.scn.json", Using("\"./a.scn.json\"")}},
               "a.scn.json:2:24: /use/0: \"use\" goes in a circle: a.scn.json -> a.scn.json"},
        UseRow{"Twice",
               {{"a.scn.json", Using("\"b.json\", \"./b.json\"")}, {"b.json", "{}"}},
               "a.scn.json:2:34: /use/1: \"./b.json\" is listed twice; remove one of them"},
        UseRow{
            "DuplicateRoute",
            {{"a.scn.json", Using("\"b.json\"")},
             {"b.json",
              R"({ "vendor": { "routes": [ { "id": "orders", "match": {}, "respond": [ { "status": 200 } ] } ] } })"}},
            "b.json:1:35: /vendor/routes/0/id: duplicate route id \"orders\", first at "
            "a.scn.json:9:15; ids are unique; rename one of them"},
        UseRow{
            "DuplicateExpectation",
            {{"a.scn.json", Using("\"b.json\"")},
             {"b.json",
              R"({ "expect": [ { "id": "total", "count": { "event": "retry" }, "min": 1 } ] })"}},
            "b.json:1:23: /expect/0/id: duplicate expectation id \"total\", first at "
            "a.scn.json:27:13; ids are unique; rename one of them"},
        UseRow{"SecondOauth",
               {{"a.scn.json", Using("\"b.json\"")},
                {"b.json", R"({ "vendor": { "oauth": { "path": "/t", "ttl": "1h" } } })"}},
               "b.json:1:24: /vendor/oauth: the vendor \"vendor\" has an \"oauth\" already, at "
               "a.scn.json:12:14"},
        UseRow{"SyntaxError",
               {{"a.scn.json", Using("\"b.json\"")}, {"b.json", "{"}},
               "b.json:1:2: (root): the text ends inside the object that begins at line 1, column "
               "1; is the file truncated?"},
        UseRow{"SectionThatCannotBeUsed",
               {{"a.scn.json", Using("\"b.json\"")}, {"b.json", R"({ "steps": [] })"}},
               "b.json:1:3: /steps: unknown key \"steps\"; the keys here are \"$schema\", "
               "\"format\", \"use\", \"vendor\", \"vendors\", \"client\" or \"expect\""},
        UseRow{
            "StackThatCannotBeUsed",
            {{"a.scn.json", Using("\"b.json\"")}, {"b.json", R"({ "client": { "stack": [] } })"}},
            "b.json:1:15: /client/stack: unknown key \"stack\"; the keys here are \"operations\""}),
    [](const auto& row) { return row.param.name; });

TEST(ScenarioUseTest, AFileThatTwoFilesUseCountsOnce) {
  const LoadResult loaded = LoadFrom(
      {{"a.scn.json", Using("\"b.json\", \"c.json\"")},
       {"b.json", R"({ "use": ["d.json"] })"},
       {"c.json", R"({ "use": ["d.json"] })"},
       {"d.json", R"({ "expect": [ { "id": "d", "count": { "event": "retry" }, "min": 1 } ] })"}},
      "a.scn.json");
  EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
}

TEST(ScenarioUseTest, NestsEightDeepAndNoDeeper) {
  const auto chain = [](int depth) {
    Files files = {{"a.scn.json", Using("\"1.json\"")}};
    for (int i = 1; i <= depth; ++i) {
      const std::string next = i == depth ? "" : "\"" + std::to_string(i + 1) + ".json\"";
      files[std::to_string(i) + ".json"] = "{ \"use\": [" + next + "] }";
    }
    return LoadFrom(files, "a.scn.json");
  };
  EXPECT_TRUE(chain(8).ok());
  EXPECT_EQ(chain(9).diagnostics.front().ToString(),
            "8.json:1:11: /use/0: \"use\" is nested more than 8 files deep");
}

TEST(ScenarioUseTest, ReadsBodyFilesFromTheFolderOfTheFileThatNamesThem) {
  const LoadResult loaded = LoadFrom(
      {{"a.scn.json", Using("\"v/b.json\"")},
       {"v/b.json",
        R"({ "vendors": { "acme": { "routes": [ { "id": "r", "match": {}, "respond": [ { "body_file": "b.xml" } ] } ] } } })"},
       {"v/b.xml", "<a/>"}},
      "a.scn.json");
  ASSERT_TRUE(loaded.ok()) << loaded.ErrorText();
  const ResponseSpec& response = loaded.cells[0].scenario.vendors.at("acme").routes[0].responses[0];
  EXPECT_EQ(response.body, "<a/>");
  EXPECT_EQ(response.content_type, "application/xml");
}

// ---- programs ----

LoadResult LoadWithProgram(const std::string& program) {
  LoadOptions options;
  options.program_operations =
      [](std::string_view name) -> std::optional<std::vector<std::string>> {
    if (name != "known") return std::nullopt;
    return std::vector<std::string>{"list_orders"};
  };
  return Load(Replaced(Replaced(std::string(kBase), "\"client\": {",
                                "\"client\": { \"program\": \"" + program + "\","),
                       "\"call\": \"get_order\"", "\"call\": \"list_ordres\""),
              options);
}

TEST(ScenarioProgramTest, AnUnknownProgramIsAnError) {
  EXPECT_EQ(LoadWithProgram("orders").diagnostics.front().ToString(),
            "t.scn.json:15:26: /client/program: unknown program \"orders\"; is it linked into this "
            "binary?");
}

TEST(ScenarioProgramTest, AnOperationThatTheProgramLacksIsAnError) {
  EXPECT_EQ(LoadWithProgram("known").diagnostics.front().ToString(),
            "t.scn.json:19:29: /steps/0/call: unknown operation \"list_ordres\"; did you mean "
            "\"list_orders\"?");
}

TEST(ScenarioProgramTest, WithoutACallbackProgramsAreNotChecked) {
  EXPECT_TRUE(Load(Replaced(Replaced(std::string(kBase), "\"client\": {",
                                     "\"client\": { \"program\": \"p\","),
                            "\"call\": \"get_order\"", "\"call\": \"anything\""))
                  .ok());
}

// ---- the published examples, and robustness ----

class ExampleTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string Path() {
    return std::string(UNDERSTUDY_SHARED_DIR) + "/spec/scenario/" + GetParam();
  }
};

TEST_P(ExampleTest, LoadsUnchanged) {
  std::ifstream stream(Path());
  if (!stream) GTEST_SKIP() << Path() << " is not there";
  const LoadResult loaded = LoadScenarioFile(Path());
  EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
  EXPECT_FALSE(loaded.cells.empty());
}

INSTANTIATE_TEST_SUITE_P(Files, ExampleTest,
                         ::testing::Values("breaker.scn.json", "token.scn.json",
                                           "webhook.scn.json"),
                         [](const auto& row) {
                           const std::string file = row.param;
                           return file.substr(0, file.find('.'));
                         });

TEST(ScenarioLoaderTest, TheExampleOfTheUserGuideLoads) {
  std::ifstream stream(std::string(UNDERSTUDY_SOURCE_DIR) + "/docs/scenario-format.md");
  const std::string page{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::string fence = "```jsonc\n";
  const std::size_t begin = page.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = page.find("```", begin + fence.size());
  const LoadResult loaded = Load(page.substr(begin + fence.size(), end - begin - fence.size()));
  EXPECT_TRUE(loaded.ok()) << loaded.ErrorText();
}

TEST(ScenarioLoaderTest, TextCutAtAnyByteIsAnErrorWithAPlaceInTheText) {
  const std::string text(kBase);
  const std::size_t whole = text.rfind('}') + 1;
  for (std::size_t size = 0; size < whole; ++size) {
    const LoadResult loaded = Load(text.substr(0, size));
    ASSERT_FALSE(loaded.ok()) << "cut at byte " << size;
    const Diagnostic& problem = loaded.diagnostics.front();
    ASSERT_FALSE(problem.message.empty());
    ASSERT_LE(problem.line, 35U);
  }
}

TEST(ScenarioLoaderTest, AnyByteChangedNeverCrashes) {
  const std::string text(kBase);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char byte : {'\0', '"', '}', '$', '9', '\xFF'}) {
      std::string changed = text;
      changed[at] = byte;
      const LoadResult loaded = Load(std::move(changed));
      ASSERT_EQ(loaded.ok(), !loaded.cells.empty()) << "byte " << at;
    }
  }
}

// ---- dates ----

TEST(Rfc3339Test, ReadsOffsetsAndFractions) {
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:00Z"), SystemTime());
  EXPECT_EQ(ParseRfc3339("1970-01-01T02:00:00.5+02:00"), SystemTime(milliseconds(500)));
  EXPECT_EQ(ParseRfc3339("1970-01-01T00:00:01-00:30"), SystemTime(seconds(1801)));
  EXPECT_EQ(ParseRfc3339("2024-02-29T23:59:59Z"), SystemTime(seconds(1'709'251'199)));
}

TEST(Rfc3339Test, RefusesWhatIsNoDate) {
  for (const char* text :
       {"", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Zx", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00+0200"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace understudy::harness
