// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/acl_planner.h
// -----------------------------------------------------------------------------
// Which records create and delete access control entries: the rules of Kafka's controller
// (KIP-11, KIP-290, KIP-801).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_ACL_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_ACL_PLANNER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Codes of the protocol; of resource types and operations, 0 is unknown and 1 any.
inline constexpr int8_t kAclAny = 1;
inline constexpr int8_t kResourceTypeMax = 7;  // user
inline constexpr int8_t kOperationMax = 15;    // two-phase commit
inline constexpr int8_t kPatternAny = 1;
inline constexpr int8_t kPatternMatch = 2;
inline constexpr int8_t kPatternLiteral = 3;
inline constexpr int8_t kPatternPrefixed = 4;
inline constexpr int8_t kPermissionDeny = 2;
inline constexpr int8_t kPermissionAllow = 3;

class AclPlanner {
 public:
  using Entry = AccessControlEntryRecord;

  explicit AclPlanner(const MetadataState& image) : image_(image) {}

  // An entry that exists already is created once more by doing nothing.
  protocol::CreateAclsResponse Create(const protocol::CreateAclsRequest& request, Random& random,
                                      std::vector<MetadataRecord>* records) const {
    std::set<Key> existing;
    image_.access_control_entries.ForEach(
        [&](const Uuid&, const Kept<Entry>& kept) { existing.insert(KeyOf(kept.record)); });
    protocol::CreateAclsResponse response;
    for (const auto& creation : request.creations) {
      auto& result = response.results.emplace_back();
      result.error_message.reset();
      if (std::string fault = Fault(creation); !fault.empty()) {
        result.error_code = static_cast<int16_t>(protocol::ErrorCode::kInvalidRequest);
        result.error_message = std::move(fault);
        continue;
      }
      Entry entry;
      entry.resource_type = creation.resource_type;
      entry.resource_name = creation.resource_name;
      entry.pattern_type = creation.resource_pattern_type;
      entry.principal = creation.principal;
      entry.host = creation.host;
      entry.operation = creation.operation;
      entry.permission_type = creation.permission_type;
      if (!existing.insert(KeyOf(entry)).second) continue;
      do {
        entry.id = Uuid::Random(random);
      } while (image_.access_control_entries.Contains(entry.id));
      records->push_back(std::move(entry));
    }
    return response;
  }

  // Each filter is answered with all that it matches; what two of them match is deleted once.
  protocol::DeleteAclsResponse Delete(const protocol::DeleteAclsRequest& request,
                                      std::vector<MetadataRecord>* records) const {
    protocol::DeleteAclsResponse response;
    std::set<Uuid> deleted;
    for (const auto& filter : request.filters) {
      auto& result = response.filter_results.emplace_back();
      result.error_message.reset();
      if (std::string fault = Fault(filter); !fault.empty()) {
        result.error_code = static_cast<int16_t>(protocol::ErrorCode::kInvalidRequest);
        result.error_message = std::move(fault);
        continue;
      }
      image_.access_control_entries.ForEach([&](const Uuid& id, const Kept<Entry>& kept) {
        if (!Matches(filter, kept.record)) return;
        result.matching_acls.push_back(Told(kept.record));
        if (!deleted.insert(id).second) return;
        RemoveAccessControlEntryRecord record;
        record.id = id;
        records->push_back(std::move(record));
      });
    }
    return response;
  }

 private:
  using Key = std::tuple<int8_t, std::string, int8_t, std::string, std::string, int8_t, int8_t>;
  using Filter = protocol::DeleteAclsRequest::DeleteAclsFilter;

  static Key KeyOf(const Entry& e) {
    return {e.resource_type, e.resource_name, e.pattern_type,   e.principal,
            e.host,          e.operation,     e.permission_type};
  }

  // Empty when the entry may be created.
  static std::string Fault(const protocol::CreateAclsRequest::AclCreation& c) {
    if (c.resource_type <= kAclAny || c.resource_type > kResourceTypeMax) {
      return absl::StrCat("Expected a resource type of 2 to 7, came ",
                          static_cast<int>(c.resource_type));
    }
    if (c.resource_pattern_type != kPatternLiteral && c.resource_pattern_type != kPatternPrefixed) {
      return "Expected a literal or a prefixed pattern";
    }
    if (c.operation <= kAclAny || c.operation > kOperationMax) {
      return absl::StrCat("Expected an operation of 2 to 15, came ", static_cast<int>(c.operation));
    }
    if (c.permission_type != kPermissionDeny && c.permission_type != kPermissionAllow) {
      return "Expected that it denies or allows";
    }
    if (c.resource_name.empty()) return "The resource has no name";
    if (!absl::StrContains(c.principal, ':')) {
      return absl::StrCat("Expected a principal such as User:name, came '", c.principal, "'");
    }
    return "";
  }

  static std::string Fault(const Filter& f) {
    const auto known = [](int8_t code, int8_t max) { return code >= kAclAny && code <= max; };
    if (known(f.resource_type_filter, kResourceTypeMax) &&
        known(f.pattern_type_filter, kPatternPrefixed) && known(f.operation, kOperationMax) &&
        known(f.permission_type, kPermissionAllow)) {
      return "";
    }
    return "The filter has a code of no meaning";
  }

  static bool Matches(const Filter& f, const Entry& e) {
    const auto is = [](int8_t wanted, int8_t code) { return wanted == kAclAny || wanted == code; };
    const auto equals = [](const std::optional<std::string>& wanted, const std::string& text) {
      return !wanted.has_value() || *wanted == text;
    };
    return is(f.resource_type_filter, e.resource_type) && is(f.operation, e.operation) &&
           is(f.permission_type, e.permission_type) && equals(f.principal_filter, e.principal) &&
           equals(f.host_filter, e.host) && MatchesName(f, e);
  }

  // Under `match`, all patterns that a resource of that name falls under (KIP-290).
  static bool MatchesName(const Filter& f, const Entry& e) {
    const bool same =
        !f.resource_name_filter.has_value() || *f.resource_name_filter == e.resource_name;
    if (f.pattern_type_filter == kPatternAny) return same;
    if (f.pattern_type_filter != kPatternMatch) {
      return same && f.pattern_type_filter == e.pattern_type;
    }
    if (same) return true;
    return e.pattern_type == kPatternPrefixed
               ? absl::StartsWith(*f.resource_name_filter, e.resource_name)
               : e.resource_name == "*";
  }

  static protocol::DeleteAclsResponse::DeleteAclsMatchingAcl Told(const Entry& e) {
    protocol::DeleteAclsResponse::DeleteAclsMatchingAcl told;
    told.error_message.reset();
    told.resource_type = e.resource_type;
    told.resource_name = e.resource_name;
    told.pattern_type = e.pattern_type;
    told.principal = e.principal;
    told.host = e.host;
    told.operation = e.operation;
    told.permission_type = e.permission_type;
    return told;
  }

  const MetadataState& image_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_ACL_PLANNER_H_
