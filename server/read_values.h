// -----------------------------------------------------------------------------
// File: server/read_values.h
// -----------------------------------------------------------------------------
// For tests: what a consumer of ours reads.
#ifndef WEIR_SERVER_READ_VALUES_H_
#define WEIR_SERVER_READ_VALUES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cluster.h"
#include "client/consumer.h"
#include "gtest/gtest.h"

namespace weir::server {

// The values at the beginning of partition 0, at least `count` unless there is an error or ten
// seconds bring nothing.
inline std::vector<std::string> ReadValues(client::Cluster& cluster, const std::string& topic,
                                           size_t count) {
  client::Consumer consumer(cluster, {.auto_offset_reset = client::OffsetReset::kEarliest});
  const client::TopicAndPartition partition{topic, 0};
  consumer.Assign({&partition, 1});
  std::vector<std::string> values;
  while (values.size() < count) {
    const absl::StatusOr<client::ConsumedRecords> records = consumer.Poll(10'000);
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok() || records->empty()) break;
    for (const client::ConsumerRecord& record : *records) values.emplace_back(*record.value);
  }
  return values;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_READ_VALUES_H_
