// -----------------------------------------------------------------------------
// File: server/producer_ids.h
// -----------------------------------------------------------------------------
// Hands out producer ids from blocks that the controller grants and records, so that an id is used
// once in the life of the cluster; a block that a restart cuts short is lost.
// Threading: one per shard.
#ifndef WEIR_SERVER_PRODUCER_IDS_H_
#define WEIR_SERVER_PRODUCER_IDS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/ids.h"

namespace weir::server {

struct ProducerIdBlock {
  ProducerId first;
  int32_t size = 0;
};

class ProducerIds {
 public:
  using GotId = absl::AnyInvocable<void(absl::StatusOr<ProducerId>)>;
  using GotBlock = absl::AnyInvocable<void(absl::StatusOr<ProducerIdBlock>)>;
  using FetchBlock = absl::AnyInvocable<void(GotBlock)>;

  // `fetch_block` asks the controller; its answer comes on this shard.
  explicit ProducerIds(FetchBlock fetch_block) : fetch_block_(std::move(fetch_block)) {}

  void Allocate(GotId got) {
    if (next_ < end_) return got(ProducerId(next_++));
    waiting_.push_back(std::move(got));
    if (waiting_.size() == 1) Refill();
  }

 private:
  void Refill() {
    fetch_block_([this](absl::StatusOr<ProducerIdBlock> block) { OnBlock(std::move(block)); });
  }

  void OnBlock(absl::StatusOr<ProducerIdBlock> block) {
    std::vector<GotId> waiting = std::exchange(waiting_, {});
    if (!block.ok()) {
      for (GotId& got : waiting) got(block.status());
      return;
    }
    next_ = block->first.value();
    end_ = next_ + block->size;
    for (GotId& got : waiting) Allocate(std::move(got));
  }

  FetchBlock fetch_block_;
  int64_t next_ = 0;
  int64_t end_ = 0;
  std::vector<GotId> waiting_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_PRODUCER_IDS_H_
