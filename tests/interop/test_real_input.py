"""Real lines in with one client, out byte for byte and in order with another, for every codec and acks."""

import os
import subprocess
import tempfile
import time
import zlib

import corpus
import readers
import support
from support import CODECS, run

PARTITIONS = 4
LINES = int(os.environ.get("WEIR_INTEROP_LINES", 1_000_000 if support.FULL else 20_000))


def expected(records):
    """What a reader prints. librdkafka's default partitioner takes the CRC-32 of a key."""
    digests = {p: readers.Digest() for p in range(PARTITIONS)}
    for key, value in records:
        digests[zlib.crc32(key) % PARTITIONS].add(None, key, value)
    return "".join(digests[p].line(p) + "\n" for p in range(PARTITIONS))


class RealInputTest(support.BrokerTest):

    @classmethod
    def setUpClass(cls):
        support.program("kcat")
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.corpus = os.path.join(folder.name, "corpus.tsv")
        cls.expected = expected(corpus.write(cls.corpus, LINES))

    def readers(self):
        """(name, function of the topic) of each client that can be had, all others than the one that wrote."""
        address = self.broker.address
        readers_py = os.path.join(support.HERE, "readers.py")
        found = []
        for name, make in (
                ("franz-go", lambda: [support.franz_go(), "read", address]),
                ("kafka-python", lambda: [support.python(), readers_py, "kafka-python", address]),
                ("java", lambda: (support.kafka_jars(), ["java"])[1]),
                ("aiokafka", lambda: [support.python(), readers_py, "aiokafka", address])):
            try:
                command = make()
            except support.unittest.SkipTest:
                continue  # said so already
            if name == "java":
                found.append((name, self.read_with_java))
            else:
                found.append((name, lambda topic, c=command: run(c + [topic], timeout=900).decode()))
        if not found:
            support.loud_skip("no second client to read with")
        return found

    def read_with_java(self, topic):
        digests = {}
        for partition in range(PARTITIONS):
            end = int(run(["kcat", "-b", self.broker.address, "-Q", "-t", f"{topic}:{partition}:-1"]).split()[-1])
            digests[partition] = readers.Digest()
            if end == 0:
                continue
            reader = subprocess.run(
                ["java", "-Dlog4j2.level=ERROR", "-cp", f"{support.kafka_jars()}/*",
                 "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.broker.address,
                 "--topic", topic, "--partition", str(partition), "--offset", "earliest", "--max-messages", str(end),
                 "--timeout-ms", "60000", "--formatter-property", "print.key=true",
                 "--formatter-property", "print.offset=true"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900, check=True)
            for line in reader.stdout.split(b"\n")[:-1]:
                offset, key, value = line.split(b"\t", 2)
                digests[partition].add(int(offset.partition(b":")[2]), key, value)
        return "".join(digests[p].line(p) + "\n" for p in range(PARTITIONS))

    def test_every_codec_and_acks(self):
        all_readers = self.readers()
        number = 0
        for codec in CODECS:
            for acks in ("0", "1", "all"):
                name, read = all_readers[number % len(all_readers)]
                number += 1
                with self.subTest(codec=codec, acks=acks, reader=name):
                    topic = f"real-{codec}-{acks}"
                    start = time.monotonic()
                    run(["kcat", "-b", self.broker.address, "-P", "-t", topic, "-K", "\t", "-z", codec, "-X",
                         f"acks={acks}", "-X", "linger.ms=20", "-l", self.corpus], timeout=900)
                    written = time.monotonic()
                    self.wait_for_all(topic)
                    settled = time.monotonic()
                    self.assertEqual(read(topic), self.expected)
                    print(f"  {LINES} lines, {codec}, acks={acks}: written in {written - start:.1f} s, "
                          f"read by {name} in {time.monotonic() - settled:.1f} s", flush=True)

    def wait_for_all(self, topic):
        """With acks=0 kcat ends before the broker has read everything."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            ends = run(["kcat", "-b", self.broker.address, "-Q"] +
                       [a for p in range(PARTITIONS) for a in ("-t", f"{topic}:{p}:-1")]).decode()
            if sum(int(line.split()[-1]) for line in ends.splitlines()) >= LINES:
                return
            time.sleep(0.05)
