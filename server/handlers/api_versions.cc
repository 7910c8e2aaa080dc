// ApiVersions: what the router serves, and the features of the cluster.

#include "protocol/api/api_versions.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/features.h"
#include "protocol/error_code.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/router.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// KIP-511: letters, digits, '-' and '.', the first and the last a letter or digit.
bool IsValidSoftwareName(absl::string_view text) {
  return !text.empty() && IsAlphanumeric(text.front()) && IsAlphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '-' || c == '.'; });
}

void AddFeatures(const metadata::MetadataImage& image, ApiVersionsResponse* response) {
  for (const metadata::SupportedFeature& feature : metadata::kSupportedFeatures) {
    response->supported_features.push_back({std::string(feature.name), feature.min, feature.max});
    const int16_t level = image.FeatureLevel(feature.name);
    if (level > 0)
      response->finalized_features.push_back({std::string(feature.name), level, level});
  }
  response->finalized_features_epoch = image.highest_offset.value();
}

}  // namespace

void HandleApiVersions(const RequestRef& request) {
  ApiVersionsResponse response;
  if (request->version() > ApiVersionsRequest::kApi.versions.max) {
    // KIP-511: the body may be anything; answer in version 0 with the versions of this API.
    response.error_code = WireCode(ErrorCode::kUnsupportedVersion);
    response.api_keys.push_back({ApiVersionsRequest::kApi.key,
                                 ApiVersionsRequest::kApi.versions.min,
                                 ApiVersionsRequest::kApi.versions.max});
    return request->RespondInVersion(response, 0);
  }
  const absl::StatusOr<ApiVersionsRequest> asked = request->Decode<ApiVersionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() >= 3 && !(IsValidSoftwareName(asked->client_software_name) &&
                                   IsValidSoftwareName(asked->client_software_version))) {
    response.error_code = WireCode(ErrorCode::kInvalidRequest);
    return request->Respond(response);
  }
  for (const Route& route : Routes()) {
    response.api_keys.push_back(
        {static_cast<int16_t>(route.key), route.versions.min, route.versions.max});
  }
  AddFeatures(*request->shard().image(), &response);
  request->Respond(response);
}

}  // namespace weir::server
