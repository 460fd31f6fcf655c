// The register tile of the matrix product: Rows x (Vectors * lanes) sums, each a chain of fma over k = 0, 1, 2, ...
//
// Per step of k a tile loads `Vectors` vectors of B, broadcasts `Rows` values of A and issues Rows * Vectors fma.
// Enough sums are in flight to hide the latency of fma (4 cycles, two a cycle) while sums, B and one A still fit the
// register file.

// TileShape, defined by each instruction set: the rows of the largest tile of 1, 2, 3, ... vectors, the vectors of a
// panel if there are many rows, and whether a masked load costs no more than a plain one, so that whole vectors need no
// separate tile.
constexpr int kMaxTileVectors = sizeof(TileShape::rows) / sizeof(TileShape::rows[0]);
constexpr int kMaxTileRows = TileShape::rows[0];

template <class T>
constexpr int64_t kWidestPanel = kMaxTileVectors * int64_t{Vec<T>::lanes};

// Each tile takes 1 to 3 kB of the library: those of doubles stop where more rows gain nothing.
template <class T>
constexpr int largest_tile_rows(int64_t vectors) {
  return sizeof(T) == 8 ? TileShape::double_rows[vectors - 1] : TileShape::rows[vectors - 1];
}

// A tile of sums in memory, rows `stride` apart.
template <class T>
struct Sums {
  T* data;
  int64_t stride;
};

template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_row_stride, a_k_stride;
  const T* b;
  int64_t b_stride;     // rows of B, packed or in place
  LineStream prefetch;  // a line for each k
  Sums<T> out;
  int columns;      // valid lanes of the last vector: 1 ... lanes
  bool accumulate;  // resume the sums in `out`
  // Applied to the finished sums, in this order.
  int partial_count = 0;             // sum = partial + sum for each: the leaves' tree
  Sums<T> partial[kTreeLevels];      // the first `partial_count` are set
  const T* bias = nullptr;           // sum = sum + bias, or null
  const T* learning_rate = nullptr;  // out = out - learning_rate * sum instead of out = sum, or null
};

// The loops over a tile's vectors are fully unrolled: only then does the compiler keep the sums in registers.
template <class T, int Rows, int Vectors, bool Masked>
void multiply_tile(const Tile<T>& tile) {
  using V = Vec<T>;
  constexpr int last = Vectors - 1;
  const auto load = [&](const T* row, int j) {
    return j < last || tile.columns == V::lanes ? V::load(row + j * V::lanes)
                                                : V::load(row + j * V::lanes, tile.columns);
  };
  V sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) sum[i][j] = V(T(0));
  if (tile.accumulate)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] = load(tile.out.data + i * tile.out.stride, j);
  // The tile below comes next: prefetch its sums.
  if (tile.k > 2 * kLeafRows)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        __builtin_prefetch(tile.out.data + (Rows + i) * tile.out.stride + j * V::lanes, 1);
  const T* a = tile.a;
  const T* b = tile.b;
  const char* line = tile.prefetch.line;
  for (int64_t k = 0; k < tile.k; ++k) {
    V row[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j)
      row[j] = Masked && j == last ? V::load(b + j * V::lanes, tile.columns) : V::load(b + j * V::lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V value = V::broadcast(a + i * tile.a_row_stride);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(value, row[j], sum[i][j]);
    }
    __builtin_prefetch(line, 0, 2);
    line += tile.prefetch.stride;
    a += tile.a_k_stride;
    b += tile.b_stride;
  }
  for (int p = 0; p < tile.partial_count; ++p)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        sum[i][j] = load(tile.partial[p].data + i * tile.partial[p].stride, j) + sum[i][j];
  if (tile.bias != nullptr)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) {
      const V bias = load(tile.bias, j);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) sum[i][j] = sum[i][j] + bias;
    }
  if (tile.learning_rate != nullptr) {
    const V rate = V::broadcast(tile.learning_rate);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] = fnma(rate, sum[i][j], load(tile.out.data + i * tile.out.stride, j));
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    T* out = tile.out.data + i * tile.out.stride;
#pragma GCC unroll 8
    for (int j = 0; j < last; ++j) sum[i][j].store(out + j * V::lanes);
    if (tile.columns == V::lanes)
      sum[i][last].store(out + last * V::lanes);
    else
      sum[i][last].store(out + last * V::lanes, tile.columns);
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

// Whether tiles can read a B of ragged width in place: a second set of tiles takes 8 kB of the wheel, so AVX2's are for
// float32 alone.
template <class T>
constexpr bool kHasMaskedTiles = TileShape::masks_are_free || sizeof(T) == 4;

// functions[masked][vectors - 1][rows - 1]
template <class T>
struct TileFunctions {
  TileFunction<T> functions[2][kMaxTileVectors][kMaxTileRows] = {};

  constexpr TileFunctions() { fill_vectors<1>(); }

  template <int Vectors>
  constexpr void fill_vectors() {
    if constexpr (Vectors <= kMaxTileVectors) {
      fill_rows<Vectors, 1>();
      fill_vectors<Vectors + 1>();
    }
  }

  template <int Vectors, int Rows>
  constexpr void fill_rows() {
    if constexpr (Rows <= largest_tile_rows<T>(Vectors)) {
      functions[0][Vectors - 1][Rows - 1] = multiply_tile<T, Rows, Vectors, TileShape::masks_are_free>;
      if constexpr (kHasMaskedTiles<T>) functions[1][Vectors - 1][Rows - 1] = multiply_tile<T, Rows, Vectors, true>;
      fill_rows<Vectors, Rows + 1>();
    }
  }
};

template <class T>
constexpr TileFunctions<T> kTileFunctions;
