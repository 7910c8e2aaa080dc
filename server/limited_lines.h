// -----------------------------------------------------------------------------
// File: server/limited_lines.h
// -----------------------------------------------------------------------------
// Log lines of one kind that peers can cause as often as they like: the first of each interval are
// written, the others counted, and the count is written when the interval ends.
// Threading: that of the event loop.
#ifndef WEIR_SERVER_LIMITED_LINES_H_
#define WEIR_SERVER_LIMITED_LINES_H_

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/timers.h"

namespace weir::server {

class LimitedLines {
 public:
  static constexpr int kLinesMax = 10;  // in an interval
  static constexpr int64_t kIntervalMs = 10'000;

  // `what` names those that are counted: "connections closed for what they sent". Loop and logger
  // outlive the lines.
  LimitedLines(EventLoop& loop, Logger& logger, std::string what)
      : loop_(loop), logger_(logger), what_(std::move(what)) {}
  LimitedLines(const LimitedLines&) = delete;
  LimitedLines& operator=(const LimitedLines&) = delete;
  ~LimitedLines() {
    loop_.timers().Cancel(timer_);
    TellCount();
  }

  // As Logger::Warning.
  template <class... Pieces>
  void Warning(const Pieces&... pieces) {
    if (written_ == kLinesMax) {
      ++left_out_;
      return;
    }
    if (written_++ == 0) ArmTimer();
    logger_.Warning(pieces...);
  }

 private:
  void ArmTimer() {
    timer_ = loop_.timers().Schedule(loop_.now() + kIntervalMs * kNsPerMs, [this] {
      timer_ = TimerId();
      TellCount();
      written_ = 0;
    });
  }

  void TellCount() {
    if (left_out_ == 0) return;
    logger_.Warning(std::exchange(left_out_, 0), " more ", what_, " within ", kIntervalMs / 1000,
                    " s");
  }

  EventLoop& loop_;
  Logger& logger_;
  const std::string what_;
  int written_ = 0;  // in this interval
  int64_t left_out_ = 0;
  TimerId timer_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LIMITED_LINES_H_
