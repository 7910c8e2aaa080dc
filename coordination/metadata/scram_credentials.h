// -----------------------------------------------------------------------------
// File: coordination/metadata/scram_credentials.h
// -----------------------------------------------------------------------------
// Which users have SCRAM credentials: what DescribeUserScramCredentials answers (KIP-554), which is
// never a key. Any broker can say it from its image.
#ifndef WEIR_COORDINATION_METADATA_SCRAM_CREDENTIALS_H_
#define WEIR_COORDINATION_METADATA_SCRAM_CREDENTIALS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/sort.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/error_code.h"

namespace weir::metadata {

// Users by name, each with its mechanisms ascending; all users where the request names none.
inline protocol::DescribeUserScramCredentialsResponse DescribeScramCredentials(
    const MetadataState& image, const protocol::DescribeUserScramCredentialsRequest& request) {
  using Response = protocol::DescribeUserScramCredentialsResponse;
  using protocol::ErrorCode;
  std::map<std::string, int> asked;  // how many times
  if (request.users.has_value()) {
    for (const auto& user : *request.users) ++asked[user.name];
  }
  std::map<std::string, std::vector<Response::CredentialInfo>> found;
  for (const auto& [user, times] : asked) found[user];
  image.scram_credentials.ForEach(
      [&](const std::string&, const Kept<UserScramCredentialRecord>& kept) {
        const UserScramCredentialRecord& record = kept.record;
        if (!asked.empty() && asked.count(record.name) == 0) return;
        found[record.name].push_back({record.mechanism, record.iterations});
      });
  Response response;
  for (auto& [user, infos] : found) {
    Response::DescribeUserScramCredentialsResult& result = response.results.emplace_back();
    result.user = user;
    if (!asked.empty() && asked[user] > 1) {
      result.error_code = static_cast<int16_t>(ErrorCode::kDuplicateResource);
      result.error_message = "The request names the user twice";
    } else if (infos.empty()) {
      result.error_code = static_cast<int16_t>(ErrorCode::kResourceNotFound);
      result.error_message = "The user has no SCRAM credentials";
    } else {
      Sort(infos, [](const auto& a, const auto& b) { return a.mechanism < b.mechanism; });
      result.credential_infos = std::move(infos);
    }
  }
  return response;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_SCRAM_CREDENTIALS_H_
