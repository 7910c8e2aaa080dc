#!/usr/bin/env python3
"""Runs the interop tests against a broker and closes with `N passed, N failed, N skipped`.

Usage: tests/interop/run.py [--broker weir|kafka] [--program PATH] [--full] [--lines N] [--kills N] [NAME...]
  --program  Weir's binary (default bazel-bin/server/weir), or the folder of Kafka's jars with --broker kafka, which
             shows that the tests themselves are right
  --full     a million lines for each codec and acks, and fifty kills
  NAME       kcat, bad_input, corruption, concurrent, side_by_side, clients, admin, groups, command_line, compaction,
             kafka_directory, local, operators, partitions, quorum, real_input, recovery, sigkill, sniff, peers,
             start, topic_configs, cluster, failover, fencing, founding, log_dirs, moves, repair, tls,
             replication, endurance (default: all), or what unittest takes
"""

import argparse
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
MODULES = ("kcat", "bad_input", "corruption", "concurrent", "side_by_side", "clients", "admin", "groups",
           "command_line", "compaction", "kafka_directory", "local", "operators", "partitions", "quorum", "real_input",
           "recovery", "sigkill", "sniff", "peers", "start", "topic_configs", "cluster", "failover", "fencing",
           "founding", "log_dirs", "moves", "repair", "tls", "replication", "endurance")


class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        print(f"    {time.monotonic() - self.began:.1f} s", flush=True)
        super().stopTest(test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="weir", choices=("weir", "kafka"))
    parser.add_argument("--program")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--lines", type=int)
    parser.add_argument("--kills", type=int)
    parser.add_argument("names", nargs="*", default=MODULES)
    arguments = parser.parse_args()
    os.environ["WEIR_INTEROP_BROKER"] = arguments.broker
    if arguments.program:
        os.environ["WEIR_INTEROP_PROGRAM"] = os.path.abspath(arguments.program)
    if arguments.full:
        os.environ["WEIR_INTEROP_FULL"] = "1"
    if arguments.lines:
        os.environ["WEIR_INTEROP_LINES"] = str(arguments.lines)
    if arguments.kills:
        os.environ["WEIR_INTEROP_KILLS"] = str(arguments.kills)
    sys.dont_write_bytecode = True
    sys.path.insert(0, HERE)
    import support
    if not os.path.exists(support.PROGRAM):
        sys.exit(f"run.py: there is no {support.PROGRAM}; build it first: ./bazelw build -c opt //server:weir")
    names = [f"test_{n}" if n in MODULES else n for n in arguments.names]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    bad_tests = {id_of(test) for test, _ in result.failures + result.errors}
    skipped = len(result.skipped)
    passed = max(result.testsRun - len(bad_tests) - skipped, 0)
    print(f"{passed} passed, {len(bad_tests)} failed, {skipped} skipped", flush=True)
    return 0 if result.wasSuccessful() and passed else 1


def id_of(test):
    """A test's name without that of its subTest."""
    return getattr(test, "test_case", test).id()


if __name__ == "__main__":
    sys.exit(main())
