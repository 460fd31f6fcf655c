// out (columns, rows) = the transpose of x (rows, columns), in squares of whole vectors, the edges element by element.
// Cost: one read and one write of the matrix, in whole cache lines.
template <class T>
void transpose_matrix(const T* x, int64_t rows, int64_t columns, T* out) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const int64_t whole_rows = rows / lanes * lanes, whole_columns = columns / lanes * lanes;
  for (int64_t i = 0; i < whole_rows; i += lanes)
    for (int64_t j = 0; j < whole_columns; j += lanes)
      transpose(x + i * columns + j, columns, out + j * rows + i, rows);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) out[j * rows + i] = x[i * columns + j];
}
