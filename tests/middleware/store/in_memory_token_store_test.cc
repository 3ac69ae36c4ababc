#include "middleware/store/in_memory_token_store.h"

#include <gtest/gtest.h>

#include "tests/contract/token_store_contract.h"

namespace understudy::test {
namespace {

INSTANTIATE_TEST_SUITE_P(InMemory, TokenStoreContractTest, testing::Values(TokenStoreFactory([] {
                           return std::make_unique<InMemoryTokenStore>();
                         })));

TEST(InMemoryTokenStoreTest, RefusesMoreKeysThanItsBound) {
  InMemoryTokenStore store(1);
  const auto first = store.Save("a", TokenSet{}, 0);
  ASSERT_TRUE(first.has_value());
  const auto second = store.Save("b", TokenSet{}, 0);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().reason, "full");
  EXPECT_TRUE(store.Save("a", TokenSet{}, *first).has_value());
}

}  // namespace
}  // namespace understudy::test
