#include "harness/vendor/sha256.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kRounds = 64;

// Section 4.2.2: the fractional parts of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, kRounds> kConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// Section 5.3.3: the fractional parts of the square roots of the first 8 primes.
constexpr std::array<std::uint32_t, 8> kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

std::uint32_t Byte(std::string_view block, std::size_t at) {
  return static_cast<unsigned char>(block[at]);
}

// Section 6.2.2, step 1.
std::array<std::uint32_t, kRounds> Schedule(std::string_view block) {
  std::array<std::uint32_t, kRounds> words = {};
  for (std::size_t t = 0; t < 16; ++t) {
    words[t] = Byte(block, 4 * t) << 24 | Byte(block, 4 * t + 1) << 16 |
               Byte(block, 4 * t + 2) << 8 | Byte(block, 4 * t + 3);
  }
  for (std::size_t t = 16; t < kRounds; ++t) {
    const std::uint32_t a = words[t - 15];
    const std::uint32_t b = words[t - 2];
    words[t] = words[t - 16] + words[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) +
               (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
  }
  return words;
}

// Section 6.2.2, steps 2 to 4. The working variables a to h are w[0] to w[7].
void Compress(std::string_view block, std::array<std::uint32_t, 8>& state) {
  const std::array<std::uint32_t, kRounds> words = Schedule(block);
  std::array<std::uint32_t, 8> w = state;
  for (std::size_t t = 0; t < kRounds; ++t) {
    const std::uint32_t choose = (w[4] & w[5]) ^ (~w[4] & w[6]);
    const std::uint32_t majority = (w[0] & w[1]) ^ (w[0] & w[2]) ^ (w[1] & w[2]);
    const std::uint32_t one = w[7] +
                              (std::rotr(w[4], 6) ^ std::rotr(w[4], 11) ^ std::rotr(w[4], 25)) +
                              choose + kConstants[t] + words[t];
    const std::uint32_t two =
        (std::rotr(w[0], 2) ^ std::rotr(w[0], 13) ^ std::rotr(w[0], 22)) + majority;
    for (std::size_t i = 7; i > 0; --i) w[i] = w[i - 1];
    w[4] += one;
    w[0] = one + two;
  }
  for (std::size_t i = 0; i < w.size(); ++i) state[i] += w[i];
}

// Section 5.1.1: a one bit, zeros, and the length in bits as 64 bits.
std::string Padded(std::string_view rest, std::uint64_t bytes) {
  std::string tail(rest);
  tail.push_back('\x80');
  while (tail.size() % kBlockBytes != kBlockBytes - 8) tail.push_back('\0');
  for (int shift = 56; shift >= 0; shift -= 8) {
    tail.push_back(static_cast<char>((bytes * 8) >> shift & 0xff));
  }
  return tail;
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  std::array<std::uint32_t, 8> state = kStart;
  std::string_view rest = bytes;
  for (; rest.size() >= kBlockBytes; rest.remove_prefix(kBlockBytes)) Compress(rest, state);
  const std::string tail = Padded(rest, bytes.size());
  for (std::size_t at = 0; at < tail.size(); at += kBlockBytes) {
    Compress(std::string_view(tail).substr(at), state);
  }
  std::string digest;
  for (const std::uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      digest.push_back(static_cast<char>(word >> shift & 0xff));
    }
  }
  return HexEncode(digest);
}

}  // namespace understudy::harness
