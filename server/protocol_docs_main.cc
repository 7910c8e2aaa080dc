// Prints docs/PROTOCOL.md.
#include <iostream>

#include "server/protocol_docs.h"

int main() {
  std::cout << weir::server::ProtocolMarkdown();
  return 0;
}
