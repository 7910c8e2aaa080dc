// -----------------------------------------------------------------------------
// File: tests/sim/sim_stream_network.h
// -----------------------------------------------------------------------------
// A process's end of the simulated replication streams: the port of replication/stream_network.h
// over tests/sim/sim_fabric.h. Messages of a stream arrive in order, each at its time; where the
// network is cut they wait, until the stream breaks. With a process its streams break.
// Threading: one thread; callbacks only as the fabric runs.
#ifndef WEIR_TESTS_SIM_SIM_STREAM_NETWORK_H_
#define WEIR_TESTS_SIM_SIM_STREAM_NETWORK_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"
#include "tests/sim/sim_fabric.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class SimStreamNetwork final : public replication::StreamNetwork {
 public:
  using FollowerEnd = replication::FollowerEnd;
  using LeaderEnd = replication::LeaderEnd;

  // All streams of all nodes.
  class Streams;

  SimStreamNetwork(Streams& streams, int32_t node);
  ~SimStreamNetwork() override { Stop(); }

  void SetAccept(Accept accept) override { accept_ = std::move(accept); }
  std::shared_ptr<FollowerEnd> Open(replication::StreamHello hello,
                                    FollowerEnd::Listener listener) override;
  void Start();
  // No callback comes any more.
  void Stop();

 private:
  struct Opened {};
  struct Closed {
    absl::Status why;
  };
  template <class Message>
  using ListenerOf = std::conditional_t<std::is_same_v<Message, replication::LeaderMessage>,
                                        FollowerEnd::Listener, LeaderEnd::Listener>;
  // One of the two directions: what is under way to the end that `node` has.
  template <class Message>
  struct Way {
    int32_t node = 0;
    bool closed = false;  // that end hears nothing any more
    ListenerOf<Message> listener{};
    std::deque<std::variant<Opened, Message, Closed>> queue{};
    MonotonicNs last_due{0};
    MonotonicNs stalled{0};  // since when the network is cut; 0: it is not
  };
  struct Stream {
    int64_t number = 0;
    replication::StreamHello hello;
    Way<replication::FollowerMessage> to_leader;
    Way<replication::LeaderMessage> to_follower;
  };
  template <class Out, class In>
  class End;

  Streams& streams_;
  const int32_t node_;
  bool runs_ = false;
  Accept accept_;
};

class SimStreamNetwork::Streams {
 public:
  Streams(SimFabric& fabric, Trace& trace) : fabric_(fabric), trace_(trace) {}

  SimFabric& fabric() { return fabric_; }
  // One of the streams breaks, if there is one.
  bool BreakAny() {
    std::erase_if(open_, [](const std::weak_ptr<Stream>& stream) { return stream.expired(); });
    if (open_.empty()) return false;
    const std::shared_ptr<Stream> stream = open_[fabric_.random().Below(open_.size())].lock();
    Break(stream);
    return true;
  }

 private:
  friend class SimStreamNetwork;
  template <class Out, class In>
  friend class End;

  static constexpr int64_t kLookNs = 20 * kNsPerMs;       // at a network that is cut
  static constexpr int64_t kPatienceNs = 800 * kNsPerMs;  // then the stream breaks

  template <class Message, class Item>
  void Put(const std::shared_ptr<Stream>& stream, Way<Message> Stream::*way, Item item) {
    Way<Message>& to = (*stream).*way;
    if (to.closed) return;
    to.queue.push_back(std::move(item));
    to.last_due = std::max(to.last_due, fabric_.now() + fabric_.Delay());
    fabric_.AtNode(to.node, to.last_due - fabric_.now(),
                   [this, stream, way] { DeliverNext(stream, way); });
  }

  template <class Message>
  void DeliverNext(const std::shared_ptr<Stream>& stream, Way<Message> Stream::*way) {
    Way<Message>& to = (*stream).*way;
    if (to.closed || to.queue.empty()) return;
    const bool is_break = std::holds_alternative<Closed>(to.queue.front());
    if (!is_break && fabric_.IsCut(Other(*stream, to.node), to.node)) {
      if (to.stalled == MonotonicNs(0)) to.stalled = fabric_.now();
      if (fabric_.now() - to.stalled > kPatienceNs) return Break(stream);
      return fabric_.AtNode(to.node, kLookNs, [this, stream, way] { DeliverNext(stream, way); });
    }
    to.stalled = MonotonicNs(0);
    auto item = std::move(to.queue.front());
    to.queue.pop_front();
    if (auto* message = std::get_if<Message>(&item)) {
      Note(*stream, *message);
      const auto on_message = to.listener.on_message;  // which may close this end
      return on_message(std::move(*message));
    }
    if (auto* end = std::get_if<Closed>(&item)) {
      to.closed = true;
      Note(*stream, " ends at ", to.node, ": ", end->why.message());
      const auto listener = std::exchange(to.listener, {});
      if (listener.on_closed) listener.on_closed(end->why);
      return;
    }
    Accept(stream);
  }

  static int32_t Other(const Stream& stream, int32_t node) {
    return stream.to_leader.node == node ? stream.to_follower.node : stream.to_leader.node;
  }

  // What is under way is lost, and each end learns of it in its time.
  void Break(const std::shared_ptr<Stream>& stream) {
    const absl::Status why = absl::UnavailableError("the stream broke");
    stream->to_leader.queue.clear();
    stream->to_follower.queue.clear();
    Put(stream, &Stream::to_leader, Closed{why});
    Put(stream, &Stream::to_follower, Closed{why});
  }

