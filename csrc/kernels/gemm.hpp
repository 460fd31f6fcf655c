// C = A B for row-major C, the operands in any orientation: NN, NT and TN differ only in their strides.
//
// Cost 2 m n k flops. Five loops around the micro-kernel, as in BLIS (Van Zee and van de Geijn, 2015), with k
// outermost. Every sum is the chain fma(a[i][k], b[k][j], sum) over k = 0, 1, 2, ..., whatever the tile; between blocks
// of k it is stored and reloaded, which is exact. Where k counts batch rows, the sums of kLeafRows rows are combined by
// the tree of leaf_tree.hpp instead.
template <class T>
class GemmCall {
 public:
  GemmCall(const GemmTask<T>& task, const TileRange& range, T* workspace, RowsAhead* rows_ahead)
      : plan_(task, range),
        a_(task, range, plan_, workspace),
        b_(task, range, plan_, workspace),
        sums_(task, range, plan_, workspace, prefetch_) {
    prefetch_.rows = rows_ahead;
  }

  void run(int64_t depth) {
    Block k{0, 0};
    do {  // at least once: an empty sum is zero and still gets its bias or update
      k = {k.end, smaller(k.end + plan_.block_depth, depth)};
      for (const Block columns : Blocks{{0, plan_.columns}, plan_.block_columns})
        for (const Block rows : Blocks{{0, plan_.rows}, plan_.block_rows}) {
          a_.pack(rows, k);
          for (const Block group : Blocks{columns, plan_.group}) {
            if (rows.begin == 0) b_.pack(group, k), prefetch_.b = b_.group(group.end, k);
            multiply(rows, group, k);
          }
        }
    } while (k.end < depth);
  }

 private:
  // BLIS's macro-kernel: the two loops over cached operands.
  void multiply(Block rows, Block group, Block k) {
    for (const Block panel : Blocks{group, plan_.panel}) {
      prefetch_.c = sums_.panel(rows, panel.begin + plan_.panel, k);
      const int64_t tile_rows = sums_.begin_panel(panel, k, b_.panel(panel, k));
      for (const Block tile : Blocks{rows, tile_rows}) sums_.add(tile, a_.tile(tile));
    }
  }

  const GemmPlan<T> plan_;
  PrefetchQueue prefetch_;
  OperandA<T> a_;
  OperandB<T> b_;
  TileSums<T> sums_;
};

// The kernel for shapes that tiles handle slowly, or null. Scalar code has tiles alone, to be small.
template <class T>
GemmFunction<T> special_function(const GemmTask<T>& task, const TileRange& range) {
  if constexpr (kMaxTileVectors == 1) return nullptr;
  return is_thin(task) ? multiply_thin<T> : transposed_function(task, range);
}

template <class T>
void gemm(const GemmTask<T>& task, const TileRange& range, T* workspace, RowsAhead* rows_ahead) {
  if (const GemmFunction<T> special = special_function(task, range))
    special(task, range);
  else
    GemmCall<T>(task, range, workspace, rows_ahead).run(task.k);
}

template <class T>
int64_t gemm_workspace(const GemmTask<T>& task, const TileRange& range) {
  return special_function(task, range) != nullptr ? 0 : GemmPlan<T>(task, range).size;
}
