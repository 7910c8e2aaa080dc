"""Figures, not promises: start to first answered request and idle RSS, median of 20 starts."""

import shutil
import statistics
import time

import support

RUNS = 20


class StartTest(support.unittest.TestCase):

    def test_start_time_and_idle_memory(self):
        runs = RUNS if support.KIND == "weir" else 3
        milliseconds, kib = [], []
        for fresh in (True, False):
            with support.broker() as broker:
                if not fresh:
                    broker.stop()
                times = []
                for _ in range(runs):
                    start = time.monotonic()
                    if fresh:
                        broker.kill()
                        shutil.rmtree(broker.data, ignore_errors=True)
                        start = time.monotonic()
                    broker.start()
                    times.append((time.monotonic() - start) * 1000)
                    kib.append(broker.rss_kib())
                    if not fresh:
                        broker.stop()
                milliseconds.append(statistics.median(times))
        print(f"  start to first answer, median of {runs}: {milliseconds[0]:.1f} ms on an empty folder, "
              f"{milliseconds[1]:.1f} ms on a kept one; idle RSS {statistics.median(kib) / 1024:.1f} MiB", flush=True)
