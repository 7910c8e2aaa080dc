// -----------------------------------------------------------------------------
// File: server/replicas.h
// -----------------------------------------------------------------------------
// The replication streams of one shard: those to the leaders of its partitions, each to one shard
// of one broker, opened when there is something to follow and opened again, later and later, when
// they break; and those that followers have opened to this shard. What came in a tick is written
// when it ends, then what is to be told goes out. Replicas that catch up and that their topic has
// throttled share the broker's quotas (KIP-73).
// Decision: docs/adr/0015-replication-streams.md.
// Threading: the shard's thread, but for the Acceptor and what the streams call, which hand over to
// it. Limits: what waits of a leader's records is bounded by the credit that its follower has
// given; a cold read is under way for each stream at most.
#ifndef WEIR_SERVER_REPLICAS_H_
#define WEIR_SERVER_REPLICAS_H_

#include <memory>

#include "replication/stream_network.h"
#include "server/node.h"
#include "server/worker.h"

namespace weir::server {

class Shard;

class Replicas {
 public:
  // The shard outlives it.
  explicit Replicas(Shard& shard);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  // Hands the streams that others open to the shards of the node that they name.
  static replication::StreamNetwork::Accept Acceptor(const Node& node);

  // From now on streams are opened. Far behind the end of a log, what is not in memory is read by
  // `reader`, if there is one. Both outlive the replicas.
  void Start(replication::StreamNetwork& streams, Worker* reader);
  // The shard has followed the metadata.
  void OnMetadata();
  // Once the partitions have ended their tick: carries out what they ask for.
  void OnTickEnd();
  // Ends all streams, for good.
  void Close();

 private:
  class Streams;

  const std::unique_ptr<Streams> streams_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_REPLICAS_H_
