// -----------------------------------------------------------------------------
// File: tests/sim/sim_session.h
// -----------------------------------------------------------------------------
// A client's connection in the simulator: requests as frames, answers to whoever asked. Checks that
// answers come in the order of the requests and decode to their last byte.
#ifndef WEIR_TESTS_SIM_SIM_SESSION_H_
#define WEIR_TESTS_SIM_SIM_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/endian.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class Session {
 public:
  Session(SimNetwork& network, Trace& trace, std::string name)
      : network_(network), trace_(trace), name_(std::move(name)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& name() const { return name_; }
  bool connected() const { return client_.has_value(); }
  size_t waiting() const { return pending_.size(); }
  // When the oldest request that waits was sent.
  MonotonicNs oldest() const { return pending_.front().sent_at; }

  bool Connect(int port) {
    absl::StatusOr<SimClient> client = SimClient::Connect(network_, port);
    if (!client.ok()) return false;
    client_ = *client;
    input_.clear();
    return true;
  }

  // `done` gets the answer, or null when the connection closed without one. Without `done` the
  // request has no answer (Produce with acks=0).
  template <class Response, class Request>
  void Send(const Request& request, int16_t version, MonotonicNs now,
            std::function<void(const Response*)> done) {
    protocol::RequestHeader header{protocol::InfoOf<Request>().id, version, ++correlation_, "sim"};
    std::string frame(4, '\0');
    protocol::EncodeRequestHeader(header, protocol::RequestHeaderVersionOf<Request>(version),
                                  &frame);
    protocol::Encode(request, version, &frame);
    StoreBig32(frame.data(), static_cast<uint32_t>(frame.size() - 4));
    client_->Send(frame);
    if (!done) return;
    pending_.push_back({correlation_, now,
                        [this, version, done = std::move(done)](const absl::string_view* frame) {
                          Answer<Response>(version, frame, done);
                        }});
  }

  // Takes what has arrived, at most `bytes_max`; closes when the broker did. True if anything
  // happened.
  bool Pump(size_t bytes_max = ~size_t{0}) {
    if (!client_.has_value()) return false;
    const std::string bytes = client_->Receive(bytes_max);
    trace_.AddBytes(bytes);
    input_ += bytes;
    TakeFrames();
    if (!bytes.empty() || !client_->closed()) return !bytes.empty();
    Close();
    return true;
  }

  void Close() {
    if (!client_.has_value()) return;
    client_->Close();
    client_.reset();
    std::deque<Pending> pending = std::exchange(pending_, {});
    for (Pending& request : pending) request.done(nullptr);
  }
  void Reset() {
    if (!client_.has_value()) return;
    client_->Reset();
    Close();
  }

 private:
  struct Pending {
    int32_t correlation;
    MonotonicNs sent_at;
    std::function<void(const absl::string_view*)> done;
  };

  template <class Response>
  void Answer(int16_t version, const absl::string_view* frame,
              const std::function<void(const Response*)>& done) {
    if (frame == nullptr) return done(nullptr);
    absl::string_view body = *frame;
    const auto header =
        protocol::DecodeResponseHeader(&body, protocol::ResponseHeaderVersionOf<Response>(version));
    const absl::StatusOr<Response> response = protocol::Decode<Response>(body, version);
    if (!header.ok() || !response.ok()) {
      trace_.Fail(name_, ": a malformed response, api ", protocol::InfoOf<Response>().id,
                  " version ", version, ": ",
                  (header.ok() ? response.status() : header.status()).message());
      return done(nullptr);
    }
    done(&*response);
  }

  void TakeFrames() {
    while (input_.size() >= 8) {
      const size_t size = LoadBig32(input_.data());
      if (input_.size() < 4 + size) return;
      const std::string frame = input_.substr(4, size);
      input_.erase(0, 4 + size);
      const auto correlation = static_cast<int32_t>(LoadBig32(frame.data()));
      if (pending_.empty() || pending_.front().correlation != correlation) {
        trace_.Fail(name_, ": answer ", correlation, ", expected ",
                    pending_.empty() ? 0 : pending_.front().correlation);
        return;
      }
      Pending request = std::move(pending_.front());
      pending_.pop_front();
      const absl::string_view view = frame;
      request.done(&view);
    }
  }

  SimNetwork& network_;
  Trace& trace_;
  const std::string name_;
  std::optional<SimClient> client_;
  std::string input_;
  std::deque<Pending> pending_;
  int32_t correlation_ = 0;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_SESSION_H_
