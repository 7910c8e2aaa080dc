// -----------------------------------------------------------------------------
// File: client/memory_peer.h
// -----------------------------------------------------------------------------
// For tests: brokers in memory that a client reaches through its transport port, speaking the
// project's codecs, and a clock that only waiting moves. A test says what each API answers:
//
//   MemoryNetwork net;
//   MemoryBroker& broker = net.AddBroker("b1", 9092);
//   broker.On<MetadataRequest>([](const MetadataRequest&, int16_t) { return MetadataResponse(); });
//
// Threading: one thread. Errors: a request that no handler is for fails a check.
#ifndef WEIR_CLIENT_MEMORY_PEER_H_
#define WEIR_CLIENT_MEMORY_PEER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/manual_clock.h"
#include "client/response_of.h"
#include "client/transport.h"
#include "protocol/api/api_versions.h"
#include "protocol/describe.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "protocol/message.h"

namespace weir::client {

class MemoryBroker {
 public:
  // `handler` is called with (const Request&, int16_t version) and returns a Response, or
  // std::optional<Response>: nothing means that no response is ever sent.
  template <class Request, class Handler>
  void On(Handler handler, protocol::VersionRange versions = Request::kApi.versions) {
    using Response = ResponseOf<Request>;
    versions_[Request::kApi.key] = versions;
    handlers_[Request::kApi.key] = [this, handler = std::move(handler)](
                                       absl::string_view frame) -> std::optional<std::string> {
      const absl::StatusOr<protocol::RequestPrefix> prefix = protocol::PeekRequest(frame);
      const int16_t version = prefix->api_version;
      const auto header =
          protocol::DecodeRequestHeader(&frame, protocol::RequestHeaderVersionOf<Request>(version));
      WEIR_CHECK(header.ok());
      const absl::StatusOr<Request> request = protocol::Decode<Request>(frame, version);
      WEIR_CHECK(request.ok());
      ++calls_[Request::kApi.key];
      const std::optional<Response> response = handler(*request, version);
      if (!response.has_value()) return std::nullopt;
      std::string out;
      protocol::EncodeResponseHeader({prefix->correlation_id},
                                     protocol::ResponseHeaderVersionOf<Response>(version), &out);
      protocol::Encode(*response, version, &out);
      return out;
    };
  }

  // A broker that cannot be connected to; connections that exist end.
  void SetDown(bool down) { down_ = down; }
  // Ends the connection instead of answering the next request.
  void CloseOnNextRequest() { close_next_ = true; }
  // The newest ApiVersions that it knows, as an old broker.
  void SetApiVersionsMax(int16_t version) { api_versions_max_ = version; }
  int calls(int16_t api_key) const {
    const auto it = calls_.find(api_key);
    return it == calls_.end() ? 0 : it->second;
  }

 private:
  friend class MemoryNetwork;

  std::optional<std::string> Handle(absl::string_view frame) {
    const absl::StatusOr<protocol::RequestPrefix> prefix = protocol::PeekRequest(frame);
    WEIR_CHECK(prefix.ok());
    if (prefix->api_key == protocol::ApiVersionsRequest::kApi.key) return Versions(*prefix);
    const auto it = handlers_.find(prefix->api_key);
    WEIR_CHECK(it != handlers_.end());
    return it->second(frame);
  }

  std::string Versions(const protocol::RequestPrefix& prefix) {
    ++calls_[prefix.api_key];
    protocol::ApiVersionsResponse response;
    int16_t version = prefix.api_version;
    response.api_keys.push_back({18, 0, api_versions_max_});
    if (version > api_versions_max_) {
      version = 0;
      response.error_code = 35;
    } else {
      for (const auto& [key, range] : versions_) {
        response.api_keys.push_back({key, range.min, range.max});
      }
    }
    std::string out;
    protocol::EncodeResponseHeader({prefix.correlation_id}, 0, &out);
    protocol::Encode(response, version, &out);
    return out;
  }

