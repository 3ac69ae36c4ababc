#include "middleware/http/trace_context.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fixed_random.h"

namespace understudy::http {
namespace {

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Counts up, so that every draw is another one.
class CountingRandom final : public Random {
 public:
  std::uint64_t Next(std::string_view site) override {
    sites.insert(std::string(site));
    return next++;
  }
  std::uint64_t next = 1;
  std::set<std::string> sites = {};
};

std::string With(std::size_t at, std::string_view text) {
  return std::string(kParent).replace(at, text.size(), text);
}

TEST(TraceContextTest, ReadsTheFourFields) {
  const auto context = TraceContext::Parse(kParent);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->TraceIdText(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->SpanIdText(), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(context->state, "");
  EXPECT_EQ(context->Traceparent(), kParent);
}

struct ValidCase {
  std::string name;
  std::string text;
  std::string written;
};

class ValidTraceparentTest : public ::testing::TestWithParam<ValidCase> {};

TEST_P(ValidTraceparentTest, IsWrittenAsVersion00) {
  const auto context = TraceContext::Parse(GetParam().text);
  ASSERT_TRUE(context);
  EXPECT_LE(context->flags, 3);
  EXPECT_EQ(context->Traceparent(), GetParam().written);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ValidTraceparentTest,
    ::testing::Values(ValidCase{"NotSampled", With(53, "00"), With(53, "00")},
                      ValidCase{"RandomIdFlag", With(53, "03"), With(53, "03")},
                      ValidCase{"UnknownFlagsAreNotPassedOn", With(53, "ff"), With(53, "03")},
                      ValidCase{"LaterVersion", With(0, "01"), std::string(kParent)},
                      ValidCase{"LastVersion", With(0, "fe"), std::string(kParent)},
                      ValidCase{"LaterVersionWithMore", With(0, "cc") + "-what-the-future-brings",
                                std::string(kParent)},
                      ValidCase{"LaterVersionWithADash", With(0, "cc") + "-", std::string(kParent)},
                      ValidCase{"SmallestIds",
                                "00-00000000000000000000000000000001-0000000000000001-00",
                                "00-00000000000000000000000000000001-0000000000000001-00"}),
    [](const auto& test) { return test.param.name; });

struct InvalidCase {
  std::string name;
  std::string text;
};

class InvalidTraceparentTest : public ::testing::TestWithParam<InvalidCase> {};

TEST_P(InvalidTraceparentTest, IsRefusedWithoutBeingRepeated) {
  const auto context = TraceContext::Parse(GetParam().text);
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, ErrorCode::kInvalidArgument);
  const bool repeats = !GetParam().text.empty() &&
                       context.error().message.find(GetParam().text) != std::string::npos;
  EXPECT_FALSE(repeats);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, InvalidTraceparentTest,
    ::testing::Values(
        InvalidCase{"Empty", ""}, InvalidCase{"TooShort", std::string(kParent.substr(0, 54))},
        InvalidCase{"Version00Longer", std::string(kParent) + "-"},
        InvalidCase{"Version00WithMore", std::string(kParent) + "-00"},
        InvalidCase{"LaterVersionTooShort", With(0, "cc").substr(0, 54)},
        InvalidCase{"LaterVersionWithoutADash", With(0, "cc") + "0"},
        InvalidCase{"VersionFf", With(0, "ff")}, InvalidCase{"VersionUpperCase", With(0, "0A")},
        InvalidCase{"VersionNoHex", With(0, "0g")},
        InvalidCase{"TraceIdOfZeros", With(3, std::string(32, '0'))},
        InvalidCase{"ParentIdOfZeros", With(36, std::string(16, '0'))},
        InvalidCase{"UpperCaseTraceId", With(3, "4BF9")},
        InvalidCase{"NoHexTraceId", With(34, "g")},
        InvalidCase{"UpperCaseParentId", With(36, "00F0")},
        InvalidCase{"NoHexParentId", With(51, ".")}, InvalidCase{"UpperCaseFlags", With(53, "0B")},
        InvalidCase{"NoHexFlags", With(54, "x")}, InvalidCase{"FirstDashMissing", With(2, "_")},
        InvalidCase{"SecondDashMissing", With(35, "0")},
        InvalidCase{"ThirdDashMissing", With(52, ".")},
        InvalidCase{"SpaceBefore", " " + std::string(kParent)},
        InvalidCase{"SpaceAfter", std::string(kParent) + " "},
        InvalidCase{"ByteAboveAscii", With(10, "\xff")},
        InvalidCase{"Nul", With(10, std::string_view("\0", 1))},
        InvalidCase{"Huge", With(0, "cc") + "-" + std::string(9000, 'x')}),
    [](const auto& test) { return test.param.name; });

struct StateCase {
  std::string name;
  std::string text;
  std::string normal;
};

class TracestateTest : public ::testing::TestWithParam<StateCase> {};

TEST_P(TracestateTest, BecomesOneTidyList) {
  const auto normal = NormaliseTracestate(GetParam().text);
  ASSERT_TRUE(normal);
  EXPECT_EQ(*normal, GetParam().normal);
  EXPECT_EQ(NormaliseTracestate(*normal).value(), *normal);
}

std::string Members(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? ",k" : "k") + std::to_string(i) + "=v";
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TracestateTest,
    ::testing::Values(
        StateCase{"Nothing", "", ""}, StateCase{"One", "congo=t61rcWkgMzE", "congo=t61rcWkgMzE"},
        StateCase{"WhiteSpaceAround", " a=1 ,\tb=2\t", "a=1,b=2"},
        StateCase{"EmptyMembers", ",a=1,, ,b=2,", "a=1,b=2"}, StateCase{"OnlyCommas", ",,,", ""},
        StateCase{"SpaceInsideAValue", "a= 1 2", "a= 1 2"},
        StateCase{"Tenant", "0tenant@sys_*-/x=1", "0tenant@sys_*-/x=1"},
        StateCase{"EveryByteOfAValue", "a=!\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~",
                  "a=!\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~"},
        StateCase{"TheFirstOfAKeyStays", "a=new,b=1,a=old", "a=new,b=1"},
        StateCase{"MostMembers", Members(32), Members(32)},
        StateCase{"LongestKey", std::string(256, 'k') + "=v", std::string(256, 'k') + "=v"},
        StateCase{"LongestValue", "k=" + std::string(256, 'v'), "k=" + std::string(256, 'v')},
        StateCase{"LongestList", "a=" + std::string(252, 'v') + ",b=" + std::string(255, 'v'),
                  "a=" + std::string(252, 'v') + ",b=" + std::string(255, 'v')},
        StateCase{"LongMembersGoFirst",
                  "a=" + std::string(127, 'v') + ",b=1,c=" + std::string(255, 'v') +
                      ",d=" + std::string(126, 'v') + ",e=2",
                  "a=" + std::string(127, 'v') + ",b=1,d=" + std::string(126, 'v') + ",e=2"},
        StateCase{"ThenTheLastOnes",
                  "a=" + std::string(126, 'v') + ",b=" + std::string(126, 'v') +
                      ",c=" + std::string(126, 'v') + ",d=" + std::string(126, 'v') + ",e=1",
                  "a=" + std::string(126, 'v') + ",b=" + std::string(126, 'v') +
                      ",c=" + std::string(126, 'v')},
        StateCase{"OneThatIsTooLongAlone",
                  std::string(256, 'k') + "=" + std::string(256, 'v') + ",a=1", "a=1"}),
    [](const auto& test) { return test.param.name; });

class MalformedTracestateTest : public ::testing::TestWithParam<InvalidCase> {};

TEST_P(MalformedTracestateTest, IsDroppedAndTheTraceparentStands) {
  EXPECT_FALSE(NormaliseTracestate(GetParam().text));
  const auto context = TraceContext::Parse(kParent, GetParam().text);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->state, "");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MalformedTracestateTest,
    ::testing::Values(InvalidCase{"NoEquals", "a"}, InvalidCase{"NoKey", "=1"},
                      InvalidCase{"NoValue", "a="}, InvalidCase{"UpperCaseKey", "A=1"},
                      InvalidCase{"SpaceInKey", "a b=1"}, InvalidCase{"SpaceBeforeEquals", "a =1"},
                      InvalidCase{"KeyStartsWithASign", "_a=1"}, InvalidCase{"TwoEquals", "a=1=2"},
                      InvalidCase{"Semicolons", "a=1;b=2=3"}, InvalidCase{"TabInValue", "a=1\t2"},
                      InvalidCase{"ByteAboveAscii", "a=\xc3\xb6"},
                      InvalidCase{"Nul", std::string("a=\0", 3)},
                      InvalidCase{"LineFeed", "a=1\nb=2"},
                      InvalidCase{"KeyTooLong", std::string(257, 'k') + "=v"},
                      InvalidCase{"ValueTooLong", "k=" + std::string(257, 'v')},
                      InvalidCase{"TooManyMembers", Members(33)},
                      InvalidCase{"TooManyMembersOfOneKey", Members(32) + ",k0=v"},
                      InvalidCase{"OneMalformedMember", "a=1,B=2,c=3"},
                      InvalidCase{"Huge", "a=1," + std::string(9000, ',')}),
    [](const auto& test) { return test.param.name; });

