// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011): a block cipher applied to a counter. Word j of block b of a
// stream depends on (seed, purpose, draw, b, j) alone, so any part of an array can be drawn on any thread, in any
// order. Sixteen blocks are computed side by side, which compilers vectorise; cost about 40 integer operations per
// word.

constexpr int kBlocks = 16;
constexpr int kChunkWords = 4 * kBlocks;

struct Words {
  alignas(64) uint32_t word[4][kBlocks];
};

// Blocks first ... first + 15 of the stream. Words are kept in 64-bit lanes, which hold a 32-bit product: compilers
// then vectorise the rounds (59 ns for the 64 words on a Zen 4 core with AVX-512, against 210 in 32-bit lanes).
inline void philox(const RandomStream& stream, uint64_t first, Words& words) {
  constexpr uint64_t low = 0xffffffffu;
  alignas(64) uint64_t w[4][kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    const uint64_t block = first + static_cast<uint64_t>(i);
    w[0][i] = block & low;
    w[1][i] = block >> 32;
    w[2][i] = stream.draw;
    w[3][i] = stream.purpose;
  }
  auto key0 = static_cast<uint32_t>(stream.seed), key1 = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
    for (int i = 0; i < kBlocks; ++i) {
      const uint64_t product0 = 0xD2511F53u * (w[0][i] & low), product1 = 0xCD9E8D57u * (w[2][i] & low);
      w[0][i] = (product1 >> 32) ^ w[1][i] ^ key0;
      w[1][i] = product1 & low;
      w[2][i] = (product0 >> 32) ^ w[3][i] ^ key1;
      w[3][i] = product0 & low;
    }
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < kBlocks; ++i) words.word[j][i] = static_cast<uint32_t>(w[j][i]);
}

// A chunk of sixteen blocks as uniform numbers in [0, 1): 24 bits a float, 53 bits a double.
inline void uniform_chunk(const Words& words, float (&u)[kChunkWords]) {
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < kBlocks; ++i)
      u[j * kBlocks + i] = static_cast<float>(static_cast<int32_t>(words.word[j][i] >> 8)) * 0x1p-24f;
}
inline void uniform_chunk(const Words& words, double (&u)[kChunkWords / 2]) {
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < kBlocks; ++i) {
      const uint64_t bits = (static_cast<uint64_t>(words.word[2 * j][i]) << 32) | words.word[2 * j + 1][i];
      u[j * kBlocks + i] = static_cast<double>(static_cast<int64_t>(bits >> 11)) * 0x1p-53;
    }
}

template <class T>
constexpr int kChunk = kChunkWords * int{sizeof(float)} / int{sizeof(T)};

// Elements [begin, begin + n) of the stream; values(u) transforms a chunk of uniform numbers in place.
template <class T, class Values>
void draw(T* out, int64_t begin, int64_t n, const RandomStream& stream, Values values) {
  constexpr int64_t size = kChunk<T>;
  Words words;
  alignas(64) T chunk[size];
  const int64_t end = begin + n;
  for (int64_t at = begin / size * size; at < end; at += size) {
    philox(stream, static_cast<uint64_t>(at / size) * kBlocks, words);
    uniform_chunk(words, chunk);
    values(chunk);
    for (int64_t i = at < begin ? begin : at; i < end && i < at + size; ++i) out[i - begin] = chunk[i - at];
  }
}

template <class T, class F>
void for_chunk(T (&chunk)[kChunk<T>], F f) {
  for (int i = 0; i < kChunk<T>; i += Vec<T>::lanes) f(Vec<T>::load(chunk + i)).store(chunk + i);
}

// Uniform in [low, high): a value that rounds up to `high` becomes `low`.
template <class T>
void uniform(T* out, int64_t begin, int64_t n, RandomStream stream, T low, T high) {
  const Vec<T> from(low), to(high), width(high - low);
  draw(out, begin, n, stream, [&](T(&chunk)[kChunk<T>]) {
    for_chunk<T>(chunk, [&](Vec<T> u) {
      const Vec<T> value = fma(u, width, from);
      return select(value < to, value, from);
    });
  });
}

// Box and Muller (1958): sqrt(-2 log u) (cos, sin)(2 pi v), with u in (0, 1] from the first half of a chunk and v from
// the second.
template <class T>
void normal(T* out, int64_t begin, int64_t n, RandomStream stream, T mean, T standard_deviation) {
  using V = Vec<T>;
  constexpr int half = kChunk<T> / 2;
  const V one(T(1)), centre(mean), width(standard_deviation);
  draw(out, begin, n, stream, [&](T(&chunk)[kChunk<T>]) {
    for (int i = 0; i < half; i += V::lanes) {
      const V radius = sqrt(V(T(-2)) * log(one - V::load(chunk + i)));
      V sine, cosine;
      sine_cosine_of_turn(V::load(chunk + half + i), &sine, &cosine);
      fma(radius * cosine, width, centre).store(chunk + i);
      fma(radius * sine, width, centre).store(chunk + half + i);
    }
  });
}

// `scale` with probability `keep`, else 0.
template <class T>
void dropout_mask(T* out, int64_t begin, int64_t n, RandomStream stream, T keep, T scale) {
  const Vec<T> kept(scale), dropped(T(0)), limit(keep);
  draw(out, begin, n, stream,
       [&](T(&chunk)[kChunk<T>]) { for_chunk<T>(chunk, [&](Vec<T> u) { return select(u < limit, kept, dropped); }); });
}

__extension__ using Product = unsigned __int128;

// The Fisher-Yates shuffle; a position below i + 1 is the high half of a 64-bit word times i + 1 (Lemire 2019), whose
// bias, (i + 1) / 2^64, is undetectable.
inline void permutation(int64_t* out, int64_t n, RandomStream stream) {
  for (int64_t i = 0; i < n; ++i) out[i] = i;
  Words words;
  int used = kChunkWords / 2;
  uint64_t block = 0;
  for (int64_t i = n - 1; i > 0; --i) {
    if (used == kChunkWords / 2) {
      philox(stream, block, words);
      block += kBlocks;
      used = 0;
    }
    const int j = used / kBlocks, lane = used % kBlocks;
    ++used;
    const uint64_t word = (static_cast<uint64_t>(words.word[2 * j][lane]) << 32) | words.word[2 * j + 1][lane];
    const auto at = static_cast<int64_t>((Product{word} * static_cast<uint64_t>(i + 1)) >> 64);
    const int64_t kept = out[i];
    out[i] = out[at];
    out[at] = kept;
  }
}
