#include "harness/match/uri_reference.h"

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

struct UriCase {
  const char* name;
  const char* base;
  const char* reference;
  const char* resolved;
};

class UriReferenceTest : public ::testing::TestWithParam<UriCase> {};

TEST_P(UriReferenceTest, Resolves) {
  EXPECT_EQ(ResolveUriReference(GetParam().base, GetParam().reference), GetParam().resolved);
}

// The first ones are examples of RFC 3986 section 5.4.
INSTANTIATE_TEST_SUITE_P(
    References, UriReferenceTest,
    ::testing::Values(UriCase{"Sibling", "http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
                      UriCase{"Absolute", "http://a/b/c/d;p?q", "g:h", "g:h"},
                      UriCase{"Root", "http://a/b/c/d;p?q", "/g", "http://a/g"},
                      UriCase{"Authority", "http://a/b/c/d;p?q", "//g", "http://g"},
                      UriCase{"Query", "http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
                      UriCase{"Fragment", "http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"},
                      UriCase{"Empty", "http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
                      UriCase{"Here", "http://a/b/c/d;p?q", ".", "http://a/b/c/"},
                      UriCase{"Up", "http://a/b/c/d;p?q", "../g", "http://a/b/g"},
                      UriCase{"AboveTheRoot", "http://a/b/c/d;p?q", "../../../g", "http://a/g"},
                      UriCase{"Urn", "urn:example:a", "#b", "urn:example:a#b"},
                      UriCase{"NoBase", "", "a.json#b", "a.json#b"},
                      UriCase{"NoPath", "http://a", "g", "http://a/g"},
                      UriCase{"RelativeBase", "a/b.json", "c.json", "a/c.json"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
