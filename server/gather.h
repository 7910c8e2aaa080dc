// -----------------------------------------------------------------------------
// File: server/gather.h
// -----------------------------------------------------------------------------
// Collects the answers of several parts of one request, which may come from other shards and in any
// order, and continues when the last one is there.
// Threading: belongs to the request's shard: other shards post their answers there.
#ifndef WEIR_SERVER_GATHER_H_
#define WEIR_SERVER_GATHER_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/check.h"

namespace weir::server {

template <class Result>
class Gather {
 public:
  using Done = absl::AnyInvocable<void(std::vector<Result>)>;

  // `done` gets the results in the order of the parts; at once when there are none.
  static std::shared_ptr<Gather> Create(size_t parts, Done done) {
    auto gather = std::make_shared<Gather>(parts, std::move(done));
    if (parts == 0) gather->Finish();
    return gather;
  }

  Gather(size_t parts, Done done) : results_(parts), missing_(parts), done_(std::move(done)) {}

  // The answer of part `index`; each part answers once.
  void Set(size_t index, Result result) {
    WEIR_CHECK(missing_ > 0);
    results_[index] = std::move(result);
    if (--missing_ == 0) Finish();
  }

 private:
  void Finish() { std::exchange(done_, nullptr)(std::move(results_)); }

  std::vector<Result> results_;
  size_t missing_;
  Done done_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_GATHER_H_
