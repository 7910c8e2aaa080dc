// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/bounded_messages.h
// -----------------------------------------------------------------------------
// Keeps what an answer says of an error within what a message has room for: it may quote names as
// long as the longest that a request can have.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_BOUNDED_MESSAGES_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_BOUNDED_MESSAGES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include "absl/strings/string_view.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/describe.h"

namespace weir::metadata::metadata_internal {

inline constexpr size_t kErrorMessageBytesMax = 1000;

// Shortens *message, not in the middle of a character of UTF-8.
inline void BoundMessage(std::string* message) {
  if (message->size() <= kErrorMessageBytesMax) return;
  size_t size = kErrorMessageBytesMax - 3;
  while (size > 0 && (static_cast<unsigned char>((*message)[size]) & 0xc0) == 0x80) --size;
  message->resize(size);
  *message += "...";
}

// Visits every field of one of Kafka's responses.
class MessageBounder {
 public:
  template <class T>
  void Field(const protocol::FieldSpec& spec, T& value) {
    if constexpr (std::is_same_v<T, std::optional<std::string>>) {
      if (value.has_value() && absl::string_view(spec.name) == "error_message") {
        BoundMessage(&*value);
      }
    } else if constexpr (requires { T::value_type::Describe(value.front(), *this); }) {
      for (auto& element : value) T::value_type::Describe(element, *this);
    }
  }

  template <class Response>
  void operator()(Response& response) {
    if constexpr (requires { Response::Describe(response, *this); }) {
      Response::Describe(response, *this);
    } else if constexpr (requires { response.message; }) {
      BoundMessage(&response.message);
    }
  }
  void operator()(ConfigsAltered& altered) {
    for (ConfigsAltered::Result& result : altered.results) BoundMessage(&result.message);
  }
};

inline void BoundMessages(ControllerResponse* response) { std::visit(MessageBounder(), *response); }

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_BOUNDED_MESSAGES_H_