TEST(TraceContextTest, ReadsHeadersInAnyCaseAndJoinsTheStates) {
  const Headers headers{{"TraceParent", kParent},
                        {"TRACESTATE", "a=1"},
                        {"tracestate", ""},
                        {"Tracestate", "b=2,a=3"}};
  const auto context = TraceContext::FromHeaders(headers);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->state, "a=1,b=2");
}

TEST(TraceContextTest, WithoutATraceparentThereIsNoTraceWhateverTheStateSays) {
  const auto context = TraceContext::FromHeaders(Headers{{"tracestate", "a=1"}});
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, ErrorCode::kNotFound);
}

TEST(TraceContextTest, TwoTraceparentsAreMalformed) {
  const auto context =
      TraceContext::FromHeaders(Headers{{"traceparent", kParent}, {"traceparent", kParent}});
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, ErrorCode::kInvalidArgument);
}

TEST(TraceContextTest, ManyLongStatesAreDroppedWithoutBeingJoined) {
  Headers headers{{"traceparent", kParent}};
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(headers.Add("tracestate", "a=" + std::string(250, 'v')));
  const auto context = TraceContext::FromHeaders(headers);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->state, "");
}

TEST(TraceContextTest, AChildHasANewSpanAndNothingElse) {
  CountingRandom random;
  const TraceContext parent = TraceContext::Parse(kParent, "a=1").value();
  const TraceContext one = parent.Child(random);
  const TraceContext two = parent.Child(random);
  EXPECT_EQ(one.Traceparent(), With(36, "0000000000000001"));
  EXPECT_EQ(two.Traceparent(), With(36, "0000000000000002"));
  EXPECT_EQ(one.state, "a=1");
  EXPECT_EQ(random.sites, std::set<std::string>{"trace/span-id"});
}

