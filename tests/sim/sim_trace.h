// -----------------------------------------------------------------------------
// File: tests/sim/sim_trace.h
// -----------------------------------------------------------------------------
// What a simulated run did: a hash of every decision and of every byte that clients got, equal for
// equal seeds, and the first thing that should not have happened.
#ifndef WEIR_TESTS_SIM_SIM_TRACE_H_
#define WEIR_TESTS_SIM_SIM_TRACE_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace weir::sim {

// FNV-1a, 64 bits.
inline constexpr uint64_t kHashStart = 0xcbf29ce484222325;
inline uint64_t HashBytes(uint64_t hash, absl::string_view bytes) {
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

class Trace {
 public:
  explicit Trace(bool verbose) : verbose_(verbose) {}

  // One more event; the number it gets orders claims and requests. Told to the reader if verbose.
  template <class... Pieces>
  uint64_t Note(const Pieces&... pieces) {
    const std::string text = absl::StrCat(pieces...);
    hash_ = HashBytes(hash_, text);
    if (verbose_) std::printf("%6llu %s\n", static_cast<unsigned long long>(events_), text.c_str());
    return ++events_;
  }
  void AddBytes(absl::string_view bytes) { hash_ = HashBytes(hash_, bytes); }

  // The first failure counts: what follows it may be its consequence.
  template <class... Pieces>
  void Fail(const Pieces&... pieces) {
    if (!failure_.empty()) return;
    failure_ = absl::StrCat("after event ", events_, ": ", pieces...);
    if (verbose_) std::printf("FAILURE %s\n", failure_.c_str());
  }

  uint64_t now() const { return events_; }
  uint64_t hash() const { return hash_; }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

 private:
  const bool verbose_;
  uint64_t events_ = 1;
  uint64_t hash_ = kHashStart;
  std::string failure_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_TRACE_H_
