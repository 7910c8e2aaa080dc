// -----------------------------------------------------------------------------
// File: protocol/sniff/capture_sniffer.h
// -----------------------------------------------------------------------------
// The conversations in a capture: packets in, messages out. Connections are told apart by their
// addresses; which side is the client follows from the handshake, else from who speaks Kafka's
// requests. A connection whose client says something else first is passed over, unless its server's
// port is among `ports`.
// Threading: one thread.
// Limits: kConnectionsMax at a time; the one that was silent for longest makes room. Those of
// conversation.h and tcp_stream.h for each.
#ifndef WEIR_PROTOCOL_SNIFF_CAPTURE_SNIFFER_H_
#define WEIR_PROTOCOL_SNIFF_CAPTURE_SNIFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/string_view.h"
#include "protocol/sniff/capture_file.h"
#include "protocol/sniff/conversation.h"
#include "protocol/sniff/frame_guess.h"
#include "protocol/sniff/message_line.h"
#include "protocol/sniff/message_reader.h"
#include "protocol/sniff/packet.h"
#include "protocol/sniff/sniffed_message.h"
#include "protocol/sniff/tcp_stream.h"

namespace weir::protocol {

class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  // `connection` is a number that no other connection of the capture has.
  virtual void OnMessage(uint64_t connection, const ConnectionName& name,
                         SniffedMessage message) = 0;
  virtual void OnEnd(uint64_t /*connection*/) {}
};

class CaptureSniffer {
 public:
  static constexpr size_t kConnectionsMax = 4096;

  struct Counts {
    uint64_t packets = 0;
    uint64_t packets_of_other_kinds = 0;  // no TCP, or of a link type that is not known
    uint64_t connections = 0;
    uint64_t connections_passed_over = 0;  // that spoke no Kafka
  };

  // `options` and `sink` are not owned. `ports`: of servers; empty for all that speak Kafka.
  CaptureSniffer(const SniffOptions* options, std::set<uint16_t> ports, CaptureSink* sink)
      : options_(*options), ports_(std::move(ports)), sink_(*sink) {}

  void Take(const CapturedPacket& packet) {
    ++counts_.packets;
    std::optional<TcpSegment> segment = ParseTcpPacket(packet.link_type, packet.bytes);
    if (!segment.has_value()) {
      ++counts_.packets_of_other_kinds;
      return;
    }
    if (segment->source == segment->destination) return;
    if (!ports_.empty() && ports_.count(segment->source.port) == 0 &&
        ports_.count(segment->destination.port) == 0) {
      return;
    }
    now_us_ = packet.time_us;
    TakeSegment(*segment);
  }

  // The capture ends here.
  void Finish() {
    while (!connections_.empty()) End(connections_.begin());
  }

  const Counts& counts() const { return counts_; }

 private:
  using Key = std::pair<Endpoint, Endpoint>;  // the lesser first
  enum class State { kUnknown, kKafka, kOther };

  struct Connection : ConversationSink {
    void OnMessage(SniffedMessage message) override {
      owner->sink_.OnMessage(number, name, std::move(message));
    }

    CaptureSniffer* owner = nullptr;
    const Key* key = nullptr;
    uint64_t number = 0;
    ConnectionName name;
    int64_t last_us = 0;
    State state = State::kUnknown;
    std::optional<bool> is_first_client;  // whether endpoint `first` is the client
    bool saw_handshake = false;
    TcpStream streams[2];  // of what the first and the second endpoint sent
    bool has_ended[2] = {false, false};
    std::unique_ptr<Conversation> conversation;
  };

  using Connections = std::map<Key, Connection>;

  void TakeSegment(const TcpSegment& segment) {
    const bool is_first = segment.source < segment.destination;
    const Key key = is_first ? Key(segment.source, segment.destination)
                             : Key(segment.destination, segment.source);
    auto it = connections_.find(key);
    // The same two ports again.
    if (it != connections_.end() && segment.is_syn && !segment.is_ack && IsUsed(it->second)) {
      End(it);
      it = connections_.end();
    }
    if (it == connections_.end()) {
      if (segment.is_rst || (segment.payload.empty() && !segment.is_syn)) return;
      it = Open(key);
    }
    Connection& connection = it->second;
    connection.last_us = now_us_;
    TcpStream& stream = connection.streams[is_first ? 0 : 1];
    if (segment.is_syn) {
      connection.saw_handshake = true;
      connection.is_first_client = segment.is_ack != is_first;
      if (!stream.has_begun()) stream.Begin(segment.sequence + 1);
    } else {
      TakePayload(connection, is_first, segment);
    }
    if (segment.is_fin) connection.has_ended[is_first ? 0 : 1] = true;
    if (segment.is_rst || (connection.has_ended[0] && connection.has_ended[1])) End(it);
  }

