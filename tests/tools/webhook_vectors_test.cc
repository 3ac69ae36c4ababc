// Every signed request of the shared file of vectors gets the verdict of the vendor's own code
// (reference vendors 1.3).
//
//   UNDERSTUDY_WEBHOOK_VECTORS=my.json ctest -R webhook_vectors     # another file of the same form
#include "tools/understudy/webhook_vectors.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "middleware/platform/file.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::tools {
namespace {

constexpr const char* kFile = UNDERSTUDY_SHARED_DIR "/data/webhook_vectors.json";
// Of the vendors and borders that the shared file does not reach; made with Python's hmac and
// cryptography.
constexpr const char* kMore = UNDERSTUDY_SOURCE_DIR "/tests/tools/webhook_vectors.json";

void ExpectTheVendorsVerdicts(const std::string& path) {
  const auto text = ReadFile(path, std::size_t{16} * 1024 * 1024);
  ASSERT_TRUE(text) << text.error().message;
  const auto vectors = ParseWebhookVectors(path, *text);
  ASSERT_TRUE(vectors) << vectors.error().message;
  EXPECT_FALSE(vectors->empty());
  const OpensslCrypto crypto;
  for (const WebhookVector& vector : *vectors) {
    const WebhookVerdict verdict = JudgeVector(crypto, vector);
    EXPECT_EQ(verdict.valid, vector.valid) << "vector " << vector.number << ", " << vector.vendor
                                           << ": " << vector.note << " [" << verdict.reason << "]";
  }
}

TEST(WebhookVectorsTest, MoreVectorsGetTheVerdictOfAnotherImplementation) {
  ExpectTheVendorsVerdicts(kMore);
}

// Last: where it is skipped, the whole ctest counts as skipped.
TEST(WebhookVectorsTest, SharedVectorsGetTheVendorsVerdict) {
  const char* const other = std::getenv("UNDERSTUDY_WEBHOOK_VECTORS");
  const std::string path = other != nullptr ? other : kFile;
  if (other == nullptr && !std::filesystem::exists(path)) GTEST_SKIP() << "no shared test data";
  ExpectTheVendorsVerdicts(path);
}

}  // namespace
}  // namespace understudy::tools
