// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/pending_log.h
// -----------------------------------------------------------------------------
// What a controller has appended in its epoch and not seen committed yet, with the image that it
// makes, and the answers that wait for it.
// Limits: kRecordsPerAppend records of what need not be atomic go into one batch.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PENDING_LOG_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PENDING_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/refusal.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

class PendingLog {
 public:
  // The image with everything appended, committed or not; null before the first leadership.
  const MetadataImagePtr& image() const { return image_; }
  LeaderEpoch epoch() const { return epoch_; }
  Offset next_offset() const { return next_offset_; }

  // Begins an epoch behind what is committed.
  void Begin(const LeadershipGained& gained) {
    WEIR_CHECK(gained.image != nullptr && gained.next_offset > gained.image->highest_offset);
    epoch_ = gained.epoch;
    next_offset_ = gained.next_offset;
    committed_ = gained.next_offset - 1;
    image_ = gained.image;
  }

  // One batch: all of it takes effect, or nothing.
  void Append(std::vector<MetadataRecord> records, ControllerEffects* effects) {
    if (records.empty()) return;
    absl::StatusOr<MetadataImagePtr> next = Apply(*image_, records, next_offset_, epoch_);
    WEIR_CHECK(next.ok());  // records planned from this image never contradict it
    in_flight_.push_back({next_token_, next_offset_, std::move(image_)});
    image_ = *std::move(next);
    const auto count = static_cast<int64_t>(records.size());
    effects->appends.push_back({next_token_++, next_offset_, epoch_, std::move(records), image_});
    next_offset_ += count;
  }

  // Batches: any number of the first may take effect without the rest.
  void AppendInParts(std::vector<MetadataRecord> records, ControllerEffects* effects) {
    for (size_t from = 0; from < records.size(); from += kRecordsPerAppend) {
      const size_t to = std::min(records.size(), from + kRecordsPerAppend);
      Append({std::make_move_iterator(records.begin() + static_cast<int64_t>(from)),
              std::make_move_iterator(records.begin() + static_cast<int64_t>(to))},
             effects);
    }
  }

  // Answers once all that the image says is committed.
  void Answer(Respond respond, ControllerEffects* effects) {
    if (next_offset_ - 1 <= committed_) {
      effects->responses.push_back(std::move(respond));
    } else {
      deferred_.push_back({next_offset_ - 1, std::move(respond)});
    }
  }

  void Commit(Offset offset, ControllerEffects* effects) {
    WEIR_CHECK(offset < next_offset_);
    committed_ = std::max(committed_, offset);
    while (!in_flight_.empty() && in_flight_.front().base_offset <= committed_) {
      in_flight_.pop_front();
    }
    while (!deferred_.empty() && deferred_.front().until <= committed_) {
      effects->responses.push_back(std::move(deferred_.front().respond));
      deferred_.pop_front();
    }
  }

  // The log was made longer by another.
  void Advance(Offset next_offset) {
    WEIR_CHECK(next_offset >= next_offset_);
    next_offset_ = next_offset;
  }

  // Goes back to before that append; what waited for it is answered so.
  void TakeBack(const AppendFailed& failed, ControllerEffects* effects) {
    while (!in_flight_.empty() && in_flight_.back().token >= failed.token) {
      next_offset_ = in_flight_.back().base_offset;
      image_ = std::move(in_flight_.back().before);
      in_flight_.pop_back();
    }
    while (!deferred_.empty() && deferred_.back().until >= next_offset_) {
      RespondWithError(failed.error, std::move(deferred_.back().respond), effects);
      deferred_.pop_back();
    }
  }

  // Gives up what is under way, whatever becomes of it.
  void End(protocol::ErrorCode error, ControllerEffects* effects) {
    in_flight_.clear();
    for (Deferred& deferred : deferred_) {
      RespondWithError(error, std::move(deferred.respond), effects);
    }
    deferred_.clear();
  }

 private:
  static constexpr size_t kRecordsPerAppend = 10'000;

  // Appended and not committed yet.
  struct InFlight {
    AppendToken token;
    Offset base_offset;
    MetadataImagePtr before;
  };
  struct Deferred {
    Offset until;  // answered when this is committed
    Respond respond;
  };

  static void RespondWithError(protocol::ErrorCode error, Respond respond,
                               ControllerEffects* effects) {
    SetError(error, &respond.response);
    effects->responses.push_back(std::move(respond));
  }

  LeaderEpoch epoch_ = kNoLeaderEpoch;
  Offset next_offset_;
  Offset committed_ = kNoOffset;
  AppendToken next_token_ = 1;
  MetadataImagePtr image_;
  std::deque<InFlight> in_flight_;  // ascending
  std::deque<Deferred> deferred_;   // ascending `until`
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PENDING_LOG_H_
