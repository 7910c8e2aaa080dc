// -----------------------------------------------------------------------------
// File: tests/sim/controller_world.h
// -----------------------------------------------------------------------------
// What the controller's simulator has around the controller. ControllerHost is its log: batches
// commit some time later, fail, or are lost with their controller. Brokers follow what is committed
// at their own pace and hold a list of records for each of their partitions, which leaders append
// to and followers copy: enough of replication to know which elections lose records.
#ifndef WEIR_TESTS_SIM_CONTROLLER_WORLD_H_
#define WEIR_TESTS_SIM_CONTROLLER_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "protocol/error_code.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

using Values = std::vector<int64_t>;  // of records; each occurs once

inline size_t CommonPrefix(const Values& a, const Values& b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

// One replica on a broker.
struct SimReplica {
  struct Follower {
    size_t end = 0;
    int64_t broker_epoch = -1;
  };

  Values records;
  Uuid home;           // the directory that it lies in; zero while there is none of it
  bool wiped = false;  // and not in the ISR since
  // While it leads: the epoch, where its log ended when that began, what its followers had at their
  // last fetch in it, how far it let clients see, and who is in an ISR that it asked for without an
  // answer.
  LeaderEpoch leads = kNoLeaderEpoch;
  size_t epoch_start = 0;
  std::map<BrokerId, Follower> followers;
  size_t high_watermark = 0;
  std::set<BrokerId> asked;
};

struct SimDirectory {
  Uuid id;
  Uuid was;              // its id before the broker started; another one if it was replaced
  bool offline = false;  // as long as this process lives
};

struct SimBroker {
  bool up = false;
  bool leaving = false;
  bool reachable = true;
  uint64_t incarnation = 0;
  std::vector<SimDirectory> directories;
  std::vector<SimDirectory> next;  // what the process that is about to register has found
  int64_t epoch = -1;              // of this process; -1 before it is registered
  int64_t complete_epoch = -1;     // of the process before it, if nothing was lost
  metadata::MetadataImagePtr image = metadata::EmptyImage();
  Offset followed = kNoOffset;  // up to which it knows the log, control records included
  std::map<TopicPartition, SimReplica> replicas;
};

class ControllerHost {
 public:
  // Called with each image that is committed and the one before it.
  using OnCommit = std::function<void(const metadata::MetadataImagePtr& before,
                                      const metadata::MetadataImagePtr& after)>;

  ControllerHost(metadata::ControllerConfig config, Random& random, Trace& trace,
                 OnCommit on_commit)
      : config_(std::move(config)),
        random_(random),
        trace_(trace),
        on_commit_(std::move(on_commit)) {
    Begin();
  }

  // What was not committed is lost.
  void Failover() {
    trace_.Note("failover, lost batches: ", uncommitted_.size());
    end_ = committed_->highest_offset + 2;  // behind the control record of the epoch
    Begin();
  }

  void Step(metadata::ControllerEvent event) {
    const bool is_request = !std::holds_alternative<metadata::Committed>(event) &&
                            !std::holds_alternative<metadata::AppendFailed>(event);
    metadata::ControllerEffects effects;
    controller_->Step(now_, std::move(event), &effects);
    for (metadata::AppendRecords& append : effects.appends) {
      if (append.base_offset != end_) trace_.Fail("an append is not where the log ends");
      end_ += static_cast<int64_t>(append.records.size());
      uncommitted_.push_back(std::move(append));
    }
    // Only what is committed now may bring answers while something is not.
    if (is_request && !effects.responses.empty() && !uncommitted_.empty()) {
      trace_.Fail("19: an answer to what is not committed");
    }
    for (metadata::Respond& respond : effects.responses) {
      answers_[respond.token] = std::move(respond.response);
    }
  }

  void CommitSome(size_t count) {
    std::optional<Offset> last;
    for (; count > 0 && !uncommitted_.empty(); --count) {
      const metadata::AppendRecords append = std::move(uncommitted_.front());
      uncommitted_.pop_front();
      // One record at a time, as a broker that is cut off in between may see it.
      for (size_t i = 0; i < append.records.size(); ++i) {
        const absl::StatusOr<metadata::MetadataImagePtr> image =
            Apply(*committed_, {&append.records[i], 1},
                  append.base_offset + static_cast<int64_t>(i), append.epoch);
        if (!image.ok()) return trace_.Fail("17: ", image.status().message());
        const metadata::MetadataImagePtr before = std::exchange(committed_, *image);
        on_commit_(before, committed_);
      }
      if (!(*committed_ == *append.image)) trace_.Fail("15: replay gives another image");
      last = committed_->highest_offset;
    }
    if (last.has_value()) Step(metadata::Committed{*last});
  }

  void FailAppend() {
    if (uncommitted_.empty()) return;
    const size_t from = random_.Below(uncommitted_.size());
    const metadata::AppendToken token = uncommitted_[from].token;
    end_ = uncommitted_[from].base_offset;
    uncommitted_.resize(from);
    trace_.Note("append fails at ", end_.value());
    Step(metadata::AppendFailed{token, protocol::ErrorCode::kKafkaStorageError});
    if (controller_->next_offset() != end_) trace_.Fail("a failed append was not taken back");
  }

  // Asks and waits for the answer.
  template <class Response, class Event>
  Response Ask(Event event) {
    event.token = ++tokens_;
    Step(std::move(event));
    CommitSome(uncommitted_.size());
    const auto found = answers_.find(tokens_);
    if (found == answers_.end()) {
      trace_.Fail("27: a request was not answered");
      return Response();
    }
    Response response = std::get<Response>(std::move(found->second));
    answers_.erase(found);
    return response;
  }
  // Asks and does not care.
  template <class Event>
  void Send(Event event) {
    event.token = ++tokens_;
    Step(std::move(event));
  }

  void Advance(int64_t ms) { now_ = now_ + ms * kNsPerMs; }
  bool IsTickDue() const {
    const std::optional<MonotonicNs> deadline = controller_->NextDeadline();
    return deadline.has_value() && *deadline <= now_;
  }

  size_t uncommitted() const { return uncommitted_.size(); }
  const metadata::MetadataImagePtr& committed() const { return committed_; }
  // The last offset that is committed, be it of a control record.
  Offset committed_offset() const { return std::max(committed_->highest_offset, epoch_start_ - 1); }
  const metadata::MetadataImage& pending() const { return *controller_->pending_image(); }

 private:
  void Begin() {
    controller_ = std::make_unique<metadata::Controller>(config_, random_);
    uncommitted_.clear();
    answers_.clear();
    epoch_start_ = end_;
    Step(metadata::LeadershipGained{LeaderEpoch(++epoch_), end_, committed_});
  }

  const metadata::ControllerConfig config_;
  Random& random_;
  Trace& trace_;
  const OnCommit on_commit_;
  std::unique_ptr<metadata::Controller> controller_;
  int32_t epoch_ = 0;
  Offset end_{1};
  Offset epoch_start_{1};
  metadata::MetadataImagePtr committed_ = metadata::EmptyImage();
  std::deque<metadata::AppendRecords> uncommitted_;
  metadata::RequestToken tokens_ = 0;
  std::map<metadata::RequestToken, metadata::ControllerResponse> answers_;
  MonotonicNs now_{1'000'000'000};
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CONTROLLER_WORLD_H_
