// -----------------------------------------------------------------------------
// File: server/handlers/ask_controller.h
// -----------------------------------------------------------------------------
// For handlers of requests that the controller decides: answered once that is committed.
// Threading: on the shard of the connection.
#ifndef WEIR_SERVER_HANDLERS_ASK_CONTROLLER_H_
#define WEIR_SERVER_HANDLERS_ASK_CONTROLLER_H_

#include <cstddef>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "coordination/metadata/controller_types.h"
#include "server/call_each.h"
#include "server/controller_driver.h"
#include "server/peer_network.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

// On whose behalf the controller is asked. Without authentication everybody is Kafka's anonymous.
inline ClientIdentity ClientOf(const RequestRef& request) {
  return {"User:ANONYMOUS", request->header().client_id.value_or(""), request->client_host()};
}

// Gives `event` to the controller; `answer` runs here with what it answers.
inline void AskController(const RequestRef& request, metadata::ControllerEvent event,
                          ControllerDriver::Answer answer) {
  request->shard().Call<metadata::ControllerResponse>(
      kControllerShard,
      [event = std::move(event), client = ClientOf(request)](
          Shard& controller, Reply<metadata::ControllerResponse> reply) mutable {
        controller.controller().AskAny(std::move(event), std::move(client), std::move(reply));
      },
      std::move(answer));
}

// As this, and responds with respond_with(what it answers).
template <class Answer, class RespondWith>
void AskController(const RequestRef& request, metadata::ControllerEvent event,
                   RespondWith respond_with) {
  AskController(request, std::move(event),
                [request, respond_with = std::move(respond_with)](
                    const metadata::ControllerResponse& response) mutable {
                  request->Respond(respond_with(std::get<Answer>(response)));
                });
}

// Where the controller answers with Kafka's own response.
template <class Response>
void AskController(const RequestRef& request, metadata::ControllerEvent event) {
  AskController(request, std::move(event), [request](const metadata::ControllerResponse& response) {
    request->Respond(std::get<Response>(response));
  });
}

// Closes the connection of a request that names more than one may, before there is made room for
// as many answers.
inline bool RefuseParts(const RequestRef& request, size_t parts) {
  if (parts <= kPartsPerRequestMax) return false;
  request->CloseConnection(
      absl::StrCat("expected at most ", kPartsPerRequestMax, " parts, came ", parts));
  return true;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_HANDLERS_ASK_CONTROLLER_H_
