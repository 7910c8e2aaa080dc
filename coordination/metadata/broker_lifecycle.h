// -----------------------------------------------------------------------------
// File: coordination/metadata/broker_lifecycle.h
// -----------------------------------------------------------------------------
// What a broker says to the active controller from its start to its end: it registers, heartbeats
// until it is unfenced, keeps its session, and hands its leaderships over before it stops (KIP-631,
// KIP-841). A pure state machine: Step(event) -> effects.
//
// One request is under way at a time. It carries a token that its answer must bring back; answers
// to any other are ignored. A request that stays unanswered is given up and sent anew: repeating
// a registration of the same incarnation, or a heartbeat, does no harm.
// A heartbeat is due each interval, and at once when the broker has registered, has followed the
// log up to its registration, lost a directory or wants to shut down, and when a controller is
// found while the one before it owed an answer. What fails is tried again after a delay that
// doubles up to the interval.
//
// A registered broker that the controller does not know, or knows by another epoch, registers
// again under its own incarnation, with its last epoch as the previous one: it is the same process
// and has all that it acknowledged. Apache Kafka's broker repeats the heartbeat until somebody
// restarts it. Where another process has taken the id, the controller refuses this one as long as
// that one lives.
// Threading: single-threaded.
#ifndef WEIR_COORDINATION_METADATA_BROKER_LIFECYCLE_H_
#define WEIR_COORDINATION_METADATA_BROKER_LIFECYCLE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata {

struct BrokerLifecycleConfig {
  std::string cluster_id;
  int64_t heartbeat_interval_ms = 2'000;     // broker.heartbeat.interval.ms
  int64_t session_timeout_ms = 9'000;        // broker.session.timeout.ms
  int64_t registration_timeout_ms = 60'000;  // initial.broker.registration.timeout.ms
  int64_t request_timeout_ms = 4'500;        // then a request counts as lost
  int64_t retry_delay_ms = 100;              // the first one
  int64_t shutdown_heartbeat_delay_ms = 50;  // the first one while the controller moves leaders
};

// --- Events -----------------------------------------------------------------------------------

// And Tick, when BrokerLifecycle::NextDeadline is reached.

// Who leads the metadata log as far as this node knows; kNoBroker when it knows nobody.
struct ControllerKnown {
  BrokerId controller = kNoBroker;
};
// The answer to SendRegistration, or why there is none.
struct RegistrationAnswered {
  RequestToken token = 0;
  absl::StatusOr<BrokerRegistered> answer;
};
// The answer to SendHeartbeat, or why there is none.
struct HeartbeatAnswered {
  RequestToken token = 0;
  absl::StatusOr<BrokerHeartbeatReply> answer;
};
// The broker has applied the metadata log up to and including this offset.
struct MetadataFollowed {
  Offset applied;
};
// A log directory is out of use for good (KIP-858).
struct DirectoryLost {
  Uuid directory;
};
struct WantShutdown {};

using LifecycleEvent = std::variant<Tick, ControllerKnown, RegistrationAnswered, HeartbeatAnswered,
                                    MetadataFollowed, DirectoryLost, WantShutdown>;

// --- Effects ----------------------------------------------------------------------------------

struct SendRegistration {
  BrokerId controller;
  RegisterBroker request;  // its token is the lifecycle's own
};
struct SendHeartbeat {
  BrokerId controller;
  BrokerHeartbeat request;  // its token is the lifecycle's own
};
// Clients are to be served, or no more.
struct BrokerUnfenced {};
struct BrokerFenced {};
// The broker may stop. OK: it leads nothing any more. Otherwise why that was not waited for.
struct ShutdownGranted {
  absl::Status how;
};
// The broker cannot become one of this cluster, and stops.
struct GiveUp {
  absl::Status why;
};

using LifecycleEffect = std::variant<SendRegistration, SendHeartbeat, BrokerUnfenced, BrokerFenced,
                                     ShutdownGranted, GiveUp>;
using LifecycleEffects = std::vector<LifecycleEffect>;

class BrokerLifecycle {
 public:
  enum class State : uint8_t {
    kRegistering,
    kCatchingUp,    // registered and fenced
    kRunning,       // unfenced
    kShuttingDown,  // registered; the controller moves the leaders away
    kStopped,
  };

