// Received: GoogleMock matchers over a fake vendor's journal.
//
//   using namespace understudy::harness;
//   EXPECT_THAT(journal, Received("POST /v1/orders", Times::Exactly(2)));
//   EXPECT_THAT(journal, Received("GET /v1/orders/{id}", ::testing::AtMost(3)));
//   EXPECT_THAT(journal, Not(Received("DELETE *")));
//   EXPECT_THAT(journal, ReceivedInOrder({"POST /v1/orders", "GET /v1/orders/{id}"}));
//   EXPECT_THAT(journal, ReceivedOnlyKnownRequests());
//
// A failure shows what came instead, nearest first. A description that is itself wrong (a bad
// path) fails, also under Not. For a request that may still be on its way, wait first: see
// AwaitRequests.
#pragma once

#include <cstddef>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "harness/vendor/verification.h"

namespace understudy::harness {

// Shown by GoogleTest when a matcher fails.
inline void PrintTo(const Journal& journal, std::ostream* out) {
  const JournalStats stats = journal.stats();
  *out << "a journal of " << stats.entries << (stats.entries == 1 ? " request" : " requests");
}

// What Received and its like return. Thread-safe, copied freely.
class JournalMatcher {
 public:
  using is_gtest_matcher = void;

  virtual ~JournalMatcher() = default;
  bool MatchAndExplain(const Journal& journal, std::ostream* out) const {
    const Result<Verification> verdict = Judge(journal);
    if (!verdict) {
      // Of no use to pass: Not() would turn it round.
      ADD_FAILURE() << verdict.error().message;
      return false;
    }
    if (out != nullptr) *out << (verdict->ok ? "" : "\n") << verdict->message;
    return verdict->ok;
  }
  virtual void DescribeTo(std::ostream* out) const = 0;
  virtual void DescribeNegationTo(std::ostream* out) const {
    *out << "not: ";
    DescribeTo(out);
  }

 protected:
  JournalMatcher() = default;
  JournalMatcher(const JournalMatcher&) = default;
  JournalMatcher& operator=(const JournalMatcher&) = default;

 private:
  virtual Result<Verification> Judge(const Journal& journal) const = 0;
};

class ReceivedMatcher final : public JournalMatcher {
 public:
  ReceivedMatcher(Result<RequestMatch> match, std::string text, Times times)
      : match_(std::move(match)), text_(std::move(text)), times_(times) {}

  void DescribeTo(std::ostream* out) const override {
    *out << "has received " << times_.ToString() << " like " << text_;
  }

 private:
  Result<Verification> Judge(const Journal& journal) const override {
    if (!match_) return match_.error();
    return Verify(journal, *match_, times_);
  }

  Result<RequestMatch> match_;
  std::string text_;
  Times times_;
};

class ReceivedInOrderMatcher final : public JournalMatcher {
 public:
  explicit ReceivedInOrderMatcher(std::vector<std::string> lines) : lines_(std::move(lines)) {}

  void DescribeTo(std::ostream* out) const override {
    *out << "has received in this order";
    for (const std::string& line : lines_) *out << " \"" << line << "\"";
  }

 private:
  Result<Verification> Judge(const Journal& journal) const override {
    std::vector<RequestMatch> matches;
    for (const std::string& line : lines_) {
      UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatch match, ParseRequestLine(line));
      matches.push_back(std::move(match));
    }
    return VerifyInOrder(journal, matches);
  }

  std::vector<std::string> lines_;
};

class ReceivedOnlyKnownMatcher final : public JournalMatcher {
 public:
  void DescribeTo(std::ostream* out) const override {
    *out << "has received only requests that a route matches";
  }

 private:
  Result<Verification> Judge(const Journal& journal) const override {
    return VerifyAllMatched(journal);
  }
};

// `line` as ParseRequestLine reads it; at least once unless `times` says otherwise.
inline ReceivedMatcher Received(std::string_view line, Times times = {}) {
  return {ParseRequestLine(line), std::string(line), times};
}
inline ReceivedMatcher Received(const RequestMatch& match, Times times = {}) {
  const auto compiled = RequestMatcher::Compile(match);
  return {match, compiled ? compiled->Describe() : "a malformed description", times};
}
// With GoogleMock's own words: AtLeast(2), Between(1, 3), Exactly(0).
template <typename What>
ReceivedMatcher Received(const What& what, const ::testing::Cardinality& times) {
  // GoogleMock writes "any number" as INT_MAX.
  const int most = times.ConservativeUpperBound();
  return Received(what,
                  Times{static_cast<std::size_t>(times.ConservativeLowerBound()),
                        most == std::numeric_limits<int>::max() ? Times::kUnbounded
                                                                : static_cast<std::size_t>(most)});
}

inline ReceivedInOrderMatcher ReceivedInOrder(std::vector<std::string> lines) {
  return ReceivedInOrderMatcher(std::move(lines));
}

inline ReceivedOnlyKnownMatcher ReceivedOnlyKnownRequests() { return {}; }

}  // namespace understudy::harness
