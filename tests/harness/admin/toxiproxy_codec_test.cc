#include "harness/admin/toxiproxy_codec.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ToxiproxyCodecTest, ReadsAProxyAsGoWould) {
  struct Row {
    const char* name;
    const char* body;
  };
  for (const Row& row :
       {Row{"plain", R"({"name":"a","upstream":"b:1","listen":"c:2","enabled":false})"},
        Row{"other case", R"({"Name":"a","UPSTREAM":"b:1","Listen":"c:2","eNabled":false})"},
        Row{"unknown fields",
            R"({"name":"a","upstream":"b:1","listen":"c:2","enabled":false,"x":[1]})"},
        Row{"more behind it",
            R"( {"name":"a","upstream":"b:1","listen":"c:2","enabled":false} {"x)"},
        Row{"the last one counts",
            R"({"name":"z","name":"a","upstream":"b:1","listen":"c:2","enabled":false})"},
        Row{"null toxics",
            R"({"name":"a","upstream":"b:1","listen":"c:2","enabled":false,"toxics":null})"}}) {
    const auto input = ParseProxy(row.body);
    ASSERT_TRUE(input) << row.name << input.error().message;
    EXPECT_EQ(input->name, "a") << row.name;
    EXPECT_EQ(input->upstream, "b:1") << row.name;
    EXPECT_EQ(input->listen, "c:2") << row.name;
    EXPECT_EQ(input->enabled, false) << row.name;
    EXPECT_FALSE(input->toxics) << row.name;
  }
}

TEST(ToxiproxyCodecTest, NullIsAsGoodAsAbsent) {
  const auto input = ParseProxy(R"({"name":"a","upstream":"b:1","listen":null,"enabled":null})");
  ASSERT_TRUE(input);
  EXPECT_FALSE(input->listen);
  EXPECT_FALSE(input->enabled);
}

TEST(ToxiproxyCodecTest, SaysWhatIsWrongWithABody) {
  struct Row {
    const char* body;
    const char* error;
  };
  for (const Row& row :
       {Row{"", "bad request body: EOF"}, Row{"  ", "bad request body: EOF"},
        Row{"7", "bad request body: it is neither"}, Row{"{", "bad request body: unexpected EOF"},
        Row{"{\"a\":}", "bad request body: it is not JSON"},
        Row{"[]", "bad request body: it is not an object"},
        Row{"{}", "missing required field: name"},
        Row{R"({"name":""})", "missing required field: name"},
        Row{R"({"name":"a"})", "missing required field: upstream"},
        Row{R"({"name":7})", "bad request body: name is not a string"},
        Row{R"({"name":"a","upstream":"b:1","enabled":"yes"})", "bad request body: enabled"},
        Row{R"({"name":"a","upstream":"b:1","toxics":[{"type":"x"}]})", "invalid toxic type"}}) {
    const auto input = ParseProxy(row.body);
    ASSERT_FALSE(input) << row.body;
    EXPECT_THAT(input.error().message, StartsWith(row.error)) << row.body;
  }
  EXPECT_THAT(ParseProxy(std::string(100, '[')).error().message, HasSubstr("nested"));
  EXPECT_THAT(ParseProxy(std::string(2'000'000, ' ')).error().message, HasSubstr("1 MiB"));
}

TEST(ToxiproxyCodecTest, EveryTypeHasItsAttributesInTheirUnits) {
  struct Row {
    const char* type;
    const char* attributes;
  };
  for (const Row& row :
       {Row{"latency", R"({"latency":100,"jitter":7})"}, Row{"bandwidth", R"({"rate":20})"},
        Row{"slow_close", R"({"delay":30})"}, Row{"timeout", R"({"timeout":40})"},
        Row{"reset_peer", R"({"timeout":50})"},
        Row{"slicer", R"({"average_size":60,"size_variation":6,"delay":10})"},
        Row{"limit_data", R"({"bytes":70})"}, Row{"noop", "{}"}}) {
    const std::string body =
        std::string(R"({"type":")") + row.type + R"(","attributes":)" + row.attributes + "}";
    const auto toxic = ParseToxic(body);
    ASSERT_TRUE(toxic) << body << toxic.error().message;
    EXPECT_EQ(ToJson(*toxic), std::string(R"({"attributes":)") + row.attributes + R"(,"name":")" +
                                  row.type + R"(_downstream","type":")" + row.type +
                                  R"(","stream":"downstream","toxicity":1})");
  }
  const auto slicer = ParseToxic(R"({"type":"slicer","attributes":{"average_size":1,"delay":10}})");
  EXPECT_EQ(std::get<SlicerToxic>(slicer->effect).delay, 10us);
  const auto latency = ParseToxic(R"({"type":"latency","attributes":{"latency":10.0}})");
  EXPECT_EQ(std::get<LatencyToxic>(latency->effect).latency, 10ms);
}

