// -----------------------------------------------------------------------------
// File: client/cluster.h
// -----------------------------------------------------------------------------
// A cluster as a client sees it: found through bootstrap addresses, with a cache of its metadata
// that is refreshed when it is old or an error says that it is. Admin, producers and consumers
// share one, or have one each.
//
//   WEIR_ASSIGN_OR_RETURN(auto cluster, Cluster::Create({.bootstrap_servers = "h1:9092,h2:9092"},
//                                                       {transport, clock, random}));
//   WEIR_ASSIGN_OR_RETURN(auto response, cluster->Call<DescribeClusterRequest>(
//                                            cluster->AnyNode(), {}, cluster->Deadline()));
//
// Threading: one thread, which drives everything through Poll(), Call() and Refresh().
// Errors: as client/network.h. Codes inside responses are the caller's to look at; StatusOfError()
// turns them into a Status.
#ifndef WEIR_CLIENT_CLUSTER_H_
#define WEIR_CLIENT_CLUSTER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "client/connection.h"
#include "client/error_status.h"
#include "client/metadata_cache.h"
#include "client/network.h"
#include "client/response_of.h"
#include "client/transport.h"
#include "protocol/api/metadata.h"
#include "protocol/describe.h"
#include "protocol/error_code.h"
#include "protocol/message.h"

namespace weir::client {

struct ClusterConfig {
  std::string bootstrap_servers = "localhost:9092";  // host:port, separated by commas
  NetworkOptions network;
  int64_t request_timeout_ms = 30'000;
  int64_t metadata_max_age_ms = 300'000;
  int64_t retry_backoff_ms = 100;
  int64_t retry_backoff_max_ms = 1'000;
  bool allow_auto_create_topics = true;
};

// What a client needs of the world. Borrowed.
struct Ports {
  Transport& transport;
  Clock& clock;
  Random& random;
};

struct HostPort {
  std::string host;
  int32_t port = 0;
};

// "h1:9092,[::1]:9093"
inline absl::StatusOr<std::vector<HostPort>> ParseServers(absl::string_view text) {
  std::vector<HostPort> servers;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    part = absl::StripAsciiWhitespace(part);
    const size_t colon = part.rfind(':');
    int32_t port = 0;
    if (colon == absl::string_view::npos || !absl::SimpleAtoi(part.substr(colon + 1), &port) ||
        port <= 0 || port > 65535 || colon == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("bootstrap server: expected HOST:PORT, came '", part, "'"));
    }
    absl::string_view host = part.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
    servers.push_back({std::string(host), port});
  }
  if (servers.empty()) return absl::InvalidArgumentError("bootstrap servers: none given");
  return servers;
}

