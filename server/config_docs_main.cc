// Prints docs/CONFIGURATION.md.
#include <iostream>

#include "server/config_docs.h"

int main() {
  std::cout << weir::server::ConfigurationMarkdown();
  return 0;
}
