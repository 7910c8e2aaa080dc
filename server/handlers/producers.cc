// InitProducerId: ids for idempotent producers, from a block that this shard holds.

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/error_code.h"
#include "server/handlers/handlers.h"
#include "server/producer_ids.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

using protocol::ErrorCode;

void HandleInitProducerId(const RequestRef& request) {
  const absl::StatusOr<protocol::InitProducerIdRequest> asked =
      request->Decode<protocol::InitProducerIdRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());

  protocol::InitProducerIdResponse refused;
  refused.producer_epoch = -1;
  const bool has_id = asked->producer_id != -1;
  const bool has_epoch = asked->producer_epoch != -1;
  if (asked->transactional_id.has_value() || has_id != has_epoch) {
    // A transactional id needs a transaction coordinator, which FindCoordinator denies as well.
    refused.error_code =
        WireCode(asked->transactional_id.has_value() && !asked->transactional_id->empty()
                     ? ErrorCode::kCoordinatorNotAvailable
                     : ErrorCode::kInvalidRequest);
    return request->Respond(refused);
  }
  // An id that the client already has makes no difference without a transactional id: it gets a
  // fresh one, whose sequences begin anew (KIP-360).
  request->shard().producer_ids().Allocate(
      [request, refused](const absl::StatusOr<ProducerId>& id) mutable {
        if (!id.ok()) {
          refused.error_code = WireCode(ErrorCode::kCoordinatorNotAvailable);
          return request->Respond(refused);
        }
        protocol::InitProducerIdResponse response;
        response.producer_id = id->value();
        response.producer_epoch = 0;
        request->Respond(response);
      });
}

}  // namespace weir::server
