#include "protocol/sniff/address_rewriter.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/headers.h"
#include "protocol/message.h"

namespace weir::protocol {
namespace {

template <class M>
std::string FrameOf(const M& message, int16_t version) {
  std::string frame;
  EncodeResponseHeader({77}, ResponseHeaderVersionOf<M>(version), &frame);
  Encode(message, version, &frame);
  return frame;
}

// Every address becomes PROXY:1OLD; "same" stays.
void ToProxy(size_t, std::string* host, int32_t* port) {
  if (*host == "same") return;
  *host = "PROXY";
  *port += 10'000;
}

template <class M>
M Rewritten(const M& message, int16_t version) {
  const std::optional<std::string> frame =
      RewriteAddresses(InfoOf<M>().id, version, FrameOf(message, version), ToProxy);
  EXPECT_TRUE(frame.has_value());
  absl::string_view body = *frame;
  EXPECT_EQ(DecodeResponseHeader(&body, ResponseHeaderVersionOf<M>(version))->correlation_id, 77);
  return *Decode<M>(body, version);
}

TEST(AddressRewriterTest, EveryAnswerThatNamesBrokers) {
  for (int16_t version = 0; version <= 13; ++version) {
    MetadataResponse metadata;
    metadata.brokers.push_back({1, "a", 9092, std::nullopt});
    metadata.brokers.push_back({2, "same", 9092, std::nullopt});
    metadata.topics.emplace_back().name = "t";
    const MetadataResponse changed = Rewritten(metadata, version);
    EXPECT_EQ(changed.brokers[0].host, "PROXY");
    EXPECT_EQ(changed.brokers[0].port, 19092);
    EXPECT_EQ(changed.brokers[1].host, "same");
    EXPECT_EQ(changed.topics[0].name, "t");
  }
  for (int16_t version = 0; version <= 6; ++version) {
    FindCoordinatorResponse answer;
    if (version < 4) {
      answer.host = "a";
      EXPECT_EQ(Rewritten(answer, version).host, "PROXY");
    } else {
      answer.coordinators.emplace_back().host = "a";
      answer.coordinators.emplace_back().error_code = 15;
      EXPECT_EQ(Rewritten(answer, version).coordinators[0].host, "PROXY");
      EXPECT_EQ(Rewritten(answer, version).coordinators[1].host, "");
    }
  }
  DescribeClusterResponse cluster;
  cluster.brokers.emplace_back().host = "a";
  EXPECT_EQ(Rewritten(cluster, 2).brokers[0].host, "PROXY");
  ProduceResponse produce;
  produce.node_endpoints.emplace_back().host = "a";
  EXPECT_EQ(Rewritten(produce, 10).node_endpoints[0].host, "PROXY");
  FetchResponse fetch;
  fetch.node_endpoints.emplace_back().host = "a";
  EXPECT_EQ(Rewritten(fetch, 16).node_endpoints[0].host, "PROXY");
}

TEST(AddressRewriterTest, HowManyBrokersAreNamed) {
  MetadataResponse metadata;
  metadata.brokers.resize(3);
  size_t named = 9;
  RewriteAddresses(3, 9, FrameOf(metadata, 9),
                   [&](size_t of, std::string*, int32_t*) { named = of; });
  EXPECT_EQ(named, 3);
}

TEST(AddressRewriterTest, WhatStays) {
  MetadataResponse metadata;
  metadata.brokers.push_back({1, "same", 9092, std::nullopt});
  const std::string frame = FrameOf(metadata, 9);
  EXPECT_FALSE(RewriteAddresses(3, 9, frame, ToProxy).has_value());
  EXPECT_FALSE(RewriteAddresses(3, 99, frame, ToProxy).has_value());
  EXPECT_FALSE(RewriteAddresses(18, 0, frame, ToProxy).has_value());
  EXPECT_FALSE(RewriteAddresses(-1, -1, "", ToProxy).has_value());
  metadata.brokers[0].host = "a";
  const std::string whole = FrameOf(metadata, 9);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(RewriteAddresses(3, 9, whole.substr(0, size), ToProxy).has_value());
  }
  // What stands behind the message stays there.
  const auto longer = RewriteAddresses(3, 9, whole + "xyz", ToProxy);
  EXPECT_EQ(longer->substr(longer->size() - 3), "xyz");
}

}  // namespace
}  // namespace weir::protocol
