#!/usr/bin/env bash
# Runs the Python file named first with the arguments that follow.
exec python3 "$@"