  static bool IsUsed(const Connection& connection) {
    return connection.state != State::kUnknown || connection.has_ended[0] ||
           connection.has_ended[1];
  }

  // What a stream's bytes are given to.
  struct Flow {
    void Data(absl::string_view bytes) {
      if (!owner.Decide(connection, is_first, bytes)) return;
      connection.conversation->Feed(SideOf(connection, is_first), owner.now_us_, bytes);
    }
    void Missing(uint64_t bytes) {
      if (connection.state != State::kKafka) return;
      connection.conversation->Miss(SideOf(connection, is_first), owner.now_us_, bytes);
    }

    CaptureSniffer& owner;
    Connection& connection;
    const bool is_first;
  };

  void TakePayload(Connection& connection, bool is_first, const TcpSegment& segment) {
    if (segment.is_ack) {
      Flow other{*this, connection, !is_first};
      connection.streams[is_first ? 1 : 0].Acknowledged(segment.acknowledged, other);
    }
    if (segment.payload.empty() && segment.bytes_cut == 0) return;
    Flow flow{*this, connection, is_first};
    connection.streams[is_first ? 0 : 1].Take(segment.sequence, segment.payload, segment.bytes_cut,
                                              flow);
  }

  static Side SideOf(const Connection& connection, bool is_first) {
    return *connection.is_first_client == is_first ? Side::kClient : Side::kServer;
  }

  // Whether the bytes belong to a conversation, after having found out if they may.
  bool Decide(Connection& connection, bool is_first, absl::string_view bytes) {
    if (connection.state != State::kUnknown) return connection.state == State::kKafka;
    const bool is_kafka = LooksLikeRequest(bytes, options_.frame_bytes_max);
    if (!connection.is_first_client.has_value()) {
      // In the middle of a connection: who sends a request is the client.
      if (is_kafka) {
        connection.is_first_client = is_first;
      } else if (!ports_.empty()) {
        connection.is_first_client = ports_.count(connection.key->second.port) != 0;
      } else {
        return false;
      }
    }
    // A client that writes the length of a frame apart is given the chance to show the rest.
    const bool is_asked_for = !ports_.empty();
    if (!is_kafka && !is_asked_for && SideOf(connection, is_first) == Side::kClient &&
        bytes.size() >= 12) {
      connection.state = State::kOther;
      return false;
    }
    if (!is_kafka && !is_asked_for && SideOf(connection, is_first) == Side::kServer) return false;
    BeginConversation(connection);
    return true;
  }

  void BeginConversation(Connection& connection) {
    connection.state = State::kKafka;
    const Key& key = *connection.key;
    const bool first = *connection.is_first_client;
    connection.name.client = (first ? key.first : key.second).ToString();
    connection.name.server = (first ? key.second : key.first).ToString();
    connection.conversation = std::make_unique<Conversation>(&options_, &connection);
    if (!connection.saw_handshake) connection.conversation->JoinLate();
  }

  typename Connections::iterator Open(const Key& key) {
    if (connections_.size() >= kConnectionsMax) {
      End(std::min_element(
          connections_.begin(), connections_.end(),
          [](const auto& a, const auto& b) { return a.second.last_us < b.second.last_us; }));
    }
    const auto it = connections_.try_emplace(key).first;
    it->second.owner = this;
    it->second.key = &it->first;
    it->second.number = ++counts_.connections;
    return it;
  }

  void End(typename Connections::iterator it) {
    Connection& connection = it->second;
    for (const bool is_first : {true, false}) {
      Flow flow{*this, connection, is_first};
      connection.streams[is_first ? 0 : 1].Finish(flow);
    }
    if (connection.state == State::kKafka) {
      connection.conversation->Close(now_us_);
    } else {
      ++counts_.connections_passed_over;
    }
    sink_.OnEnd(connection.number);
    connections_.erase(it);
  }

  const SniffOptions& options_;
  const std::set<uint16_t> ports_;
  CaptureSink& sink_;
  int64_t now_us_ = 0;
  Connections connections_;
  Counts counts_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_CAPTURE_SNIFFER_H_
