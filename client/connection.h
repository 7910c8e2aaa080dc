// -----------------------------------------------------------------------------
// File: client/connection.h
// -----------------------------------------------------------------------------
// One connection to a broker as a pure state machine: bytes go in and out, the time is handed in.
// It begins by asking which versions the broker speaks (ApiVersions, KIP-511), holds requests back
// until it knows, sends each at the newest version that both sides have, and gives each its
// response: brokers answer in the order of the requests.
//
// Threading: one thread. A handler may submit further requests; it must not destroy the connection.
// Errors: a handler gets kUnimplemented when broker and client share no version or the version
// cannot carry the request, kInvalidArgument when the response is malformed, kDeadlineExceeded when
// it was late, kUnavailable when the connection ended before it came. A failed connection stays
// failed. Every handler is called exactly once.
// Limits: responses of kFrameBytesMax.
#ifndef WEIR_CLIENT_CONNECTION_H_
#define WEIR_CLIENT_CONNECTION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "client/response_of.h"
#include "protocol/api/api_versions.h"
#include "protocol/api_key.h"
#include "protocol/describe.h"
#include "protocol/error_code.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "protocol/wire.h"

namespace weir::client {

// The versions that a broker speaks, by API key.
using BrokerVersions = absl::flat_hash_map<int16_t, protocol::VersionRange>;

struct ConnectionOptions {
  std::string client_id = "weir";
  std::string software_name = "weir";  // of the form that Kafka checks: [a-zA-Z0-9.-]+
  std::string software_version = "0.1";
};

// A request whose type is forgotten, so that it can wait for the versions.
struct OutgoingRequest {
  int16_t api_key = -1;
  protocol::VersionRange versions;  // what we can send
  int16_t flexible_since = protocol::kNoVersion;
  // Appends the body.
  absl::AnyInvocable<absl::Status(int16_t version, std::string* out)> encode;
  // The response behind its header; it lives only during the call.
  absl::AnyInvocable<void(absl::StatusOr<absl::string_view> body, int16_t version)> done;
  MonotonicNs deadline{std::numeric_limits<int64_t>::max()};
  bool expects_response = true;  // acks=0 has none: `done` gets an empty frame once it is encoded
};

struct CallOptions {
  MonotonicNs deadline{std::numeric_limits<int64_t>::max()};
  int16_t version_max = protocol::kNoVersion;  // when the request needs an older form
  bool expects_response = true;
};

// Makes a request, but for `done`. `source` is a Request, or a function from the version to one,
// for APIs whose fields depend on it. Nothing that the version cannot carry is dropped in silence.
template <class Request, class Source>
OutgoingRequest MakeRequest(Source source, const CallOptions& options = {}) {
  OutgoingRequest out;
  out.api_key = Request::kApi.key;
  out.flexible_since = Request::kApi.flexible_since;
  out.versions = Request::kApi.versions;
  out.versions.max = std::min(out.versions.max, options.version_max);
  out.deadline = options.deadline;
  out.expects_response = options.expects_response;
  out.encode = [source = std::move(source)](int16_t version, std::string* bytes) mutable {
    if constexpr (std::is_invocable_v<Source&, int16_t>) {
      return protocol::EncodeChecked<Request>(source(version), version, bytes);
    } else {
      return protocol::EncodeChecked<Request>(source, version, bytes);
    }
  };
  return out;
}

// Makes a typed call of such a request. `done` takes absl::StatusOr<Response>; records in it live
// only during the call.
template <class Request, class Source, class Done>
OutgoingRequest MakeCall(Source source, Done done, const CallOptions& options = {}) {
  using Response = ResponseOf<Request>;
  OutgoingRequest out = MakeRequest<Request>(std::move(source), options);
  out.done = [done = std::move(done), expects = options.expects_response](
                 absl::StatusOr<absl::string_view> body, int16_t version) mutable {
    absl::StatusOr<Response> response;
    response.emplace();
    absl::Status status = body.status();
    if (status.ok() && expects) status = protocol::DecodeInto(*body, version, &*response);
    if (!status.ok()) response = std::move(status);
    done(std::move(response));
  };
  return out;
}

class Connection {
 public:
  explicit Connection(ConnectionOptions options) : options_(std::move(options)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { WEIR_CHECK(failed_ || (waiting_.empty() && in_flight_.empty())); }

  // The stream is connected: begins to negotiate. `deadline` is for that.
  void OnConnected(MonotonicNs deadline) {
    negotiation_deadline_ = deadline;
    AskVersions(protocol::ApiVersionsRequest::kApi.versions.max);
  }

  // Sends it, or holds it until the versions are known.
  void Submit(OutgoingRequest request) {
    if (failed_) return request.done(status_, 0);
    if (!ready_) {
      waiting_.push_back(std::move(request));
      return;
    }
    Dispatch(std::move(request));
  }

  // Where bytes that come belong; then how many came. A fault in them is returned: the owner then
  // calls Fail().
  absl::Span<char> Room() { return splitter_.Room(); }
  absl::Status Received(size_t bytes) {
    splitter_.Received(bytes);
    while (true) {
      absl::StatusOr<std::optional<absl::Span<char>>> frame = splitter_.Next();
      if (!frame.ok()) return frame.status();
      if (!frame->has_value()) return fault_;
      const absl::Status status = OnFrame(absl::string_view((**frame).data(), (**frame).size()));
      if (!status.ok()) return status;
    }
  }

  // Bytes to write, and how many of them were.
  absl::string_view Output() const { return absl::string_view(output_).substr(written_); }
  void Written(size_t bytes) {
    written_ += bytes;
    WEIR_CHECK(written_ <= output_.size());
    if (written_ == output_.size()) {
      written_ = 0;
      output_.clear();
      if (output_.capacity() > kOutputBytesKept) output_.shrink_to_fit();
    }
  }

  // kDeadlineExceeded when a response is late: the connection is of no more use, as responses come
  // in order. Requests that still wait to be sent just end.
  absl::Status Expire(MonotonicNs now) {
    for (const InFlight& call : in_flight_) {
      if (call.deadline <= now) {
        return absl::DeadlineExceededError(absl::StrCat(
            "no response to ", protocol::ApiName(static_cast<protocol::ApiKey>(call.api_key)),
            " within its timeout"));
      }
    }
    for (size_t i = 0; i < waiting_.size();) {
      if (waiting_[i].deadline > now) {
        ++i;
        continue;
      }
      OutgoingRequest late = std::move(waiting_[i]);
      waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
      late.done(absl::DeadlineExceededError("the broker could not be reached in time"), 0);
    }
    return absl::OkStatus();
  }

  // The earliest deadline of any request.
  MonotonicNs NextDeadline() const {
    MonotonicNs next{std::numeric_limits<int64_t>::max()};
    for (const InFlight& call : in_flight_) next = std::min(next, call.deadline);
    for (const OutgoingRequest& request : waiting_) next = std::min(next, request.deadline);
    return next;
  }

  // Ends the connection: every request that has no response yet gets `status`.
  void Fail(absl::Status status) {
    WEIR_CHECK(!status.ok());
    failed_ = true;
    ready_ = false;
    status_ = std::move(status);
    std::deque<InFlight> in_flight = std::exchange(in_flight_, {});
    std::deque<OutgoingRequest> waiting = std::exchange(waiting_, {});
    for (InFlight& call : in_flight) call.done(status_, call.version);
    for (OutgoingRequest& request : waiting) request.done(status_, 0);
  }

  bool ready() const { return ready_; }
  bool failed() const { return failed_; }
  const BrokerVersions& versions() const { return versions_; }
  // The answer that the versions were taken from; after ready().
  const protocol::ApiVersionsResponse& api_versions() const { return api_versions_; }

 private:
  static constexpr size_t kOutputBytesKept = size_t{1} << 20;

  struct InFlight {
    int16_t api_key;
    int16_t version;
    int16_t header_version;  // of the response
    int32_t correlation_id;
    MonotonicNs deadline;
    absl::AnyInvocable<void(absl::StatusOr<absl::string_view>, int16_t)> done;
  };

  void AskVersions(int16_t version) {
    protocol::ApiVersionsRequest request;
    request.client_software_name = options_.software_name;
    request.client_software_version = options_.software_version;
    OutgoingRequest out;
    out.api_key = request.kApi.key;
    out.flexible_since = request.kApi.flexible_since;
    out.deadline = negotiation_deadline_;
    out.encode = [request = std::move(request)](int16_t v, std::string* bytes) {
      return protocol::EncodeChecked(request, v, bytes);
    };
    out.done = [this](absl::StatusOr<absl::string_view> body, int16_t v) {
      if (body.ok()) OnVersions(*body, v);
    };
    Encode(std::move(out), version);
  }

  void OnVersions(absl::string_view body, int16_t version) {
    using Response = protocol::ApiVersionsResponse;
    // A broker that does not know our version answers in version 0, with its own range.
    const bool refused = protocol::Reader(body).Scalar<int16_t>("error_code") ==
                         static_cast<int16_t>(protocol::ErrorCode::kUnsupportedVersion);
    absl::StatusOr<Response> response = protocol::Decode<Response>(body, refused ? 0 : version);
    if (!response.ok()) {
      fault_ = response.status();
      return;
    }
    if (refused && version > 0) {
      int16_t next = 0;
      for (const Response::ApiVersion& api : response->api_keys) {
        if (api.api_key == Response::kApi.key && api.max_version < version) {
          next = std::max<int16_t>(next, api.max_version);
        }
      }
      return AskVersions(next);
    }
    if (response->error_code != 0) {
      fault_ = absl::UnimplementedError(absl::StrCat(
          "ApiVersions: the broker answered ",
          protocol::ErrorName(static_cast<protocol::ErrorCode>(response->error_code))));
      return;
    }
    api_versions_ = *std::move(response);
    for (const Response::ApiVersion& api : api_versions_.api_keys) {
      versions_[api.api_key] = {api.min_version, api.max_version};
    }
    ready_ = true;
    std::deque<OutgoingRequest> waiting = std::exchange(waiting_, {});
    for (OutgoingRequest& request : waiting) Dispatch(std::move(request));
  }

  void Dispatch(OutgoingRequest request) {
    const auto theirs = versions_.find(request.api_key);
    const auto name = protocol::ApiName(static_cast<protocol::ApiKey>(request.api_key));
    if (theirs == versions_.end()) {
      return request.done(
          absl::UnimplementedError(absl::StrCat("the broker does not offer ", name)), 0);
    }
    const int16_t version = std::min(request.versions.max, theirs->second.max);
    if (version < request.versions.min || version < theirs->second.min) {
      return request.done(
          absl::UnimplementedError(absl::StrCat(
              name, ": the broker has versions ", theirs->second.min, " to ", theirs->second.max,
              ", we ", request.versions.min, " to ", request.versions.max)),
          0);
    }
    Encode(std::move(request), version);
  }

  void Encode(OutgoingRequest request, int16_t version) {
    const size_t at = output_.size();
    const int32_t id = next_correlation_id_;
    next_correlation_id_ = id == std::numeric_limits<int32_t>::max() ? 0 : id + 1;
    output_.append(protocol::kFrameLengthBytes, '\0');
    const bool flexible = version >= request.flexible_since;
    protocol::EncodeRequestHeader({request.api_key, version, id, options_.client_id},
                                  protocol::RequestHeaderVersion(flexible), &output_);
    const absl::Status status = request.encode(version, &output_);
    if (!status.ok()) {
      output_.resize(at);
      return request.done(status, version);
    }
    protocol::StoreFrameLength(output_.size() - at - protocol::kFrameLengthBytes,
                               output_.data() + at);
    if (!request.expects_response) return request.done(absl::string_view(), version);
    in_flight_.push_back({request.api_key, version,
                          protocol::ResponseHeaderVersion(request.api_key, flexible), id,
                          request.deadline, std::move(request.done)});
  }

  absl::Status OnFrame(absl::string_view frame) {
    const int32_t id = protocol::Reader(frame).Scalar<int32_t>("correlation_id");
    if (in_flight_.empty() || in_flight_.front().correlation_id != id) {
      return absl::InvalidArgumentError(
          absl::StrCat("response: expected correlation id ",
                       in_flight_.empty() ? -1 : in_flight_.front().correlation_id, ", came ", id));
    }
    InFlight call = std::move(in_flight_.front());
    in_flight_.pop_front();
    const auto header = protocol::DecodeResponseHeader(&frame, call.header_version);
    if (header.ok()) {
      call.done(frame, call.version);
    } else {
      call.done(header.status(), call.version);
    }
    return fault_;
  }

  const ConnectionOptions options_;
  protocol::FrameSplitter splitter_{kFrameBytesMax, sizeof(int32_t)};
  std::string output_;
  size_t written_ = 0;
  bool ready_ = false;
  bool failed_ = false;
  absl::Status status_;  // why it failed
  absl::Status fault_;   // found by a handler of our own
  int32_t next_correlation_id_ = 0;
  MonotonicNs negotiation_deadline_;
  std::deque<OutgoingRequest> waiting_;
  std::deque<InFlight> in_flight_;
  BrokerVersions versions_;
  protocol::ApiVersionsResponse api_versions_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_CONNECTION_H_
