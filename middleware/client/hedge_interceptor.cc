#include "middleware/client/hedge_interceptor.h"

#include <optional>
#include <utility>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/runtime/stop.h"

namespace understudy {

Problems FindProblems(const HedgeOptions& options) {
  constexpr int kHedgesMax = 10;
  Problems problems;
  RequirePositive(problems, "hedge.after", options.after);
  RequireRange(problems, "hedge.hedges_max", options.hedges_max, 1, kHedgesMax);
  return problems;
}

// The requests of one call. Lives on the stack of Intercept, which outlives its tasks.
class HedgeInterceptor::Race final : public HedgeTimer::Race {
 public:
  Race(HedgeInterceptor& hedger, const http::Request& request, const CallContext& context,
       const Next& next)
      : hedger_(hedger),
        request_(request),
        start_(context.Fork(stop_.get_token())),
        next_(next),
        callers_stop_(context.stop(), Stopper{this}) {}
  ~Race() {
    hedger_.timer_.Disarm(*this);
    End();
  }
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  std::stop_token stop() const { return stop_.get_token(); }

  // After Disarm: was a hedge sent?
  bool hedged() const { return !hedges_.empty(); }

  // Sends the next hedge, if the budget allows it.
  bool Fire() override {
    const int number = static_cast<int>(hedges_.size()) + 1;
    const HedgeOptions& options = hedger_.options_;
    const bool allowed = !options.budget || options.budget->TryWithdraw();
    hedger_.Publish(start_.operation(), allowed ? "sent" : "denied", number);
    if (!allowed) {
      denied_ = true;
      return false;
    }
    Runner& hedge = *hedges_.emplace_back(std::make_unique<Runner>());
    {
      const MutexLock lock(mutex_);
      ++running_;
    }
    hedge.task = hedger_.runtime_.executor.Spawn(
        "hedge " + std::to_string(number), [this, &hedge](const std::stop_token&) { Run(hedge); });
    return number < options.hedges_max;
  }

  // The first request has ended with `result`, and no hedge will be sent any more. Blocks until the
  // call is decided.
  Result<http::Response> Decide(Result<http::Response> result) {
    Runner* winner = nullptr;
    {
      const MutexLock lock(mutex_);
      // An error that nothing can help, or an answer, ends the race; a local refusal may not be
      // what a hedge has met.
      const bool refused = !result && result.error().origin == Origin::kLocal;
      const bool decided = winner_ == nullptr && IsFinal(result) && !refused;
      if (!decided) {
        hedger_.runtime_.clock.AwaitUntil(mutex_, changed_, kNever, [&]() REQUIRES(mutex_) {
          return winner_ != nullptr || running_ == 0;
        });
      }
      // Without a winner the first request speaks for the call: it had the most time.
      if (decided || winner_ == nullptr) return result;
      winner = winner_;
    }
    End();
    return *std::move(winner->result);
  }

  // Stops whoever still runs and waits for it.
  void End() {
    RequestStop(stop_);
    for (const std::unique_ptr<Runner>& hedge : hedges_) hedge->task.Join();
  }

  // After End: tells `context` what the hedges did, and returns the number of the one that won, 0
  // for none.
  int Report(CallContext& context) NO_THREAD_SAFETY_ANALYSIS {
    if (hedges_.empty() && !denied_) return 0;
    const TimePoint now = hedger_.runtime_.clock.Now();
    int won = 0;
    for (std::size_t i = 0; i < hedges_.size(); ++i) {
      if (hedges_[i]->context) context.Absorb(*hedges_[i]->context);
      if (hedges_[i].get() == winner_) won = static_cast<int>(i) + 1;
    }
    if (!hedges_.empty()) {
      context.Explain(now, "hedge",
                      "no answer after " + FormatDuration(hedger_.options_.after) + ", " +
                          std::to_string(hedges_.size()) + " sent" +
                          (won > 0 ? ", hedge " + std::to_string(won) + " won" : std::string()));
    }
    if (denied_) context.Explain(now, "hedge", "no hedge: the retry budget is used up");
    return won;
  }

 private:
  struct Runner {
    std::optional<CallContext> context;
    std::optional<Result<http::Response>> result;
    Task task;
  };
  struct Stopper {
    Race* race;
    void operator()() const { race->stop_.request_stop(); }
  };

  bool IsFinal(const Result<http::Response>& result) const {
    return hedger_.classifier_.Classify(result, hedger_.runtime_.clock).retry == RetryVerdict::kNo;
  }

  void Run(Runner& hedge) {
    http::Request request = request_;
    hedge.context.emplace(start_);
    Result<http::Response> result = next_(request, *hedge.context);
    const bool wins = result.has_value() && IsFinal(result);
    bool won = false;
    {
      const MutexLock lock(mutex_);
      hedge.result.emplace(std::move(result));
      won = wins && winner_ == nullptr;
      if (won) winner_ = &hedge;
      --running_;
      changed_.NotifyAll();
    }
    if (won) RequestStop(stop_);
  }

  HedgeInterceptor& hedger_;
  const http::Request request_;  // As it was before the first request changed it.
  std::stop_source stop_;
  const CallContext start_;  // What each hedge begins with.
  const Next next_;
  std::vector<std::unique_ptr<Runner>> hedges_;  // Grown by the timer, read after Disarm.
  bool denied_ = false;                          // Likewise.
  Mutex mutex_;
  CondVar changed_{"the answer of a hedged request"};
  int running_ GUARDED_BY(mutex_) = 0;
  Runner* winner_ GUARDED_BY(mutex_) = nullptr;
  const std::stop_callback<Stopper> callers_stop_;  // Last: it uses the others.
};

HedgeInterceptor::HedgeInterceptor(HedgeOptions options, const OutcomeClassifier& classifier,
                                   const Runtime& runtime)
    : options_(std::move(options)),
      classifier_(classifier),
      runtime_(runtime),
      timer_(options_.after, runtime) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid hedge options");
}

Result<http::Response> HedgeInterceptor::Intercept(http::Request& request, CallContext& context,
                                                   Next next) {
  if (!context.replayable()) return next(request, context);
  Race race(*this, request, context, next);
  const std::stop_token callers_stop = context.ReplaceStop(race.stop());
  timer_.Arm(race, context.Now(runtime_.clock));
  Result<http::Response> result = next(request, context);
  timer_.Disarm(race);
  result = race.Decide(std::move(result));
  if (race.hedged()) context.Waited();
  race.End();
  context.ReplaceStop(callers_stop);
  if (const int won = race.Report(context); won > 0) Publish(context.operation(), "won", won);
  return result;
}

void HedgeInterceptor::Publish(std::string_view operation, std::string_view decision, int number) {
  runtime_.events.Publish("hedge",
                          {{"operation", operation}, {"decision", decision}, {"number", number}});
}

std::string HedgeInterceptor::Describe() const {
  return "hedge: after " + FormatDuration(options_.after) + ", at most " +
         std::to_string(options_.hedges_max) +
         (options_.budget ? ", from the retry budget" : ", no budget");
}

}  // namespace understudy
