// -----------------------------------------------------------------------------
// File: protocol/sniff/conversation.h
// -----------------------------------------------------------------------------
// What a Kafka client and a broker say to each other on one connection, from the bytes of both
// directions. Reads no socket and no clock: who has the bytes says when they came. Responses find
// their requests by correlation id.
//
//   Conversation conversation(&options, &sink);
//   conversation.Feed(Side::kClient, now_us, bytes);   // sink.OnMessage(request)
//   conversation.Feed(Side::kServer, now_us, bytes);   // sink.OnMessage(response)
//   conversation.Close(now_us);
//
// Nothing that comes ends a conversation. Messages of APIs or versions that the table lacks, and
// bodies that do not decode, are told with their header and first bytes. Where bytes cannot be
// frames, or some are missing, that direction is out of step: bytes pass unread until a piece
// begins as a frame would, for clients and brokers begin most of their writes with one.
//
// What follows a SaslHandshake of version 0 has no header: tokens, told with their size alone until
// something comes that has one. Bodies that carry credentials are not told unless asked for.
// Threading: one thread.
// Limits: kInFlightMax requests wait for their response, with kClientIdBytesMax of their client id;
// those of SniffOptions.
#ifndef WEIR_PROTOCOL_SNIFF_CONVERSATION_H_
#define WEIR_PROTOCOL_SNIFF_CONVERSATION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "protocol/api_key.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "protocol/sniff/frame_guess.h"
#include "protocol/sniff/message_reader.h"
#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {

class ConversationSink {
 public:
  virtual ~ConversationSink() = default;
  virtual void OnMessage(SniffedMessage message) = 0;
  // For who passes the bytes on: every byte fed comes back in one of these two, in its order. A
  // frame comes without its length, after its OnMessage, with the API and version of its request,
  // or -1.
  virtual void OnFrame(Side, int16_t /*api_key*/, int16_t /*version*/,
                       absl::string_view /*frame*/) {}
  virtual void OnNoFrame(Side, absl::string_view /*bytes*/) {}
};

class Conversation {
 public:
  static constexpr size_t kInFlightMax = 4096;

  // Neither is owned; both outlive the conversation.
  Conversation(const SniffOptions* options, ConversationSink* sink)
      : options_(*options),
        sink_(*sink),
        directions_{Direction(options->frame_bytes_max), Direction(options->frame_bytes_max)} {}

  // Says that bytes of `side` before those to come were not seen.
  void Miss(Side side, int64_t time_us, uint64_t bytes) {
    LoseStep(side, time_us, absl::StrCat(bytes, " bytes are missing here"));
  }
  // Says that the first bytes to come of either side may be from the middle of a frame.
  void JoinLate() {
    for (Direction& direction : directions_) direction.is_lost = true;
  }

  void Feed(Side side, int64_t time_us, absl::string_view bytes) {
    Direction& direction = directions_[Index(side)];
    if (direction.is_lost && !FindStep(side, time_us, bytes)) {
      direction.bytes_unread += bytes.size();
      return sink_.OnNoFrame(side, bytes);
    }
    direction.splitter.Feed(bytes);
    while (!direction.is_lost) {
      const absl::StatusOr<std::optional<absl::Span<char>>> frame = direction.splitter.Next();
      if (!frame.ok()) return LoseStep(side, time_us, WhyNoFrame(direction.splitter.held()));
      if (!frame->has_value()) return;
      const absl::string_view whole((*frame)->data(), (*frame)->size());
      side == Side::kClient ? TakeRequest(time_us, whole) : TakeResponse(time_us, whole);
    }
  }

  // Nothing more comes from `side`.
  void EndOf(Side side, int64_t time_us) {
    Direction& direction = directions_[Index(side)];
    const absl::string_view held = direction.splitter.held();
    if (held.empty()) return;
    Note(side, time_us, absl::StrCat("ended ", held.size(), " bytes into a frame"));
    sink_.OnNoFrame(side, held);
    direction.splitter = FrameSplitter(options_.frame_bytes_max, 0);
  }

  // The connection ended.
  void Close(int64_t time_us) {
    EndOf(Side::kClient, time_us);
    EndOf(Side::kServer, time_us);
    if (!in_flight_.empty()) {
      Note(Side::kServer, time_us,
           absl::StrCat("ended without the answer to ", in_flight_.size(), " requests"));
    }
    in_flight_.clear();
  }

  size_t in_flight() const { return in_flight_.size(); }

 private:
  struct Direction {
    explicit Direction(int32_t frame_bytes_max) : splitter(frame_bytes_max, 0) {}
    FrameSplitter splitter;
    bool is_lost = false;
    uint64_t bytes_unread = 0;
  };
  struct Request {
    bool is_token = false;
    RequestPrefix prefix;
    std::optional<std::string> client_id;
    int64_t time_us = 0;
  };

  static size_t Index(Side side) { return static_cast<size_t>(side); }

  void Note(Side side, int64_t time_us, std::string text) {
    SniffedMessage note;
    note.from = side;
    note.time_us = time_us;
    note.problem = std::move(text);
    sink_.OnMessage(std::move(note));
  }

  void LoseStep(Side side, int64_t time_us, std::string why) {
    Direction& direction = directions_[Index(side)];
    const absl::string_view held = direction.splitter.held();
    SniffedMessage note;
    note.from = side;
    note.time_us = time_us;
    note.problem = std::move(why);
    note.bytes_head = std::string(held.substr(0, kBytesHeadMax));
    if (!direction.is_lost) sink_.OnMessage(std::move(note));
    direction.is_lost = true;
    direction.bytes_unread += held.size();
    if (!held.empty()) sink_.OnNoFrame(side, held);
    direction.splitter = FrameSplitter(options_.frame_bytes_max, 0);
  }

