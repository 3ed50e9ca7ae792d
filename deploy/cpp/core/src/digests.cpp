// SHA-256 (FIPS 180-4) and CRC-32 (ISO 3309).
#include "ppcls/core/digests.hpp"

#include <algorithm>
#include <array>

#if defined(__x86_64__) && defined(__GNUC__)
#define PPCLS_SHA_INSTRUCTIONS
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace ppcls {
namespace {

constexpr std::size_t kBlock = 64;

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, 64> kRoots = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t turned(std::uint32_t value, unsigned bits) { return value >> bits | value << (32 - bits); }

std::uint32_t big_endian(const std::uint8_t* data) {
  return std::uint32_t{data[0]} << 24 | std::uint32_t{data[1]} << 16 | std::uint32_t{data[2]} << 8 | data[3];
}

#ifdef PPCLS_SHA_INSTRUCTIONS

bool has_sha_instructions() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) {
    return false;
  }
  constexpr unsigned kSha = 1U << 29;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kSha) != 0;
}

// Some blocks by the processor's instructions for it, which are about five times as fast.
__attribute__((target("sha,sse4.1,ssse3"))) void blocks_by_instructions(std::uint32_t* state, const std::uint8_t* data,
                                                                        std::size_t count) {
  const auto load = [](const void* place) { return _mm_loadu_si128(static_cast<const __m128i*>(place)); };
  const auto store = [](void* place, __m128i value) { _mm_storeu_si128(static_cast<__m128i*>(place), value); };
  // The instructions want the state as a, b, e, f and c, d, g, h, the first one in the highest place
  const __m128i dcba = load(state);
  const __m128i hgfe = load(state + 4);
  __m128i abef = _mm_unpackhi_epi64(_mm_shuffle_epi32(hgfe, 0x1B), _mm_shuffle_epi32(dcba, 0x1B));
  __m128i cdgh = _mm_unpacklo_epi64(_mm_shuffle_epi32(hgfe, 0x1B), _mm_shuffle_epi32(dcba, 0x1B));
  const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);  // big-endian words
  for (; count > 0; --count, data += kBlock) {
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    __m128i words[4];
    for (std::size_t part = 0; part < 4; ++part) {
      words[part] = _mm_shuffle_epi8(load(data + 16 * part), order);
    }
    for (std::size_t round = 0; round < 16; ++round) {  // of four words
      if (round >= 4) {
        const __m128i w0 = words[round % 4];
        const __m128i w3 = words[(round + 3) % 4];
        const __m128i shifted = _mm_alignr_epi8(w3, words[(round + 2) % 4], 4);
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, words[(round + 1) % 4]), shifted);
        words[round % 4] = _mm_sha256msg2_epu32(sum, w3);
      }
      const __m128i keyed = _mm_add_epi32(words[round % 4], load(kRoots.data() + 4 * round));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);  // a, b, e, f from the lowest place on
  const __m128i hgdc = _mm_shuffle_epi32(cdgh, 0x1B);
  store(state, _mm_unpacklo_epi64(feba, hgdc));
  store(state + 4, _mm_unpackhi_epi64(feba, hgdc));
}

#endif

}  // namespace

std::uint32_t crc32(const std::uint8_t* data, std::size_t size) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t byte = 0; byte < values.size(); ++byte) {
      std::uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) {
        value = value >> 1 ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
      }
      values[byte] = value;
    }
    return values;
  }();
  std::uint32_t sum = 0xFFFFFFFFU;
  for (std::size_t place = 0; place < size; ++place) {
    sum = sum >> 8 ^ table[(sum ^ data[place]) & 0xFFU];
  }
  return ~sum;
}

void Sha256::blocks(const std::uint8_t* data, std::size_t count) {
#ifdef PPCLS_SHA_INSTRUCTIONS
  static const bool is_able = has_sha_instructions();
  if (is_able) {
    blocks_by_instructions(state_, data, count);
    return;
  }
#endif
  for (; count > 0; --count, data += kBlock) {
    block(data);
  }
}

void Sha256::block(const std::uint8_t* data) {
  std::array<std::uint32_t, 64> words{};
  for (std::size_t place = 0; place < 16; ++place) {
    words[place] = big_endian(data + 4 * place);
  }
  for (std::size_t place = 16; place < 64; ++place) {
    const std::uint32_t before = words[place - 15];
    const std::uint32_t recent = words[place - 2];
    const std::uint32_t small0 = turned(before, 7) ^ turned(before, 18) ^ before >> 3;
    const std::uint32_t small1 = turned(recent, 17) ^ turned(recent, 19) ^ recent >> 10;
    words[place] = words[place - 16] + small0 + words[place - 7] + small1;
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (std::size_t place = 0; place < 64; ++place) {
    const std::uint32_t large1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const std::uint32_t choice = (e & f) ^ (~e & g);
    const std::uint32_t first = h + large1 + choice + kRoots[place] + words[place];
    const std::uint32_t large0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const std::uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + large0 + majority;
  }
  const std::array<std::uint32_t, 8> sums = {a, b, c, d, e, f, g, h};
  for (std::size_t place = 0; place < sums.size(); ++place) {
    state_[place] += sums[place];
  }
}

void Sha256::update(const std::uint8_t* data, std::size_t size) {
  while (size > 0) {
    const std::size_t held = size_ % kBlock;
    if (held == 0 && size >= kBlock) {
      const std::size_t count = size / kBlock;
      blocks(data, count);
      size_ += count * kBlock;
      data += count * kBlock;
      size -= count * kBlock;
      continue;
    }
    const std::size_t taken = std::min(size, kBlock - held);
    std::copy_n(data, taken, waiting_ + held);
    size_ += taken;
    data += taken;
    size -= taken;
    if (size_ % kBlock == 0) {
      blocks(waiting_, 1);
    }
  }
}

std::string Sha256::hex() {
  const std::uint64_t bits = 8 * size_;
  const std::uint8_t end = 0x80;
  const std::uint8_t zero = 0;
  update(&end, 1);
  while (size_ % kBlock != kBlock - 8) {
    update(&zero, 1);
  }
  std::array<std::uint8_t, 8> length{};
  for (std::size_t place = 0; place < length.size(); ++place) {
    length[place] = static_cast<std::uint8_t>(bits >> (56 - 8 * place));
  }
  update(length.data(), length.size());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) {
      text += kDigits[word >> shift & 15U];
    }
  }
  return text;
}

}  // namespace ppcls