  std::map<int16_t, protocol::VersionRange> versions_;
  std::map<int16_t, std::function<std::optional<std::string>(absl::string_view)>> handlers_;
  std::map<int16_t, int> calls_;
  bool down_ = false;
  bool close_next_ = false;
  int16_t api_versions_max_ = 4;
};

class MemoryNetwork final : public Transport {
 public:
  MemoryNetwork() { clock_.Advance(1'000'000'000); }  // zero is no time that anything happened at

  MemoryBroker& AddBroker(const std::string& host, int32_t port) {
    return brokers_[absl::StrCat(host, ":", port)];
  }
  ManualClock& clock() { return clock_; }
  size_t open_streams() const { return streams_.size(); }
  int connects() const { return connects_; }

  absl::StatusOr<StreamId> Connect(const std::string& host, int32_t port) override {
    ++connects_;
    const auto it = brokers_.find(absl::StrCat(host, ":", port));
    if (it == brokers_.end() || it->second.down_) {
      return absl::UnavailableError(absl::StrCat("connect to ", host, ":", port, ": refused"));
    }
    const StreamId id(next_id_++);
    streams_[id] = std::make_unique<Stream>();
    streams_[id]->broker = &it->second;
    return id;
  }
  absl::StatusOr<bool> FinishConnect(StreamId) override { return true; }

  // Takes a little at a time, so that partial writes are the rule.
  absl::StatusOr<size_t> Write(StreamId id, absl::string_view bytes) override {
    Stream& stream = *streams_.at(id);
    if (stream.Ended()) return absl::UnavailableError("broken pipe");
    const absl::string_view taken = bytes.substr(0, 1000);
    stream.splitter.Feed(taken);
    while (!stream.closed) {
      const auto frame = stream.splitter.Next();
      WEIR_CHECK(frame.ok());
      if (!frame->has_value()) break;
      if (std::exchange(stream.broker->close_next_, false)) {
        stream.closed = true;
        break;
      }
      const std::optional<std::string> response =
          stream.broker->Handle(absl::string_view((**frame).data(), (**frame).size()));
      if (!response.has_value()) continue;
      protocol::AppendFrameLength(response->size(), &stream.to_client);
      stream.to_client.append(*response);
    }
    return taken.size();
  }

  absl::StatusOr<size_t> Read(StreamId id, absl::Span<char> room) override {
    Stream& stream = *streams_.at(id);
    if (stream.to_client.empty()) {
      if (stream.Ended()) return absl::UnavailableError("the broker closed the connection");
      return size_t{0};
    }
    const size_t n = std::min({room.size(), stream.to_client.size(), size_t{700}});
    std::memcpy(room.data(), stream.to_client.data(), n);
    stream.to_client.erase(0, n);
    return n;
  }

  void Close(StreamId id) override { WEIR_CHECK(streams_.erase(id) == 1); }

  void Wait(absl::Span<StreamInterest> interests, int64_t timeout_ns) override {
    bool any = false;
    for (StreamInterest& interest : interests) {
      const Stream& stream = *streams_.at(interest.stream);
      interest.readable = !stream.to_client.empty() || stream.Ended();
      interest.writable = interest.wants_write;
      any = any || interest.readable || interest.writable;
    }
    if (!any) clock_.Advance(std::min(timeout_ns, int64_t{3'600'000'000'000}));
  }

 private:
  struct Stream {
    MemoryBroker* broker = nullptr;
    protocol::FrameSplitter splitter{kFrameBytesMax};
    std::string to_client;
    bool closed = false;

    bool Ended() const { return closed || broker->down_; }
  };

  ManualClock clock_;
  std::map<std::string, MemoryBroker> brokers_;
  std::map<StreamId, std::unique_ptr<Stream>> streams_;
  int32_t next_id_ = 1;
  int connects_ = 0;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_MEMORY_PEER_H_
