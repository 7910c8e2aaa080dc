// -----------------------------------------------------------------------------
// File: replication/memory_stream_network.h
// -----------------------------------------------------------------------------
// Replication streams between brokers of one process, for tests and simulators. Nothing arrives
// until the test says so: message by message, in an order among the streams that is its choice.
// Threading: one thread; unlike elsewhere, callbacks run inside Deliver and Break only. Errors: a
// stream that breaks is told to both ends; what is under way is lost.
#ifndef WEIR_REPLICATION_MEMORY_STREAM_NETWORK_H_
#define WEIR_REPLICATION_MEMORY_STREAM_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/random.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

class MemoryStreamNetwork {
 public:
  MemoryStreamNetwork() = default;
  MemoryStreamNetwork(const MemoryStreamNetwork&) = delete;
  MemoryStreamNetwork& operator=(const MemoryStreamNetwork&) = delete;

  // The port of one broker, which lives as long as this.
  StreamNetwork& Of(BrokerId broker) {
    std::unique_ptr<Port>& port = ports_[broker];
    if (port == nullptr) port = std::make_unique<Port>(this);
    return *port;
  }

  // Whether messages pass from one broker to another; all do when it is not set. What does not pass
  // waits.
  void SetPasses(std::function<bool(BrokerId from, BrokerId to)> passes) {
    passes_ = std::move(passes);
  }

  // Delivers the next message of a stream and direction that `random` chooses among those that have
  // one that passes. False when there is none.
  bool Deliver(Random& random) {
    Prune();
    std::vector<std::pair<size_t, bool>> ready;
    for (size_t i = 0; i < streams_.size(); ++i) {
      const StreamHello& hello = streams_[i]->hello;
      if (!streams_[i]->to_leader.empty() && Passes(hello.follower, hello.leader)) {
        ready.emplace_back(i, true);
      }
      if (!streams_[i]->to_follower.empty() && Passes(hello.leader, hello.follower)) {
        ready.emplace_back(i, false);
      }
    }
    if (ready.empty()) return false;
    const auto [index, to_leader] = ready[random.Below(ready.size())];
    const std::shared_ptr<Stream> stream = streams_[index];
    if (to_leader) {
      DeliverToLeader(*stream);
    } else {
      DeliverToFollower(*stream);
    }
    return true;
  }

  // Ends one of the streams that `chosen` says yes to. What is under way to the leader may arrive
  // first, as far as `random` says. False when there is no such stream.
  bool Break(Random& random, const std::function<bool(const StreamHello&)>& chosen) {
    Prune();
    std::vector<std::shared_ptr<Stream>> open;
    for (const std::shared_ptr<Stream>& stream : streams_) {
      if (!stream->follower_closed && chosen(stream->hello)) open.push_back(stream);
    }
    if (open.empty()) return false;
    Cut(*open[random.Below(open.size())], random, absl::UnavailableError("the stream broke"));
    return true;
  }
  // Ends all streams of a broker, which is no more: it is told nothing.
  void Kill(BrokerId broker, Random& random) {
    const auto port = ports_.find(broker);
    if (port != ports_.end()) port->second->accept = nullptr;
    for (const std::shared_ptr<Stream>& stream : streams_) {
      if (stream->hello.follower == broker) stream->follower_closed = true;
      if (stream->hello.leader == broker) stream->leader_closed = true;
      if (stream->hello.follower == broker || stream->hello.leader == broker) {
        Cut(*stream, random, absl::UnavailableError("the broker is gone"));
      }
    }
  }

  size_t open_streams() {
    Prune();
    return streams_.size();
  }

 private:
  struct Opened {};
  struct Closed {
    absl::Status why;
  };

  struct Stream {
    StreamHello hello;
    FollowerEnd::Listener follower;
    LeaderEnd::Listener leader;
    std::deque<std::variant<Opened, FollowerMessage, Closed>> to_leader;
    std::deque<std::variant<LeaderMessage, Closed>> to_follower;
    bool accepted = false;
    bool follower_closed = false;  // hears nothing any more
    bool leader_closed = false;
  };