TEST(ToxiproxyCodecTest, RefusesAToxicThatCannotBe) {
  struct Row {
    const char* body;
    const char* error;
  };
  for (const Row& row :
       {Row{"{}", "invalid toxic type"}, Row{R"({"type":"Latency"})", "invalid toxic type"},
        Row{R"({"type":"noop","stream":"sideways"})",
            "stream was invalid, can be either upstream or downstream"},
        Row{R"({"type":"noop","toxicity":1.01})", "bad request body: toxicity"},
        Row{R"({"type":"noop","toxicity":-1})", "bad request body: toxicity"},
        Row{R"({"type":"noop","toxicity":"1"})", "bad request body: toxicity"},
        Row{R"({"type":"noop","attributes":[]})", "bad request body: attributes"},
        Row{R"({"type":"latency","attributes":{"latency":"1"}})", "bad request body: latency"},
        Row{R"({"type":"latency","attributes":{"latency":1.5}})", "bad request body: latency"},
        Row{R"({"type":"latency","attributes":{"latency":-1}})",
            "bad request body: the attribute latency"},
        Row{R"({"type":"latency","attributes":{"latency":9223372036854775807}})",
            "bad request body: the attribute latency"},
        Row{R"({"type":"latency","attributes":{"latency":18446744073709551615}})",
            "bad request body: latency is too large"},
        Row{R"({"type":"latency","attributes":{"latency":1e300}})", "bad request body: latency"},
        Row{R"({"type":"bandwidth","attributes":{"rate":-1}})",
            "bad request body: the attribute rate"},
        Row{R"({"type":"slicer"})", "bad request body: the attribute average_size"}}) {
    const auto toxic = ParseToxic(row.body);
    ASSERT_FALSE(toxic) << row.body;
    EXPECT_THAT(toxic.error().message, StartsWith(row.error)) << row.body;
  }
}

TEST(ToxiproxyCodecTest, AnUpdateChangesWhatItNamesAndNothingElse) {
  const auto toxic = ParseToxic(
      R"({"name":"n","type":"latency","stream":"upstream","toxicity":0.5,"attributes":{"latency":1,"jitter":2}})");
  const auto changed = ParseToxicUpdate(
      R"({"name":"other","type":"noop","stream":"downstream","attributes":{"latency":9}})", *toxic);
  EXPECT_EQ(
      ToJson(*changed),
      R"({"attributes":{"latency":9,"jitter":2},"name":"n","type":"latency","stream":"upstream","toxicity":0.5})");
  EXPECT_EQ(ParseToxicUpdate(R"({"toxicity":0})", *toxic)->toxicity, 0.0);
  EXPECT_FALSE(ParseToxicUpdate(R"({"attributes":{"latency":-9}})", *toxic));
}

TEST(ToxiproxyCodecTest, ALongListSaysWhichProxyIsWrong) {
  const auto proxies = ParseProxies(R"([{"name":"a","upstream":"b:1"},{"name":"c"}])");
  EXPECT_EQ(proxies.error().message, "missing required field: upstream at proxy 2");
  EXPECT_THAT(ParseProxies(R"([{"name":"a","upstream":"b:1"},{"name":"a","upstream":"b:1"}])")
                  .error()
                  .message,
              HasSubstr("two proxies are called \"a\""));
  EXPECT_FALSE(ParseProxies("{}"));
}

TEST(ToxiproxyCodecTest, ForeignNamesAreEscaped) {
  const auto toxic = ParseToxic("{\"name\":\"a\\\"\\u0001\",\"type\":\"noop\"}");
  EXPECT_THAT(ToJson(*toxic), HasSubstr("a\\\"\\u0001"));
}

}  // namespace
}  // namespace understudy::harness
