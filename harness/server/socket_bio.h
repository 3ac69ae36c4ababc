// ByteSocket and the BIO over it: how OpenSSL reads and writes a socket that stays ours, with its
// deadlines, its counters and its ways to end.
#pragma once

#include <cstddef>
#include <string_view>

#include "harness/server/openssl_types.h"

namespace understudy::harness {

// Not thread-safe.
class ByteSocket {
 public:
  // What Read says besides a count of bytes.
  static constexpr int kEnd = 0;       // The peer has closed or reset the connection.
  static constexpr int kTimeout = -1;  // Nothing came in time, or the server stops.

  virtual ~ByteSocket() = default;

  // Blocks for at least one byte; at most `bytes_max` (> 0) are written to `bytes`.
  virtual int RawRead(char* bytes, std::size_t bytes_max) = 0;
  // Blocks until all are taken; false if the peer is gone.
  virtual bool RawWrite(std::string_view bytes) = 0;
};

// Null if OpenSSL has no memory. The method must outlive the BIOs made with it.
openssl::Method NewSocketMethod();
// `socket` must outlive the BIO. Null if OpenSSL has no memory.
BIO* NewSocketBio(const BIO_METHOD* method, ByteSocket& socket);

}  // namespace understudy::harness
