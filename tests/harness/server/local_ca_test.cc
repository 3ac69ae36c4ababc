#include "harness/server/local_ca.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/server/openssl_types.h"
#include "harness/server/socket_bio.h"
#include "harness/server/tls_context.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// As a client would check it, with the project's own verification of chains.
Result<void> Check(const TlsIdentity& identity, const LocalCa& ca, std::string_view host) {
  const auto roots = OpensslCrypto().ReadRoots(ca.certificate_pem());
  if (!roots) return roots.error();
  return (*roots)->Check(identity.certificate_pem, host, SystemClock().SystemNow());
}

TEST(LocalCaTest, IssuesCertificatesThatItsClientsAccept) {
  const auto ca = LocalCa::Create().value();
  const auto identity = ca->Issue({"api.acme.test", "127.0.0.1", "::1", "*.wild.test"}).value();
  for (const char* const host : {"api.acme.test", "a.wild.test"}) {
    const auto checked = Check(identity, *ca, host);
    EXPECT_TRUE(checked) << host << checked.error().ToString();
  }
  EXPECT_FALSE(Check(identity, *ca, "other.test"));
}

TEST(LocalCaTest, IsNotTheAuthorityOfAnother) {
  const auto ca = LocalCa::Create().value();
  const auto other = LocalCa::Create().value();
  EXPECT_NE(ca->certificate_pem(), other->certificate_pem());
  EXPECT_FALSE(Check(ca->Issue({"a.test"}).value(), *other, "a.test"));
}

TEST(LocalCaTest, GoesOnWithAnAuthorityThatWasMadeBefore) {
  const auto ca = LocalCa::Create().value();
  const auto again = LocalCa::Load(ca->certificate_pem(), ca->key_pem());
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ((*again)->certificate_pem(), ca->certificate_pem());
  EXPECT_TRUE(Check((*again)->Issue({"a.test"}).value(), *ca, "a.test"));
}

class FlawedTest : public testing::TestWithParam<CertificateFlaw> {};

TEST_P(FlawedTest, IsRefusedByClients) {
  const auto ca = LocalCa::Create().value();
  const auto identity = ca->Issue({"a.test"}, GetParam()).value();
  EXPECT_FALSE(Check(identity, *ca, "a.test"));
}

INSTANTIATE_TEST_SUITE_P(Flaws, FlawedTest,
                         testing::Values(CertificateFlaw::kExpired, CertificateFlaw::kNotYetValid,
                                         CertificateFlaw::kWrongHost, CertificateFlaw::kUnknownCa));

TEST(LocalCaTest, RefusesAnAuthorityThatIsNone) {
  const auto ca = LocalCa::Create().value();
  const auto leaf = ca->Issue({"a.test"}).value();
  const auto refused = [](std::string_view certificate, const Secret& key) {
    const auto loaded = LocalCa::Load(certificate, key);
    return loaded ? std::string() : loaded.error().message;
  };
  EXPECT_THAT(refused("", ca->key_pem()), HasSubstr("no certificate"));
  EXPECT_THAT(refused(leaf.certificate_pem, leaf.key_pem), HasSubstr("not one of an authority"));
  EXPECT_THAT(refused(ca->certificate_pem(), Secret("x")), HasSubstr("private key"));
  EXPECT_THAT(refused(ca->certificate_pem(), leaf.key_pem), HasSubstr("does not belong"));
}

TEST(LocalCaTest, RefusesNamesThatAreNone) {
  const auto ca = LocalCa::Create().value();
  const std::string long_name(254, 'a');
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a\0b", 3), std::string("127.0.0.1\0", 10),
        std::string("a,DNS:b"), std::string("\xff"), std::string("..a"), long_name}) {
    EXPECT_FALSE(ca->Issue({name})) << name;
  }
  EXPECT_FALSE(ca->Issue({}));
  EXPECT_FALSE(ca->Issue(std::vector<std::string>(101, "a")));
  EXPECT_TRUE(ca->Issue(std::vector<std::string>(100, "a")));
  EXPECT_TRUE(ca->Issue({std::string(253, 'a')}));
}

TEST(LocalCaTest, RefusesNamesOfClientsThatAreNone) {
  const auto ca = LocalCa::Create().value();
  EXPECT_FALSE(ca->IssueClient(""));
  EXPECT_FALSE(ca->IssueClient("\xff"));
  EXPECT_FALSE(ca->IssueClient(std::string(65, 'a')));
  EXPECT_TRUE(ca->IssueClient(std::string(64, 'a')));
}

// --- TlsContext ---

// Holds both ends of a handshake in memory.
class MemorySocket final : public ByteSocket {
 public:
  int RawRead(char* bytes, std::size_t bytes_max) override {
    const std::size_t count = input.copy(bytes, bytes_max);
    input.erase(0, count);
    return count == 0 ? kTimeout : static_cast<int>(count);
  }
  bool RawWrite(std::string_view bytes) override {
    output.append(bytes);
    return true;
  }

  std::string input;
  std::string output;
};

// Only as far as the server's certificate is chosen.
void Greet(TlsContext& context, const std::string& host) {
  const openssl::Context client_context(SSL_CTX_new(TLS_client_method()));
  const openssl::Connection client(SSL_new(client_context.get()));
  SSL_ctrl(client.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
           const_cast<char*>(host.c_str()));
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(client.get());
  const char* hello = nullptr;
  const long size = BIO_get_mem_data(out, &hello);
  MemorySocket socket;
  socket.input.assign(hello, static_cast<std::size_t>(size));
  const std::string address = "127.0.0.1";
  const auto connection = context.NewConnection(CertificateFlaw::kNone, socket, address);
  SSL_accept(connection.get());
  EXPECT_THAT(socket.output, StartsWith("\x16\x03\x03"));
}

TEST(TlsContextTest, KeepsOneCertificatePerNameAndNotMoreThanItsBound) {
  const auto context = TlsContext::Create({}, "127.0.0.1").value();
  Greet(*context, "a.test");
  Greet(*context, "A.test");
  EXPECT_EQ(context->cached(), 1U);
  for (std::size_t i = 0; i < TlsContext::kCachedMax + 20; ++i)
    Greet(*context, "host" + std::to_string(i) + ".test");
  EXPECT_EQ(context->cached(), TlsContext::kCachedMax);
}

TEST(TlsContextTest, TreatsANameThatIsNoneAsNoName) {
  const auto context = TlsContext::Create({}, "127.0.0.1").value();
  Greet(*context, "not a name");
  Greet(*context, "\xff\xfe");
  Greet(*context, "a:b");
  EXPECT_LE(context->cached(), 1U);
}

}  // namespace
}  // namespace understudy::harness
