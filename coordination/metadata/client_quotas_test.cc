#include "coordination/metadata/client_quotas.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;
using Request = protocol::DescribeClientQuotasRequest;

ClientQuotaRecord Quota(std::vector<std::pair<std::string, std::optional<std::string>>> entity,
                        std::string key, double value) {
  ClientQuotaRecord record;
  for (auto& [type, name] : entity) {
    ClientQuotaEntity& part = record.entity.emplace_back();
    part.entity_type = type;
    part.entity_name = name;
  }
  record.key = std::move(key);
  record.value = value;
  return record;
}

MetadataImagePtr SomeQuotas() {
  std::vector<MetadataRecord> records;
  // An order of types that is not that of the alphabet, as Kafka may write it.
  records.push_back(Quota({{"user", "u"}, {"client-id", "c"}}, "producer_byte_rate", 1));
  records.push_back(Quota({{"user", "u"}}, "request_percentage", 2.5));
  records.push_back(Quota({{"user", "u"}}, "consumer_byte_rate", 3));
  records.push_back(Quota({{"user", std::nullopt}}, "producer_byte_rate", 4));
  records.push_back(Quota({{"ip", "::1"}}, "connection_creation_rate", 5));
  const auto image = Apply(*EmptyImage(), records, Offset(0), LeaderEpoch(1));
  EXPECT_TRUE(image.ok()) << image.status();
  return *image;
}

// The entries as text, and a test that there was no error.
std::string Described(std::vector<Request::ComponentData> components, bool strict) {
  Request request;
  request.components = std::move(components);
  request.strict = strict;
  const auto response = DescribeClientQuotas(*SomeQuotas(), request);
  EXPECT_EQ(response.error_code, 0);
  std::string text;
  for (const auto& entry : response.entries.value()) {
    for (const auto& part : entry.entity) {
      text += part.entity_type + "=" + part.entity_name.value_or("<default>") + " ";
    }
    for (const auto& value : entry.values) text += value.key.substr(0, 4) + " ";
    text += "| ";
  }
  return text;
}

TEST(ClientQuotasTest, WithoutComponentsAllAreTold) {
  EXPECT_EQ(Described({}, false),
            "client-id=c user=u prod | ip=::1 conn | user=<default> prod | user=u cons requ | ");
  EXPECT_EQ(Described({}, true), "");  // all entities of no type
}

TEST(ClientQuotasTest, ComponentsChoose) {
  EXPECT_EQ(Described({{"user", 0, "u"}}, false), "client-id=c user=u prod | user=u cons requ | ");
  EXPECT_EQ(Described({{"user", 0, "u"}}, true), "user=u cons requ | ");
  EXPECT_EQ(Described({{"user", 1, std::nullopt}}, false), "user=<default> prod | ");
  EXPECT_EQ(Described({{"user", 2, std::nullopt}}, true),
            "user=<default> prod | user=u cons requ | ");
  EXPECT_EQ(Described({{"user", 2, std::nullopt}, {"client-id", 0, "c"}}, true),
            "client-id=c user=u prod | ");
  EXPECT_EQ(Described({{"client-id", 0, "d"}}, false), "");
  EXPECT_EQ(Described({{"ip", 2, std::nullopt}}, false), "ip=::1 conn | ");
}

TEST(ClientQuotasTest, FiltersWithoutSenseAreRefused) {
  const auto error = [](std::vector<Request::ComponentData> components) {
    Request request;
    request.components = std::move(components);
    const auto response = DescribeClientQuotas(*SomeQuotas(), request);
    EXPECT_FALSE(response.entries.has_value());
    EXPECT_FALSE(response.error_message.value().empty());
    return static_cast<ErrorCode>(response.error_code);
  };
  EXPECT_EQ(error({{"", 0, "u"}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"group", 0, "u"}}), ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(error({{"user", 0, "u"}, {"user", 0, "v"}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"user", 0, std::nullopt}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"user", 1, "u"}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"user", 2, "u"}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"user", 3, std::nullopt}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"user", -1, "u"}}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(error({{"ip", 0, "::1"}, {"user", 0, "u"}}), ErrorCode::kInvalidRequest);
}

}  // namespace
}  // namespace weir::metadata
