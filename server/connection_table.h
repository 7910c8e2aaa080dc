// -----------------------------------------------------------------------------
// File: server/connection_table.h
// -----------------------------------------------------------------------------
// The connections of one shard: takes sockets over, turns their frames into requests for the router
// (server/router.h), and carries responses back.
// Threading: one per shard, on its thread.
// Errors: a frame that is no request, an unknown API or an unsupported version closes the
//   connection with a log line that says what was expected and what came; of very many lines, most
//   are only counted.
#ifndef WEIR_SERVER_CONNECTION_TABLE_H_
#define WEIR_SERVER_CONNECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "server/connection.h"
#include "server/event_loop.h"
#include "server/limited_lines.h"
#include "server/node.h"
#include "server/poller.h"
#include "server/request.h"
#include "server/router.h"

namespace weir::server {

class ConnectionTable final : public ConnectionHandler, public ResponseSink {
 public:
  // All outlive the table.
  ConnectionTable(Shard& shard, Node& node, EventLoop& loop);
  ~ConnectionTable() override;

  // Takes over a socket of this shard's poller. `listener` is the index of the listener that it
  // came through, `peer` its address for log lines.
  void Add(SocketId socket, size_t listener, std::string peer);

  void Send(ConnectionId connection, ResponseSlot slot, Response response) override;
  void CloseConnection(ConnectionId connection, absl::string_view reason) override;
  void WhenClosed(ConnectionId connection, ResponseSlot slot,
                  absl::AnyInvocable<void()> closed) override;

  void OnFrame(ConnectionId connection, ResponseSlot slot, FrameRef frame) override;
  void OnClosed(ConnectionId connection, absl::string_view reason) override;

  size_t size() const { return connections_.size(); }
  void CloseAll();

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    size_t listener = 0;
    std::string peer;
    bool said_why = false;  // it is being closed for a reason that was logged
    // Of requests that wait: what to call when the connection closes.
    std::map<ResponseSlot, absl::AnyInvocable<void()>> when_closed;
  };

  // Why the frame is not a request that is served here; empty when it was handed to its handler.
  std::string Route(const Entry& entry, ConnectionId id, ResponseSlot slot, FrameRef frame);

  Shard& shard_;
  Node& node_;
  EventLoop& loop_;
  Connection::Limits limits_;
  LimitedLines closed_lines_;
  absl::flat_hash_map<ConnectionId, Entry> connections_;
  uint64_t next_id_ = 1;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CONNECTION_TABLE_H_
