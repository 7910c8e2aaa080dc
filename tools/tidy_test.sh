#!/usr/bin/env bash
# Runs tidy.py on the tree that this test was built from, after its own tests on bad samples.
set -euo pipefail
tools=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
[[ -e $tools/../WORKSPACE ]] || { echo "cannot find the tree from $tools"; exit 1; }
PYTHONDONTWRITEBYTECODE=1 python3 "$tools/tidy_samples_test.py"
PYTHONDONTWRITEBYTECODE=1 python3 "$tools/tidy.py"
