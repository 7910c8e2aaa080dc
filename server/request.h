// -----------------------------------------------------------------------------
// File: server/request.h
// -----------------------------------------------------------------------------
// One client request on its way to its response: the frame it came in, its header, and whom the
// answer goes to. Handlers (server/handlers/) get a RequestRef and call Respond, RespondNothing or
// CloseConnection once, at once or later.
// Threading: belongs to the shard of its connection. Other shards may hold a reference, which keeps
//   the frame of a Produce alive, but touch nothing except its bytes that were handed to them.
#ifndef WEIR_SERVER_REQUEST_H_
#define WEIR_SERVER_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protocol/error_code.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "server/connection.h"
#include "server/frame_buffer.h"
#include "server/response_queue.h"

namespace weir::server {

class Shard;

// Where a response goes: the next step of Request::Respond, implemented by the shard.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  // Nothing happens when the connection is gone.
  virtual void Send(ConnectionId connection, ResponseSlot slot, Response response) = 0;
  virtual void CloseConnection(ConnectionId connection, absl::string_view reason) = 0;
  // Calls `closed` if the connection closes before the slot's Send; at once when it is gone.
  virtual void WhenClosed(ConnectionId connection, ResponseSlot slot,
                          absl::AnyInvocable<void()> closed) = 0;
};

class Request {
 public:
  Request(Shard& shard, ResponseSink& sink, ConnectionId connection, ResponseSlot slot,
          size_t listener, std::string client_host, FrameRef frame, protocol::RequestHeader header,
          absl::string_view body)
      : shard_(shard),
        sink_(sink),
        connection_(connection),
        slot_(slot),
        listener_(listener),
        client_host_(std::move(client_host)),
        frame_(std::move(frame)),
        header_(std::move(header)),
        body_(body) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Shard& shard() const { return shard_; }
  const protocol::RequestHeader& header() const { return header_; }
  int16_t version() const { return header_.api_version; }
  absl::string_view body() const { return body_; }
  // Index, in the configuration's listeners, of the one that the client connected to.
  size_t listener() const { return listener_; }
  // As Kafka shows it to administrators: "/192.0.2.1".
  const std::string& client_host() const { return client_host_; }

  // The body as a message of the request's version. Its Records and views point into the frame.
  // Bytes behind it are ignored, as Kafka does: librdkafka 2.16 sends some when it asks for the
  // metadata of all topics.
  template <class Message>
  absl::StatusOr<Message> Decode() const {
    absl::string_view bytes = body_;
    absl::StatusOr<Message> message = protocol::DecodePrefix<Message>(&bytes, version());
    if (!message.ok()) message = WithApi(message.status());
    return message;
  }

  template <class Message>
  void Respond(const Message& message) {
    RespondInVersion(message, version());
  }
  template <class Message>
  void RespondInVersion(const Message& message, int16_t version) {
    Send(&EncodeBody<Message>, &message, version,
         protocol::ResponseHeaderVersionOf<Message>(version), nullptr);
  }
  // `slices` are the payloads of the response's Records with external_bytes, in their order.
  template <class Message>
  void RespondWithSlices(const Message& message, std::vector<FileSlice> slices) {
    Send(&EncodeBody<Message>, &message, version(),
         protocol::ResponseHeaderVersionOf<Message>(version()), &slices);
  }
  // For acks=0: the client expects no answer.
  void RespondNothing();

  // Lets go of the frame, once the body is decoded: while it waits, a request holds no more than it
  // needs. Not where Records still point into it.
  void DropFrame() {
    frame_ = FrameRef();
    body_ = absl::string_view();
  }
  // Runs `closed` when the connection closes before the answer, at once if it is closed already.
  void WhenClosed(absl::AnyInvocable<void()> closed) {
    sink_.WhenClosed(connection_, slot_, std::move(closed));
  }

  void CloseConnection(absl::string_view reason) { sink_.CloseConnection(connection_, reason); }

 private:
  // Appends a message whose type is forgotten, so that the rest is compiled once for all of them.
  using Encoder = void (*)(const void* message, int16_t version, std::string* out,
                           std::vector<protocol::Gap>* gaps);
  template <class Message>
  static void EncodeBody(const void* message, int16_t version, std::string* out,
                         std::vector<protocol::Gap>* gaps) {
    protocol::EncodeWithGaps(*static_cast<const Message*>(message), version, out, gaps);
  }

  // `slices` may be null; else they are taken.
  void Send(Encoder encode, const void* message, int16_t version, int16_t header_version,
            std::vector<FileSlice>* slices);
  void Finish(Response response);
  absl::string_view ApiName() const;
  absl::Status WithApi(const absl::Status& status) const;

  Shard& shard_;
  ResponseSink& sink_;
  const ConnectionId connection_;
  const ResponseSlot slot_;
  const size_t listener_;
  const std::string client_host_;
  FrameRef frame_;
  const protocol::RequestHeader header_;
  absl::string_view body_;
  bool answered_ = false;
};

using RequestRef = std::shared_ptr<Request>;

inline int16_t WireCode(protocol::ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace weir::server

#endif  // WEIR_SERVER_REQUEST_H_
