#include "harness/scenario/scenario_run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/plan/lane.h"
#include "harness/scenario/application.h"
#include "harness/scenario/effect_store.h"
#include "harness/scenario/event_matcher.h"
#include "harness/scenario/fault_plan.h"
#include "harness/scenario/oauth_client.h"
#include "harness/scenario/skewed_clock.h"
#include "harness/vendor/vendor_model.h"
#include "harness/vendor/webhook_emitter.h"
#include "middleware/store/in_memory_token_store.h"
#include "middleware/store/in_memory_webhook_store.h"
#include "middleware/webhook/signature.h"

namespace understudy::harness {
namespace {

constexpr std::string_view kClientName = "client";

// A crash that waits for its moment: it happens at the `after` event itself, so always before
// whatever follows it; `before` names that for people and for the crash event.
struct Trap {
  Trap(EventMatcher after_event, const Step& crash_step)
      : after(std::move(after_event)), step(crash_step) {}

  EventMatcher after;
  const Step& step;
  bool armed = true;
  bool fired = false;
};

// "effect" and "webhook.ack" -> "effect..ack"
std::string Between(const CrashStep& crash) {
  const auto last_part = [](std::string_view event) { return event.substr(event.rfind('.') + 1); };
  std::string text(last_part(crash.after->event));
  if (crash.before) text.append("..").append(last_part(crash.before->event));
  return text;
}

class Session {
 public:
  Session(const Scenario& scenario, World& world, const RunParts& parts)
      : scenario_(scenario),
        world_(world),
        parts_(parts),
        vendor_clock_(world.clock(), scenario.clock.skew),
        faults_(scenario.explore ? scenario.explore->faults : std::vector<FaultChoice>{},
                parts.explore_faults, world.random()) {}

  // As the first actor of the world.
  void Main() {
    // Also when the run is given up: what still runs must end inside the world.
    struct Guard {
      Session& session;
      ~Guard() { session.TearDown(); }
    } guard{*this};
    if (auto ready = SetUp(); !ready) {
      AddProblem("the run could not start: " + ready.error().message, 0);
      could_not_start_ = true;
      return;
    }
    RunSteps(scenario_.steps);
    JoinBackground();
    finished_ = true;
  }

  std::vector<Problem> CollectProblems();
  std::map<std::string, std::uint64_t, std::less<>> step_ends() const {
    const MutexLock lock(mutex_);
    return step_ends_;
  }

  bool could_not_start() const { return could_not_start_; }

  void AddObservers() {
    world_.history().AddObserver([this](const HistoryEvent& event) { SpringTraps(event); });
  }

 private:
  // Of the vendors.
  Runtime runtime() {
    return {vendor_clock_, world_.executor(), world_.random(), logger_, world_.history()};
  }

  Result<void> SetUp();
  Result<void> SetUpVendors();
  Result<void> SetUpApplication();
  Result<void> SetUpWebhooks();
  Result<std::unique_ptr<WebhookStore>> OpenStore();
  StartProgram ProgramStarter();
  std::set<std::string> ReceiverNames() const;
  void TearDown();

  void RunSteps(const std::vector<Step>& steps);
  void RunStep(const Step& step);
  void Run(const Step& step, const CallStep& call);
  void Run(const Step& step, const AdvanceStep& advance);
  void Run(const Step& step, const WaitStep& wait);
  void Run(const Step& step, const DeliverStep& deliver);
  void Run(const Step& step, const CrashStep& crash);
  void Run(const Step& step, const SetStep& set);
  void Run(const Step& step, const ParallelStep& parallel);
  void CallRepeatedly(const Step& step, const CallStep& call, const std::stop_token& stop);
  void KeepInBackground(Task task);
  void JoinBackground();
  void SpringTraps(const HistoryEvent& event);
  void AddProblem(std::string text, int line, std::optional<std::uint64_t> event = std::nullopt) {
    const MutexLock lock(mutex_);
    problems_.push_back({.text = std::move(text), .line = line, .event = event});
  }