  // `registration` without epoch; its incarnation is that of this process. `previous_broker_epoch`:
  // see RegisterBroker. Nothing is sent before ControllerKnown.
  BrokerLifecycle(BrokerLifecycleConfig config, RegisterBrokerRecord registration,
                  int64_t previous_broker_epoch, MonotonicNs now)
      : config_(Bounded(std::move(config))),
        registration_(std::move(registration)),
        previous_broker_epoch_(previous_broker_epoch),
        give_up_at_(now + config_.registration_timeout_ms * kNsPerMs),
        heard_at_(now),
        send_at_(now) {}

  // Appends to *effects what is to be done, in order. `now` never goes back.
  void Step(MonotonicNs now, LifecycleEvent event, LifecycleEffects* effects) {
    if (state_ == State::kStopped) return;
    now_ = now;
    effects_ = effects;
    std::visit([this](auto& e) { Handle(e); }, event);
    if (state_ != State::kStopped) ExpireWhatIsDue();
    if (state_ != State::kStopped) SendWhatIsDue();
    effects_ = nullptr;
  }

  // When a Tick is due, always later than the last Step; nothing once stopped, and while there is
  // nothing but events to wait for.
  std::optional<MonotonicNs> NextDeadline() const {
    std::optional<MonotonicNs> next;
    const auto consider = [&next](MonotonicNs at) { next = next ? std::min(*next, at) : at; };
    if (state_ == State::kStopped) return next;
    if (in_flight_.has_value()) {
      consider(in_flight_->lost_at);
    } else if (controller_ != kNoBroker) {
      consider(send_at_);
    }
    if (broker_epoch_ < 0) consider(give_up_at_);
    if (state_ == State::kShuttingDown) consider(SilenceEnds());
    return next;
  }

  State state() const { return state_; }
  // Of the last registration; -1 before the first.
  int64_t broker_epoch() const { return broker_epoch_; }
  // Until then no controller fences the broker for its silence: the session, counted from when what
  // was answered last had been sent. In the past while the broker is fenced.
  MonotonicNs session_ends() const { return session_ends_; }

 private:
  struct InFlight {
    RequestToken token = 0;
    bool is_registration = false;
    MonotonicNs lost_at;
  };

  // No delay is zero, so that none makes a loop.
  static BrokerLifecycleConfig Bounded(BrokerLifecycleConfig config) {
    for (int64_t* ms : {&config.heartbeat_interval_ms, &config.session_timeout_ms,
                        &config.registration_timeout_ms, &config.request_timeout_ms,
                        &config.retry_delay_ms, &config.shutdown_heartbeat_delay_ms}) {
      *ms = std::clamp<int64_t>(*ms, 1, int64_t{1} << 31);
    }
    return config;
  }

  void Handle(Tick&) {}

  void Handle(ControllerKnown& e) {
    if (e.controller == controller_) return;
    controller_ = e.controller;
    // The session is the same with the next one, so only what is owed is worth a request.
    if (!in_flight_.has_value() && !backing_off_ && state_ != State::kShuttingDown) return;
    in_flight_.reset();
    backing_off_ = false;
    // Two nodes that name each other are no reason to ask them in turn without a pause.
    send_at_ = std::max(now_, sent_at_ + config_.retry_delay_ms * kNsPerMs);
  }

  void Handle(RegistrationAnswered& e) {
    if (!TakeAnswer(e.token, /*is_registration=*/true)) return;
    if (!e.answer.ok()) return Retry(e.answer.status());
    const BrokerRegistered& answer = *e.answer;
    if (answer.error != protocol::ErrorCode::kNone) return RegistrationRefused(answer);
    if (answer.broker_epoch < 0) {
      return Retry(absl::InternalError(absl::StrCat("a registration was answered with epoch ",
                                                    answer.broker_epoch, ", expected one >= 0")));
    }
    broker_epoch_ = previous_broker_epoch_ = answer.broker_epoch;
    state_ = State::kCatchingUp;
    Heard();  // but the delay of retries stays until a heartbeat shows that the registration holds
    send_at_ = now_;
  }