  class FollowerSide final : public FollowerEnd {
   public:
    explicit FollowerSide(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
    ~FollowerSide() override { FollowerSide::Close(absl::CancelledError("the follower closed")); }
    void Send(FollowerMessage message) override {
      if (!stream_->follower_closed) stream_->to_leader.push_back(std::move(message));
    }
    void Close(const absl::Status& why) override {
      if (stream_->follower_closed) return;
      stream_->follower_closed = true;
      stream_->to_follower.clear();
      stream_->to_leader.push_back(Closed{why});
    }

   private:
    const std::shared_ptr<Stream> stream_;
  };
  class LeaderSide final : public LeaderEnd {
   public:
    explicit LeaderSide(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
    ~LeaderSide() override { LeaderSide::Close(absl::CancelledError("the leader closed")); }
    void Send(LeaderMessage message) override {
      if (!stream_->leader_closed) stream_->to_follower.push_back(std::move(message));
    }
    void Close(const absl::Status& why) override {
      if (stream_->leader_closed) return;
      stream_->leader_closed = true;
      stream_->to_leader.clear();
      stream_->to_follower.push_back(Closed{why});
    }

   private:
    const std::shared_ptr<Stream> stream_;
  };

  struct Port final : StreamNetwork {
    explicit Port(MemoryStreamNetwork* n) : network(n) {}
    void SetAccept(Accept a) override { accept = std::move(a); }
    std::shared_ptr<FollowerEnd> Open(StreamHello hello, FollowerEnd::Listener listener) override {
      auto stream = std::make_shared<Stream>();
      stream->hello = std::move(hello);
      stream->follower = std::move(listener);
      stream->to_leader.push_back(Opened{});
      network->streams_.push_back(stream);
      return std::make_shared<FollowerSide>(std::move(stream));
    }

    MemoryStreamNetwork* network;
    Accept accept;
  };

  bool Passes(BrokerId from, BrokerId to) const { return !passes_ || passes_(from, to); }

  void DeliverToLeader(Stream& stream) {
    auto message = std::move(stream.to_leader.front());
    stream.to_leader.pop_front();
    if (std::holds_alternative<Opened>(message)) {
      Accept(stream);
      return;
    }
    if (stream.leader_closed) return;
    if (auto* sent = std::get_if<FollowerMessage>(&message)) {
      if (stream.accepted) stream.leader.on_message(std::move(*sent));
    } else {
      stream.leader_closed = true;
      if (stream.accepted) stream.leader.on_closed(std::get<Closed>(message).why);
    }
  }

  void Accept(Stream& stream) {
    const auto port = ports_.find(stream.hello.leader);
    absl::StatusOr<LeaderEnd::Listener> listener = absl::UnavailableError("no such broker");
    if (port != ports_.end() && port->second->accept) {
      const auto self = Shared(stream);
      listener = port->second->accept(stream.hello, std::make_shared<LeaderSide>(self));
    }
    if (listener.ok()) {
      stream.leader = *std::move(listener);
      stream.accepted = true;
    } else {
      stream.leader_closed = true;
      stream.to_leader.clear();
      stream.to_follower.clear();
      stream.to_follower.push_back(Closed{listener.status()});
    }
  }

  void DeliverToFollower(Stream& stream) {
    auto message = std::move(stream.to_follower.front());
    stream.to_follower.pop_front();
    if (stream.follower_closed) return;
    if (auto* sent = std::get_if<LeaderMessage>(&message)) {
      stream.follower.on_message(std::move(*sent));
    } else {
      stream.follower_closed = true;
      stream.follower.on_closed(std::get<Closed>(message).why);
    }
  }

  // Both ends learn of it, in their time; of what is under way a part is lost.
  void Cut(Stream& stream, Random& random, const absl::Status& why) {
    stream.to_leader.resize(random.Below(stream.to_leader.size() + 1));
    stream.to_follower.resize(random.Below(stream.to_follower.size() + 1));
    stream.to_leader.push_back(Closed{why});
    stream.to_follower.push_back(Closed{why});
  }

  std::shared_ptr<Stream> Shared(const Stream& stream) const {
    for (const std::shared_ptr<Stream>& each : streams_) {
      if (each.get() == &stream) return each;
    }
    return nullptr;
  }

  void Prune() {
    std::erase_if(streams_, [](const std::shared_ptr<Stream>& stream) {
      if (stream->follower_closed) stream->to_follower.clear();
      if (stream->leader_closed) stream->to_leader.clear();
      return stream->to_leader.empty() && stream->to_follower.empty() && stream->follower_closed &&
             stream->leader_closed;
    });
  }

  std::map<BrokerId, std::unique_ptr<Port>> ports_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::function<bool(BrokerId, BrokerId)> passes_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_MEMORY_STREAM_NETWORK_H_
