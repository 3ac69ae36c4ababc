#include "middleware/mock/mock_route.h"

#include <limits>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/mock/diagnostic_text.h"

namespace understudy {
namespace {

using internal::MockMatcher;
using internal::Quoted;

constexpr std::size_t kProblemsMax = 10;

std::string NameOf(std::string_view method, std::string_view path) {
  return internal::Shortened(method) + " " + internal::Shortened(path);
}

std::string Count(std::uint64_t number, std::string_view noun) {
  std::string text = std::to_string(number);
  return text.append(" ").append(noun).append(number == 1 ? "" : "s");
}

}  // namespace

MockRoute::MockRoute(std::string_view method, std::string_view path) : name_(NameOf(method, path)) {
  Result<MockMatcher> matcher = MockMatcher::Create(method, path);
  const MutexLock lock(mutex_);
  if (!matcher) {
    AddProblem(std::move(matcher).error().message);
    return;
  }
  matcher_ = std::make_shared<const MockMatcher>(*std::move(matcher));
}

void MockRoute::AddProblem(std::string problem) {
  if (problems_.size() < kProblemsMax) problems_.push_back(name_ + ": " + std::move(problem));
}

MockRoute& MockRoute::Change(const std::function<Result<void>(MockMatcher&)>& change) {
  const MutexLock lock(mutex_);
  if (!matcher_) return *this;  // The problem of the path is told already.
  auto changed = std::make_shared<MockMatcher>(*matcher_);
  if (Result<void> result = change(*changed); !result) {
    AddProblem(std::move(result).error().message);
    return *this;
  }
  matcher_ = std::move(changed);
  return *this;
}

MockRoute& MockRoute::AddField(MockMatcher::Part part, std::string_view name,
                               MockMatcher::Presence presence, std::string_view value) {
  return Change(
      [&](MockMatcher& matcher) { return matcher.AddField(part, name, presence, value); });
}

MockRoute& MockRoute::WithQuery(std::string_view name, std::string_view value) {
  return AddField(MockMatcher::Part::kQuery, name, MockMatcher::Presence::kEquals, value);
}

MockRoute& MockRoute::WithQuery(std::string_view name, AnyValue) {
  return AddField(MockMatcher::Part::kQuery, name, MockMatcher::Presence::kAny);
}

MockRoute& MockRoute::WithoutQuery(std::string_view name) {
  return AddField(MockMatcher::Part::kQuery, name, MockMatcher::Presence::kAbsent);
}

MockRoute& MockRoute::WithHeader(std::string_view name, std::string_view value) {
  return AddField(MockMatcher::Part::kHeader, name, MockMatcher::Presence::kEquals, value);
}

MockRoute& MockRoute::WithHeader(std::string_view name, AnyValue) {
  return AddField(MockMatcher::Part::kHeader, name, MockMatcher::Presence::kAny);
}

MockRoute& MockRoute::WithoutHeader(std::string_view name) {
  return AddField(MockMatcher::Part::kHeader, name, MockMatcher::Presence::kAbsent);
}

MockRoute& MockRoute::WithForm(std::string_view name, std::string_view value) {
  return AddField(MockMatcher::Part::kForm, name, MockMatcher::Presence::kEquals, value);
}

MockRoute& MockRoute::WithForm(std::string_view name, AnyValue) {
  return AddField(MockMatcher::Part::kForm, name, MockMatcher::Presence::kAny);
}

MockRoute& MockRoute::WithJson(std::string_view json) {
  return Change([&](MockMatcher& matcher) { return matcher.SetJson(json); });
}

MockRoute& MockRoute::WithBody(std::string_view body) {
  return Change([&](MockMatcher& matcher) -> Result<void> {
    matcher.SetBody(body);
    return {};
  });
}

MockRoute& MockRoute::WithOrigin(std::string_view origin) {
  return Change([&](MockMatcher& matcher) { return matcher.SetOrigin(origin); });
}

MockRoute& MockRoute::Where(std::string_view what, Condition condition) {
  return Change(
      [&](MockMatcher& matcher) { return matcher.AddCondition(what, std::move(condition)); });
}

MockRoute& MockRoute::Respond(int status) { return Respond(http::Response{.status = status}); }

MockRoute& MockRoute::Respond(int status, std::string_view json) {
  return AddStep(true, JsonAnswer(status, json));
}

MockRoute& MockRoute::Respond(http::Response response) {
  return AddStep(true, Answer(std::move(response)));
}

MockRoute& MockRoute::RespondWith(Reply reply) {
  return AddStep(true, ComputedAnswer(std::move(reply)));
}

MockRoute& MockRoute::Fail(MockFault fault) { return AddStep(true, Action(fault)); }

MockRoute& MockRoute::Fail(Error error) { return AddStep(true, Action(std::move(error))); }

MockRoute& MockRoute::ThenRespond(int status) {
  return ThenRespond(http::Response{.status = status});
}

MockRoute& MockRoute::ThenRespond(int status, std::string_view json) {
  return AddStep(false, JsonAnswer(status, json));
}

MockRoute& MockRoute::ThenRespond(http::Response response) {
  return AddStep(false, Answer(std::move(response)));
}

MockRoute& MockRoute::ThenRespondWith(Reply reply) {
  return AddStep(false, ComputedAnswer(std::move(reply)));
}

MockRoute& MockRoute::ThenFail(MockFault fault) { return AddStep(false, Action(fault)); }

MockRoute& MockRoute::ThenFail(Error error) { return AddStep(false, Action(std::move(error))); }

Result<MockRoute::Action> MockRoute::Answer(http::Response response) {
  // Transports keep interim responses to themselves, so a 1xx is no answer.
  if (response.status < 200 || response.status > 599) {
    return InvalidArgument("status " + std::to_string(response.status) +
                           " is not an answer; it must be 200 to 599");
  }
  return Action(std::move(response));
}

Result<MockRoute::Action> MockRoute::JsonAnswer(int status, std::string_view json) {
  if (!internal::IsBoundedJson(json)) {
    return InvalidArgument("the body " + Quoted(json) +
                           " is not JSON; leave it away for an empty body, or give an "
                           "http::Response for another kind");
  }
  return Answer(JsonResponse(status, std::string(json)));
}

Result<MockRoute::Action> MockRoute::ComputedAnswer(Reply reply) {
  if (!reply) return InvalidArgument("RespondWith got no function");
  return Action(std::move(reply));
}

MockRoute& MockRoute::AddStep(bool first, Result<Action> action) {
  const MutexLock lock(mutex_);
  if (!action) {
    AddProblem(std::move(action).error().message);
  } else if (first && !steps_.empty()) {
    AddProblem("it has a response already; write Then... for the next one");
  } else if (!first && steps_.empty() && problems_.empty()) {
    AddProblem("Then... needs a response before it");
  } else {
    Step step;
    step.action = std::make_shared<const Action>(*std::move(action));
    steps_.push_back(std::move(step));
  }
  return *this;
}

MockRoute& MockRoute::Times(int times) {
  const MutexLock lock(mutex_);
  if (times < 1) {
    AddProblem("Times(" + std::to_string(times) + "): it must be 1 or more");
  } else if (steps_.empty()) {
    AddProblem("Times belongs after a response");
  } else {
    steps_.back().times = static_cast<std::uint64_t>(times);
  }
  return *this;
}

MockRoute& MockRoute::After(Duration latency) {
  const MutexLock lock(mutex_);
  if (latency < Duration::zero()) {
    AddProblem("After(" + FormatDuration(latency) + "): it must not be negative");
  } else if (steps_.empty()) {
    AddProblem("After belongs after a response");
  } else {
    steps_.back().latency = latency;
  }
  return *this;
}

MockRoute& MockRoute::Exactly(int calls) {
  const MutexLock lock(mutex_);
  if (calls < 0) {
    AddProblem("Exactly(" + std::to_string(calls) + "): it must not be negative");
  } else {
    exactly_ = static_cast<std::uint64_t>(calls);
  }
  return *this;
}

std::uint64_t MockRoute::calls() const {
  const MutexLock lock(mutex_);
  return calls_;
}

std::string MockRoute::Describe() const {
  const MutexLock lock(mutex_);
  const std::string text = matcher_ ? matcher_->Describe() : name_;
  return text + ", " + Count(calls_, "request");
}

std::shared_ptr<const MockMatcher> MockRoute::matcher() const {
  const MutexLock lock(mutex_);
  return matcher_;
}

Result<MockRoute::Claimed> MockRoute::Claim() {
  const MutexLock lock(mutex_);
  if (exactly_ && calls_ >= *exactly_) {
    return InvalidArgument("it answers exactly " + Count(*exactly_, "request") +
                           ", and this is one more");
  }
  if (steps_.empty())
    return InvalidArgument("it has no response; add Respond, RespondWith or Fail");
  ++calls_;
  while (next_ + 1 < steps_.size() && steps_[next_].given >= steps_[next_].times) ++next_;
  Step& step = steps_[next_];
  ++step.given;
  return Claimed{step.action, step.latency};
}

std::vector<std::string> MockRoute::FindProblems() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> problems = problems_;
  std::uint64_t responses = 0;
  for (const Step& step : steps_) responses += step.times;
  if (exactly_ && *exactly_ < responses) {
    problems.push_back(name_ + ": its responses are for " + Count(responses, "request") +
                       ", but Exactly allows " + std::to_string(*exactly_));
  }
  return problems;
}

std::optional<std::string> MockRoute::FindUnused() const {
  const MutexLock lock(mutex_);
  if (exactly_ && calls_ < *exactly_) {
    return name_ + ": answered " + std::to_string(calls_) + " of exactly " +
           Count(*exactly_, "request");
  }
  if (exactly_) return std::nullopt;
  if (calls_ == 0) return name_ + ": never used";
  for (std::size_t i = next_; i < steps_.size(); ++i) {
    if (steps_[i].given == 0) {
      return name_ + ": response " + std::to_string(i + 1) + " of " +
             std::to_string(steps_.size()) + " was never given";
    }
  }
  return std::nullopt;
}

}  // namespace understudy
