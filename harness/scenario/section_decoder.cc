#include "harness/scenario/section_decoder.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "harness/scenario/rfc3339.h"

namespace understudy::harness {
namespace {

constexpr IntRange kSeedRange = {1, 1'000'000'000};
constexpr IntRange kPreemptionRange = {0, 1'000'000};

constexpr Word<AgreeOn> kAgreeOn[] = {{"outcomes", AgreeOn::kOutcomes},
                                      {"transitions", AgreeOn::kTransitions},
                                      {"counts", AgreeOn::kCounts},
                                      {"lane-order", AgreeOn::kLaneOrder},
                                      {"effects", AgreeOn::kEffects}};
constexpr Word<SchedulerKind> kSchedulers[] = {{"random", SchedulerKind::kRandom},
                                               {"pct", SchedulerKind::kPct},
                                               {"urw", SchedulerKind::kUrw},
                                               {"round-robin", SchedulerKind::kRoundRobin},
                                               {"exhaustive", SchedulerKind::kExhaustive}};
constexpr Word<ExploreFault> kExploreFaults[] = {
    {"crash", ExploreFault::kCrash},
    {"duplicate-delivery", ExploreFault::kDuplicateDelivery},
    {"reorder-delivery", ExploreFault::kReorderDelivery},
    {"drop-ack", ExploreFault::kDropAck},
    {"latency", ExploreFault::kLatency},
    {"reset", ExploreFault::kReset},
    {"clock-jump", ExploreFault::kClockJump},
    {"dns-fail", ExploreFault::kDnsFail}};
constexpr Word<FaultPoint> kFaultPoints[] = {{"any-yield", FaultPoint::kAnyYield},
                                             {"before-effect", FaultPoint::kBeforeEffect},
                                             {"after-effect", FaultPoint::kAfterEffect},
                                             {"before-ack", FaultPoint::kBeforeAck}};

// The schema's ^[a-z0-9][a-z0-9-]*$
bool IsTag(std::string_view text) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && word(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return word(c) || c == '-'; });
}

void DecodeTags(const NodeReader& reader, std::vector<std::string>& tags) {
  for (const NodeReader& item : reader.Items()) {
    auto tag = item.AsString();
    if (!tag) continue;
    if (!IsTag(*tag))
      item.Error("\"" + *tag + "\" is no tag", "use lower-case letters, digits and \"-\"");
    if (std::find(tags.begin(), tags.end(), *tag) != tags.end())
      item.Error("the tag \"" + *tag + "\" is listed twice");
    tags.push_back(*std::move(tag));
  }
}

void DecodeClock(const NodeReader& reader, ClockSpec& clock) {
  if (!reader.ExpectKeys({"start", "skew", "limit"})) return;
  if (const auto start = reader.Find("start")) {
    if (const auto text = start->AsString()) {
      const auto time = ParseRfc3339(*text);
      if (time) {
        clock.start = *time;
      } else {
        start->Error("\"" + *text + "\" is no date and time of RFC 3339",
                     "write e.g. \"2026-01-01T00:00:00Z\"");
      }
    }
  }
  reader.Read("skew", clock.skew);
  reader.Read("limit", clock.limit);
  if (clock.limit <= Duration::zero())
    reader.Find("limit")->Error("\"limit\" must be longer than zero");
}

void DecodeWire(const NodeReader& reader, WireSpec& wire) {
  static constexpr Word<WireTime> kClocks[] = {{"skip", WireTime::kSkip},
                                               {"real", WireTime::kReal}};
  if (reader.node().kind() == JsonNode::Kind::kBoolean) {
    wire.enabled = reader.node().boolean();
    return;
  }
  wire.enabled = true;
  if (!reader.node().IsObject()) {
    reader.Error("\"wire\" is true, false or an object, got " +
                 std::string(reader.node().KindName()));
    return;
  }
  reader.ExpectKeys({"clock", "tolerance"});
  reader.ReadWord("clock", wire.clock, kClocks);
  reader.Read("tolerance", wire.tolerance);
}

// The names that a fault of this kind may strike.
std::set<std::string> FaultTargets(ExploreFault fault, const Scenario& scenario,
                                   const std::vector<std::string>& crash_targets) {
  std::set<std::string> targets;
  switch (fault) {
    case ExploreFault::kCrash:
      targets.insert(crash_targets.begin(), crash_targets.end());
      break;
    case ExploreFault::kDuplicateDelivery:
    case ExploreFault::kReorderDelivery:
    case ExploreFault::kDropAck:
      for (const auto& [name, vendor] : scenario.vendors) {
        for (const WebhookSpec& webhook : vendor.webhooks) targets.insert(webhook.id);
      }
      break;
    case ExploreFault::kClockJump:
      targets = {"client", "vendor"};
      break;
    case ExploreFault::kLatency:
    case ExploreFault::kReset:
    case ExploreFault::kDnsFail:
      for (const auto& [name, vendor] : scenario.vendors) {
        targets.insert(name);
        if (vendor.oauth) targets.insert("oauth");
        for (const RouteSpec& route : vendor.routes) targets.insert(route.id);
      }
      break;
  }
  return targets;
}

std::optional<FaultChoice> DecodeFault(const NodeReader& reader, const Scenario& scenario,
                                       const std::vector<std::string>& crash_targets) {
  if (!reader.ExpectKeys({"fault", "on", "max", "at"})) return std::nullopt;
  FaultChoice choice;
  const auto fault = reader.Require("fault");
  if (!fault) return std::nullopt;
  const auto kind = fault->AsWord(std::span<const Word<ExploreFault>>(kExploreFaults));
  if (!kind) return std::nullopt;
  choice.fault = *kind;
  reader.Read("on", choice.on);
  reader.ReadInt("max", choice.max, {1, 1'000'000});
  reader.ReadWord("at", choice.at, kFaultPoints);
  const std::set<std::string> targets = FaultTargets(*kind, scenario, crash_targets);
  if (!choice.on.empty() && targets.count(choice.on) == 0) {
    const std::vector<std::string_view> names(targets.begin(), targets.end());
    std::string suggestion = DidYouMean(choice.on, names);
    if (suggestion.empty() && !names.empty()) suggestion = "it can strike " + QuotedList(names);
    reader.Find("on")->Error(
        "the fault \"" + std::string(ToString(*kind)) + "\" has no target \"" + choice.on + "\"",
        std::move(suggestion));
  }
  return choice;
}

std::optional<PinnedReplay> DecodePinned(const NodeReader& reader) {
  static constexpr Word<bool> kStatus[] = {{"must-pass", false}, {"known-failure", true}};
  if (!reader.ExpectKeys({"replay", "note", "status"})) return std::nullopt;
  PinnedReplay pinned;
  pinned.at = reader.Location();
  const auto replay = reader.Require("replay");
  reader.Require("note");
  reader.Read("replay", pinned.replay);
  reader.Read("note", pinned.note);
  reader.ReadWord("status", pinned.known_failure, kStatus);
  if (replay && replay->node().IsString() && pinned.replay.substr(0, 3) != "s1:") {
    replay->Error("\"" + pinned.replay + "\" is no replay token",
                  "tokens begin with \"s1:\"; copy one from a report");
  }
  return pinned;
}

}  // namespace

