"""A short run of bench/peers: fifty clients write, fifty read, retention deletes; no error, and nothing grows."""

import os

import support
from support import run


class PeersTest(support.unittest.TestCase):

    def test_fifty_writers_and_fifty_readers(self):
        support.need_weir("the load of bench/peers")
        support.program("go")
        said = run(["/usr/bin/python3", os.path.join(support.ROOT, "bench/peers/peers.py"), "--rows", "weir",
                    "--weir", support.PROGRAM, "--minutes", "0.33", "--partitions", "10"], timeout=800).decode()
        print("\n".join("  " + line for line in said.splitlines() if line.startswith("|")), flush=True)