  const Scenario& scenario_;
  World& world_;
  const RunParts& parts_;
  SkewedClock vendor_clock_;  // The vendors' wall time.
  NullLogger logger_;
  FaultPlan faults_;
  std::map<std::string, std::unique_ptr<VendorModel>, std::less<>> vendors_;
  std::map<std::string, VendorAddress, std::less<>> addresses_;
  std::unique_ptr<WebhookStore> store_;
  std::unique_ptr<EffectStore> effects_;
  InMemoryTokenStore tokens_;
  std::unique_ptr<Application> application_;
  std::string application_origin_;
  std::map<std::string, std::unique_ptr<WebhookEmitter>, std::less<>> emitters_;
  bool finished_ = false;
  bool could_not_start_ = false;

  mutable Mutex mutex_;
  std::vector<Problem> problems_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t, std::less<>> step_ends_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Trap>> traps_ GUARDED_BY(mutex_);
  std::vector<Task> background_tasks_ GUARDED_BY(mutex_);
};

// ---- set-up and tear-down
// ----------------------------------------------------------------------------------------

Result<void> Session::SetUp() {
  UNDERSTUDY_RETURN_IF_ERROR(SetUpVendors());
  UNDERSTUDY_RETURN_IF_ERROR(SetUpApplication());
  return SetUpWebhooks();
}

Result<void> Session::SetUpVendors() {
  for (const auto& [name, written] : scenario_.vendors) {
    VendorSpec spec = written;
    spec.name = name;
    UNDERSTUDY_ASSIGN_OR_RETURN(auto model,
                                VendorModel::Create(spec, {.clock = vendor_clock_,
                                                           .random = world_.random(),
                                                           .events = world_.history(),
                                                           .hooks = faults_.ForVendor(name)}));
    VendorAddress address{.spec = spec};
    UNDERSTUDY_ASSIGN_OR_RETURN(address.origin, world_.HostVendor(name, *model));
    if (const auto initial = model->initial_tokens()) {
      TokenSet tokens{.access_token = Secret(initial->access_token),
                      .refresh_token = Secret(initial->refresh_token),
                      .issued_at = initial->issued_at,
                      .expires_at = initial->expires_at};
      UNDERSTUDY_RETURN_IF_ERROR(tokens_.Save(TokenKey(name), tokens, 0));
      address.initial_tokens = std::move(tokens);
    }
    addresses_[name] = std::move(address);
    vendors_[name] = std::move(model);
  }
  return {};
}

StartProgram Session::ProgramStarter() {
  if (!scenario_.client.program) {
    return [this](ProgramEnvironment environment) {
      return MakeStackProgram(scenario_.client, std::move(environment), parts_.stack);
    };
  }
  const ProgramInfo* const info = parts_.programs.Find(*scenario_.client.program);
  if (info == nullptr) {
    return
        [name = *scenario_.client.program](ProgramEnvironment) -> Result<std::unique_ptr<Program>> {
          return InvalidArgument("there is no program \"" + name + "\"");
        };
  }
  return info->start;
}

std::set<std::string> Session::ReceiverNames() const {
  std::set<std::string> names;
  for (const auto& [vendor, spec] : scenario_.vendors) {
    for (const WebhookSpec& webhook : spec.webhooks) names.insert(webhook.to);
  }
  return names;
}

Result<std::unique_ptr<WebhookStore>> Session::OpenStore() {
  const auto config = nlohmann::json::parse(scenario_.client.config, nullptr, false);
  std::string kind;
  if (config.is_object() && config.contains("store") && config["store"].is_string())
    kind = config["store"];
  if (parts_.open_store) return parts_.open_store(kind);
  return std::unique_ptr<WebhookStore>(std::make_unique<InMemoryWebhookStore>());
}

Result<void> Session::SetUpApplication() {
  UNDERSTUDY_ASSIGN_OR_RETURN(store_, OpenStore());
  // Below the fence of each life: what is committed counts as an effect even if the program dies at
  // that very moment.
  effects_ = std::make_unique<EffectStore>(*store_, world_.history());
  const std::set<std::string> receivers = ReceiverNames();
  // One program is under test; its server has the name that the vendors call it by.
  const std::string name = receivers.empty() ? std::string(kClientName) : *receivers.begin();
  application_ = std::make_unique<Application>(
      name, Application::Parts{
                .world = world_,
                .webhooks = *effects_,
                .tokens = tokens_,
                .start = ProgramStarter(),
                .crash = parts_.explore_faults ? faults_.ForProgram(name) : CrashChoice()});
  application_->Configure(addresses_, scenario_.client.config);
  if (!receivers.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(application_origin_, world_.HostApplication(name, *application_));
  }
  return application_->Start();
}

Result<void> Session::SetUpWebhooks() {
  for (const auto& [vendor, spec] : scenario_.vendors) {
    for (const WebhookSpec& webhook : spec.webhooks) {
      if (!webhook.scheme.empty() && !FindScheme(webhook.scheme)) {
        return InvalidArgument("webhook \"" + webhook.id + "\": there is no signature scheme \"" +
                               webhook.scheme + "\"");
      }
      // What cannot be signed from secret and body alone would be sent unsigned.
      const auto scheme = FindScheme(webhook.scheme);
      if (scheme && (scheme->needs_url() || scheme->algorithm == SignatureAlgorithm::kRsaSha256)) {
        return InvalidArgument("webhook \"" + webhook.id + "\": scheme \"" + webhook.scheme +
                               "\" signs the URL or needs a certificate; scenarios have neither");
      }
      if (scheme && scheme->layout == SignatureLayout::kPrefixed && !webhook.more_secrets.empty()) {
        return InvalidArgument("webhook \"" + webhook.id + "\": scheme \"" + webhook.scheme +
                               "\" has room for one signature; give it one \"secret\"");
      }
      const WebhookSigner sign = [this, more = webhook.more_secrets](
                                     std::string_view name, std::string_view secret,
                                     std::string_view id, SystemTime now, std::string_view body) {
        std::vector<Secret> secrets = {Secret(std::string(secret))};
        for (const std::string& other : more) secrets.emplace_back(other);
        auto headers = Sign(world_.crypto(), *FindScheme(name), secrets, id, now, body);
        return headers ? *std::move(headers) : http::Headers{};
      };
      const ReceiverResolver resolve = [this, id = webhook.id](std::string_view) {
        return http::Url::Parse(application_origin_ + "/webhooks/" + id);
      };
      UNDERSTUDY_ASSIGN_OR_RETURN(
          emitters_[webhook.id],
          WebhookEmitter::Create(
              runtime(), world_.network(), webhook, sign, resolve,
              parts_.explore_faults ? faults_.ForWebhook(webhook.id) : WebhookHooks{}));
    }
  }
  return {};
}

void Session::TearDown() {
  emitters_.clear();
  if (application_) application_->Stop();
}

std::vector<Problem> Session::CollectProblems() {
  for (const auto& [name, vendor] : vendors_) {
    for (const VendorComplaint& complaint : vendor->complaints()) AddProblem(complaint.text, 0);
  }
  if (application_) {
    for (const std::string& text : application_->problems()) AddProblem(text, 0);
  }
  const MutexLock lock(mutex_);
  for (const auto& trap : traps_) {
    // Exploration may crash the program elsewhere first; the plain runs must reach the trap.
    if (trap->fired || parts_.explore_faults || !finished_) continue;
    problems_.push_back(
        {.text = "the crash of step " + trap->step.id + " never happened: its moment did not come",
         .line = static_cast<int>(trap->step.at.position.line)});
  }
  return problems_;
}

// ---- steps
// -------------------------------------------------------------------------------------------------------

void Session::RunSteps(const std::vector<Step>& steps) {
  for (const Step& step : steps) RunStep(step);
}

void Session::RunStep(const Step& step) {
  std::visit([&](const auto& action) { Run(step, action); }, step.action);
  const std::uint64_t last = world_.history().size();
  const MutexLock lock(mutex_);
  step_ends_[step.id] = last;
}

void Session::CallRepeatedly(const Step& step, const CallStep& call, const std::stop_token& stop) {
  static_cast<void>(step);
  Clock& clock = world_.clock();
  TimePoint next = clock.Now();
  for (int i = 0; i < call.times && !stop.stop_requested(); ++i) {
    if (i > 0) {
      next = SaturatingAdd(next, call.every);
      clock.SleepUntil(next);
    }
    // The outcome is in the history; a wrong call is a problem of the scenario.
    const auto answer = application_->Call(call.call, call.args, stop);
    if (!answer && answer.error().code == ErrorCode::kInvalidArgument) {
      AddProblem("step " + step.id + ": " + answer.error().message,
                 static_cast<int>(step.at.position.line));
      return;
    }
  }
}

void Session::KeepInBackground(Task task) {
  const MutexLock lock(mutex_);
  background_tasks_.push_back(std::move(task));
}

void Session::JoinBackground() {
  std::vector<Task> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(background_tasks_);
  }
  for (Task& task : tasks) task.Join();
}

void Session::Run(const Step& step, const CallStep& call) {
  if (call.callers == 1 && !call.background) {
    const LaneScope lane({.name = step.id + "/1", .step = step.id});
    CallRepeatedly(step, call, {});
    return;
  }
  std::vector<Task> callers;
  for (int i = 1; i <= call.callers; ++i) {
    const std::string name = step.id + "/" + std::to_string(i);
    callers.push_back(
        world_.executor().Spawn(name, [this, &step, &call, name](const std::stop_token&) {
          const LaneScope lane({.name = name, .step = step.id});
          CallRepeatedly(step, call, {});
        }));
  }
  for (Task& caller : callers) {
    if (call.background) {
      KeepInBackground(std::move(caller));
    } else {
      caller.Join();
    }
  }
}

void Session::Run(const Step&, const AdvanceStep& advance) {
  world_.clock().SleepFor(advance.advance);
}

void Session::Run(const Step& step, const WaitStep& wait) {
  auto matcher = EventMatcher::Compile(wait.match);
  if (!matcher) {
    AddProblem("step " + step.id + ": " + matcher.error().message,
               static_cast<int>(step.at.position.line));
    return;
  }
  const TimePoint deadline = SaturatingAdd(world_.clock().Now(), wait.within);
  const bool happened = world_.history().WaitFor(
      [&](const HistoryEvent& event) { return matcher->Matches(event); }, deadline);
  if (happened) return;
  AddProblem("step " + step.id + " waited in vain for " + wait.match.event,
             static_cast<int>(step.at.position.line));
}

void Session::Run(const Step& step, const DeliverStep& deliver) {
  const LaneScope lane({.name = step.id + "/1", .step = step.id});
  WebhookEmitter& emitter = *emitters_.at(deliver.webhook);
  const auto sent = emitter.Deliver(OutgoingEvent{.event_id = deliver.event_id,
                                                  .type = deliver.type,
                                                  .json = deliver.json,
                                                  .copies = deliver.copies,
                                                  .gap = deliver.gap,
                                                  .altered_json = deliver.altered,
                                                  .signature = deliver.signature,
                                                  .signed_ahead = deliver.signed_ahead});
  if (!sent) {
    AddProblem("step " + step.id + ": " + sent.error().message,
               static_cast<int>(step.at.position.line));
    return;
  }
  if (!deliver.background) emitter.WaitIdle(kNever);
}

void Session::Run(const Step& step, const CrashStep& crash) {
  if (!crash.after) {
    if (!application_->Crash("step", crash.restart_after)) {
      AddProblem("step " + step.id + ": " + crash.target + " is down already",
                 static_cast<int>(step.at.position.line));
    }
    return;
  }
  auto after = EventMatcher::Compile(*crash.after);
  if (!after)
    return AddProblem("step " + step.id + ": " + after.error().message,
                      static_cast<int>(step.at.position.line));
  const MutexLock lock(mutex_);
  traps_.push_back(std::make_unique<Trap>(*std::move(after), step));
}

void Session::SpringTraps(const HistoryEvent& event) {
  std::vector<const Trap*> sprung;
  {
    const MutexLock lock(mutex_);
    for (const auto& trap : traps_) {
      if (!trap->armed) continue;
      if (trap->after.Matches(event)) {
        trap->armed = false;
        trap->fired = true;
        sprung.push_back(trap.get());
      }
    }
  }
  for (const Trap* const trap : sprung) {
    const auto& crash = std::get<CrashStep>(trap->step.action);
    application_->Crash(Between(crash), crash.restart_after);
  }
}

void Session::Run(const Step& step, const SetStep& set) {
  const auto done = vendors_.at(set.vendor)->SetResponses(set.route, set.respond);
  if (!done)
    AddProblem("step " + step.id + ": " + done.error().message,
               static_cast<int>(step.at.position.line));
}

void Session::Run(const Step& step, const ParallelStep& parallel) {
  std::vector<Task> lanes;
  for (std::size_t i = 0; i < parallel.lanes.size(); ++i) {
    const auto& steps = parallel.lanes[i];
    lanes.push_back(
        world_.executor().Spawn(step.id + "/lane-" + std::to_string(i + 1),
                                [this, &steps](const std::stop_token&) { RunSteps(steps); }));
  }
  for (Task& lane : lanes) lane.Join();
}

void AddUnreachedSteps(const std::vector<Step>& steps,
                       const std::map<std::string, std::uint64_t, std::less<>>& ended,
                       std::vector<Problem>& problems) {
  for (const Step& step : steps) {
    if (ended.contains(step.id)) continue;
    problems.push_back({.text = "step " + step.id + " was never finished",
                        .line = static_cast<int>(step.at.position.line)});
    return;  // The first one says it all.
  }
}

bool AppliesTo(const Expectation& expectation, std::string_view mode) {
  switch (expectation.only_in) {
    case OnlyIn::kBoth:
      return true;
    case OnlyIn::kSim:
      return mode == "sim";
    case OnlyIn::kWire:
      return mode == "wire";
  }
  return true;
}

}  // namespace

RunResult RunScenario(const Scenario& scenario, World& world, const RunParts& parts) {
  RunResult result{.mode = std::string(world.mode())};
  Session session(scenario, world, parts);
  session.AddObservers();
  result.world = world.Run([&] { session.Main(); });
  // Before the session ends, which owns the handlers; and before the history is read: a server may
  // still be about to record an answer that its client has had already.
  world.StopHosting();
  result.events = world.history().events();
  result.problems = session.CollectProblems();
  result.could_not_start = session.could_not_start();
  if (result.could_not_start) return result;
  const auto step_ends = session.step_ends();
  AddUnreachedSteps(scenario.steps, step_ends, result.problems);
  if (world.history().truncated())
    result.problems.push_back({.text = "the history is full; later events are missing"});
  const RunFacts facts{
      .step_ends = step_ends,
      .tolerance = world.mode() == "wire" ? scenario.modes.wire.tolerance : Duration::zero()};
  for (const Expectation& expectation : scenario.expects) {
    if (AppliesTo(expectation, world.mode()))
      result.expectations.push_back(Judge(expectation, result.events, facts));
  }
  return result;
}

}  // namespace understudy::harness
