// -----------------------------------------------------------------------------
// File: server/request.h
// -----------------------------------------------------------------------------
// One client request on its way to its response: the frame it came in, its header, and whom the
// answer goes to. Handlers (server/handlers/) get a RequestRef and call Respond, RespondNothing or
// CloseConnection once, at once or later.
// Threading: belongs to the shard of its connection. Other shards may hold a reference, which keeps
//   the frame alive, but touch nothing except the frame's bytes that were handed to them.
#ifndef WEIR_SERVER_REQUEST_H_
#define WEIR_SERVER_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "protocol/api_key.h"
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
    if (message.ok()) return message;
    const auto api = static_cast<protocol::ApiKey>(header_.api_key);
    return absl::Status(message.status().code(),
                        absl::StrCat(protocol::ApiName(api), " version ", version(), ": ",
                                     message.status().message()));
  }

  // `slices` are the payloads of the response's Records with external_bytes, in their order.
  template <class Message>
  void Respond(const Message& message, std::vector<FileSlice> slices = {}) {
    RespondInVersion(message, version(), std::move(slices));
  }
  template <class Message>
  void RespondInVersion(const Message& message, int16_t version,
                        std::vector<FileSlice> slices = {}) {
    std::string bytes(kFrameLengthBytes, '\0');
    std::vector<protocol::Gap> gaps;
    protocol::EncodeResponseHeader({header_.correlation_id},
                                   protocol::ResponseHeaderVersionOf<Message>(version), &bytes);
    protocol::EncodeWithGaps(message, version, &bytes, &gaps);
    Finish(Frame(std::move(bytes), gaps, std::move(slices)));
  }
  // For acks=0: the client expects no answer.
  void RespondNothing() { Finish(Response{}); }

  void CloseConnection(absl::string_view reason) { sink_.CloseConnection(connection_, reason); }

 private:
  static constexpr size_t kFrameLengthBytes = 4;

  // Fills in the frame's length and puts the slices into the gaps.
  static Response Frame(std::string bytes, const std::vector<protocol::Gap>& gaps,
                        std::vector<FileSlice> slices) {
    WEIR_CHECK(gaps.size() == slices.size());
    int64_t total = static_cast<int64_t>(bytes.size() - kFrameLengthBytes);
    for (const protocol::Gap& gap : gaps) total += gap.bytes;
    WEIR_CHECK(total <= std::numeric_limits<int32_t>::max());
    StoreBig32(bytes.data(), static_cast<uint32_t>(total));
    Response response;
    if (gaps.empty()) {
      response.pieces.push_back(std::move(bytes));
      return response;
    }
    size_t from = 0;
    for (size_t i = 0; i < gaps.size(); ++i) {
      WEIR_CHECK(gaps[i].bytes == slices[i].size_bytes);
      response.pieces.push_back(bytes.substr(from, gaps[i].position - from));
      response.pieces.push_back(std::move(slices[i]));
      from = gaps[i].position;
    }
    response.pieces.push_back(bytes.substr(from));
    return response;
  }
  void Finish(Response response) {
    WEIR_CHECK(!answered_);
    answered_ = true;
    sink_.Send(connection_, slot_, std::move(response));
  }

  Shard& shard_;
  ResponseSink& sink_;
  const ConnectionId connection_;
  const ResponseSlot slot_;
  const size_t listener_;
  const std::string client_host_;
  const FrameRef frame_;
  const protocol::RequestHeader header_;
  const absl::string_view body_;
  bool answered_ = false;
};

using RequestRef = std::shared_ptr<Request>;

inline int16_t WireCode(protocol::ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace weir::server

#endif  // WEIR_SERVER_REQUEST_H_
