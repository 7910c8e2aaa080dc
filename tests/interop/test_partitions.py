"""Key to partition: client/partitioner.h, the Java client and librdkafka agree on 100,000 random keys."""

import ctypes
import glob
import os
import random
import secrets

import support
from support import run

KEYS = 100_000
COUNTS = (1, 2, 3, 6, 7, 50, 1000, 2**31 - 1)
WORDS = ("order", "Ünïcödé", "注文", "заказ", "🍋", "a", "-", "0042")


def keys(seed):
    """Of 0 to 200 bytes: half of them any bytes, half text."""
    source = random.Random(seed)
    for number in range(KEYS):
        length = number if number <= 200 else source.randrange(201)
        if number % 2 == 0:
            yield source.randbytes(length)
        else:
            text = b""
            while len(text) < length:
                text += source.choice(WORDS).encode()
            yield text[:length]


class PartitionsTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        seed = int(os.environ.get("WEIR_INTEROP_SEED") or secrets.randbits(32))
        print(f"  seed {seed} (WEIR_INTEROP_SEED repeats it)", flush=True)
        cls.keys = list(keys(seed))
        cls.lines = "".join(key.hex() + "\n" for key in cls.keys).encode()
        cls.ours = run([support.built("tests/golden/print_partitions"), *map(str, COUNTS)],
                       input=cls.lines).decode().splitlines()

    def setUp(self):
        support.need_weir("its partitioner")
        self.assertEqual(len(self.ours), KEYS)

    def check(self, name, theirs):
        for key, our, their in zip(self.keys, self.ours, theirs, strict=True):
            self.assertEqual(our, their, f"{name} puts {key.hex()} elsewhere")

    def test_java(self):
        said = run(["java", "-cp", f"{support.kafka_jars()}/*", os.path.join(support.HERE, "Partitions.java"),
                    *map(str, COUNTS)], input=self.lines)
        self.check("the Java client", said.decode().splitlines())

    def check_librdkafka(self, path):
        function = ctypes.CDLL(path).rd_kafka_msg_partitioner_murmur2
        function.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32, ctypes.c_void_p,
                             ctypes.c_void_p]
        function.restype = ctypes.c_int32
        theirs = (" ".join([our.split()[0]] + [str(function(None, key, len(key), count, None, None))
                                               for count in COUNTS])
                  for key, our in zip(self.keys, self.ours))  # it does not tell the hash itself
        self.check(path, theirs)

    def test_librdkafka(self):
        try:
            ctypes.CDLL("librdkafka.so.1")
        except OSError:
            support.loud_skip("librdkafka is not on this machine")
        self.check_librdkafka("librdkafka.so.1")

    def test_librdkafka_of_confluent_kafka(self):
        folder = os.path.dirname(os.path.dirname(support.python()))
        found = glob.glob(os.path.join(folder, "lib/python*/site-packages/confluent_kafka.libs/librdkafka*.so*"))
        self.assertEqual(len(found), 1, found)
        self.check_librdkafka(found[0])
