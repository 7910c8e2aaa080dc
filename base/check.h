// -----------------------------------------------------------------------------
// File: base/check.h
// -----------------------------------------------------------------------------
// WEIR_CHECK: an assertion about our own code that is on in every build.
// Errors: a failed check prints the condition and aborts. Faults of peers, disks and wires are
// never checks: they are
//   absl::Status (docs/adr/0006-error-policy.md).
#ifndef WEIR_BASE_CHECK_H_
#define WEIR_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace weir::base_internal {

[[noreturn, gnu::cold, gnu::noinline]] inline void CheckFailed(const char* condition,
                                                               const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace weir::base_internal

#define WEIR_CHECK(condition)   \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::weir::base_internal::CheckFailed(#condition, __FILE__, __LINE__))

#endif  // WEIR_BASE_CHECK_H_
