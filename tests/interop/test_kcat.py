"""kcat (librdkafka of the distribution), unchanged: -L, -P with every codec and acks, -C from anywhere, -Q."""

import time

import support
from support import CODECS, run


class KcatTest(support.BrokerTest):

    def setUp(self):
        super().setUp()
        support.program("kcat")

    def kcat(self, *arguments, **more):
        return run(["kcat", "-b", self.broker.address, *map(str, arguments)], **more)

    def produce(self, lines, *arguments):
        self.kcat("-P", "-t", self.topic, *arguments, input="".join(f"{line}\n" for line in lines).encode())

    def consume(self, *arguments):
        return self.kcat("-C", "-t", self.topic, "-e", "-q", *arguments).decode().splitlines()

    def test_lists_the_cluster(self):
        self.produce(["x"], "-p", 0)
        listing = self.kcat("-L").decode()
        self.assertIn(f"broker 1 at {self.broker.address}", listing)
        self.assertIn(f'topic "{self.topic}" with 4 partitions', listing)
        self.assertIn("leader 1, replicas: 1, isrs: 1", listing)

    def test_every_codec_and_acks_round_trips(self):
        for codec in CODECS:
            for acks in ("0", "1", "all"):
                with self.subTest(codec=codec, acks=acks):
                    self.topic = f"kcat-{codec}-{acks}"
                    lines = [f"k{n % 7}:value {n} " + "padding " * (n % 20) for n in range(500)]
                    lines = [line.rstrip() for line in lines]
                    self.produce(lines, "-K:", "-z", codec, "-X", f"acks={acks}")
                    deadline = time.monotonic() + 10
                    while True:  # with acks=0 kcat ends before the broker has read everything
                        got = self.consume("-K:", "-o", "beginning")
                        if len(got) >= len(lines) or acks != "0" or time.monotonic() > deadline:
                            break
                    self.assertEqual(sorted(got), sorted(lines))
                    for key in {line.split(":")[0] for line in lines}:
                        self.assertEqual([g for g in got if g.startswith(key + ":")],
                                         [line for line in lines if line.startswith(key + ":")])

    def test_consumes_by_partition_and_offset(self):
        self.produce([f"a{n}" for n in range(100)], "-p", 0)
        self.produce([f"b{n}" for n in range(50)], "-p", 1)
        self.assertEqual(self.consume("-p", 1, "-o", "beginning"), [f"b{n}" for n in range(50)])
        self.assertEqual(self.consume("-p", 0, "-o", 42), [f"a{n}" for n in range(42, 100)])
        self.assertEqual(self.consume("-p", 0, "-o", -3), ["a97", "a98", "a99"])
        self.assertEqual(self.consume("-p", 0, "-o", "end"), [])
        self.assertEqual(self.consume("-p", 0, "-o", 10, "-c", 2, "-f", "%o %s\\n"), ["10 a10", "11 a11"])

    def test_consumes_by_timestamp_and_queries_offsets(self):
        self.produce(["old 1", "old 2"], "-p", 0)
        time.sleep(0.02)  # so that the next batch has a later millisecond
        between = int(time.time() * 1000)
        time.sleep(0.02)
        self.produce(["new 1", "new 2", "new 3"], "-p", 0)
        self.assertEqual(self.consume("-p", 0, "-o", f"s@{between}"), ["new 1", "new 2", "new 3"])
        self.assertEqual(self.consume("-p", 0, "-o", f"e@{between}"), ["old 1", "old 2"])
        self.assertEqual(self.kcat("-Q", "-t", f"{self.topic}:0:{between}").decode().strip(),
                         f"{self.topic} [0] offset 2")
        for at, offset in ((-1, 5), (-2, 0)):
            self.assertEqual(self.kcat("-Q", "-t", f"{self.topic}:0:{at}").decode().strip(),
                             f"{self.topic} [0] offset {offset}")

    def test_idempotent_producer(self):
        self.produce([f"{n}" for n in range(2000)], "-p", 2, "-X", "enable.idempotence=true",
                     "-X", "batch.num.messages=50")
        self.assertEqual(self.consume("-p", 2, "-o", "beginning"), [f"{n}" for n in range(2000)])

    def test_headers_keys_and_null_values(self):
        self.kcat("-P", "-t", self.topic, "-p", 0, "-K:", "-Z", "-H", "colour=blue", "-H", "empty=",
                  input=b"key:value\ndead:\n")
        self.assertEqual(self.consume("-p", 0, "-f", "%k|%S|%h\\n"),
                         ["key|5|colour=blue,empty=", "dead|-1|colour=blue,empty="])

    def test_an_offset_that_is_not_there_is_reset(self):
        self.produce(["only"], "-p", 0)
        self.assertEqual(self.consume("-p", 0, "-o", 1000, "-X", "topic.auto.offset.reset=earliest"), ["only"])

    def test_data_survives_a_sigkill(self):
        self.produce([f"{n}" for n in range(1000)], "-p", 3, "-z", "lz4")
        self.broker.restart()
        self.assertEqual(self.consume("-p", 3, "-o", "beginning"), [f"{n}" for n in range(1000)])
        self.produce(["after"], "-p", 3)
        self.assertEqual(self.consume("-p", 3, "-o", 1000), ["after"])
