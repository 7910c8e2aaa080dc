"""SIGKILL in the middle of heavy produce: every acknowledged record is there after the restart, no offset twice."""

import os
import random
import subprocess
import time

import support

ROUNDS = int(os.environ.get("WEIR_INTEROP_KILLS", 50 if support.FULL else 5))


class SigkillTest(support.BrokerTest):

    def test_acknowledged_records_survive(self):
        client = [support.python(), os.path.join(support.HERE, "sigkill_client.py")]
        acked = os.path.join(self.broker.folder, "acked.txt")
        seed = int(os.environ.get("WEIR_INTEROP_SEED", time.time_ns() % 1_000_000))
        print(f"  {ROUNDS} kills, WEIR_INTEROP_SEED={seed}", flush=True)
        chance = random.Random(seed)
        producer = subprocess.Popen(client + ["produce", self.broker.address, self.topic, acked], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            for _ in range(ROUNDS):
                self.wait_for_growth(acked, producer)
                time.sleep(chance.uniform(0.05, 0.6))
                self.broker.restart()
            self.wait_for_growth(acked, producer)
            said, _ = producer.communicate(b"stop\n", timeout=120)
        finally:
            producer.kill()
            producer.wait()
        print("  " + said.decode().strip(), flush=True)
        self.assertEqual(producer.returncode, 0, said)
        checked = support.run(client + ["check", self.broker.address, self.topic, acked], timeout=300)
        print("  " + checked.decode().strip(), flush=True)

    def wait_for_growth(self, path, producer):
        """Until records were acknowledged after the last restart, so that every kill hits a broker at work."""
        size = os.path.getsize(path) if os.path.exists(path) else 0
        deadline = time.monotonic() + 60
        while not os.path.exists(path) or os.path.getsize(path) <= size + 4096:
            self.assertIsNone(producer.poll(), "the producer ended")
            self.assertLess(time.monotonic(), deadline, "nothing acknowledged for 60 s: " + self.broker.output())
            time.sleep(0.02)
