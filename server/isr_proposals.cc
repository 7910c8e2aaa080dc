#include "server/isr_proposals.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/isr_answer.h"
#include "server/partition_table.h"
#include "server/shard.h"

namespace weir::server {
namespace {

constexpr size_t kProposalsMax = 10'000;  // in one request
constexpr int64_t kPauseMs = 50;          // after a request that failed

using PartitionAnswer = std::pair<TopicPartition, replication::IsrAnswered>;

}  // namespace

void IsrProposals::Add(ShardId from, std::vector<IsrProposal> proposals) {
  for (IsrProposal& proposal : proposals) waiting_.push_back({from, std::move(proposal)});
  if (!busy_) Send();
}

void IsrProposals::Send() {
  busy_ = false;
  if (waiting_.empty()) return;
  busy_ = true;
  const size_t count = std::min(waiting_.size(), kProposalsMax);
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  auto asked = std::make_shared<std::vector<Waiting>>(std::make_move_iterator(waiting_.begin()),
                                                      std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);

  const BrokerId self = home_.node().config.node_id;
  const metadata::BrokerImage* broker = home_.controller().image()->FindBroker(self);
  metadata::AlterPartition event;
  event.broker = self;
  event.broker_epoch = broker == nullptr ? -1 : broker->epoch;
  for (const Waiting& waiting : *asked) {
    metadata::AlterPartition::Change& change = event.changes.emplace_back();
    change.partition = waiting.proposal.partition;
    change.leader_epoch = waiting.proposal.change.leader_epoch;
    change.partition_epoch = waiting.proposal.change.partition_epoch;
    change.leader_recovery_state = waiting.proposal.change.recovery_state;
    for (const replication::ProposeIsr::Member& member : waiting.proposal.change.isr) {
      change.isr.push_back(
          {member.broker, member.broker == self ? event.broker_epoch : member.broker_epoch});
    }
  }
  home_.controller().Ask<metadata::PartitionsAltered>(
      std::move(event), {nullptr, [this, asked](const metadata::PartitionsAltered& answer) {
                           OnAnswer(*asked, answer);
                         }});
}

void IsrProposals::OnAnswer(const std::vector<Waiting>& asked,
                            const metadata::PartitionsAltered& answer) {
  std::map<ShardId, std::vector<PartitionAnswer>> by_shard;
  for (size_t i = 0; i < asked.size(); ++i) {
    const IsrProposal& proposal = asked[i].proposal;
    by_shard[asked[i].from].emplace_back(
        proposal.partition, AnswerToProposal(proposal.partition, proposal.change, answer, i));
  }
  for (auto& [shard, answers] : by_shard) {
    home_.Tell(shard, [answers = std::move(answers)](Shard& owner) mutable {
      for (PartitionAnswer& told : answers) {
        owner.partitions().Give(told.first, std::move(told.second));
      }
    });
  }
  if (answer.error == protocol::ErrorCode::kNone) return Send();
  home_.loop().timers().Schedule(home_.loop().now() + kPauseMs * kNsPerMs, [this] { Send(); });
}

}  // namespace weir::server
