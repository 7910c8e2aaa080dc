// -----------------------------------------------------------------------------
// File: bench/codec_messages.h
// -----------------------------------------------------------------------------
// The messages that codecs are measured with: those of the hot paths, and the large ones. Every
// peer of bench/peers/codecs.py gets them as the same bytes.
#ifndef WEIR_BENCH_CODEC_MESSAGES_H_
#define WEIR_BENCH_CODEC_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "base/uuid.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/join_group.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"

namespace weir::bench {

// Bytes that no codec looks into: record batches, assignments.
inline absl::string_view Payload(size_t bytes) {
  static const std::string& all = *[] {
    auto* text = new std::string;
    SeededRandom random(11);
    while (text->size() < (size_t{1} << 20)) text->push_back(static_cast<char>(random.NextU64()));
    return text;
  }();
  return absl::string_view(all).substr(0, bytes);
}

// A batch of 1 KiB for each of 12 partitions.
inline protocol::ProduceRequest MakeProduceRequest() {
  protocol::ProduceRequest m;
  m.acks = -1;
  m.timeout_ms = 30'000;
  for (int topic = 0; topic < 3; ++topic) {
    auto& data = m.topic_data.emplace_back();
    data.name = absl::StrCat("orders-of-region-", topic);
    for (int32_t i = 0; i < 4; ++i) {
      data.partition_data.push_back({i, {Payload(1024), false, 0}});
    }
  }
  return m;
}

inline protocol::ProduceResponse MakeProduceResponse() {
  protocol::ProduceResponse m;
  for (int topic = 0; topic < 3; ++topic) {
    auto& answer = m.responses.emplace_back();
    answer.name = absl::StrCat("orders-of-region-", topic);
    for (int32_t i = 0; i < 4; ++i) {
      auto& partition = answer.partition_responses.emplace_back();
      partition.index = i;
      partition.base_offset = 1'000'000'000'000 + i;
      partition.log_start_offset = 77;
    }
  }
  return m;
}

// 100 partitions of 5 topics, as a consumer sends without a session.
inline protocol::FetchRequest MakeFetchRequest() {
  protocol::FetchRequest m;
  m.max_wait_ms = 500;
  m.min_bytes = 1;
  m.max_bytes = 50 << 20;
  m.session_epoch = 0;
  for (uint64_t topic = 0; topic < 5; ++topic) {
    auto& wanted = m.topics.emplace_back();
    wanted.topic_id = Uuid{0x1234567890abcdef, topic + 1};
    for (int32_t i = 0; i < 20; ++i) {
      auto& partition = wanted.partitions.emplace_back();
      partition.partition = i;
      partition.current_leader_epoch = 5;
      partition.fetch_offset = 123'456'789 + i;
      partition.partition_max_bytes = 1 << 20;
    }
  }
  return m;
}

// Its answer: 1 KiB of records for every fifth partition, none for the others.
inline protocol::FetchResponse MakeFetchResponse() {
  protocol::FetchResponse m;
  m.session_id = 4711;
  for (uint64_t topic = 0; topic < 5; ++topic) {
    auto& answer = m.responses.emplace_back();
    answer.topic_id = Uuid{0x1234567890abcdef, topic + 1};
    for (int32_t i = 0; i < 20; ++i) {
      auto& partition = answer.partitions.emplace_back();
      partition.partition_index = i;
      partition.high_watermark = 123'456'999 + i;
      partition.last_stable_offset = 123'456'999 + i;
      partition.log_start_offset = 0;
      partition.aborted_transactions.reset();
      partition.records = {i % 5 == 0 ? Payload(1024) : absl::string_view(), false, 0};
    }
  }
  return m;
}

// 1,000 partitions of 10 topics on 6 brokers, three replicas each.
inline protocol::MetadataResponse MakeMetadataResponse() {
  protocol::MetadataResponse m;
  for (int32_t i = 1; i <= 6; ++i) {
    m.brokers.push_back({i, absl::StrCat("broker-", i, ".example.org"), 9092, "rack-a"});
  }
  m.cluster_id = "4L6g3nShT-eMCtK--X86sw";
  m.controller_id = 3;
  for (uint64_t topic = 0; topic < 10; ++topic) {
    auto& about = m.topics.emplace_back();
    about.name = absl::StrCat("orders-of-region-", topic);
    about.topic_id = Uuid{0x1234567890abcdef, topic + 1};
    for (int32_t i = 0; i < 100; ++i) {
      auto& partition = about.partitions.emplace_back();
      partition.partition_index = i;
      partition.leader_id = i % 6 + 1;
      partition.leader_epoch = 12;
      for (int32_t r = 0; r < 3; ++r) partition.replica_nodes.push_back((i + r) % 6 + 1);
      partition.isr_nodes = partition.replica_nodes;
    }
  }
  return m;
}

inline protocol::ApiVersionsResponse MakeApiVersionsResponse() {
  protocol::ApiVersionsResponse m;
  for (int16_t key = 0; key < 60; ++key) m.api_keys.push_back({key, 0, 13});
  m.supported_features.push_back({"group.version", 0, 1});
  m.supported_features.push_back({"transaction.version", 0, 2});
  m.finalized_features_epoch = 42;
  m.finalized_features.push_back({"group.version", 1, 1});
  return m;
}

inline protocol::JoinGroupRequest MakeJoinGroupRequest() {
  protocol::JoinGroupRequest m;
  m.group_id = "billing";
  m.session_timeout_ms = 45'000;
  m.rebalance_timeout_ms = 300'000;
  m.member_id = "consumer-billing-1-0b2f8c9a-1111-4222-8333-444455556666";
  m.protocol_type = "consumer";
  for (const char* name : {"range", "cooperative-sticky"}) {
    m.protocols.push_back({name, {std::string(Payload(60))}});
  }
  return m;
}

// What the leader of 50 members gets.
inline protocol::JoinGroupResponse MakeJoinGroupResponse() {
  protocol::JoinGroupResponse m;
  m.generation_id = 5;
  m.protocol_type = "consumer";
  m.protocol_name = "range";
  for (int i = 0; i < 50; ++i) {
    auto& member = m.members.emplace_back();
    member.member_id =
        absl::StrCat("consumer-billing-", 10 + i, "-0b2f8c9a-1111-4222-8333-444455556666");
    member.metadata.value = std::string(Payload(60));
  }
  m.leader = m.member_id = m.members[0].member_id;
  return m;
}

// Calls visit(name, message, version) for each. The versions are the newest that all peers know.
template <class Visit>
void ForEachCodecMessage(Visit visit) {
  visit("ProduceRequest", MakeProduceRequest(), int16_t{11});
  visit("ProduceResponse", MakeProduceResponse(), int16_t{11});
  visit("FetchRequest", MakeFetchRequest(), int16_t{16});
  visit("FetchResponse", MakeFetchResponse(), int16_t{16});
  visit("MetadataResponse", MakeMetadataResponse(), int16_t{12});
  visit("ApiVersionsResponse", MakeApiVersionsResponse(), int16_t{3});
  visit("JoinGroupRequest", MakeJoinGroupRequest(), int16_t{9});
  visit("JoinGroupResponse", MakeJoinGroupResponse(), int16_t{9});
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_CODEC_MESSAGES_H_
