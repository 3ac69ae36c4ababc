#include "harness/scenario/step_decoder.h"

#include <algorithm>
#include <array>

#include "harness/scenario/expectation_decoder.h"

namespace understudy::harness {
namespace {

constexpr std::array<std::string_view, 7> kVerbs = {"call",  "advance", "wait",    "deliver",
                                                    "crash", "set",     "parallel"};
constexpr IntRange kTimesRange = {1, 1'000'000};
constexpr IntRange kCallersRange = {1, 10'000};
constexpr IntRange kCopiesRange = {1, 1'000};
constexpr std::int64_t kMaxCalls = 1'000'000;

std::vector<std::string_view> Views(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

std::vector<std::string_view> Keys(const VendorsById& names) {
  std::vector<std::string_view> keys;
  for (const auto& [name, vendors] : names) keys.push_back(name);
  return keys;
}

// Reports at `reader` that `what` does not exist among `names`.
void ReportUnknown(const NodeReader& reader, std::string_view what, std::string_view name,
                   std::span<const std::string_view> names) {
  std::string suggestion = DidYouMean(name, names);
  constexpr std::size_t kMaxListed = 12;
  if (suggestion.empty() && !names.empty() && names.size() <= kMaxListed) {
    suggestion = "there is " + QuotedList(names);
  }
  reader.Error("unknown " + std::string(what) + " \"" + std::string(name) + "\"",
               std::move(suggestion));
}

class StepDecoder {
 public:
  StepDecoder(const StepNames& names, const FileAccess& files, IdSet& ids)
      : names_(names), files_(files), ids_(ids) {}

  std::vector<Step> DecodeAll(const NodeReader& reader) {
    std::vector<Step> steps;
    for (const NodeReader& item : reader.Items()) {
      if (auto step = Decode(item)) steps.push_back(*std::move(step));
    }
    return steps;
  }

 private:
  std::optional<Step> Decode(const NodeReader& reader) {
    const std::size_t number = ++count_;
    const auto verb = SelectForm(reader, kVerbs, {"id", "note"}, "step", "verb");
    if (!verb) return std::nullopt;
    Step step;
    step.at = reader.Location();
    step.generated_id = !reader.Has("id");
    if (step.generated_id) {
      step.id = "step-" + std::to_string(number);
      ids_.Add(reader, step.id, "step");
    } else {
      step.id = ids_.Read(reader, "id", "step");
    }
    reader.Read("note", step.note);
    step.action = Action(*verb, reader);
    return step;
  }

  StepAction Action(std::string_view verb, const NodeReader& reader) {
    if (verb == "call") return Call(reader);
    if (verb == "advance") return Advance(reader);
    if (verb == "wait") return Wait(reader);
    if (verb == "deliver") return Deliver(reader);
    if (verb == "crash") return Crash(reader);
    if (verb == "set") return Set(reader);
    return Parallel(reader);
  }

  CallStep Call(const NodeReader& reader) {
    CallStep step;
    reader.ExpectKeys({"id", "note", "call", "args", "times", "callers", "every", "background"});
    const NodeReader call = *reader.Find("call");
    reader.Read("call", step.call);
    if (const auto args = reader.Find("args"); args && args->ExpectObject()) {
      step.args = args->node().Serialise();
    }
    reader.ReadInt("times", step.times, kTimesRange);
    reader.ReadInt("callers", step.callers, kCallersRange);
    reader.Read("every", step.every);
    reader.Read("background", step.background);
    if (std::int64_t{step.times} * step.callers > kMaxCalls) {
      reader.Error("\"times\" x \"callers\" is more than " + std::to_string(kMaxCalls) + " calls");
    }
    const bool known = !names_.operations ||
                       std::find(names_.operations->begin(), names_.operations->end(), step.call) !=
                           names_.operations->end();
    if (call.node().IsString() && !known) {
      if (names_.operations->empty()) {
        call.Error("unknown operation \"" + step.call + "\"", "declare it in client.operations");
      } else {
        ReportUnknown(call, "operation", step.call, Views(*names_.operations));
      }
    }
    return step;
  }

  static AdvanceStep Advance(const NodeReader& reader) {
    AdvanceStep step;
    reader.ExpectKeys({"id", "note", "advance"});
    reader.Read("advance", step.advance);
    return step;
  }

  static WaitStep Wait(const NodeReader& reader) {
    WaitStep step;
    reader.ExpectKeys({"id", "note", "wait", "within"});
    step.match = DecodeOptionalMatch(reader, "wait").value_or(EventMatch{});
    reader.Read("within", step.within);
    return step;
  }

  DeliverStep Deliver(const NodeReader& reader) {
    DeliverStep step;
    reader.ExpectKeys({"id", "note", "deliver", "background"});
    reader.Read("background", step.background);
    const NodeReader deliver = *reader.Find("deliver");
    if (!deliver.ExpectKeys({"webhook", "event_id", "type", "json", "copies", "gap", "altered",
                             "signature", "signed_ago", "signed_ahead"})) {
      return step;
    }
    deliver.Require("event_id");
    deliver.Read("event_id", step.event_id);
    deliver.Read("type", step.type);
    deliver.ReadJson("json", step.json);
    deliver.ReadInt("copies", step.copies, kCopiesRange);
    if (const auto gap = deliver.Find("gap"))
      step.gap = DecodeLatency(*gap).value_or(LatencySpec{});
    step.vendor = Resolve(deliver, "webhook", names_.webhooks, step.webhook);
    Forge(deliver, step);
    return step;
  }

  static void Forge(const NodeReader& reader, DeliverStep& step) {
    using Signature = OutgoingEvent::Signature;
    static constexpr Word<Signature> kSignatures[] = {
        {"right", Signature::kRight}, {"wrong", Signature::kWrong}, {"none", Signature::kNone}};
    reader.ReadJson("altered", step.altered);
    reader.ReadWord("signature", step.signature, kSignatures);
    if (reader.Has("signed_ago") && reader.Has("signed_ahead")) {
      reader.ErrorAtKey("signed_ahead",
                        "a delivery is signed in the past or in the future, not both",
                        "keep \"signed_ago\" or \"signed_ahead\"");
    }
    Duration ago = {};
    reader.Read("signed_ago", ago);
    reader.Read("signed_ahead", step.signed_ahead);
    if (ago != Duration::zero()) step.signed_ahead = -ago;
  }

  CrashStep Crash(const NodeReader& reader) {
    CrashStep step;
    reader.ExpectKeys({"id", "note", "crash", "when", "restart_after"});
    const NodeReader target = *reader.Find("crash");
    reader.Read("crash", step.target);
    const auto& targets = names_.crash_targets;
    if (target.node().IsString() &&
        std::find(targets.begin(), targets.end(), step.target) == targets.end()) {
      ReportUnknown(target, "crash target", step.target, Views(targets));
    }
    if (const auto when = reader.Find("when"); when && when->ExpectKeys({"after", "before"})) {
      when->Require("after");
      step.after = DecodeOptionalMatch(*when, "after");
      step.before = DecodeOptionalMatch(*when, "before");
    }
    reader.Read("restart_after", step.restart_after);
    return step;
  }

  SetStep Set(const NodeReader& reader) {
    SetStep step;
    reader.ExpectKeys({"id", "note", "set"});
    const NodeReader set = *reader.Find("set");
    if (!set.ExpectKeys({"route", "respond"})) return step;
    step.vendor = Resolve(set, "route", names_.routes, step.route);
    if (const auto respond = set.Require("respond"))
      step.respond = DecodeResponses(*respond, files_);
    return step;
  }

  ParallelStep Parallel(const NodeReader& reader) {
    ParallelStep step;
    reader.ExpectKeys({"id", "note", "parallel"});
    const NodeReader lanes = *reader.Find("parallel");
    for (const NodeReader& lane : lanes.Items()) step.lanes.push_back(DecodeAll(lane));
    if (lanes.node().IsArray() && step.lanes.empty()) {
      lanes.Error("\"parallel\" needs at least one lane", "a lane is an array of steps");
    }
    return step;
  }

  // Reads the required name `key` into `name`, and returns the vendor that has it.
  static std::string Resolve(const NodeReader& reader, std::string_view key,
                             const VendorsById& names, std::string& name) {
    const auto found = reader.Require(key);
    if (!found) return {};
    name = found->AsString().value_or("");
    if (!found->node().IsString()) return {};
    const auto vendors = names.find(name);
    if (vendors == names.end()) {
      ReportUnknown(*found, key, name, Keys(names));
      return {};
    }
    if (vendors->second.size() > 1) {
      found->Error("several vendors have a " + std::string(key) + " \"" + name + "\"",
                   "give it a name of its own");
    }
    return *vendors->second.begin();
  }

  const StepNames& names_;
  const FileAccess& files_;
  IdSet& ids_;
  std::size_t count_ = 0;
};

}  // namespace

std::vector<Step> DecodeSteps(const NodeReader& reader, const StepNames& names,
                              const FileAccess& files, IdSet& ids) {
  std::vector<Step> steps = StepDecoder(names, files, ids).DecodeAll(reader);
  if (reader.node().IsArray() && reader.node().items().empty())
    reader.Error("a scenario needs at least one step");
  return steps;
}

}  // namespace understudy::harness