  // Whether `bytes` begin with what looks like a frame of that side.
  bool FindStep(Side side, int64_t time_us, absl::string_view bytes) {
    const bool found = side == Side::kClient
                           ? LooksLikeRequest(bytes, options_.frame_bytes_max)
                           : bytes.size() >= 8 && IsAwaited(LoadBig32(bytes.data() + 4)) &&
                                 LoadFrameLength(bytes.data()) >= 4 &&
                                 LoadFrameLength(bytes.data()) <= options_.frame_bytes_max;
    if (!found) return false;
    Direction& direction = directions_[Index(side)];
    direction.is_lost = false;
    if (direction.bytes_unread > 0) {
      Note(side, time_us, absl::StrCat("in step again after ", direction.bytes_unread, " bytes"));
    }
    direction.bytes_unread = 0;
    return true;
  }

  bool IsAwaited(uint32_t correlation_id) const {
    return std::any_of(in_flight_.begin(), in_flight_.end(), [&](const Request& request) {
      return !request.is_token &&
             request.prefix.correlation_id == static_cast<int32_t>(correlation_id);
    });
  }

  void TakeRequest(int64_t time_us, absl::string_view frame) {
    if (is_after_handshake_v0_ && !LooksLikeRequestFrame(frame)) {
      return TakeToken(Side::kClient, time_us, frame);
    }
    const absl::StatusOr<RequestPrefix> prefix = PeekRequest(frame);
    if (!prefix.ok()) {
      sink_.OnFrame(Side::kClient, -1, -1, frame);
      return LoseStep(Side::kClient, time_us, "no request: a frame of less than 8 bytes");
    }
    is_after_handshake_v0_ =
        prefix->api_key == static_cast<int16_t>(ApiKey::kSaslHandshake) && prefix->api_version == 0;
    SniffedMessage message;
    message.kind = SniffedMessage::Kind::kRequest;
    message.from = Side::kClient;
    message.time_us = time_us;
    message.frame_bytes = frame.size();
    Fill(*prefix, &message);
    const bool is_answered = ReadRequest(options_, frame, &message);
    if (is_answered) Await({false, *prefix, message.client_id, time_us}, time_us);
    sink_.OnMessage(std::move(message));
    sink_.OnFrame(Side::kClient, prefix->api_key, prefix->api_version, frame);
  }

  static void Fill(const RequestPrefix& prefix, SniffedMessage* message) {
    message->api_key = prefix.api_key;
    message->api_version = prefix.api_version;
    message->correlation_id = prefix.correlation_id;
  }

  void Await(Request request, int64_t time_us) {
    if (in_flight_.size() >= kInFlightMax) {
      if (!has_overflowed_) {
        Note(Side::kClient, time_us,
             absl::StrCat("more than ", kInFlightMax, " requests wait for an answer"));
      }
      has_overflowed_ = true;
      in_flight_.pop_front();
    }
    in_flight_.push_back(std::move(request));
  }

  void TakeToken(Side side, int64_t time_us, absl::string_view frame) {
    SniffedMessage token;
    token.kind = SniffedMessage::Kind::kToken;
    token.from = side;
    token.time_us = time_us;
    token.frame_bytes = frame.size();
    if (side == Side::kClient) {
      Await({true, {}, std::nullopt, time_us}, time_us);
    } else {
      token.latency_us = time_us - in_flight_.front().time_us;
      in_flight_.pop_front();
    }
    sink_.OnMessage(std::move(token));
    sink_.OnFrame(side, -1, -1, frame);
  }

  void TakeResponse(int64_t time_us, absl::string_view frame) {
    if (!in_flight_.empty() && in_flight_.front().is_token) {
      return TakeToken(Side::kServer, time_us, frame);
    }
    if (frame.size() < 4) {
      sink_.OnFrame(Side::kServer, -1, -1, frame);
      return LoseStep(Side::kServer, time_us, "no response: a frame of less than 4 bytes");
    }
    SniffedMessage message;
    message.kind = SniffedMessage::Kind::kResponse;
    message.from = Side::kServer;
    message.time_us = time_us;
    message.frame_bytes = frame.size();
    message.correlation_id = static_cast<int32_t>(LoadBig32(frame.data()));
    if (std::optional<Request> request = Claim(message.correlation_id); request.has_value()) {
      Fill(request->prefix, &message);
      message.client_id = std::move(request->client_id);
      message.latency_us = time_us - request->time_us;
      ReadResponse(options_, frame, &message);
    } else {
      message.problem = "answers no request that was seen";
      message.bytes_head = std::string(frame.substr(0, kBytesHeadMax));
    }
    const int16_t api_key = message.api_key;
    const int16_t version = message.api_version;
    sink_.OnMessage(std::move(message));
    sink_.OnFrame(Side::kServer, api_key, version, frame);
  }

  // The request that a response answers. Brokers answer in the order of requests, so those before
  // it get no answer any more.
  std::optional<Request> Claim(int32_t correlation_id) {
    const auto it = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const Request& request) {
      return !request.is_token && request.prefix.correlation_id == correlation_id;
    });
    if (it == in_flight_.end()) return std::nullopt;
    std::optional<Request> request = std::move(*it);
    in_flight_.erase(in_flight_.begin(), it + 1);
    return request;
  }

  const SniffOptions& options_;
  ConversationSink& sink_;
  Direction directions_[2];
  std::deque<Request> in_flight_;
  bool is_after_handshake_v0_ = false;
  bool has_overflowed_ = false;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_CONVERSATION_H_
