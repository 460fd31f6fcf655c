// The register tile of the matrix product: Rows x (Vectors * lanes) sums, each a chain of fma over k = 0, 1, 2, ...
//
// Per step of k a tile loads `Vectors` vectors of B, broadcasts `Rows` values of A and issues Rows * Vectors fma.
// Enough sums are in flight to hide the latency of fma (4 cycles, two a cycle) while sums, B and one A still fit the
// register file.

// Rows of the largest tile for 1, 2, 3, ... vectors; its length is the widest panel. Set by each instruction set.
template <class T>
constexpr int kTileVectors = sizeof(TileShape::rows) / sizeof(TileShape::rows[0]);

template <class T>
constexpr int64_t kPanelColumns = kTileVectors<T> * int64_t{Vec<T>::lanes};

constexpr int kMaxTileRows = TileShape::rows[0];

template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_row_stride, a_k_stride;
  const T* b;
  int64_t b_stride;  // rows of B, packed or in place
  T* out;
  int64_t out_stride;
  int columns;    // of the last vector that count: 1 ... lanes
  const T* bias;  // added to the finished sums, or null
  bool resume;    // go on from the sums that stand in `out`
};

template <class T, int Rows, int Vectors, bool Masked>
void multiply_tile(const Tile<T>& tile) {
  using V = Vec<T>;
  constexpr int last = Vectors - 1;
  V sum[Rows][Vectors];
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) sum[i][j] = V(T(0));
  if (tile.resume)
    for (int i = 0; i < Rows; ++i) {
      const T* out = tile.out + i * tile.out_stride;
      for (int j = 0; j < last; ++j) sum[i][j] = V::load(out + j * V::lanes);
      sum[i][last] = V::load(out + last * V::lanes, tile.columns);
    }
  const T* a = tile.a;
  const T* b = tile.b;
  for (int64_t k = 0; k < tile.k; ++k) {
    V row[Vectors];
    for (int j = 0; j < last; ++j) row[j] = V::load(b + j * V::lanes);
    row[last] = Masked ? V::load(b + last * V::lanes, tile.columns) : V::load(b + last * V::lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const V value = V::broadcast(a + i * tile.a_row_stride);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(value, row[j], sum[i][j]);
    }
    a += tile.a_k_stride;
    b += tile.b_stride;
  }
  V bias[Vectors];
  if (tile.bias != nullptr) {
    for (int j = 0; j < last; ++j) bias[j] = V::load(tile.bias + j * V::lanes);
    bias[last] = V::load(tile.bias + last * V::lanes, tile.columns);
    for (int i = 0; i < Rows; ++i)
      for (int j = 0; j < Vectors; ++j) sum[i][j] = sum[i][j] + bias[j];
  }
  for (int i = 0; i < Rows; ++i) {
    T* out = tile.out + i * tile.out_stride;
    for (int j = 0; j < last; ++j) sum[i][j].store(out + j * V::lanes);
    if (tile.columns == V::lanes)
      sum[i][last].store(out + last * V::lanes);
    else
      sum[i][last].store(out + last * V::lanes, tile.columns);
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

// functions[masked][vectors - 1][rows - 1]
template <class T>
struct TileFunctions {
  TileFunction<T> functions[2][kTileVectors<T>][kMaxTileRows] = {};

  constexpr TileFunctions() { fill_vectors<1>(); }

  template <int Vectors>
  constexpr void fill_vectors() {
    if constexpr (Vectors <= kTileVectors<T>) {
      fill_rows<Vectors, 1>();
      fill_vectors<Vectors + 1>();
    }
  }

  template <int Vectors, int Rows>
  constexpr void fill_rows() {
    if constexpr (Rows <= TileShape::rows[Vectors - 1]) {
      functions[0][Vectors - 1][Rows - 1] = multiply_tile<T, Rows, Vectors, false>;
      functions[1][Vectors - 1][Rows - 1] = multiply_tile<T, Rows, Vectors, true>;
      fill_rows<Vectors, Rows + 1>();
    }
  }
};

template <class T>
constexpr TileFunctions<T> kTileFunctions;