void CheckFormat(const NodeReader& root) {
  const auto format = root.Find("format");
  if (!format) return;
  const JsonNode& node = format->node();
  if (node.kind() == JsonNode::Kind::kInteger && node.integer() == 1) return;
  format->Error("format " + node.Serialise().substr(0, 40) + " is not known",
                "this program reads format 1");
}

void DecodeHeader(const NodeReader& root, Scenario& scenario) {
  root.ExpectKeys({"$schema", "format", "name", "why", "tags", "owner", "use", "params", "matrix",
                   "clock", "vendor", "vendors", "client", "steps", "expect", "modes", "explore"},
                  true);
  root.Require("format");
  CheckFormat(root);
  std::string schema;
  root.Read("$schema", schema);
  const auto name = root.Require("name");
  root.Read("name", scenario.name);
  constexpr std::size_t kMinName = 3;
  if (name && name->node().IsString() && scenario.name.size() < kMinName) {
    name->Error("a name has at least 3 characters",
                "say what holds, e.g. \"breaker opens after 5 failures\"");
  }
  root.Read("why", scenario.why);
  root.Read("owner", scenario.owner);
  if (const auto tags = root.Find("tags")) DecodeTags(*tags, scenario.tags);
  if (const auto clock = root.Find("clock")) DecodeClock(*clock, scenario.clock);
}