  void Handle(HeartbeatAnswered& e) {
    if (!TakeAnswer(e.token, /*is_registration=*/false)) return;
    if (!e.answer.ok()) return Retry(e.answer.status());
    const BrokerHeartbeatReply& reply = *e.answer;
    if (reply.error == protocol::ErrorCode::kStaleBrokerEpoch ||
        reply.error == protocol::ErrorCode::kBrokerIdNotRegistered) {
      return RegistrationLost();
    }
    if (reply.error != protocol::ErrorCode::kNone) return Retry(Refusal(reply.error, ""));
    Heard();
    delay_ms_ = 0;
    if (state_ == State::kShuttingDown) {
      if (reply.should_shut_down) return Stop(ShutdownGranted{absl::OkStatus()});
      send_at_ = now_ + shutdown_delay_ms_ * kNsPerMs;
      shutdown_delay_ms_ = std::min(shutdown_delay_ms_ * 2, config_.heartbeat_interval_ms);
    } else {
      send_at_ = now_ + config_.heartbeat_interval_ms * kNsPerMs;
      SetFenced(reply.is_fenced);
    }
    session_ends_ = reply.is_fenced ? now_ : sent_at_ + config_.session_timeout_ms * kNsPerMs;
    if (unsaid_) send_at_ = now_;
  }

  void Handle(MetadataFollowed& e) {
    const bool was_caught_up = IsCaughtUp();
    applied_ = std::max(applied_, e.applied);
    if (state_ == State::kCatchingUp && IsCaughtUp() && !was_caught_up) SaySoon();
  }

  void Handle(DirectoryLost& e) {
    if (std::count(lost_directories_.begin(), lost_directories_.end(), e.directory) > 0) return;
    lost_directories_.push_back(e.directory);
    if (state_ != State::kRegistering) SaySoon();
  }

  void Handle(WantShutdown&) {
    if (state_ == State::kShuttingDown) return;
    // Who is not registered leads nothing.
    if (state_ == State::kRegistering) return Stop(ShutdownGranted{absl::OkStatus()});
    state_ = State::kShuttingDown;
    heard_at_ = now_;
    shutdown_delay_ms_ = config_.shutdown_heartbeat_delay_ms;
    SaySoon();
  }

  void RegistrationRefused(const BrokerRegistered& answer) {
    const absl::Status refusal = Refusal(answer.error, answer.message);
    switch (answer.error) {
      case protocol::ErrorCode::kInconsistentClusterId:
      case protocol::ErrorCode::kInvalidRegistration:
      case protocol::ErrorCode::kUnsupportedVersion:
        return Stop(GiveUp{refusal});
      default:  // NOT_CONTROLLER, a predecessor whose session lasts, and what passes
        return Retry(refusal);
    }
  }

  // The controller does not know this process under its epoch.
  void RegistrationLost() {
    if (state_ == State::kShuttingDown) return Stop(ShutdownGranted{absl::OkStatus()});
    SetFenced(true);
    session_ends_ = now_;
    state_ = State::kRegistering;
    if (delay_ms_ > 0) return Delay();  // it did not hold the last time either
    delay_ms_ = config_.retry_delay_ms;
    send_at_ = now_;
  }

  void ExpireWhatIsDue() {
    if (in_flight_.has_value() && now_ >= in_flight_->lost_at) {
      in_flight_.reset();
      Retry(absl::DeadlineExceededError(absl::StrCat("controller ", controller_.value(),
                                                     " did not answer a request within ",
                                                     config_.request_timeout_ms, " ms")));
    }
    if (broker_epoch_ < 0 && now_ >= give_up_at_) {
      return Stop(GiveUp{absl::DeadlineExceededError(absl::StrCat(
          "broker ", registration_.broker_id, " could not register within ",
          config_.registration_timeout_ms, " ms (initial.broker.registration.timeout.ms): ",
          last_failure_.ok() ? "no controller is known" : last_failure_.message()))});
    }
    // A controller that has not heard of the broker for so long has fenced it.
    if (state_ == State::kShuttingDown && now_ >= SilenceEnds()) {
      Stop(ShutdownGranted{absl::DeadlineExceededError(
          absl::StrCat("no controller answered for ", config_.session_timeout_ms,
                       " ms (broker.session.timeout.ms): ",
                       last_failure_.ok() ? "none is known" : last_failure_.message()))});
    }
  }

