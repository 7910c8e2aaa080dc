#!/usr/bin/env bash
# Runs the program named first in an empty folder.
set -euo pipefail
program=$PWD/$1
cd "$(mktemp -d)"
"$program"