void DecodeModes(const NodeReader& root, ModesSpec& modes) {
  const auto reader = root.Find("modes");
  if (!reader || !reader->ExpectKeys({"sim", "wire", "agree_on", "sim_only_because"})) return;
  reader->Read("sim", modes.sim);
  reader->Read("sim_only_because", modes.sim_only_because);
  constexpr std::size_t kMinReason = 10;
  if (reader->Has("sim_only_because")) {
    modes.wire.enabled = false;
    if (modes.sim_only_because.size() < kMinReason) {
      reader->Find("sim_only_because")
          ->Error("a reason has at least 10 characters", "say what the wire cannot show");
    }
  }
  if (const auto wire = reader->Find("wire")) {
    DecodeWire(*wire, modes.wire);
    if (modes.wire.enabled && reader->Has("sim_only_because")) {
      reader->ErrorAtKey("wire", "\"wire\" is on although there is a \"sim_only_because\"",
                         "keep one of them");
    }
  }
  if (!modes.sim && !modes.wire.enabled) {
    reader->Error("neither \"sim\" nor \"wire\" is on: nothing would run", "turn one of them on");
  }
  if (const auto agree_on = reader->Find("agree_on")) {
    modes.agree_on.clear();
    for (const NodeReader& item : agree_on->Items()) {
      if (const auto what = item.AsWord(std::span<const Word<AgreeOn>>(kAgreeOn)))
        modes.agree_on.push_back(*what);
    }
  }
}

ExploreSpec DecodeExplore(const NodeReader& reader, const Scenario& scenario,
                          const std::vector<std::string>& crash_targets) {
  ExploreSpec explore;
  if (!reader.ExpectKeys({"seeds", "budget", "scheduler", "preemptions_max", "faults", "pinned"}))
    return explore;
  reader.ReadInt("seeds", explore.seeds, kSeedRange);
  reader.Read("budget", explore.budget);
  reader.ReadWord("scheduler", explore.scheduler, kSchedulers);
  reader.ReadInt("preemptions_max", explore.preemptions_max, kPreemptionRange);
  if (const auto faults = reader.Find("faults")) {
    for (const NodeReader& item : faults->Items()) {
      if (auto fault = DecodeFault(item, scenario, crash_targets))
        explore.faults.push_back(*std::move(fault));
    }
  }
  if (const auto pinned = reader.Find("pinned")) {
    for (const NodeReader& item : pinned->Items()) {
      if (auto replay = DecodePinned(item)) explore.pinned.push_back(*std::move(replay));
    }
  }
  return explore;
}

StepNames NamesOf(const Scenario& scenario) {
  StepNames names;
  names.operations.emplace();
  for (const auto& [name, operation] : scenario.client.operations)
    names.operations->push_back(name);
  std::set<std::string> targets = {"client"};
  if (scenario.client.program) targets.insert(*scenario.client.program);
  for (const auto& [name, vendor] : scenario.vendors) {
    for (const RouteSpec& route : vendor.routes) names.routes[route.id].insert(name);
    if (vendor.oauth) names.routes["oauth"].insert(name);
    for (const WebhookSpec& webhook : vendor.webhooks) {
      names.webhooks[webhook.id].insert(name);
      targets.insert(webhook.to);
    }
  }
  names.crash_targets.assign(targets.begin(), targets.end());
  return names;
}

}  // namespace understudy::harness