  void SendWhatIsDue() {
    if (in_flight_.has_value() || controller_ == kNoBroker || now_ < send_at_) return;
    backing_off_ = false;
    sent_at_ = now_;
    const bool is_registration = state_ == State::kRegistering;
    in_flight_ = {++last_token_, is_registration, now_ + config_.request_timeout_ms * kNsPerMs};
    if (is_registration) {
      RegisterBroker request;
      request.token = last_token_;
      request.registration = registration_;
      request.cluster_id = config_.cluster_id;
      request.previous_broker_epoch = previous_broker_epoch_;
      effects_->push_back(SendRegistration{controller_, std::move(request)});
      return;
    }
    unsaid_ = false;
    BrokerHeartbeat request;
    request.token = last_token_;
    request.broker = BrokerId(registration_.broker_id);
    request.broker_epoch = broker_epoch_;
    request.metadata_offset = applied_;
    request.want_shut_down = state_ == State::kShuttingDown;
    request.offline_log_dirs = lost_directories_;
    effects_->push_back(SendHeartbeat{controller_, std::move(request)});
  }

  // Whether it is an answer to what is under way, which then is not any more.
  bool TakeAnswer(RequestToken token, bool is_registration) {
    if (!in_flight_.has_value() || in_flight_->token != token ||
        in_flight_->is_registration != is_registration) {
      return false;
    }
    in_flight_.reset();
    return true;
  }

  void Heard() {
    heard_at_ = now_;
    last_failure_ = absl::OkStatus();
  }

  void Retry(absl::Status failure) {
    last_failure_ = std::move(failure);
    Delay();
  }
  void Delay() {
    const int64_t most = std::max(config_.heartbeat_interval_ms, config_.retry_delay_ms);
    delay_ms_ = delay_ms_ == 0 ? config_.retry_delay_ms : std::min(delay_ms_ * 2, most);
    backing_off_ = true;
    send_at_ = now_ + delay_ms_ * kNsPerMs;
  }

  // The next heartbeat has news: it goes at once, or behind the request under way.
  void SaySoon() {
    unsaid_ = true;
    if (!in_flight_.has_value() && !backing_off_) send_at_ = now_;
  }

  void SetFenced(bool fenced) {
    if (state_ == State::kCatchingUp && !fenced) {
      state_ = State::kRunning;
      effects_->push_back(BrokerUnfenced{});
    } else if (state_ == State::kRunning && fenced) {
      state_ = State::kCatchingUp;
      effects_->push_back(BrokerFenced{});
    }
  }

  void Stop(LifecycleEffect why) {
    state_ = State::kStopped;
    in_flight_.reset();
    effects_->push_back(std::move(why));
  }

  absl::Status Refusal(protocol::ErrorCode error, const std::string& message) const {
    return absl::FailedPreconditionError(
        absl::StrCat("controller ", controller_.value(), " refuses broker ",
                     registration_.broker_id, " of cluster '", config_.cluster_id,
                     "': ", protocol::ErrorName(error), message.empty() ? "" : ": ", message));
  }

  bool IsCaughtUp() const { return broker_epoch_ >= 0 && applied_ >= Offset(broker_epoch_); }
  MonotonicNs SilenceEnds() const { return heard_at_ + config_.session_timeout_ms * kNsPerMs; }

  const BrokerLifecycleConfig config_;
  const RegisterBrokerRecord registration_;
  int64_t previous_broker_epoch_;
  const MonotonicNs give_up_at_;         // before the first registration
  MonotonicNs heard_at_;                 // when a controller last answered as one
  MonotonicNs send_at_;                  // the next request, unless one is under way
  MonotonicNs session_ends_;
  MonotonicNs now_;                      // of the Step under way
  LifecycleEffects* effects_ = nullptr;  // of the Step under way
  State state_ = State::kRegistering;
  BrokerId controller_ = kNoBroker;
  int64_t broker_epoch_ = -1;
  Offset applied_ = kNoOffset;
  std::vector<Uuid> lost_directories_;
  std::optional<InFlight> in_flight_;
  RequestToken last_token_ = 0;
  MonotonicNs sent_at_;       // the last request
  bool unsaid_ = false;       // there is news for the next heartbeat
  bool backing_off_ = false;  // until send_at_
  int64_t delay_ms_ = 0;      // of the last retry; 0 once a heartbeat goes well
  int64_t shutdown_delay_ms_ = 0;
  absl::Status last_failure_;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_BROKER_LIFECYCLE_H_
