#include "harness/server/socket_bio.h"

namespace understudy::harness {
namespace {

ByteSocket& SocketOf(BIO* bio) { return *static_cast<ByteSocket*>(BIO_get_data(bio)); }

int Read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  const int count = SocketOf(bio).RawRead(bytes, static_cast<std::size_t>(size));
  if (count == ByteSocket::kTimeout) BIO_set_retry_read(bio);  // The session is still sound.
  return count;
}

int Write(BIO* bio, const char* bytes, int size) {
  if (size <= 0) return 0;
  return SocketOf(bio).RawWrite({bytes, static_cast<std::size_t>(size)}) ? size : -1;
}

// Everything is written at once, so there is nothing to flush.
long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

openssl::Method NewSocketMethod() {
  openssl::Method method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket"));
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method.get(), Read);
  BIO_meth_set_write(method.get(), Write);
  BIO_meth_set_ctrl(method.get(), Control);
  return method;
}

BIO* NewSocketBio(const BIO_METHOD* method, ByteSocket& socket) {
  BIO* const bio = method == nullptr ? nullptr : BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &socket);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace understudy::harness
