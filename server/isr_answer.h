// -----------------------------------------------------------------------------
// File: server/isr_answer.h
// -----------------------------------------------------------------------------
// What the controller's answer to a request says of one of the proposals in it.
#ifndef WEIR_SERVER_ISR_ANSWER_H_
#define WEIR_SERVER_ISR_ANSWER_H_

#include <cstddef>

#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"

namespace weir::server {

// Of the one that was the `index`th: a request may have two of one partition, of which the
// controller looks at the first. An answer that does not fit says that nothing is known.
inline replication::IsrAnswered AnswerToProposal(const TopicPartition& partition,
                                                 const replication::ProposeIsr& proposal,
                                                 const metadata::PartitionsAltered& answer,
                                                 size_t index) {
  replication::IsrAnswered told;
  told.error = answer.error;
  if (told.error == protocol::ErrorCode::kNone) {
    const bool fits = index < answer.results.size() && answer.results[index].partition == partition;
    told.error = fits ? answer.results[index].error : protocol::ErrorCode::kUnknownServerError;
  }
  if (told.error != protocol::ErrorCode::kNone) {
    told.leader_epoch = proposal.leader_epoch;
    told.partition_epoch = proposal.partition_epoch;
    return told;
  }
  const metadata::PartitionsAltered::Result& result = answer.results[index];
  told.leader_epoch = result.leader_epoch;
  told.partition_epoch = result.partition_epoch;
  told.isr = result.isr;
  return told;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_ISR_ANSWER_H_
