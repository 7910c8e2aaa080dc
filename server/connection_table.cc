#include "server/connection_table.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "protocol/headers.h"
#include "server/logger.h"

namespace weir::server {
namespace {

// "192.0.2.1:40000" and "[2001:db8::1]:40000" as "/192.0.2.1" and "/2001:db8::1".
std::string HostOf(absl::string_view peer) {
  absl::string_view host = peer.substr(0, peer.rfind(':'));
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return absl::StrCat("/", host);
}

}  // namespace

ConnectionTable::ConnectionTable(Shard& shard, Node& node, EventLoop& loop)
    : shard_(shard),
      node_(node),
      loop_(loop),
      closed_lines_(loop, *node.logger, "connections closed for what they sent") {
  limits_.frame_bytes_max = node.config.request_bytes_max;
  limits_.idle_ms_max = node.config.connections_idle_ms_max;
}

void ConnectionTable::Add(SocketId socket, size_t listener, std::string peer) {
  const ConnectionId id(next_id_++);
  Entry& entry = connections_[id];
  entry.listener = listener;
  entry.peer = std::move(peer);
  entry.connection = std::make_unique<Connection>(loop_, socket, id, node_.frames, limits_, *this);
}

void ConnectionTable::Send(ConnectionId connection, ResponseSlot slot, Response response) {
  const auto found = connections_.find(connection);
  if (found != connections_.end()) found->second.connection->Complete(slot, std::move(response));
}

void ConnectionTable::CloseConnection(ConnectionId connection, absl::string_view reason) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  closed_lines_.Warning("closing the connection of ", found->second.peer, ": ", reason);
  found->second.said_why = true;
  found->second.connection->CloseSoon(std::string(reason));
}

void ConnectionTable::OnFrame(ConnectionId connection, ResponseSlot slot, FrameRef frame) {
  const Entry& entry = connections_.at(connection);
  const std::string fault = Route(entry, connection, slot, std::move(frame));
  if (!fault.empty()) CloseConnection(connection, fault);
}

std::string ConnectionTable::Route(const Entry& entry, ConnectionId id, ResponseSlot slot,
                                   FrameRef frame) {
  absl::string_view bytes = frame.bytes();
  const absl::StatusOr<protocol::RequestPrefix> prefix = protocol::PeekRequest(bytes);
  if (!prefix.ok()) return absl::StrCat("not a request: ", prefix.status().message());
  const server::Route* route = FindRoute(prefix->api_key);
  if (route == nullptr) {
    return absl::StrCat("expected an API that ApiVersions lists, came key ", prefix->api_key);
  }
  protocol::RequestHeader header{prefix->api_key, prefix->api_version, prefix->correlation_id, {}};
  if (route->versions.Contains(prefix->api_version)) {
    const int16_t header_version =
        protocol::RequestHeaderVersion(prefix->api_version >= route->flexible_since);
    absl::StatusOr<protocol::RequestHeader> decoded =
        protocol::DecodeRequestHeader(&bytes, header_version);
    if (!decoded.ok()) return absl::StrCat("request header: ", decoded.status().message());
    header = *std::move(decoded);
  } else if (route->key != protocol::ApiKey::kApiVersions ||
             prefix->api_version <= route->versions.max) {
    // ApiVersions of a version to come is answered all the same (KIP-511), its body unread.
    return absl::StrCat(protocol::ApiName(route->key), ": expected version ", route->versions.min,
                        " to ", route->versions.max, ", came ", prefix->api_version);
  }
  route->handle(std::make_shared<Request>(shard_, *this, id, slot, entry.listener,
                                          HostOf(entry.peer), std::move(frame), std::move(header),
                                          bytes));
  return "";
}

void ConnectionTable::OnClosed(ConnectionId connection, absl::string_view reason) {
  // Peers come and go; only what we refuse is worth a line, unless CloseConnection wrote it.
  const auto found = connections_.find(connection);
  if (!found->second.said_why && absl::StrContains(reason, "expected")) {
    closed_lines_.Warning("closed the connection of ", found->second.peer, ": ", reason);
  }
  connections_.erase(found);
  node_.connection_count.fetch_sub(1, std::memory_order_relaxed);
}

void ConnectionTable::CloseAll() {
  std::vector<ConnectionId> ids;
  for (const auto& [id, entry] : connections_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const ConnectionId id : ids) connections_.erase(id);
}

}  // namespace weir::server
