// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/quota_planner.h
// -----------------------------------------------------------------------------
// Which records set and remove quotas: the rules of Kafka's controller (KIP-13, KIP-546, KIP-599,
// KIP-612).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_QUOTA_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_QUOTA_PLANNER_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

class QuotaPlanner {
 public:
  using Request = protocol::AlterClientQuotasRequest;
  using Response = protocol::AlterClientQuotasResponse;

  explicit QuotaPlanner(const MetadataState& image) : image_(image) {}

  // Entities fail one by one; of one entity all changes happen, or none.
  Response Plan(const Request& request, std::vector<MetadataRecord>* records) const {
    std::map<Entity, int> times;
    for (const Request::EntryData& entry : request.entries) ++times[EntityOf(entry)];
    Response response;
    for (const Request::EntryData& entry : request.entries) {
      std::vector<MetadataRecord> own;
      PlanError error;
      if (times[EntityOf(entry)] > 1) {
        error = Refusal("The entity appears twice in the request");
      } else {
        error = PlanEntry(entry, &own);
      }
      if (error.ok() && !request.validate_only) MoveRecords(&own, records);
      Response::EntryData& result = response.entries.emplace_back();
      result.error_code = static_cast<int16_t>(error.code);
      result.error_message.reset();
      if (!error.ok()) result.error_message = std::move(error.message);
      for (const Request::EntityData& part : entry.entity) {
        result.entity.push_back({part.entity_type, part.entity_name});
      }
    }
    return response;
  }

 private:
  using Entity = std::map<std::string, std::optional<std::string>>;

  static PlanError Refusal(std::string message) {
    return {protocol::ErrorCode::kInvalidRequest, std::move(message)};
  }

  static Entity EntityOf(const Request::EntryData& entry) {
    Entity entity;
    for (const Request::EntityData& part : entry.entity) {
      entity.emplace(part.entity_type, part.entity_name);
    }
    return entity;
  }

  PlanError PlanEntry(const Request::EntryData& entry, std::vector<MetadataRecord>* records) const {
    const Entity entity = EntityOf(entry);
    if (PlanError error = CheckEntity(entry, entity); !error.ok()) return error;
    std::set<absl::string_view> keys;
    for (const Request::OpData& op : entry.ops) {
      if (!keys.insert(op.key).second) {
        return Refusal(absl::StrCat("Quota ", op.key, " appears twice"));
      }
      ClientQuotaRecord record;
      for (const auto& [type, name] : entity) {
        ClientQuotaEntity& part = record.entity.emplace_back();
        part.entity_type = type;
        part.entity_name = name;
      }
      record.key = op.key;
      const Kept<ClientQuotaRecord>* before = image_.quotas.Find(QuotaKey(record));
      if (op.remove) {
        record.remove = true;
        if (before != nullptr) records->push_back(std::move(record));
        continue;
      }
      if (PlanError error = CheckValue(op, entity.count("ip") != 0); !error.ok()) return error;
      record.value = op.value;
      if (before == nullptr || before->record.value != op.value) {
        records->push_back(std::move(record));
      }
    }
    return {};
  }

  static PlanError CheckEntity(const Request::EntryData& entry, const Entity& entity) {
    if (entity.empty()) return Refusal("The entity is empty");
    if (entity.size() != entry.entity.size()) return Refusal("The entity names a type twice");
    for (const auto& [type, name] : entity) {
      if (type != "user" && type != "client-id" && type != "ip") {
        return Refusal(absl::StrCat("There is no entity type '", type, "'"));
      }
      if (name.has_value() && name->empty()) {
        return Refusal(absl::StrCat("The ", type, " has an empty name"));
      }
    }
    if (entity.count("ip") != 0 && entity.size() > 1) {
      return Refusal("An ip has quotas of its own, not together with users or clients");
    }
    return {};
  }

  static PlanError CheckValue(const Request::OpData& op, bool is_ip) {
    const bool is_rate = op.key == "producer_byte_rate" || op.key == "consumer_byte_rate";
    const bool is_share = op.key == "request_percentage" || op.key == "controller_mutation_rate";
    const bool is_count = op.key == "connection_creation_rate";
    if (is_ip ? !is_count : !is_rate && !is_share) {
      return Refusal(absl::StrCat("There is no quota '", op.key, "' of such an entity"));
    }
    if (!(op.value > 0)) return Refusal(absl::StrCat("Quota ", op.key, " must be above 0"));
    if (is_share) return {};
    const double max = is_count ? std::numeric_limits<int32_t>::max() : 9.2e18;
    if (op.value > max) return Refusal(absl::StrCat("Quota ", op.key, " is too large"));
    if (std::fmod(op.value, 1.0) > 1e-6) {
      return Refusal(absl::StrCat("Quota ", op.key, " must be a whole number"));
    }
    return {};
  }

  const MetadataState& image_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_QUOTA_PLANNER_H_
