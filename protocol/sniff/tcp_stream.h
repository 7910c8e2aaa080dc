// -----------------------------------------------------------------------------
// File: protocol/sniff/tcp_stream.h
// -----------------------------------------------------------------------------
// One direction of a TCP connection put in order again: what came twice is dropped, what came early
// waits, and what the capture lacks is said to be missing.
// Threading: one thread.
// Limits: kEarlySegmentsMax segments of kEarlyBytesMax together wait; when more come, what they
// wait for counts as missing.
#ifndef WEIR_PROTOCOL_SNIFF_TCP_STREAM_H_
#define WEIR_PROTOCOL_SNIFF_TCP_STREAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace weir::protocol {

class TcpStream {
 public:
  static constexpr size_t kEarlySegmentsMax = 4096;
  static constexpr size_t kEarlyBytesMax = size_t{8} << 20;

  bool has_begun() const { return has_begun_; }
  // The first byte to come has this sequence number.
  void Begin(uint32_t sequence) {
    has_begun_ = true;
    next_ = int64_t{sequence} + kFirstTurn;
  }

  // Takes a segment, `bytes_cut` of whose payload are behind what was captured. Calls
  // sink.Data(bytes) and sink.Missing(byte count) in the order of the stream.
  template <class Sink>
  void Take(uint32_t sequence, absl::string_view payload, size_t bytes_cut, Sink& sink) {
    if (!has_begun_) Begin(sequence);
    int64_t at = Unwrap(sequence);
    if (at > next_) {
      Keep(at, payload, sink);
      return;
    }
    const auto twice = static_cast<uint64_t>(next_ - at);
    if (twice < payload.size()) {
      sink.Data(payload.substr(static_cast<size_t>(twice)));
      next_ += static_cast<int64_t>(payload.size() - twice);
    }
    const int64_t end = at + static_cast<int64_t>(payload.size() + bytes_cut);
    if (end > next_) {
      sink.Missing(static_cast<uint64_t>(end - next_));
      next_ = end;
    }
    Release(sink);
  }

  // The other side has acknowledged all before `sequence`: what of it never came will not.
  template <class Sink>
  void Acknowledged(uint32_t sequence, Sink& sink) {
    while (!early_.empty() && early_.begin()->first < Unwrap(sequence)) Skip(sink);
  }

  // The stream is over: what waits comes out.
  template <class Sink>
  void Finish(Sink& sink) {
    while (!early_.empty()) Skip(sink);
  }

 private:
  static constexpr int64_t kFirstTurn = int64_t{1} << 32;  // so that older ones are not negative

  // The 64-bit number nearest to the next one (RFC 9293: sequence numbers wrap).
  int64_t Unwrap(uint32_t sequence) const {
    return next_ + static_cast<int32_t>(sequence - static_cast<uint32_t>(next_));
  }

  template <class Sink>
  void Keep(int64_t at, absl::string_view payload, Sink& sink) {
    if (payload.empty()) return;
    std::string& kept = early_[at];
    if (kept.size() < payload.size()) {
      early_bytes_ += payload.size() - kept.size();
      kept.assign(payload.data(), payload.size());
    }
    while (early_.size() > kEarlySegmentsMax || early_bytes_ > kEarlyBytesMax) Skip(sink);
  }

  // Gives up what the first early segment waits for.
  template <class Sink>
  void Skip(Sink& sink) {
    const int64_t at = early_.begin()->first;
    if (at > next_) {
      sink.Missing(static_cast<uint64_t>(at - next_));
      next_ = at;
    }
    Release(sink);
  }

  template <class Sink>
  void Release(Sink& sink) {
    while (!early_.empty() && early_.begin()->first <= next_) {
      auto node = early_.extract(early_.begin());
      const std::string& payload = node.mapped();
      early_bytes_ -= payload.size();
      const auto twice = static_cast<uint64_t>(next_ - node.key());
      if (twice >= payload.size()) continue;
      sink.Data(absl::string_view(payload).substr(static_cast<size_t>(twice)));
      next_ += static_cast<int64_t>(payload.size() - twice);
    }
  }

  bool has_begun_ = false;
  int64_t next_ = 0;  // sequence number of the next byte, counted on where it wraps
  std::map<int64_t, std::string> early_;
  size_t early_bytes_ = 0;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_TCP_STREAM_H_
