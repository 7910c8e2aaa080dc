// -----------------------------------------------------------------------------
// File: log/internal/cleaned_transactions.h
// -----------------------------------------------------------------------------
// What the cleaner knows of transactions on its way through a log: which data was aborted, and of
// which transactions it has met nothing but the marker.
#ifndef WEIR_LOG_INTERNAL_CLEANED_TRANSACTIONS_H_
#define WEIR_LOG_INTERNAL_CLEANED_TRANSACTIONS_H_

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/ids.h"
#include "base/sort.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"

namespace weir::log::log_internal {

class CleanedTransactions {
 public:
  // Producers whose data was met, and no marker since.
  using Open = absl::flat_hash_set<ProducerId>;

  // `aborted` in any order; a producer has one transaction at a time.
  explicit CleanedTransactions(const std::vector<AbortedTransaction>& aborted) {
    for (const AbortedTransaction& one : aborted) aborted_[one.producer_id].push_back(one);
    for (auto& [id, transactions] : aborted_) {
      Sort(transactions, [](const AbortedTransaction& a, const AbortedTransaction& b) {
        return a.first_offset < b.first_offset;
      });
    }
  }

  // The aborted transaction that a batch, data or marker, belongs to; null when it is of none.
  const AbortedTransaction* AbortedOf(const protocol::RecordBatchHeader& batch) const {
    if (!batch.is_transactional()) return nullptr;
    const auto found = aborted_.find(batch.producer_id());
    if (found == aborted_.end()) return nullptr;
    const auto behind =
        std::upper_bound(found->second.begin(), found->second.end(), batch.base_offset(),
                         [](Offset offset, const AbortedTransaction& transaction) {
                           return offset < transaction.first_offset;
                         });
    if (behind == found->second.begin()) return nullptr;
    const AbortedTransaction& transaction = *std::prev(behind);
    return batch.base_offset() <= transaction.last_offset ? &transaction : nullptr;
  }

  void OnData(const protocol::RecordBatchHeader& batch) {
    if (batch.is_transactional()) open_.insert(batch.producer_id());
  }
  // True when nothing of the transaction that the marker ends is left in the log.
  bool OnMarker(const protocol::RecordBatchHeader& batch) {
    return open_.erase(batch.producer_id()) == 0;
  }

  const Open& open() const { return open_; }
  void set_open(Open open) { open_ = std::move(open); }

 private:
  absl::flat_hash_map<ProducerId, std::vector<AbortedTransaction>> aborted_;
  Open open_;
};

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_CLEANED_TRANSACTIONS_H_