TEST(TraceContextTest, StartsANewTrace) {
  CountingRandom random;
  random.next = 0x0123456789abcdef;
  EXPECT_EQ(TraceContext::Start(random, true).Traceparent(),
            "00-0123456789abcdef0123456789abcdf0-0123456789abcdf1-01");
  EXPECT_FALSE(TraceContext::Start(random, false).sampled());
}

TEST(TraceContextTest, ADrawOfZerosStillGivesValidIds) {
  test::FixedRandom zeros(0.0);
  const TraceContext context = TraceContext::Start(zeros, false).Child(zeros);
  EXPECT_EQ(TraceContext::Parse(context.Traceparent()).value(), context);
}

TEST(TraceContextTest, WritesItsHeadersOverTheOldOnes) {
  Headers headers{{"traceparent", "old"}, {"tracestate", "old=1"}, {"X", "y"}};
  ASSERT_TRUE(TraceContext::Parse(kParent, "a=1").value().WriteTo(headers));
  EXPECT_EQ(headers, (Headers{{"traceparent", kParent}, {"tracestate", "a=1"}, {"X", "y"}}));
  ASSERT_TRUE(TraceContext::Parse(kParent).value().WriteTo(headers));
  EXPECT_EQ(headers, (Headers{{"traceparent", kParent}, {"X", "y"}}));
}

TEST(TraceContextTest, WhatIsNotAContextIsNotWritten) {
  Headers headers{{"traceparent", "old"}};
  const Headers before = headers;
  EXPECT_FALSE(TraceContext().WriteTo(headers));
  TraceContext context = TraceContext::Parse(kParent).value();
  context.state = "a=1\r\nEvil: 1";
  EXPECT_FALSE(context.WriteTo(headers));
  EXPECT_EQ(headers, before);
}

TEST(TraceContextTest, WhatItWritesItReads) {
  CountingRandom random;
  random.next = 0xfedcba9876543210;
  TraceContext context = TraceContext::Start(random, true);
  context.state = "a=1,b@c=x y";
  Headers headers;
  ASSERT_TRUE(context.WriteTo(headers));
  EXPECT_EQ(TraceContext::FromHeaders(headers).value(), context);
}

}  // namespace
}  // namespace understudy::http
