// Quotas, SCRAM credentials and access control entries: what users may do, and how much of it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "coordination/metadata/client_quotas.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/scram_credentials.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/error_code.h"
#include "server/handlers/ask_controller.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

// --- Quotas --------------------------------------------------------------------------------------
// Kept and told; no client is slowed down by them yet.

void HandleDescribeClientQuotas(const RequestRef& request) {
  const auto asked = request->Decode<protocol::DescribeClientQuotasRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->Respond(metadata::DescribeClientQuotas(*request->shard().image(), *asked));
}

void HandleAlterClientQuotas(const RequestRef& request) {
  auto asked = request->Decode<protocol::AlterClientQuotasRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (RefuseParts(request, asked->entries.size())) return;
  AskController<protocol::AlterClientQuotasResponse>(
      request, metadata::AlterClientQuotas{0, *std::move(asked)});
}

// --- SCRAM credentials ---------------------------------------------------------------------------

void HandleDescribeUserScramCredentials(const RequestRef& request) {
  const auto asked = request->Decode<protocol::DescribeUserScramCredentialsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (asked->users.has_value() && RefuseParts(request, asked->users->size())) return;
  request->Respond(metadata::DescribeScramCredentials(*request->shard().image(), *asked));
}

void HandleAlterUserScramCredentials(const RequestRef& request) {
  auto asked = request->Decode<protocol::AlterUserScramCredentialsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (RefuseParts(request, asked->deletions.size() + asked->upsertions.size())) return;
  AskController<protocol::AlterUserScramCredentialsResponse>(
      request, metadata::AlterUserScramCredentials{0, *std::move(asked)});
}

// --- Access control entries ----------------------------------------------------------------------
// Without an authorizer there is nobody to keep them for, which Kafka says so.

namespace {

template <class Result>
void SayDisabled(Result* result) {
  result->error_code = WireCode(protocol::ErrorCode::kSecurityDisabled);
  result->error_message = "No Authorizer is configured.";
}

}  // namespace

void HandleDescribeAcls(const RequestRef& request) {
  const auto asked = request->Decode<protocol::DescribeAclsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  protocol::DescribeAclsResponse response;
  SayDisabled(&response);
  request->Respond(response);
}

void HandleCreateAcls(const RequestRef& request) {
  const auto asked = request->Decode<protocol::CreateAclsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (RefuseParts(request, asked->creations.size())) return;
  protocol::CreateAclsResponse response;
  response.results.resize(asked->creations.size());
  for (auto& result : response.results) SayDisabled(&result);
  request->Respond(response);
}

void HandleDeleteAcls(const RequestRef& request) {
  const auto asked = request->Decode<protocol::DeleteAclsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (RefuseParts(request, asked->filters.size())) return;
  protocol::DeleteAclsResponse response;
  response.filter_results.resize(asked->filters.size());
  for (auto& result : response.filter_results) SayDisabled(&result);
  request->Respond(response);
}

}  // namespace weir::server
