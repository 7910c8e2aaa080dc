#!/usr/bin/env python3
"""Measures Weir's Raft and etcd's side by side, in turns on the same machine.

Usage: bench/peers/raft.py [--bench PATH] [--rounds 3] [--folder FOLDER] [--write]
  --bench   //bench:raft_bench (default bazel-bin/bench/raft_bench; build it with -c opt)
  --rounds  how often each runs all its rows; the median of each row counts
  --folder  where both make their files, on the disk to be measured (default: the temporary one)
  --write   renews the table in docs/raft.md and bench/peers/raft.json
Prints rows as Google Benchmark does; where etcd's raft has the same row, ours has `vs_etcd`, commits/s over those of
the faster of its two ways to propose, and `vs_etcd_p50`, the same of the medians of how long a round takes. Needs Go
for etcd's; without it Weir's rows stand alone, loudly.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))

import support  # noqa: E402

RESULTS = os.path.join(HERE, "raft.json")
PAGE = os.path.join(ROOT, "docs/raft.md")
BEGIN, END = "<!-- written by bench/peers/raft.py -->\n", "<!-- up to here -->\n"
KINDS = {"Commit": "in memory", "CommitDurable": "with fdatasync", "CommitOverGrpc": "with fdatasync, over gRPC"}
WAYS = {"etcd": [], "etcd_each": ["-each"]}
WANTED = ("items_per_second", "p50", "p99", "vs_floor", "fsync")


def rows_of(command, **arguments):
    """The rows of one run, by kind, voters and entries at once."""
    rows = {}
    for row in json.loads(support.run(command, timeout=580, **arguments))["benchmarks"]:
        rows["/".join(row["name"].split("/")[:3])] = {key: row[key] for key in WANTED if key in row}
    return rows


def etcd():
    support.program("go")
    binary = os.path.join(support.CACHE, "peers_etcd_raft")
    os.makedirs(support.CACHE, exist_ok=True)
    support.install("etcd's raft", ["go", "build", "-o", binary, "."], cwd=os.path.join(HERE, "etcd_raft"))
    return binary


def median(runs):
    return {name: {key: statistics.median(run[name][key] for run in runs) for key in row}
            for name, row in runs[0].items()}


def measure(options):
    ours = [os.path.abspath(options.bench), "--benchmark_format=json"]
    environment = dict(os.environ)
    commands = {"weir": ours}
    try:
        peer = etcd()
        for way, arguments in WAYS.items():
            commands[way] = [peer, *arguments]
    except unittest.SkipTest:
        pass  # said already
    if options.folder:
        environment["TMPDIR"] = options.folder
    runs = {who: [] for who in commands}
    for _ in range(options.rounds):
        for who, command in commands.items():
            runs[who].append(rows_of(command, env=environment))
    results = {who: median(of) for who, of in runs.items()}
    for name, row in results["weir"].items():
        peers = [results[way][name] for way in WAYS if name in results.get(way, {})]
        if peers:
            row["vs_etcd"] = row["items_per_second"] / max(peer["items_per_second"] for peer in peers)
            row["vs_etcd_p50"] = min(peer["p50"] for peer in peers) / row["p50"]
    results["about"] = (f"{time.strftime('%Y-%m-%d', time.gmtime())}, the median of {options.rounds} runs in turns, "
                        f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}")
    return results


def number(value):
    return "–" if value is None else f"{value:,.0f}"


def millis(value):
    return "–" if value is None else f"{value * 1e3:.4f}" if value < 1e-4 else f"{value * 1e3:.2f}"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


def table(results):
    lines = ["| | voters | at once | commits/s | p50 ms | p99 ms | of the floor | etcd's commits/s | p50 ms | p99 ms | "
             "one by one | vs etcd | of p50 |", "|---|" + "---:|" * 12]
    for name, row in results["weir"].items():
        kind, voters, at_once = name.split("/")
        peer, each = (results.get(way, {}).get(name, {}) for way in WAYS)
        lines.append(f"| {KINDS[kind]} | {voters} | {at_once} | " + " | ".join([
            number(row["items_per_second"]), millis(row["p50"]), millis(row["p99"]), ratio(row["vs_floor"]),
            number(peer.get("items_per_second")), millis(peer.get("p50")), millis(peer.get("p99")),
            number(each.get("items_per_second")), ratio(row.get("vs_etcd")), ratio(row.get("vs_etcd_p50"))]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=os.path.join(ROOT, "bazel-bin/bench/raft_bench"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    results = measure(options)
    print(json.dumps({"context": results["about"], "benchmarks": [
        {"name": name, **row} for name, row in results["weir"].items()]}, indent=1))
    print(table(results), file=sys.stderr)
    if options.write:
        with open(RESULTS, "w", encoding="utf-8") as file:
            file.write(json.dumps(results, indent=1) + "\n")
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(f"{page[:begin]}\n{table(results)}\n{results['about']}.\n\n{page[end:]}")


if __name__ == "__main__":
    sys.exit(main())
