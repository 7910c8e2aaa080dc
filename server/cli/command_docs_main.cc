// Prints docs/COMMANDS.md.
#include <iostream>

#include "server/cli/command.h"

int main() {
  std::cout << weir::cli::CommandDocs();
  return 0;
}