  void Accept(const std::shared_ptr<Stream>& stream);

  template <class... Pieces>
  void Note(const Stream& stream, const Pieces&... pieces) {
    trace_.Note("stream ", stream.number, " of ", stream.to_follower.node, " to ",
                stream.to_leader.node, ".", stream.hello.shard, pieces...);
  }
  void Note(const Stream& stream, const replication::FollowerMessage& message) {
    Note(stream, ": follows ", message.follow.size(), ", drops ", message.drop.size(), ", has ",
         message.progress.empty() ? 0 : message.progress.back().flushed.value(), " of ",
         message.progress.size());
    for (const replication::FollowPartition& part : message.follow) {
      Note(stream, ":   from ", part.log_end.value(), " flushed ", part.flushed.value(), " of ",
           part.leader_epoch.value(), " handle ", part.handle);
    }
  }
  void Note(const Stream& stream, const replication::LeaderMessage& message) {
    Note(stream, ": gets ", message.RecordBytes(), " bytes for ", message.records.size());
    for (const replication::FollowEnded& part : message.ended) {
      Note(stream, ":   ends ", part.handle, " error ", static_cast<int>(part.error));
    }
  }

  SimFabric& fabric_;
  Trace& trace_;
  int64_t last_ = 0;
  std::map<int32_t, SimStreamNetwork*> ends_;  // of processes that run
  std::vector<std::weak_ptr<Stream>> open_;
};

// Sends on one way and hears from the other.
template <class Out, class In>
class SimStreamNetwork::End final : public replication::StreamEnd<Out, In> {
 public:
  End(Streams& streams, std::shared_ptr<Stream> stream, Way<Out> Stream::*out, Way<In> Stream::*in)
      : streams_(streams), stream_(std::move(stream)), out_(out), in_(in) {}
  ~End() override { End::Close(absl::CancelledError("closed")); }

  void Send(Out message) override {
    if ((stream_.get()->*in_).closed) return;
    Own(&message);
    streams_.Put(stream_, out_, std::move(message));
  }
  void Close(const absl::Status& why) override {
    Way<In>& in = stream_.get()->*in_;
    if (std::exchange(in.closed, true)) return;
    in.queue.clear();
    in.listener = {};
    streams_.Put(stream_, out_, Closed{why});
  }

 private:
  static void Own(replication::FollowerMessage*) {}
  // As a wire does: what arrives is a copy.
  static void Own(replication::LeaderMessage* message) {
    auto copies = std::make_shared<std::vector<std::string>>();
    copies->reserve(message->records.size());
    for (replication::LeaderRecords& part : message->records) {
      copies->emplace_back(part.records.data(), part.records.size());
      part.records = copies->back();
    }
    message->storage = std::move(copies);
  }

  Streams& streams_;
  const std::shared_ptr<Stream> stream_;
  Way<Out> Stream::*const out_;
  Way<In> Stream::*const in_;
};

inline SimStreamNetwork::SimStreamNetwork(Streams& streams, int32_t node)
    : streams_(streams), node_(node) {}

inline void SimStreamNetwork::Start() {
  runs_ = true;
  streams_.ends_[node_] = this;
}

inline void SimStreamNetwork::Stop() {
  if (!std::exchange(runs_, false)) return;
  streams_.ends_.erase(node_);
  for (const std::weak_ptr<Stream>& weak : streams_.open_) {
    const std::shared_ptr<Stream> stream = weak.lock();
    if (stream == nullptr) continue;
    const bool leads = stream->to_leader.node == node_;
    if (!leads && stream->to_follower.node != node_) continue;
    streams_.Break(stream);
    if (leads) {
      stream->to_leader.closed = true;
      stream->to_leader.listener = {};
    } else {
      stream->to_follower.closed = true;
      stream->to_follower.listener = {};
    }
  }
  accept_ = nullptr;
}

inline std::shared_ptr<replication::FollowerEnd> SimStreamNetwork::Open(
    replication::StreamHello hello, FollowerEnd::Listener listener) {
  auto stream = std::make_shared<Stream>();
  stream->to_leader.node = hello.leader.value();
  stream->to_follower.node = node_;
  stream->to_follower.listener = std::move(listener);
  stream->hello = std::move(hello);
  stream->number = ++streams_.last_;
  streams_.Note(*stream, " opens");
  streams_.open_.push_back(stream);
  streams_.Put(stream, &Stream::to_leader, Opened{});
  return std::make_shared<End<replication::FollowerMessage, replication::LeaderMessage>>(
      streams_, stream, &Stream::to_leader, &Stream::to_follower);
}

inline void SimStreamNetwork::Streams::Accept(const std::shared_ptr<Stream>& stream) {
  const auto there = ends_.find(stream->to_leader.node);
  absl::StatusOr<LeaderEnd::Listener> listener = absl::UnavailableError("connection refused");
  if (there != ends_.end() && there->second->accept_) {
    listener = there->second->accept_(
        stream->hello,
        std::make_shared<End<replication::LeaderMessage, replication::FollowerMessage>>(
            *this, stream, &Stream::to_follower, &Stream::to_leader));
  }
  if (listener.ok()) {
    stream->to_leader.listener = *std::move(listener);
    return;
  }
  stream->to_leader.closed = true;
  stream->to_leader.queue.clear();
  stream->to_follower.queue.clear();
  Put(stream, &Stream::to_follower, Closed{listener.status()});
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_STREAM_NETWORK_H_
