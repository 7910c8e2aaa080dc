#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "gtest/gtest.h"

namespace weir::raft {
namespace {

RaftConfig GoodConfig() {
  RaftConfig config;
  config.self = {BrokerId(1), Uuid{0, 1}};
  return config;
}

bool Opens(const RaftConfig& config) {
  MemoryStorage storage;
  SeededRandom random(1);
  return Raft::Open(config, storage, random, MonotonicNs(0)).ok();
}

TEST(RaftConfig, OfDefaultsAndAtItsLimitsOpens) {
  EXPECT_TRUE(Opens(GoodConfig()));
  RaftConfig config = GoodConfig();
  config.heartbeat_interval_ms = 1;
  config.election_timeout_ms = 2;
  config.append_bytes_max = config.in_flight_bytes_max = config.snapshot_chunk_bytes = 1;
  config.append_entries_max = kMessageEntriesMax;
  config.in_flight_messages_max = 1;
  config.entry_bytes_max = config.uncommitted_bytes_max;
  EXPECT_TRUE(Opens(config));
}

TEST(RaftConfigDeathTest, ThatWouldStopEverythingIsRefused) {
  const auto with = [](auto change) {
    RaftConfig config = GoodConfig();
    change(config);
    return config;
  };
  EXPECT_DEATH(Opens({}), "self");
  EXPECT_DEATH(Opens(with([](auto& c) { c.heartbeat_interval_ms = 0; })), "heartbeat");
  EXPECT_DEATH(Opens(with([](auto& c) { c.election_timeout_ms = 100; })), "heartbeat");
  EXPECT_DEATH(Opens(with([](auto& c) { c.append_entries_max = 0; })), "append_entries_max");
  EXPECT_DEATH(Opens(with([](auto& c) { c.append_entries_max = kMessageEntriesMax + 1; })),
               "append_entries_max");
  EXPECT_DEATH(Opens(with([](auto& c) { c.append_bytes_max = 0; })), "append_bytes_max");
  EXPECT_DEATH(Opens(with([](auto& c) { c.snapshot_chunk_bytes = 0; })), "snapshot_chunk_bytes");
  EXPECT_DEATH(Opens(with([](auto& c) { c.in_flight_messages_max = 0; })), "in_flight_messages");
  EXPECT_DEATH(Opens(with([](auto& c) { c.in_flight_bytes_max = 0; })), "in_flight_bytes_max");
  EXPECT_DEATH(Opens(with([](auto& c) { c.uncommitted_bytes_max = 1; })), "uncommitted");
}

}  // namespace
}  // namespace weir::raft