class Cluster {
 public:
  static absl::StatusOr<std::unique_ptr<Cluster>> Create(ClusterConfig config, Ports ports) {
    WEIR_ASSIGN_OR_RETURN(std::vector<HostPort> servers, ParseServers(config.bootstrap_servers));
    return absl::WrapUnique(new Cluster(std::move(config), ports, std::move(servers)));
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // --- Time, and letting things happen ---------------------------------------------------------

  MonotonicNs Now() const { return ports_.clock.Monotonic(); }
  TimestampMs WallMs() const { return ports_.clock.WallMs(); }
  Random& random() { return ports_.random; }
  MonotonicNs After(int64_t ms) const { return Now() + ms * kNsPerMs; }
  MonotonicNs Deadline() const { return After(config_.request_timeout_ms); }
  const ClusterConfig& config() const { return config_; }
  Network& network() { return network_; }

  // Waits until `until` at the latest for something to happen, and lets it happen.
  void Poll(MonotonicNs until) {
    MaybeRefresh();
    if (refresh_wanted_ && !refresh_in_flight_) until = std::min(until, refresh_at_);
    network_.Poll(until);
  }

  // --- Metadata --------------------------------------------------------------------------------

  const MetadataCache& metadata() const { return metadata_; }
  MetadataCache& mutable_metadata() { return metadata_; }

  // Keeps this topic's metadata from now on; asks for it when it is not known.
  void Watch(absl::string_view topic) {
    if (watched_.insert(std::string(topic)).second || metadata_.Find(topic) == nullptr) {
      WantRefresh();
    }
  }
  void Unwatch(absl::string_view topic) { watched_.erase(std::string(topic)); }

  // Keeps the metadata of all topics from now on, which creates none.
  void WatchAll() {
    watches_all_ = true;
    WantRefresh();
  }
  // How often metadata has come.
  uint64_t updates() const { return updates_; }

  // Something said that the metadata is old: asks again, not sooner than the backoff allows.
  void WantRefresh() { refresh_wanted_ = true; }
  // Why the last refresh in the background failed.
  const absl::Status& refresh_error() const { return refresh_error_; }
  bool refresh_pending() const { return refresh_wanted_ || refresh_in_flight_; }

  // Asks for these topics and for all that are watched, and waits. OK means that a broker has
  // answered; single topics may still have errors. Without topics just the brokers are asked for.
  absl::Status Refresh(absl::Span<const std::string> topics, MonotonicNs deadline) {
    protocol::MetadataRequest request;
    std::set<std::string> names = watched_;
    names.insert(topics.begin(), topics.end());
    for (const std::string& name : names) request.topics->push_back({Uuid(), name});
    request.allow_auto_topic_creation = config_.allow_auto_create_topics;
    return Ask(std::move(request), deadline).status();
  }
  // The metadata of all topics, the cache updated by it.
  absl::StatusOr<protocol::MetadataResponse> DescribeAll(MonotonicNs deadline) {
    protocol::MetadataRequest request;
    request.topics.reset();
    request.allow_auto_topic_creation = false;
    return Ask(std::move(request), deadline);
  }
  // The same for single topics, which asking does not create.
  absl::StatusOr<protocol::MetadataResponse> Describe(absl::Span<const std::string> topics,
                                                      MonotonicNs deadline) {
    protocol::MetadataRequest request;
    for (const std::string& name : topics) request.topics->push_back({Uuid(), name});
    request.allow_auto_topic_creation = false;
    return Ask(std::move(request), deadline);
  }

  // --- Nodes -----------------------------------------------------------------------------------

  // A node to ask what every broker can answer: a connected one if there is one, never one that
  // could not be reached a moment ago unless there are only those.
  int32_t AnyNode() {
    std::vector<int32_t> known;
    for (const auto& [id, broker] : metadata_.brokers()) known.push_back(id);
    if (const std::optional<int32_t> node = Choose(known)) return *node;
    std::vector<int32_t> bootstrap;
    for (int32_t i = 0; i < bootstrap_count_; ++i) bootstrap.push_back(BootstrapNode(i));
    if (const std::optional<int32_t> node = Choose(bootstrap)) return *node;
    return bootstrap[ports_.random.Below(bootstrap.size())];
  }
  // The controller as far as clients may know it, else any node.
  int32_t ControllerNode() {
    const int32_t id = metadata_.controller_id();
    return metadata_.brokers().contains(id) ? id : AnyNode();
  }

  // --- Calls -----------------------------------------------------------------------------------

  // See MakeCall() in client/connection.h. `done` takes absl::StatusOr<Response>.
  template <class Request, class Source, class Done>
  void Send(int32_t node, Source source, Done done, const CallOptions& options) {
    network_.Send(node, MakeCall<Request>(std::move(source), std::move(done), options));
  }

  // Sends and waits. Not for responses with records, which would not outlive the call.
  template <class Request, class Source = Request>
  absl::StatusOr<ResponseOf<Request>> Call(int32_t node, Source source, MonotonicNs deadline,
                                           int16_t version_max = protocol::kNoVersion) {
    CallOptions options;
    options.deadline = deadline;
    options.version_max = version_max;
    const absl::StatusOr<Body> body =
        CallForBody(node, MakeRequest<Request>(std::move(source), options));
    if (!body.ok()) return body.status();
    return protocol::Decode<ResponseOf<Request>>(body->bytes, body->version);
  }

  // Calls any node, another one when it cannot be reached, until the deadline.
  template <class Request>
  absl::StatusOr<ResponseOf<Request>> CallAny(const Request& request, MonotonicNs deadline) {
    for (int failures = 0;; ++failures) {
      auto response = Call<Request>(AnyNode(), request, deadline);
      if (response.ok() || !MayRetry(response.status(), deadline)) return response;
      Pause(failures, deadline);
    }
  }

  // A broken connection is worth another try; what the peer is or said is not.
  bool MayRetry(const absl::Status& status, MonotonicNs deadline) const {
    return status.code() == absl::StatusCode::kUnavailable && Now() < deadline;
  }
  // Waits before a retry, while the network goes on.
  void Pause(int failures, MonotonicNs deadline) {
    const MonotonicNs until =
        std::min(deadline, Now() + BackoffNs(config_.retry_backoff_ms, config_.retry_backoff_max_ms,
                                             failures, ports_.random));
    while (Now() < until) Poll(until);
  }

 private:
  Cluster(ClusterConfig config, Ports ports, std::vector<HostPort> servers)
      : config_(std::move(config)),
        ports_(ports),
        network_(ports.transport, ports.clock, ports.random, config_.network),
        bootstrap_count_(static_cast<int32_t>(servers.size())) {
    for (int32_t i = 0; i < bootstrap_count_; ++i) {
      const HostPort& server = servers[static_cast<size_t>(i)];
      network_.SetNode(BootstrapNode(i), server.host, server.port);
    }
  }

  // What came back, not decoded: waiting for it is then the same for all APIs.
  struct Body {
    std::string bytes;
    int16_t version = 0;
  };

  absl::StatusOr<Body> CallForBody(int32_t node, OutgoingRequest request) {
    const MonotonicNs deadline = request.deadline;
    // Shared with the handler, which may outlive this call when a caller gives up.
    auto result = std::make_shared<std::optional<absl::StatusOr<Body>>>();
    request.done = [result](const absl::StatusOr<absl::string_view>& bytes, int16_t version) {
      if (bytes.ok()) {
        result->emplace(Body{std::string(*bytes), version});
      } else {
        result->emplace(bytes.status());
      }
    };
    network_.Send(node, std::move(request));
    while (!result->has_value()) Poll(deadline);
    return **std::move(result);
  }

  // Ids that no broker has.
  static int32_t BootstrapNode(int32_t i) { return -2 - i; }

  std::optional<int32_t> Choose(const std::vector<int32_t>& nodes) {
    std::vector<int32_t> good;
    for (const int32_t node : nodes) {
      if (network_.IsReady(node)) return node;
      if (!network_.IsPausing(node)) good.push_back(node);
    }
    if (good.empty()) return std::nullopt;
    return good[ports_.random.Below(good.size())];
  }

  absl::StatusOr<protocol::MetadataResponse> Ask(const protocol::MetadataRequest& request,
                                                 MonotonicNs deadline) {
    absl::StatusOr<protocol::MetadataResponse> response = CallAny(request, deadline);
    if (response.ok()) Apply(*response, !request.topics.has_value());
    return response;
  }

  void Apply(const protocol::MetadataResponse& response, bool all_topics) {
    metadata_.Update(response);
    if (all_topics) metadata_.ForgetOthers(response);
    ++updates_;
    for (const auto& [id, broker] : metadata_.brokers()) {
      network_.SetNode(id, broker.host, broker.port);
    }
    updated_at_ = Now();
  }

  void MaybeRefresh() {
    const MonotonicNs now = Now();
    if ((watches_all_ || !watched_.empty()) &&
        now - updated_at_ > config_.metadata_max_age_ms * kNsPerMs) {
      refresh_wanted_ = true;
    }
    if (!refresh_wanted_ || refresh_in_flight_ || now < refresh_at_) return;
    protocol::MetadataRequest request;
    // Asking for all creates none, and tells nothing of a topic that does not exist: first those
    // that are watched and not known are asked for by their names.
    const bool all = watches_all_ &&
                     std::all_of(watched_.begin(), watched_.end(), [this](const std::string& name) {
                       return metadata_.Find(name) != nullptr;
                     });
    if (all) {
      request.topics.reset();
    } else {
      for (const std::string& name : watched_) request.topics->push_back({Uuid(), name});
    }
    request.allow_auto_topic_creation = !all && config_.allow_auto_create_topics;
    refresh_wanted_ = false;
    refresh_in_flight_ = true;
    refresh_at_ = now + config_.retry_backoff_ms * kNsPerMs;
    CallOptions options;
    options.deadline = Deadline();
    Send<protocol::MetadataRequest>(
        AnyNode(), std::move(request),
        [this, all](absl::StatusOr<protocol::MetadataResponse> response) {
          refresh_in_flight_ = false;
          if (response.ok()) {
            Apply(*response, all);
          } else {
            refresh_error_ = response.status();
            refresh_wanted_ = true;
          }
        },
        options);
  }

  const ClusterConfig config_;
  const Ports ports_;
  MetadataCache metadata_;
  std::set<std::string> watched_;
  bool watches_all_ = false;
  uint64_t updates_ = 0;
  bool refresh_wanted_ = false;
  bool refresh_in_flight_ = false;
  MonotonicNs refresh_at_;
  MonotonicNs updated_at_;
  absl::Status refresh_error_;
  Network network_;  // its handlers use what stands above
  const int32_t bootstrap_count_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_CLUSTER_H_
