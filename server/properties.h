// -----------------------------------------------------------------------------
// File: server/properties.h
// -----------------------------------------------------------------------------
// Reads Java's .properties format, in which Kafka's configuration files are written.
// Format: java.util.Properties. A line is `key=value`, `key:value` or `key value`; # and ! begin a
// comment; a line that ends in an odd number of backslashes goes on in the next one, whose leading
// blanks are dropped; \t \n \r \f and \uXXXX are escapes, any other \c is c. Unlike Java, which
// reads Latin-1, bytes above 127 are kept, so that UTF-8 text stays UTF-8; \uXXXX becomes UTF-8.
// Errors: kInvalidArgument with file and line. Limits: kPropertiesBytesMax.
#ifndef WEIR_SERVER_PROPERTIES_H_
#define WEIR_SERVER_PROPERTIES_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::server {

inline constexpr size_t kPropertiesBytesMax = size_t{1} << 20;

struct Property {
  std::string key;
  std::string value;
  std::string origin;  // where it was set, for messages: "server.properties:12", "--override"
};

// Keys in the order of their first setting; a key that is set again keeps its place.
class Properties {
 public:
  void Set(Property property) {
    for (Property& known : entries_) {
      if (known.key == property.key) {
        known = std::move(property);
        return;
      }
    }
    entries_.push_back(std::move(property));
  }

  const Property* Find(absl::string_view key) const {
    for (const Property& known : entries_) {
      if (absl::string_view(known.key) == key) return &known;
    }
    return nullptr;
  }

  const std::vector<Property>& entries() const { return entries_; }

 private:
  std::vector<Property> entries_;
};

// Parses the text of a .properties file; `file_name` appears in origins and errors. The last of
// several settings of one key wins.
absl::StatusOr<Properties> ParseProperties(absl::string_view text, absl::string_view file_name);

// Applies one `key=value` of the command line over what the file says.
absl::Status ApplyOverride(absl::string_view text, Properties* properties);

}  // namespace weir::server

#endif  // WEIR_SERVER_PROPERTIES_H_
