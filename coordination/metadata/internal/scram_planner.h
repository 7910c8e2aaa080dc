// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/scram_planner.h
// -----------------------------------------------------------------------------
// Which records set and remove SCRAM credentials: the rules of Kafka's controller (KIP-554,
// KIP-900). The log holds what the server needs to check a proof, never the salted password.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_SCRAM_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_SCRAM_PLANNER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

inline constexpr int32_t kScramIterationsMin = 4096;  // RFC 5802, as Kafka for both mechanisms
inline constexpr int32_t kScramIterationsMax = 16384;

class ScramPlanner {
 public:
  using Request = protocol::AlterUserScramCredentialsRequest;
  using Response = protocol::AlterUserScramCredentialsResponse;

  ScramPlanner(const MetadataState& image, const ControllerConfig& config)
      : image_(image), config_(config) {}

  // Users fail one by one; each may be named once.
  Response Plan(const Request& request, std::vector<MetadataRecord>* records) const {
    std::map<std::string, PlanError> errors;
    std::map<std::string, int> times;
    for (const auto& deletion : request.deletions) ++times[deletion.name];
    for (const auto& upsertion : request.upsertions) ++times[upsertion.name];
    for (const auto& deletion : request.deletions) {
      if (times[deletion.name] == 1) errors[deletion.name] = PlanDeletion(deletion, records);
    }
    for (const auto& upsertion : request.upsertions) {
      if (times[upsertion.name] == 1) errors[upsertion.name] = PlanUpsertion(upsertion, records);
    }
    Response response;
    for (const auto& [user, count] : times) {
      PlanError error = errors[user];
      if (count > 1) {
        error = {protocol::ErrorCode::kDuplicateResource, "User appears twice in the request"};
      }
      Response::AlterUserScramCredentialsResult& result = response.results.emplace_back();
      result.user = user;
      result.error_code = static_cast<int16_t>(error.code);
      result.error_message.reset();
      if (!error.ok()) result.error_message = std::move(error.message);
    }
    return response;
  }

 private:
  static PlanError CheckName(const std::string& user, int8_t mechanism) {
    if (user.empty()) {
      return {protocol::ErrorCode::kUnacceptableCredential, "The user has no name"};
    }
    if (mechanism != 1 && mechanism != 2) {
      return {protocol::ErrorCode::kUnsupportedSaslMechanism,
              absl::StrCat("Expected SCRAM mechanism 1 or 2, came ", static_cast<int>(mechanism))};
    }
    return {};
  }

  PlanError PlanDeletion(const Request::ScramCredentialDeletion& deletion,
                         std::vector<MetadataRecord>* records) const {
    if (PlanError error = CheckName(deletion.name, deletion.mechanism); !error.ok()) return error;
    if (!image_.scram_credentials.Contains(absl::StrCat(deletion.mechanism, ":", deletion.name))) {
      return {protocol::ErrorCode::kResourceNotFound, "There is no such credential"};
    }
    RemoveUserScramCredentialRecord record;
    record.name = deletion.name;
    record.mechanism = deletion.mechanism;
    records->push_back(std::move(record));
    return {};
  }

  PlanError PlanUpsertion(const Request::ScramCredentialUpsertion& upsertion,
                          std::vector<MetadataRecord>* records) const {
    if (PlanError error = CheckName(upsertion.name, upsertion.mechanism); !error.ok()) return error;
    if (upsertion.iterations < kScramIterationsMin || upsertion.iterations > kScramIterationsMax) {
      return {protocol::ErrorCode::kUnacceptableCredential,
              absl::StrCat("Expected ", kScramIterationsMin, " to ", kScramIterationsMax,
                           " iterations, came ", upsertion.iterations)};
    }
    std::optional<ScramKeys> keys;
    if (config_.derive_scram_keys) {
      keys = config_.derive_scram_keys(upsertion.mechanism, upsertion.salted_password);
    }
    if (!keys.has_value()) {
      return {protocol::ErrorCode::kUnsupportedSaslMechanism,
              "This controller cannot make credentials of that mechanism"};
    }
    UserScramCredentialRecord record;
    record.name = upsertion.name;
    record.mechanism = upsertion.mechanism;
    record.salt = upsertion.salt;
    record.stored_key = std::move(keys->stored_key);
    record.server_key = std::move(keys->server_key);
    record.iterations = upsertion.iterations;
    records->push_back(std::move(record));
    return {};
  }

  const MetadataState& image_;
  const ControllerConfig& config_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_SCRAM_PLANNER_H_
