// -----------------------------------------------------------------------------
// File: client/member_session.h
// -----------------------------------------------------------------------------
// The time of a member's session with its coordinator: when to heartbeat, whether the coordinator
// may have given up on it, and whether the application polls.
// Threading: one thread; pure.
#ifndef WEIR_CLIENT_MEMBER_SESSION_H_
#define WEIR_CLIENT_MEMBER_SESSION_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/clock.h"
#include "client/consumer_config.h"

namespace weir::client {

class MemberSession {
 public:
  explicit MemberSession(const ConsumerConfig& config) : config_(config) {}

  // The application asks for records. False when it did not for longer than max_poll_interval_ms.
  bool OnPoll(MonotonicNs now) {
    const int64_t away_ns = last_poll_.has_value() ? now - *last_poll_ : 0;
    was_away_ = was_away_ || away_ns > config_.session_timeout_ms * kNsPerMs;
    last_poll_ = now;
    return away_ns <= config_.max_poll_interval_ms * kNsPerMs;
  }
  void ForgetPolls() { last_poll_.reset(); }

  // Whether to send a heartbeat, which then is under way until it is answered.
  bool TakeHeartbeat(MonotonicNs now) {
    if (under_way_ || now < heartbeat_at_) return false;
    under_way_ = true;
    sent_at_ = now;
    return true;
  }
  // When it is time for the next, unless one is under way.
  MonotonicNs heartbeat_at() const {
    return under_way_ ? MonotonicNs(std::numeric_limits<int64_t>::max()) : heartbeat_at_;
  }
  void OnHeartbeatAnswered(MonotonicNs now, bool knows_member) {
    under_way_ = false;
    heartbeat_at_ = now + config_.retry_backoff_ms * kNsPerMs;
    if (knows_member) Confirm(now, sent_at_);
  }

  // The coordinator has its own timer from about now on.
  void OnJoined(MonotonicNs now) { heartbeat_at_ = now + config_.heartbeat_interval_ms * kNsPerMs; }
  // It answered, as to a member, what was sent at `sent_at`.
  void Confirm(MonotonicNs now, MonotonicNs sent_at) {
    confirmed_at_ = std::max(confirmed_at_, sent_at);
    was_away_ = was_away_ && IsStale(now);
    heartbeat_at_ = IsStale(now) ? now : now + config_.heartbeat_interval_ms * kNsPerMs;
  }

  // Whether it may have given up on the member: nothing was confirmed for the session timeout.
  bool IsStale(MonotonicNs now) const {
    return now - confirmed_at_ > config_.session_timeout_ms * kNsPerMs;
  }
  // Whether the process stood still for the session timeout, and nothing was confirmed since.
  bool was_away() const { return was_away_; }

 private:
  const ConsumerConfig& config_;
  std::optional<MonotonicNs> last_poll_;
  bool under_way_ = false;
  MonotonicNs heartbeat_at_;
  MonotonicNs sent_at_;
  MonotonicNs confirmed_at_;
  bool was_away_ = false;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_MEMBER_SESSION_H_
