// -----------------------------------------------------------------------------
// File: server/isr_proposals.h
// -----------------------------------------------------------------------------
// Takes what the leaders of this broker want their ISRs to be to the active controller: what all
// shards propose meanwhile goes with the next request, of which one is under way at a time.
// Threading: the controller's shard; answers go to the shard that proposed.
// Errors: where no answer tells whether a proposal was carried out, the partition hears just that.
#ifndef WEIR_SERVER_ISR_PROPOSALS_H_
#define WEIR_SERVER_ISR_PROPOSALS_H_

#include <vector>

#include "base/ids.h"
#include "replication/partition_events.h"
#include "server/node.h"
#include "server/timers.h"

namespace weir::metadata {
struct PartitionsAltered;
}

namespace weir::server {

class Shard;

struct IsrProposal {
  TopicPartition partition;
  replication::ProposeIsr change;
};

class IsrProposals {
 public:
  // `home`, the controller's shard, outlives it.
  explicit IsrProposals(Shard& home) : home_(home) {}
  IsrProposals(const IsrProposals&) = delete;
  IsrProposals& operator=(const IsrProposals&) = delete;

  // Of partitions that live on shard `from`.
  void Add(ShardId from, std::vector<IsrProposal> proposals);

 private:
  struct Waiting {
    ShardId from;
    IsrProposal proposal;
  };

  void Send();
  void OnAnswer(const std::vector<Waiting>& asked, const metadata::PartitionsAltered& answer);

  Shard& home_;
  std::vector<Waiting> waiting_;
  bool busy_ = false;  // a request is under way, or pauses after one that failed
};

}  // namespace weir::server

#endif  // WEIR_SERVER_ISR_PROPOSALS_H_
