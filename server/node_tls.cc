// The configuration of TLS between nodes.
#include "server/node_tls.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/properties.h"

namespace weir::server {
namespace {

constexpr absl::string_view kClientAuth = "ssl.client.auth";
constexpr absl::string_view kKeystoreType = "ssl.keystore.type";
constexpr absl::string_view kTruststoreType = "ssl.truststore.type";
constexpr absl::string_view kKeystore = "ssl.keystore.location";
constexpr absl::string_view kChain = "ssl.keystore.certificate.chain";
constexpr absl::string_view kKey = "ssl.keystore.key";
constexpr absl::string_view kTruststore = "ssl.truststore.location";
constexpr absl::string_view kTrusted = "ssl.truststore.certificates";
constexpr absl::string_view kTlsKeys[] = {kClientAuth, kKeystoreType, kTruststoreType, kKeystore,
                                          kChain,      kKey,          kTruststore,     kTrusted};

// The settings of one listener.
class Settings {
 public:
  Settings(const Properties& all, absl::string_view listener)
      : all_(all), prefix_(absl::StrCat(kListenerPrefix, absl::AsciiStrToLower(listener), ".")) {}

  // Nothing where it is not set, or set to nothing.
  const Property* Find(absl::string_view key) const {
    const Property* own = all_.Find(absl::StrCat(prefix_, key));
    const Property* found = own != nullptr ? own : all_.Find(key);
    return found == nullptr || found->value.empty() ? nullptr : found;
  }
  PemSource Source(absl::string_view key, bool is_file) const {
    const Property* set = Find(key);
    if (set == nullptr) return {};
    return {absl::StrCat(set->origin, ": ", set->key), set->value, is_file};
  }
  const std::string& prefix() const { return prefix_; }

 private:
  const Properties& all_;
  const std::string prefix_;
};

// Either the file or the text of something.
bool CheckOneOf(const Settings& settings, absl::string_view file, absl::string_view text,
                absl::string_view what, std::vector<ConfigProblem>* problems) {
  const bool has_file = settings.Find(file) != nullptr;
  const bool has_text = settings.Find(text) != nullptr;
  if (has_file && has_text) {
    problems->emplace_back(settings.Find(text)->key,
                           absl::StrCat("expected either this or ", file, ", not both"));
  } else if (!has_file && !has_text) {
    problems->emplace_back(file, absl::StrCat("expected a file with ", what, ", or ", text,
                                              ", where the nodes' listener speaks SSL"));
  }
  return has_file != has_text;
}

void CheckType(const Settings& settings, absl::string_view key,
               std::vector<ConfigProblem>* problems) {
  const Property* set = settings.Find(key);
  if (set != nullptr && absl::EqualsIgnoreCase(set->value, "PEM")) return;
  problems->emplace_back(
      set == nullptr ? std::string(key) : set->key,
      absl::StrCat("is ", set == nullptr ? "JKS, the default" : absl::string_view(set->value),
                   ": expected PEM; Weir reads neither JKS nor PKCS12"));
}

// What says something of listeners to which it does not apply.
void CheckScopes(const Properties& all, const Settings& settings, absl::string_view listener,
                 bool speaks_tls, std::vector<ConfigProblem>* problems) {
  for (const Property& property : all.entries()) {
    const bool of_listener = absl::StartsWith(property.key, kListenerPrefix);
    if (of_listener && !absl::StartsWith(property.key, settings.prefix())) {
      problems->emplace_back(
          property.key,
          listener.empty()
              ? std::string("expected none: no listener of this node is between nodes")
              : absl::StrCat("expected ", settings.prefix(), "...: so far only the listener ",
                             "between nodes, which is ", listener, " here, has such settings"));
    } else if (!speaks_tls && !property.value.empty() &&
               std::find(std::begin(kTlsKeys), std::end(kTlsKeys),
                         of_listener ? KeyOfListener(property.key) : property.key) !=
                   std::end(kTlsKeys) &&
               !(absl::EndsWith(property.key, kClientAuth) && property.value == "none")) {
      problems->emplace_back(property.key,
                             "expected none: listener.security.protocol.map gives no listener SSL; "
                             "so far only that between nodes may have it");
    }
  }
}

}  // namespace

absl::string_view KeyOfListener(absl::string_view prefixed) {
  if (!absl::StartsWith(prefixed, kListenerPrefix)) return "";
  prefixed.remove_prefix(kListenerPrefix.size());
  const size_t dot = prefixed.find('.');
  if (dot == absl::string_view::npos || dot == 0) return "";
  const absl::string_view key = prefixed.substr(dot + 1);
  return std::find(std::begin(kTlsKeys), std::end(kTlsKeys), key) == std::end(kTlsKeys) ? "" : key;
}

NodeTls ReadNodeTls(const Properties& all, absl::string_view listener, bool speaks_tls,
                    std::vector<ConfigProblem>* problems) {
  const Settings settings(all, listener);
  CheckScopes(all, settings, listener, speaks_tls, problems);
  if (!speaks_tls) return {};
  CheckType(settings, kKeystoreType, problems);
  CheckType(settings, kTruststoreType, problems);
  const Property* asked = settings.Find(kClientAuth);
  if (asked != nullptr && asked->value != "required") {
    problems->emplace_back(asked->key, absl::StrCat("is ", asked->value,
                                                    ": expected required where the nodes' listener "
                                                    "speaks SSL, as nodes show certificates"));
  }
  const bool has_chain = settings.Find(kChain) != nullptr;
  if (CheckOneOf(settings, kKeystore, kChain, "this node's certificates and its key", problems) &&
      has_chain != (settings.Find(kKey) != nullptr)) {
    problems->emplace_back(kKey, has_chain ? absl::StrCat("expected it beside ", kChain)
                                           : absl::StrCat("expected none beside ", kKeystore));
  }
  CheckOneOf(settings, kTruststore, kTrusted, "the certificates of authorities", problems);
  return {settings.Source(has_chain ? kChain : kKeystore, !has_chain),
          settings.Source(has_chain ? kKey : kKeystore, !has_chain),
          settings.Find(kTrusted) != nullptr ? settings.Source(kTrusted, false)
                                             : settings.Source(kTruststore, true)};
}

}  // namespace weir::server
