#include "harness/scenario/vendor_file.h"

#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Files = std::map<std::string, std::string>;

VendorFile Load(std::string text, const std::string& path = "x/acme.json", Files files = {}) {
  VendorFileOptions options;
  options.read_file = [files = std::move(files)](const std::string& name) -> Result<std::string> {
    const auto found = files.find(name);
    if (found != files.end()) return found->second;
    return Error{.code = ErrorCode::kNotFound, .message = "there is no such file"};
  };
  return LoadVendorText(path, std::move(text), options);
}

// One response of one route.
VendorFile LoadResponse(const std::string& response) {
  return Load(R"({"routes": [{"id": "r", "match": {"path": "/r/{id}"}, "respond": [)" + response +
              "]}]}");
}

ResponseSpec Response(const std::string& response) {
  const VendorFile file = LoadResponse(response);
  EXPECT_TRUE(file.ok()) << file.ErrorText();
  return file.ok() ? file.vendors[0].routes[0].responses[0] : ResponseSpec();
}

constexpr const char* kRoute =
    R"({"id": "r", "match": {"path": "/r"}, "respond": [{"status": 200}]})";

std::string Vendor(const std::string& more = "") {
  return std::string(R"({"routes": [)") + kRoute + "]" + more + "}";
}

// ---- forms ----

TEST(VendorFileTest, VendorsByName) {
  const VendorFile file = Load(R"({"vendors": {"pay": )" + Vendor() + R"(, "acme": )" + Vendor() +
                               "}, /* comments and */ }");
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  ASSERT_THAT(file.vendors, SizeIs(2));
  EXPECT_EQ(file.vendors[0].name, "acme");
  EXPECT_EQ(file.vendors[1].name, "pay");
  EXPECT_THAT(file.files, ElementsAre("x/acme.json"));
}

TEST(VendorFileTest, OneVendorsSectionIsNamedLikeItsFile) {
  const VendorFile file = Load(Vendor(), "folder.d/shop.vendor.json");
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  ASSERT_THAT(file.vendors, SizeIs(1));
  EXPECT_EQ(file.vendors[0].name, "shop");
}

TEST(VendorFileTest, AScenarioGivesItsVendorsWhateverItsClientIs) {
  const VendorFile file = Load(
      R"({"format": 1, "name": "abc", "params": {"code": 503},
          "vendor": {"routes": [{"id": "r", "match": {"path": "/r"},
                                 "respond": [{"status": "${code}"}]}]},
          "client": {"program": "not linked here"}, "steps": [], "expect": []})");
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  EXPECT_EQ(file.vendors[0].name, "vendor");
  EXPECT_EQ(file.vendors[0].routes[0].responses[0].status, 503);
}

TEST(VendorFileTest, UsedFilesAddAndAreListed) {
  const VendorFile file =
      Load(R"({"use": ["more.json"], "vendors": {"acme": )" + Vendor() + "}}", "x/acme.json",
           {{"x/more.json",
             R"({"vendors": {"acme": {"routes": [{"id": "s", "match": {"path": "/s"},
                 "respond": [{"body_file": "s.txt"}]}]}}})"},
            {"x/s.txt", "text {{not a template}}"}});
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  EXPECT_THAT(file.vendors[0].routes, SizeIs(2));
  EXPECT_FALSE(file.vendors[0].routes[1].responses[0].templated);
  EXPECT_THAT(file.files, ElementsAre("x/acme.json", "x/more.json", "x/s.txt"));
}

TEST(VendorFileTest, OfAMatrixTheFirstValuesCount) {
  const VendorFile file = Load(R"({"matrix": {"code": [201, 202]}, "vendors": {"a": {"routes": [
      {"id": "r", "match": {"path": "/r"}, "respond": [{"status": "${code}"}]}]}}})");
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  EXPECT_EQ(file.vendors[0].routes[0].responses[0].status, 201);
}

// ---- what is wrong, and where ----

struct BadFile {
  const char* name;
  const char* text;
  const char* error;
};

class VendorFileErrorTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(VendorFileErrorTest, IsReportedWithItsPlace) {
  const VendorFile file = Load(GetParam().text);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.vendors, IsEmpty());
  EXPECT_THAT(file.ErrorText(), StartsWith("x/acme.json:"));
  EXPECT_THAT(file.ErrorText(), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Files, VendorFileErrorTest,
    ::testing::Values(
        BadFile{"NoJson", "{", "x/acme.json:1:2: "},
        BadFile{"NoObject", "[]", "x/acme.json:1:1: (root): "},
        BadFile{"NoVendor", "{}", "the key \"vendor\" is missing"},
        BadFile{"MisspeltVendors", R"({"vendrs": {}})", "did you mean \"vendors\"?"},
        BadFile{"MisspeltSection", R"({"vendors": {"a": {"rutes": []}}})",
                "x/acme.json:1:20: /vendors/a/rutes: unknown key \"rutes\"; did you mean "
                "\"routes\"?"},
        BadFile{"SectionBesideVendors", R"({"vendors": {"a": {}}, "routes": []})",
                "unknown key \"routes\""},
        BadFile{"UnknownFormat", R"({"format": 9, "vendors": {"a": {}}})", "format 9"},
        BadFile{"UnknownNameInATemplate",
                R"({"routes": [{"id": "r", "match": {"path": "/r/{id}"},
"respond": [{"json": {"a": "{{request.path.ib}}"}}]}]})",
                "x/acme.json:2:13: /routes/0/respond/0: {{request.path.ib}}: the route's path "
                "captures no \"ib\"; did you mean \"id\"?"},
        BadFile{"OnlyTheModelKnows",
                R"({"routes": [{"id": "q", "match": {"path": "/q"}, "respond": [{"status": 200}]},
{"id": "r", "match": {"path": "/r"}, "respond": [{"status": 204, "body": "x"}]}]})",
                "x/acme.json:2:1: /routes/1: vendor \"acme\": route \"r\": response 1: status 204 "
                "carries no body"},
        BadFile{"TwoBodies",
                R"({"routes": [{"id": "r", "match": {"path": "/r"},
"respond": [{"body": "a", "body_base64": "YQ=="}]}]})",
                "a response has one of"},
        BadFile{"NoBase64",
                R"({"routes": [{"id": "r", "match": {"path": "/r"},
"respond": [{"body_base64": "%"}]}]})",
                "no base64"},
        BadFile{"TwoCallerKeys", R"({"per": {"header": "a", "query": "b"}, "routes": []})",
                "by one thing"},
        BadFile{"TokenFalse", R"({"per": {"token": false}, "routes": []})", "only be true"},
        BadFile{"MisspeltCallerKey", R"({"per": {"heder": "a"}, "routes": []})",
                "did you mean \"header\"?"},
        BadFile{"PrefixWithoutSlash", R"({"isolate_by": {"path_prefix": "t"}, "routes": []})",
                "begins and ends"},
        BadFile{"NoState",
                R"({"routes": [{"id": "r", "match": {"path": "/r"}, "when_state": {"m": []},
"respond": [{"status": 200}]}]})",
                "at least one state"}),
    [](const auto& test) { return test.param.name; });

TEST(VendorFileTest, EveryProblemIsReportedAtOnce) {
  const VendorFile file = Load(R"({"vendors": {"a": {"rutes": []}, "b": {"limts": []}}})");
  EXPECT_THAT(file.diagnostics, SizeIs(2));
}

TEST(VendorFileTest, AMissingFileIsReported) {
  const VendorFile file = LoadVendorFile("/no/such/file.json");
  EXPECT_THAT(file.ErrorText(), HasSubstr("there is no such file"));
}

// ---- what the keys mean ----

TEST(VendorFileTest, TextBodies) {
  const ResponseSpec text = Response(R"({"body": "plain"})");
  EXPECT_EQ(text.body, "plain");
  EXPECT_EQ(text.content_type, "text/plain; charset=utf-8");
  const ResponseSpec bytes = Response(R"({"body_base64": "AP8=", "content_type": "image/x"})");
  EXPECT_EQ(bytes.body, std::string("\0\xff", 2));
  EXPECT_EQ(bytes.content_type, "image/x");
}

TEST(VendorFileTest, BracesMakeATemplateUnlessTheFileSaysNo) {
  EXPECT_TRUE(Response(R"({"json": {"a": "{{n}}"}})").templated);
  EXPECT_TRUE(Response(R"({"headers": {"X": "{{n}}"}})").templated);
  EXPECT_FALSE(Response(R"({"json": {"a": 1}})").templated);
  EXPECT_FALSE(Response(R"({"body": "{{x}}", "template": false})").templated);
}

TEST(VendorFileTest, StatesCallersAndPriorities) {
  const VendorFile file = Load(
      R"({"per": {"token": true}, "isolate_by": {"header": "X-Test"}, "routes": [
          {"id": "r", "match": {"path": "/r/{id}"}, "priority": 1,
           "when_state": {"m": ["A", "Started"]}, "set_state": {"m": "B"}, "per": {"path": "id"},
           "respond": [{"when_state": {"m": "A"}, "set_state": {"k": "C"}}]}]})");
  ASSERT_TRUE(file.ok()) << file.ErrorText();
  const VendorSpec& vendor = file.vendors[0];
  const RouteSpec& route = vendor.routes[0];
  EXPECT_EQ(vendor.per, (CallerKey{.kind = CallerKey::Kind::kToken}));
  EXPECT_EQ(vendor.isolate_by->header, "X-Test");
  EXPECT_EQ(route.priority, 1);
  EXPECT_THAT(route.when_state.at("m"), ElementsAre("A", "Started"));
  EXPECT_EQ(route.set_state.at("m"), "B");
  EXPECT_EQ(route.per, (CallerKey{.kind = CallerKey::Kind::kCapture, .name = "id"}));
  EXPECT_THAT(route.responses[0].when_state.at("m"), ElementsAre("A"));
  EXPECT_EQ(route.responses[0].set_state.at("k"), "C");
}

TEST(VendorFileTest, TheFilesOfTheGuideAreGood) {
  std::ifstream guide(UNDERSTUDY_SOURCE_DIR "/docs/fake-vendor.md");
  int files = 0;
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(guide, line);) {
    if (line == "```" && inside) {
      const VendorFile file = Load(text);
      EXPECT_TRUE(file.ok()) << file.ErrorText() << text;
      ++files;
      inside = false;
    }
    if (inside) text += line + "\n";
    if (line == "```json") {
      inside = true;
      text.clear();
    }
  }
  EXPECT_GE(files, 3);
}

}  // namespace
}  // namespace understudy::harness
