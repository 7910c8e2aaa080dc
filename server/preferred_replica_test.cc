#include "server/preferred_replica.h"

#include <cstdint>
#include <set>
#include <vector>

#include "base/ids.h"
#include "gtest/gtest.h"

namespace weir::server {
namespace {

int32_t Choose(const std::vector<ReplicaPlace>& in_sync, int64_t offset,
               const std::set<int32_t>& near) {
  return PreferredReplica(in_sync, Offset(offset),
                          [&](BrokerId broker) { return near.count(broker.value()) != 0; })
      .value();
}

TEST(PreferredReplica, IsNearAndHasMost) {
  const std::vector<ReplicaPlace> in_sync = {{BrokerId(2), Offset(0), Offset(90)},
                                             {BrokerId(5), Offset(0), Offset(95)},
                                             {BrokerId(4), Offset(0), Offset(95)},
                                             {BrokerId(7), Offset(0), Offset(99)}};
  EXPECT_EQ(Choose(in_sync, 50, {2}), 2);
  EXPECT_EQ(Choose(in_sync, 50, {2, 4}), 4);
  EXPECT_EQ(Choose(in_sync, 50, {2, 4, 5}), 5);
  EXPECT_EQ(Choose(in_sync, 50, {}), kNoBroker.value());
  EXPECT_EQ(Choose({}, 50, {2}), kNoBroker.value());
}

// One that has deleted the offset would send the consumer back to the leader, which would send it
// there again.
TEST(PreferredReplica, HasTheOffset) {
  const std::vector<ReplicaPlace> in_sync = {{BrokerId(2), Offset(50), Offset(90)}};
  EXPECT_EQ(Choose(in_sync, 49, {2}), kNoBroker.value());
  EXPECT_EQ(Choose(in_sync, 50, {2}), 2);
  EXPECT_EQ(Choose(in_sync, 90, {2}), 2) << "it is as far as the consumer";
  EXPECT_EQ(Choose(in_sync, 91, {2}), kNoBroker.value());
  EXPECT_EQ(Choose({{BrokerId(2), kNoOffset, kNoOffset}}, 0, {2}), kNoBroker.value());
}

}  // namespace
}  // namespace weir::server
