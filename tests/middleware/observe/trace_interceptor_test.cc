#include "middleware/observe/trace_interceptor.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/client/retry_interceptor.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00-" + std::string(kTraceId) + "-00f067aa0ba902b7-01";

class CountingRandom final : public Random {
 public:
  std::uint64_t Next(std::string_view) override { return ++draws; }
  std::uint64_t draws = 0;
};

class TraceTest : public ::testing::Test {
 protected:
  Runtime runtime() {
    return {world_.clock, world_.executor, random_, world_.logger, world_.events};
  }
  // Outermost first.
  void Use(const TraceOptions& options) {
    layers_.push_back(std::make_unique<TraceInterceptor>(options, runtime()));
  }
  void UseRetry() {
    RetryOptions options;
    options.attempts_max = 3;
    layers_.push_back(std::make_unique<RetryInterceptor>(options, OutcomeClassifier(),
                                                         Duration::zero(), runtime()));
  }
  void Call(CallOptions options = {}) {
    context_ = std::make_unique<CallContext>(std::move(options));
    context_->set_replayable(true);
    ASSERT_TRUE(Next(layers_, vendor_)(request_, *context_));
  }
  http::TraceContext Sent(std::size_t index) {
    return http::TraceContext::FromHeaders(vendor_.sent().at(index).request.headers).value();
  }
  std::string Explanation() const {
    std::string text;
    for (const Decision& decision : context_->decisions()) {
      text.append(decision.layer).append(": ").append(decision.what).append("\n");
    }
    return text;
  }

  test::TestRuntime world_ = test::TestRuntime();
  CountingRandom random_ = {};
  test::ScriptedTransport vendor_ = test::ScriptedTransport(world_.clock);
  std::vector<std::unique_ptr<Interceptor>> layers_ = {};
  http::Request request_ = {http::Method::Get(), {}, {}, {}};
  std::unique_ptr<CallContext> context_ = {};
};

CallOptions Traced(std::string parent = kParent, std::string state = {}) {
  CallOptions options;
  options.traceparent = std::move(parent);
  options.tracestate = std::move(state);
  return options;
}

TEST_F(TraceTest, PassesTheTraceOfTheCallerOnWithASpanOfItsOwn) {
  Use({});
  vendor_.Answer(200);
  Call(Traced(kParent, "congo=1"));
  EXPECT_EQ(Sent(0).TraceIdText(), kTraceId);
  EXPECT_NE(Sent(0).SpanIdText(), "00f067aa0ba902b7");
  EXPECT_TRUE(Sent(0).sampled());
  EXPECT_EQ(Sent(0).state, "congo=1");
  EXPECT_THAT(Explanation(), IsEmpty());
}

TEST_F(TraceTest, TheSampledFlagOfTheCallerStands) {
  TraceOptions options;
  options.sampled = true;
  Use(options);
  vendor_.Answer(200);
  Call(Traced("00-" + std::string(kTraceId) + "-00f067aa0ba902b7-00"));
  EXPECT_FALSE(Sent(0).sampled());
}

TEST_F(TraceTest, EachAttemptHasItsOwnSpanInOneTrace) {
  UseRetry();
  Use({});
  vendor_.Answer(503).Times(2);
  vendor_.Answer(200);
  Call(Traced());
  std::set<std::string> spans;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Sent(i).TraceIdText(), kTraceId);
    spans.insert(Sent(i).SpanIdText());
  }
  EXPECT_EQ(spans.size(), 3u);
}

TEST_F(TraceTest, AnAttemptReplacesTheHeadersOfTheLastOne) {
  UseRetry();
  Use({});
  vendor_.Answer(503);
  vendor_.Answer(200);
  Call(Traced(kParent, "congo=1"));
  EXPECT_EQ(vendor_.sent().at(1).request.headers.GetAll("traceparent").size(), 1u);
  EXPECT_EQ(vendor_.sent().at(1).request.headers.GetAll("tracestate").size(), 1u);
}

TEST_F(TraceTest, ACallWithoutATraceStartsOneForAllItsAttempts) {
  UseRetry();
  Use({});
  vendor_.Answer(503);
  vendor_.Answer(200);
  Call();
  EXPECT_EQ(Sent(0).TraceIdText(), Sent(1).TraceIdText());
  EXPECT_NE(Sent(0).SpanIdText(), Sent(1).SpanIdText());
  EXPECT_FALSE(Sent(0).sampled());
  EXPECT_THAT(Explanation(), HasSubstr("trace: started trace " + Sent(0).TraceIdText() + "\n"));
}

TEST_F(TraceTest, TwoCallsAreTwoTraces) {
  Use({});
  vendor_.Answer(200).Times(2);
  Call();
  request_.headers = {};
  Call();
  EXPECT_NE(Sent(0).TraceIdText(), Sent(1).TraceIdText());
}

