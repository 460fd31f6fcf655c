// How one matrix product is split into blocks, which operands are packed, and the layout of its workspace, in elements.

// Indices begin ... end - 1 of a dimension.
struct Block {
  int64_t begin, end;

  int64_t size() const { return end - begin; }
};

// A block split into steps: `for (const Block part : Blocks{all, step})`.
struct Blocks {
  Block all;
  int64_t step;

  struct Iterator {
    int64_t at;
    const Blocks& blocks;

    Block operator*() const { return {at, smaller(at + blocks.step, blocks.all.end)}; }
    void operator++() { at += blocks.step; }
    bool operator!=(const Iterator& end) const { return at < end.at; }
  };
  Iterator begin() const { return {all.begin, *this}; }
  Iterator end() const { return {all.end, *this}; }
};

// Ratios of times below: one core of a Sapphire Rapids (2 MB level-2 cache), float32, AVX-512 / AVX2.

// A packed panel of 512 x 64 floats takes 128 KB of the level-2 cache. In products of 2048 a side, depths of 256 take
// 1.03 to 1.12 of the time, depths of 1024 0.93 to 1.01 (AVX-512).
constexpr int64_t kBlockLeaves = 4;
constexpr int64_t kBlockDepth = kBlockLeaves * kLeafRows;
constexpr int kBlockLevels = 2;  // tree levels within a block, whose sums are stored for one tile only
// Rows of A that are packed at a time, a multiple of every tile's: read from the level-2 cache once per panel. 96 rows
// take 1.03 to 1.07 / 1.02 to 1.06 of the time, 384 0.98 to 1.00 / 0.97 to 0.98.
constexpr int64_t kBlockRows = 192;
// Columns of B that are packed at a time: 512 take 1.01 to 1.03 of the time, 2048 0.98 to 1.00.
constexpr int64_t kBlockColumns = 1024;
// B is packed for more tiles of rows than this. At 8, packing takes 1.09 / 1.07 where B fits the level-2 cache
// (512 x 512) and 0.67 / 0.65 where it does not (1024 x 2048); at 4, 1.20 / 1.19 and 0.74 / 0.77.
constexpr int64_t kPackBTiles = 8;
// A B of ragged width is packed for more tiles of rows than this, where masked loads cost more than plain ones. With
// AVX2, packing takes 0.96 of the time for 200 x 24 x 8 and 1.11 for 32 x 128 x 10.
constexpr int64_t kMaskedTiles = 8;
// An operand is packed if a block has more elements than this, so that it is not in the level-1 cache anyway. B: 0.96
// to 1.04 on either side. A transposed: 1.00 at 4096, 0.98 / 0.73 at 65,536 (512 columns); 1.19 / 0.92 at 16,384 (128
// columns).
constexpr int64_t kPackedElements = 4096;
// A that is not transposed is packed for more panels of B than this. AVX-512: packing takes 1.11 for 2 panels, 1.04 for
// 4, 1.01 for 8, 0.99 for 16; AVX2: 1.02 for 8, 0.98 for 16, 0.93 for 64.
constexpr int64_t kPackAPanels = 4;

template <class T>
struct GemmPlan {
  static constexpr int64_t kTileSize = kMaxTileRows * kWidestPanel<T>;

  int64_t rows, columns;
  int64_t panel, group;  // columns of a panel, and of the panels packed together
  bool leaves, pack_a, transpose_a, pack_b;
  int64_t block_depth, block_rows, block_columns;
  int64_t packed_row;  // stride of rows of A packed without transposing, padded to spread them over cache sets
  int64_t levels;      // of the tree above a block
  int64_t packed_b, packed_a, partial_sums, size;

  GemmPlan(const GemmTask<T>& task, const TileRange& range)
      : rows(range.row_end - range.row_begin), columns(range.column_end - range.column_begin) {
    // Few rows take a wider panel, so that enough sums are in flight.
    int vectors = TileShape::panel_vectors;
    while (vectors < kMaxTileVectors && rows <= largest_tile_rows<T>(vectors + 1)) ++vectors;
    panel = vectors * int64_t{Vec<T>::lanes};
    group = smaller(kWidestPanel<T>, round_up(columns, panel));
    leaves = task.leaves && task.k > kLeafRows;
    block_depth = smaller(leaves || task.epilogue.update == nullptr ? kBlockDepth : task.k, task.k);
    // Packing also transposes: B is always packed if its columns are contiguous.
    const bool ragged = columns % Vec<T>::lanes != 0 && !TileShape::masks_are_free &&
                        (!kHasMaskedTiles<T> || rows > kMaskedTiles * kMaxTileRows);
    pack_b = task.b.column_stride != 1 || ragged ||
             (rows > kPackBTiles * kMaxTileRows && block_depth * group > kPackedElements);
    transpose_a = task.a.column_stride != 1;
    pack_a = transpose_a ? block_depth * columns > kPackedElements && columns > panel
                         : rows > kBlockRows && columns > kPackAPanels * panel;
    packed_row = block_depth + Vec<T>::lanes;
    block_rows = smaller(pack_a ? kBlockRows : rows, rows);
    block_columns = smaller(round_up(columns, group), kBlockColumns);
    levels = 0;
    if (leaves)
      while ((kBlockDepth << levels) < task.k) ++levels;
    lay_out();
  }

  // Rows of a packed, transposed group of A: those of the tallest tile. Narrower panels, whose tiles could be taller,
  // read the same groups.
  int64_t packed_rows() const { return largest_tile_rows<T>(panel / Vec<T>::lanes); }

  int64_t tile_rows(int64_t vectors) const {
    return pack_a && transpose_a ? packed_rows() : largest_tile_rows<T>(vectors);
  }

  // Where a panel of B is packed: each group overwrites the previous one unless later blocks of rows read it again.
  int64_t panel_slot(int64_t column) const { return packed_b + column % packed_columns() * block_depth; }

  // Partial sums: below kBlockLevels of one tile, from there on a matrix of `rows` x `columns` per level.
  int64_t partial_slot(int level) const {
    return level < kBlockLevels ? (level + 1) * kTileSize : partial_sums + (level - kBlockLevels) * rows * columns;
  }

 private:
  int64_t packed_columns() const { return rows > block_rows ? block_columns : group; }

  // Tiles come first: the gradient of a separate update, then partial sums.
  void lay_out() {
    packed_b = (kBlockLevels + 1) * kTileSize;
    packed_a = packed_b + (pack_b ? block_depth * packed_columns() : 0);
    partial_sums = packed_a + (pack_a ? packed_row * block_rows : 0);
    size = round_up(partial_sums + levels * rows * columns, 64);
  }
};
