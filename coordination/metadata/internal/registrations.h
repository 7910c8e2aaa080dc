// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/registrations.h
// -----------------------------------------------------------------------------
// Whether a broker may join: the rules of Kafka's controller (KIP-631, KIP-584, KIP-858).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_REGISTRATIONS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_REGISTRATIONS_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_change.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Empty when the registration is well formed and takes nothing that another broker has.
inline std::string RegistrationFault(const MetadataImage& image, const RegisterBrokerRecord& r) {
  if (r.broker_id < 0) return "expected a broker id of at least 0";
  if (r.incarnation_id.is_zero()) return "expected an incarnation id";
  if (r.end_points.empty()) return "expected at least one listener";
  if (r.log_dirs.empty()) return "expected at least one log directory";
  const std::set<Uuid> directories(r.log_dirs.begin(), r.log_dirs.end());
  if (directories.size() != r.log_dirs.size()) return "a log directory is named twice";
  for (const Uuid& directory : directories) {
    if (IsReservedDirectory(directory)) {
      return absl::StrCat("log directory ", directory.ToString(), " has a reserved id");
    }
  }
  std::string fault;
  image.brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
    if (id.value() == r.broker_id) return;
    for (const Uuid& directory : broker.directories) {
      if (directories.count(directory) == 0) continue;
      fault =
          absl::StrCat("log directory ", directory.ToString(), " is one of broker ", id.value());
    }
  });
  return fault;
}

// Empty when the broker can work at the levels that the cluster is at. A broker that does not speak
// of metadata.version is taken as of Kafka 3.0, whose only level is 1; that it leaves out another
// feature is no fault, since a folder of Apache Kafka may have finalized any.
inline std::string FeatureRangeFault(const MetadataImage& image, const RegisterBrokerRecord& r) {
  const int16_t version = image.FeatureLevel(kMetadataVersionFeature);
  bool named = r.features.empty();  // what says nothing at all is not refused for it
  for (const MetadataFeature& feature : r.features) {
    named = named || feature.name == kMetadataVersionFeature;
    const int16_t level = image.FeatureLevel(feature.name);
    if (level == 0) continue;
    if (level < feature.min_supported_version || level > feature.max_supported_version) {
      return absl::StrCat("the cluster is at level ", level, " of ", feature.name,
                          ", the broker supports ", feature.min_supported_version, " to ",
                          feature.max_supported_version);
    }
  }
  if (!named && version > 1) {
    return absl::StrCat("the cluster is at level ", version,
                        " of metadata.version, the broker does not say that it supports it");
  }
  return "";
}

// OK, or why the broker may not register now. `is_alive`: whether its predecessor's session lasts.
inline PlanError CheckRegistration(const MetadataImage& image, const ControllerConfig& config,
                                   const RegisterBroker& event, bool is_alive) {
  const RegisterBrokerRecord& r = event.registration;
  if (!config.cluster_id.empty() && event.cluster_id != config.cluster_id) {
    return {protocol::ErrorCode::kInconsistentClusterId,
            absl::StrCat("this is cluster '", config.cluster_id, "', the broker is of '",
                         event.cluster_id, "'")};
  }
  if (std::string fault = RegistrationFault(image, r); !fault.empty()) {
    return {protocol::ErrorCode::kInvalidRegistration, std::move(fault)};
  }
  const BrokerImage* before = image.FindBroker(BrokerId(r.broker_id));
  if (before != nullptr && before->incarnation_id != r.incarnation_id && !before->fenced &&
      is_alive && !event.predecessor_is_gone) {
    return {protocol::ErrorCode::kDuplicateBrokerRegistration,
            absl::StrCat("broker ", r.broker_id, " is registered by another process, and alive")};
  }
  if (std::string fault = FeatureRangeFault(image, r); !fault.empty()) {
    return {protocol::ErrorCode::kUnsupportedVersion, std::move(fault)};
  }
  return {};
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_REGISTRATIONS_H_
