#!/usr/bin/env python3
"""Packs what a search of libFuzzer found into a file for the repository, and unpacks it for the next search.

Usage: tests/fuzz/corpus.py pack FOLDER FILE     FILE gets a line for each file of FOLDER, in hexadecimal
       tests/fuzz/corpus.py unpack FILE FOLDER   the other way around

A search, here of half an hour, that begins with what earlier ones found and keeps what reaches a new branch:
  bazel build --config=fuzz //tests/fuzz:sniff_fuzz
  tests/fuzz/corpus.py unpack tests/fuzz/corpus/sniff/found.txt SEEDS
  bazel-bin/tests/fuzz/sniff_fuzz -max_total_time=1800 -rss_limit_mb=1024 FOUND SEEDS
  bazel-bin/tests/fuzz/sniff_fuzz -merge=1 -use_counters=0 SEEDS FOUND
  tests/fuzz/corpus.py pack SEEDS tests/fuzz/corpus/sniff/found.txt
decode_fuzz begins with Kafka's own messages too: bazel run //tests/fuzz:write_decode_seeds KAFKAS, a folder of its own.
"""

import os
import sys


def pack(folder, path):
    lines = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            lines.add(file.read().hex())
    with open(path, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in sorted(lines, key=lambda line: (len(line), line)))


def unpack(path, folder):
    os.makedirs(folder, exist_ok=True)
    with open(path, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            with open(os.path.join(folder, f"found_{number}"), "wb") as out:
                out.write(bytes.fromhex(line.strip()))


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("pack", "unpack"):
        sys.exit(__doc__)
    (pack if arguments[0] == "pack" else unpack)(*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
