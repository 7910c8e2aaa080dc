// -----------------------------------------------------------------------------
// File: client/assignors.h
// -----------------------------------------------------------------------------
// The assignors by the names that a configuration has.
// Threading: none of this keeps state.
// Errors: kInvalidArgument for a name that is none, and for none at all.
#ifndef WEIR_CLIENT_ASSIGNORS_H_
#define WEIR_CLIENT_ASSIGNORS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/assignor.h"
#include "client/sticky_assignor.h"

namespace weir::client {

inline absl::StatusOr<std::vector<std::unique_ptr<const Assignor>>> MakeAssignors(
    absl::Span<const std::string> names) {
  std::vector<std::unique_ptr<const Assignor>> assignors;
  for (const std::string& name : names) {
    if (name == "range") {
      assignors.push_back(std::make_unique<RangeAssignor>());
    } else if (name == "roundrobin") {
      assignors.push_back(std::make_unique<RoundRobinAssignor>());
    } else if (name == "cooperative-sticky") {
      assignors.push_back(std::make_unique<CooperativeStickyAssignor>());
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("partition_assignment_strategy: expected range, roundrobin or "
                       "cooperative-sticky, came '",
                       name, "'"));
    }
  }
  if (assignors.empty()) {
    return absl::InvalidArgumentError("partition_assignment_strategy: none is given");
  }
  return assignors;
}

}  // namespace weir::client

#endif  // WEIR_CLIENT_ASSIGNORS_H_
