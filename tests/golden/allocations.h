// -----------------------------------------------------------------------------
// File: tests/golden/allocations.h
// -----------------------------------------------------------------------------
// How many bytes this program has asked operator new for, so that tests can bound what decoding
// takes. Linking it replaces the global operators.
#ifndef WEIR_TESTS_GOLDEN_ALLOCATIONS_H_
#define WEIR_TESTS_GOLDEN_ALLOCATIONS_H_

#include <cstddef>

namespace weir::golden {

// Since the program began, on any thread; what was given back is not taken off.
size_t AllocatedBytes();

}  // namespace weir::golden

#endif  // WEIR_TESTS_GOLDEN_ALLOCATIONS_H_