TEST_F(TraceTest, ANewTraceIsSampledIfAsked) {
  TraceOptions options;
  options.sampled = true;
  Use(options);
  vendor_.Answer(200);
  Call();
  EXPECT_TRUE(Sent(0).sampled());
}

TEST_F(TraceTest, WithoutStartACallWithoutATraceStaysWithout) {
  TraceOptions options;
  options.start = false;
  Use(options);
  vendor_.Answer(200).Times(2);
  Call();
  EXPECT_FALSE(vendor_.sent().at(0).request.headers.Has("traceparent"));
  EXPECT_EQ(random_.draws, 0u);
  Call(Traced());
  EXPECT_EQ(Sent(1).TraceIdText(), kTraceId);
}

class MalformedTraceTest : public TraceTest, public ::testing::WithParamInterface<bool> {};

TEST_P(MalformedTraceTest, RestartsTheTraceForAllAttemptsAndIsNoError) {
  UseRetry();
  TraceOptions options;
  options.start = GetParam();
  Use(options);
  vendor_.Answer(503);
  vendor_.Answer(200);
  Call(Traced("00-hello", "congo=1"));
  EXPECT_EQ(Sent(0).TraceIdText(), Sent(1).TraceIdText());
  EXPECT_EQ(Sent(0).state, "");
  EXPECT_THAT(Explanation(),
              HasSubstr("the traceparent is malformed, started trace " + Sent(0).TraceIdText()));
}

INSTANTIATE_TEST_SUITE_P(Rows, MalformedTraceTest, ::testing::Bool(), [](const auto& test) {
  return std::string(test.param ? "WithStart" : "WithoutStart");
});

TEST_F(TraceTest, AMalformedTracestateIsDroppedAlone) {
  Use({});
  vendor_.Answer(200);
  Call(Traced(kParent, "NOT A STATE"));
  EXPECT_EQ(Sent(0).TraceIdText(), kTraceId);
  EXPECT_EQ(Sent(0).state, "");
}

TEST_F(TraceTest, TheHeaderOfTheRequestIsTheTraceWhenTheOptionsHaveNone) {
  Use({});
  vendor_.Answer(200).Times(2);
  ASSERT_TRUE(request_.headers.Set("traceparent", kParent));
  Call();
  EXPECT_EQ(Sent(0).TraceIdText(), kTraceId);
  request_.headers = {};
  ASSERT_TRUE(request_.headers.Set("traceparent", "malformed"));
  Call();
  EXPECT_NE(Sent(1).TraceIdText(), kTraceId);
}

TEST_F(TraceTest, TheOptionsWinOverTheHeader) {
  Use({});
  vendor_.Answer(200);
  ASSERT_TRUE(request_.headers.Set("traceparent",
                                   "00-11111111111111111111111111111111-2222222222222222-00"));
  Call(Traced());
  EXPECT_EQ(Sent(0).TraceIdText(), kTraceId);
}

// As a hedging layer does.
class CopyingInterceptor final : public Interceptor {
 public:
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    for (int i = 0; i < 2; ++i) {
      http::Request copy = request;
      UNDERSTUDY_RETURN_IF_ERROR(next(copy, context).transform([](auto&&) { return 0; }));
    }
    return next(request, context);
  }
  std::string Describe() const override { return "copying"; }
};

TEST_F(TraceTest, OneOutsideAndOneInsideKeepCopiesInOneTrace) {
  Use({});
  layers_.push_back(std::make_unique<CopyingInterceptor>());
  Use({});
  vendor_.Answer(200).Times(3);
  Call();
  std::set<std::string> traces;
  std::set<std::string> spans;
  for (std::size_t i = 0; i < 3; ++i) {
    traces.insert(Sent(i).TraceIdText());
    spans.insert(Sent(i).SpanIdText());
  }
  EXPECT_EQ(traces.size(), 1u);
  EXPECT_EQ(spans.size(), 3u);
}

TEST_F(TraceTest, TheStateOfOtherSystemsCanBeKeptFromTheVendor) {
  TraceOptions options;
  options.forward_state = false;
  Use(options);
  vendor_.Answer(200);
  Call(Traced(kParent, "congo=secret"));
  EXPECT_FALSE(vendor_.sent().at(0).request.headers.Has("tracestate"));
}

TEST_F(TraceTest, DescribesItself) {
  EXPECT_EQ(TraceInterceptor({}, runtime()).Describe(),
            "trace: W3C trace context, a new trace for a call without one");
  TraceOptions options;
  options.start = false;
  options.forward_state = false;
  EXPECT_EQ(TraceInterceptor(options, runtime()).Describe(),
            "trace: W3C trace context, only what the caller gives, without tracestate");
}

}  // namespace
}  // namespace understudy
