// Owning handles of OpenSSL's objects. For the sources of harness/server alone: no public header
// includes it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "middleware/base/check.h"

namespace understudy::harness::openssl {

template <auto free_it>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free_it(object);
  }
};

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Method = std::unique_ptr<BIO_METHOD, Free<BIO_meth_free>>;
using Connection = std::unique_ptr<SSL, Free<SSL_free>>;

// The error queue belongs to the thread; what one connection leaves there must not be read as the
// error of the next.
class CleanErrors {
 public:
  CleanErrors() { ERR_clear_error(); }
  ~CleanErrors() { ERR_clear_error(); }
  CleanErrors(const CleanErrors&) = delete;
  CleanErrors& operator=(const CleanErrors&) = delete;
};

// The bytes must outlive the handle.
inline Memory ReadOnly(std::string_view text) {
  Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  UNDERSTUDY_CHECK(memory != nullptr, "OpenSSL has no memory for a buffer");
  return memory;
}

// An encrypted key must not open a terminal to ask for its pass phrase.
inline int NoPassPhrase(char*, int, int, void*) { return -1; }

}  // namespace understudy::harness::openssl
