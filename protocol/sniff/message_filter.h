// -----------------------------------------------------------------------------
// File: protocol/sniff/message_filter.h
// -----------------------------------------------------------------------------
// Which messages of a conversation to show. Where the answer decides (an error, a latency), its
// request is kept until it comes and then shown before it.
// Threading: one thread; one filter for each connection.
// Limits: kept are kKeptMax requests of kKeptBytesMax together; the oldest go first.
#ifndef WEIR_PROTOCOL_SNIFF_MESSAGE_FILTER_H_
#define WEIR_PROTOCOL_SNIFF_MESSAGE_FILTER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {

struct FilterOptions {
  std::set<int16_t> apis;            // empty: all
  std::set<std::string> client_ids;  // empty: all
  bool errors_only = false;
  std::optional<int64_t> latency_us_min;
};

class MessageFilter {
 public:
  static constexpr size_t kKeptMax = 1024;
  static constexpr size_t kKeptBytesMax = size_t{16} << 20;

  // Not owned.
  explicit MessageFilter(const FilterOptions* options) : options_(*options) {}

  // What to show now that `message` came, in order.
  std::vector<SniffedMessage> Take(SniffedMessage message) {
    using Kind = SniffedMessage::Kind;
    std::vector<SniffedMessage> shown;
    if (message.kind != Kind::kNote && !IsWanted(message)) return shown;
    if (message.kind == Kind::kNote || !AnswerDecides()) {
      shown.push_back(std::move(message));
    } else if (message.kind == Kind::kRequest) {
      Keep(std::move(message));
    } else {
      std::optional<SniffedMessage> request = Claim(message);
      if (!Decides(message)) return shown;
      if (request.has_value()) shown.push_back(std::move(*request));
      shown.push_back(std::move(message));
    }
    return shown;
  }

 private:
  bool AnswerDecides() const { return options_.errors_only || options_.latency_us_min.has_value(); }
  bool IsWanted(const SniffedMessage& message) const {
    if (!options_.apis.empty() && options_.apis.count(message.api_key) == 0) return false;
    return options_.client_ids.empty() ||
           (message.client_id.has_value() && options_.client_ids.count(*message.client_id) != 0);
  }
  bool Decides(const SniffedMessage& answer) const {
    if (options_.errors_only && answer.errors.empty()) return false;
    return !options_.latency_us_min.has_value() ||
           (answer.latency_us.has_value() && *answer.latency_us >= *options_.latency_us_min);
  }

  void Keep(SniffedMessage request) {
    kept_bytes_ += request.body.size();
    kept_.push_back(std::move(request));
    while (kept_.size() > kKeptMax || kept_bytes_ > kKeptBytesMax) {
      kept_bytes_ -= kept_.front().body.size();
      kept_.pop_front();
    }
  }

  // The request of `answer`; those before it get none any more.
  std::optional<SniffedMessage> Claim(const SniffedMessage& answer) {
    const auto it = std::find_if(kept_.begin(), kept_.end(), [&](const SniffedMessage& request) {
      return request.correlation_id == answer.correlation_id && request.api_key == answer.api_key;
    });
    if (it == kept_.end()) return std::nullopt;
    SniffedMessage request = *it;
    for (auto each = kept_.begin(); each != it + 1; ++each) kept_bytes_ -= each->body.size();
    kept_.erase(kept_.begin(), it + 1);
    return request;
  }

  const FilterOptions& options_;
  std::deque<SniffedMessage> kept_;
  size_t kept_bytes_ = 0;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_MESSAGE_FILTER_H_
