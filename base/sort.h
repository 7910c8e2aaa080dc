// -----------------------------------------------------------------------------
// File: base/sort.h
// -----------------------------------------------------------------------------
// Sorting in little code, for what is not hot: a std::sort is three algorithms, which the compiler
// makes anew for every type and order (3 to 4 KB and a tenth of a second each); this is one loop.
// It is Shell's, of gaps about 2.25 apart (Tokuda, 1992): some n^1.3 comparisons, no memory.
#ifndef WEIR_BASE_SORT_H_
#define WEIR_BASE_SORT_H_

#include <cstddef>
#include <functional>
#include <utility>

namespace weir {

// Sorts `values`, of random access, by `less`. Equal elements may change places.
template <class Values, class Less = std::less<>>
[[gnu::noinline]] void Sort(Values& values, Less less = Less()) {
  const size_t size = values.size();
  size_t gap = 1;
  while (gap < size / 2) gap = gap * 9 / 4 + 1;
  for (; gap > 0; gap = gap * 4 / 9) {
    for (size_t i = gap; i < size; ++i) {
      auto value = std::move(values[i]);
      size_t at = i;
      for (; at >= gap && less(value, values[at - gap]); at -= gap) {
        values[at] = std::move(values[at - gap]);
      }
      values[at] = std::move(value);
    }
  }
}

}  // namespace weir

#endif  // WEIR_BASE_SORT_H_
