// -----------------------------------------------------------------------------
// File: coordination/metadata/client_quotas.h
// -----------------------------------------------------------------------------
// Which quotas users, clients and addresses have: what DescribeClientQuotas answers (KIP-546,
// KIP-612). Any broker can say it from its image.
#ifndef WEIR_COORDINATION_METADATA_CLIENT_QUOTAS_H_
#define WEIR_COORDINATION_METADATA_CLIENT_QUOTAS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace metadata_internal {

// By type; null is the default of all that have no quotas of their own.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;

inline QuotaEntity QuotaEntityOf(const ClientQuotaRecord& record) {
  QuotaEntity entity;
  for (const ClientQuotaEntity& part : record.entity) {
    entity.emplace(part.entity_type, part.entity_name);
  }
  return entity;
}

// What a request asks for.
class QuotaFilter {
 public:
  using Request = protocol::DescribeClientQuotasRequest;

  // The error of a request that makes no sense, and why.
  std::pair<protocol::ErrorCode, std::string> Read(const Request& request) {
    using protocol::ErrorCode;
    strict_ = request.strict;
    for (const Request::ComponentData& part : request.components) {
      const bool is_ip = part.entity_type == "ip";
      if (part.entity_type.empty()) return {ErrorCode::kInvalidRequest, "An entity has no type"};
      if (!is_ip && part.entity_type != "user" && part.entity_type != "client-id") {
        return {ErrorCode::kUnsupportedVersion, "Entities are of type user, client-id or ip"};
      }
      if (part.match_type < kExact || part.match_type > kAny ||
          part.match.has_value() != (part.match_type == kExact)) {
        return {ErrorCode::kInvalidRequest,
                "Expected match type 0 with a name, or 1 or 2 without one"};
      }
      if (!parts_.emplace(part.entity_type, &part).second) {
        return {ErrorCode::kInvalidRequest, "An entity type is named twice"};
      }
    }
    if (parts_.count("ip") != 0 && parts_.size() > 1) {
      return {ErrorCode::kInvalidRequest, "An ip has no quotas together with users or clients"};
    }
    return {ErrorCode::kNone, ""};
  }

  bool Matches(const QuotaEntity& entity) const {
    if (strict_ && entity.size() != parts_.size()) return false;
    return std::all_of(parts_.begin(), parts_.end(), [&entity](const auto& wanted) {
      const auto found = entity.find(wanted.first);
      return found != entity.end() &&
             (wanted.second->match_type == kAny || found->second == wanted.second->match);
    });
  }

 private:
  static constexpr int8_t kExact = 0;  // 1 is the default, as if it had no name
  static constexpr int8_t kAny = 2;

  bool strict_ = false;
  std::map<std::string, const Request::ComponentData*> parts_;  // by type
};

}  // namespace metadata_internal

// In the order of the entities and of the quotas' names.
inline protocol::DescribeClientQuotasResponse DescribeClientQuotas(
    const MetadataState& image, const protocol::DescribeClientQuotasRequest& request) {
  using Response = protocol::DescribeClientQuotasResponse;
  Response response;
  metadata_internal::QuotaFilter filter;
  if (auto [error, why] = filter.Read(request); error != protocol::ErrorCode::kNone) {
    response.error_code = static_cast<int16_t>(error);
    response.error_message = std::move(why);
    response.entries.reset();
    return response;
  }
  std::map<metadata_internal::QuotaEntity, std::map<std::string, double>> found;
  image.quotas.ForEach([&](const std::string&, const Kept<ClientQuotaRecord>& kept) {
    metadata_internal::QuotaEntity entity = metadata_internal::QuotaEntityOf(kept.record);
    if (filter.Matches(entity)) found[std::move(entity)][kept.record.key] = kept.record.value;
  });
  for (const auto& [entity, values] : found) {
    Response::EntryData& entry = response.entries->emplace_back();
    for (const auto& [type, name] : entity) entry.entity.push_back({type, name});
    for (const auto& [key, value] : values) entry.values.push_back({key, value});
  }
  return response;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CLIENT_QUOTAS_H_
