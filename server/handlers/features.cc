// UpdateFeatures: decided by the controller, answered once committed.

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/api/update_features.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::UpdateFeaturesRequest;
using protocol::UpdateFeaturesResponse;

metadata::UpdateFeatures EventOf(const UpdateFeaturesRequest& asked, int16_t version) {
  using Kind = metadata::FeatureUpdate::Kind;
  metadata::UpdateFeatures event;
  event.validate_only = asked.validate_only;
  for (const UpdateFeaturesRequest::FeatureUpdateKey& update : asked.feature_updates) {
    Kind kind = static_cast<Kind>(update.upgrade_type);
    if (version == 0) kind = update.allow_downgrade ? Kind::kSafeDowngrade : Kind::kUpgrade;
    event.updates.push_back({update.feature, update.max_version_level, kind});
  }
  return event;
}

}  // namespace

void HandleUpdateFeatures(const RequestRef& request) {
  const absl::StatusOr<UpdateFeaturesRequest> asked = request->Decode<UpdateFeaturesRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->shard().Call<metadata::FeaturesUpdated>(
      kControllerShard,
      [event = EventOf(*asked, request->version())](Shard& controller, auto reply) mutable {
        controller.controller().UpdateFeatures(std::move(event), std::move(reply));
      },
      [request, asked = *asked](const metadata::FeaturesUpdated& updated) {
        UpdateFeaturesResponse response;
        response.error_message = std::nullopt;
        if (updated.error != protocol::ErrorCode::kNone) {
          response.error_code = WireCode(updated.error);
          response.error_message = updated.message;
          return request->Respond(response);
        }
        for (const UpdateFeaturesRequest::FeatureUpdateKey& update : asked.feature_updates) {
          if (request->version() > 1) break;
          response.results.push_back({update.feature, 0, std::nullopt});
        }
        request->Respond(response);
      });
}

}  // namespace weir::server
