#!/usr/bin/env bash
# finds_forbidden_test.sh CHECKER GRAPH: the checker must find that //log:posix_file reaches base, by name.
set -euo pipefail
echo '//log:* -> //log:*' >"$TEST_TMPDIR/closures.txt"
if said=$(python3 "$1" "$TEST_TMPDIR/closures.txt" "$2" //log:posix_file); then
  echo "the checker found nothing"
  exit 1
fi
echo "$said"
grep -q '^//log:posix_file must not reach //base:check: //log:posix_file -> //base:check$' <<<"$said"
