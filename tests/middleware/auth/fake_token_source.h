// FakeTokenSource: a TokenSource that answers from a list and remembers the refresh tokens it got.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "middleware/auth/token_source.h"
#include "middleware/runtime/clock.h"

namespace understudy::test {

// Thread-safe. Without an answer left it invents tokens: "access-<n>" and "refresh-<n>" for the
// n-th call.
class FakeTokenSource final : public TokenSource {
 public:
  explicit FakeTokenSource(Clock& clock) : clock_(clock) {}

  void Fail(Error error) {
    Call([error](const TokenSet&) -> Result<TokenSet> { return error; });
  }
  // Changes the tokens that would have been invented.
  void Answer(std::function<void(TokenSet&)> change) {
    Call([change](TokenSet tokens) -> Result<TokenSet> {
      change(tokens);
      return tokens;
    });
  }
  // Each call takes this long on the clock.
  void set_latency(Duration latency) { latency_ = latency; }
  void set_lifetime(Duration lifetime) { lifetime_ = lifetime; }
  // Runs during the next call, without any lock.
  void DuringNext(std::function<void()> action) { during_ = std::move(action); }

  Result<TokenSet> Fetch(const Secret& refresh_token, Deadline deadline,
                         const std::stop_token& stop) override {
    TokenSet tokens;
    tokens.issued_at = clock_.SystemNow();
    tokens.expires_at = tokens.issued_at + lifetime_;
    std::function<Result<TokenSet>(const TokenSet&)> answer;
    {
      const std::lock_guard lock(mutex_);
      sent_.emplace_back(refresh_token.Reveal());
      deadlines_.push_back(deadline);
      const std::string number = std::to_string(sent_.size());
      tokens.access_token = Secret("access-" + number);
      tokens.refresh_token = Secret("refresh-" + number);
      if (!answers_.empty()) {
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
    }
    if (during_) std::exchange(during_, nullptr)();
    if (latency_ > Duration::zero() &&
        !clock_.SleepUntil(SaturatingAdd(clock_.Now(), latency_), stop)) {
      return Error{.code = ErrorCode::kCancelled, .message = "stopped"};
    }
    if (answer) return answer(tokens);
    return tokens;
  }

  // The refresh token of every call.
  std::vector<std::string> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::vector<Deadline> deadlines() const {
    const std::lock_guard lock(mutex_);
    return deadlines_;
  }

 private:
  void Call(std::function<Result<TokenSet>(const TokenSet&)> answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }

  Clock& clock_;
  Duration latency_ = Duration::zero();
  Duration lifetime_ = std::chrono::hours(1);
  std::function<void()> during_;
  mutable std::mutex mutex_;
  std::deque<std::function<Result<TokenSet>(const TokenSet&)>> answers_;
  std::vector<std::string> sent_;
  std::vector<Deadline> deadlines_;
};

}  // namespace understudy::test
