"""Bad input ends in a clear error or a closed connection, and the broker serves on."""

import os
import socket
import struct
import subprocess
import tempfile

import support
import weir_process
from support import run


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def request(api, version, body=b"", correlation=1, client="interop"):
    """A frame with request header v1."""
    payload = struct.pack(">hhi", api, version, correlation) + string(client) + body
    return struct.pack(">i", len(payload)) + payload


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 & -(crc & 1))
    return crc ^ 0xffffffff


def record_batch(count=1, last_offset_delta=None, crc_error=0, magic=2, attributes=0, length_error=0, records=None,
                 timestamp=1_700_000_000_000, producer=(-1, -1, -1)):
    """A v2 batch of `count` records without keys; the other arguments make it wrong."""
    if records is None:
        records = b""
        for number in range(count):
            # attributes, timestamp delta, offset delta, null key, value "v", no headers
            body = b"\0\0" + bytes([number * 2]) + b"\x01" + b"\x02v" + b"\0"
            records += bytes([len(body) * 2]) + body
    delta = count - 1 if last_offset_delta is None else last_offset_delta
    now = timestamp
    tail = struct.pack(">hiqqqhii", attributes, delta, now, now, *producer, count) + records
    head = struct.pack(">ibI", 0, magic, crc32c(tail) ^ crc_error)
    return struct.pack(">qi", 0, len(head) + len(tail) + length_error) + head + tail


def produce(topic, records, acks=1):
    body = struct.pack(">hhi", -1, acks, 5000) + struct.pack(">i", 1) + string(topic)
    body += struct.pack(">i", 1) + struct.pack(">ii", 0, len(records)) + records
    return request(0, 7, body)


class BadInputTest(support.BrokerTest):

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.broker.port), timeout=10)
        self.addCleanup(connection.close)
        return connection

    def receive(self, connection):
        """One response without its length; None when the broker closes the connection."""
        data = b""
        try:
            while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
                part = connection.recv(65536)
                if not part:
                    return None
                data += part
        except ConnectionResetError:
            return None
        return data[4:]

    def assert_closed(self, sent):
        connection = self.connect()
        try:
            connection.sendall(sent)
        except OSError:
            return
        self.assertIsNone(self.receive(connection), "the broker answered what it cannot have understood")

    def assert_serves(self):
        connection = self.connect()
        connection.sendall(request(18, 0))
        self.assertIsNotNone(self.receive(connection))

    def tearDown(self):
        super().tearDown()
        self.assert_serves()

    def make_topic(self):
        run(["kcat", "-b", self.broker.address, "-P", "-t", self.topic, "-p", "0"], input=b"first\n")

    def end_offset(self):
        return int(run(["kcat", "-b", self.broker.address, "-Q", "-t", f"{self.topic}:0:-1"]).split()[-1])

    def produce_error(self, records):
        """The error code that a Produce v7 of `records` gets."""
        connection = self.connect()
        connection.sendall(produce(self.topic, records))
        answer = self.receive(connection)
        self.assertIsNotNone(answer, "closed instead of an error for the partition")
        at = 4 + 4 + 2 + len(self.topic) + 4 + 4
        return struct.unpack(">h", answer[at:at + 2])[0]

    def test_garbage(self):
        self.assert_closed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assert_closed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200))
        self.assert_closed(struct.pack(">i", 64) + os.urandom(2) + b"\x7f" * 62)

    def test_frame_lengths(self):
        for length in (-1, -2**31, 2**31 - 1, 0, 1, 101 << 20):
            with self.subTest(length=length):
                self.assert_closed(struct.pack(">i", length) + b"xxxx")

    def test_a_request_that_never_ends(self):
        connection = self.connect()
        connection.sendall(request(3, 1, struct.pack(">i", -1))[:-2])
        self.assert_serves()
        connection.shutdown(socket.SHUT_WR)
        self.assertIsNone(self.receive(connection))

    def test_a_body_that_ends_early(self):
        self.assert_closed(request(3, 1, b"\0\0"))
        self.assert_closed(request(3, 1, struct.pack(">i", 2**31 - 1)))
        self.assert_closed(request(0, 7, struct.pack(">hhii", -1, 1, 1000, 1) + struct.pack(">h", 30000) + b"x"))

    def test_unknown_api_and_version(self):
        self.assert_closed(request(999, 0))
        self.assert_closed(request(-1, 0))
        self.assert_closed(request(3, 99, struct.pack(">i", -1)))

    def test_bytes_behind_a_request_are_ignored(self):
        """librdkafka 2.16 sends three behind a Metadata request of all topics; Kafka does not look at them."""
        connection = self.connect()
        connection.sendall(request(3, 1, struct.pack(">i", -1) + b"\1\0\0"))
        self.assertIsNotNone(self.receive(connection))

    def test_produce_before_version_3_is_refused_on_an_open_connection(self):
        support.need_weir("Produce 0 to 2")  # Kafka closes the connection
        self.make_topic()
        for version in (0, 1, 2):
            with self.subTest(version=version):
                body = struct.pack(">hii", 1, 5000, 1) + string(self.topic) + struct.pack(">iii", 1, 0, 4) + b"old!"
                connection = self.connect()
                connection.sendall(request(0, version, body))
                expected = struct.pack(">ii", 1, 1) + string(self.topic) + struct.pack(">iihq", 1, 0, 35, -1)
                if version >= 2:
                    expected += struct.pack(">q", -1)  # log_append_time
                if version >= 1:
                    expected += struct.pack(">i", 0)  # throttle_time
                self.assertEqual(self.receive(connection), expected)
                connection.sendall(request(18, 0))
                self.assertIsNotNone(self.receive(connection))

    def test_api_versions_above_ours_is_answered(self):
        connection = self.connect()
        connection.sendall(request(18, 99, b"\0"))  # no tagged fields: the header of versions 3 and later ends so
        answer = self.receive(connection)
        self.assertEqual(struct.unpack(">ih", answer[:6]), (1, 35))
        connection.sendall(request(18, 0))
        self.assertEqual(struct.unpack(">ih", self.receive(connection)[:6]), (1, 0))

    def test_bad_batches_are_refused_and_not_stored(self):
        self.make_topic()
        self.assertEqual(self.produce_error(record_batch()), 0)
        self.assertEqual(self.produce_error(record_batch(count=3)), 0)
        end = self.end_offset()
        self.assertEqual(end, 5)
        bad = {
            "crc": (record_batch(crc_error=1), {2}),
            "flipped value": (record_batch()[:-2] + b"w\0", {2}),
            "length too long": (record_batch(length_error=10), {2, 87}),
            "length negative": (record_batch(length_error=-1000), {2, 87}),
            "count and offsets differ": (record_batch(count=2, last_offset_delta=5), {2, 87}),
            "count without records": (record_batch(count=5, records=b"", last_offset_delta=4), {2, 87}),
            "control batch": (record_batch(attributes=0x20), {2, 87}),
            "of a transaction that nobody opened": (record_batch(attributes=0x10, producer=(4711, 0, 0)), {48, 53}),
            "codec 7": (record_batch(attributes=7), {-1, 2, 76, 87}),
            "magic 3": (record_batch(magic=3), {2, 43, 87}),
            "header only": (record_batch()[:40], {2, 87}),
            "two batches": (record_batch() + record_batch(), {2, 87}),
            "random": (b"\0" * 12 + os.urandom(100), {2, 43, 76, 87}),
        }
        for name, (batch, codes) in bad.items():
            with self.subTest(batch=name):
                connection = self.connect()
                connection.sendall(produce(self.topic, batch))
                answer = self.receive(connection)
                if answer is not None:  # closing is an answer, too
                    at = 4 + 4 + 2 + len(self.topic) + 4 + 4
                    self.assertIn(struct.unpack(">h", answer[at:at + 2])[0], codes)
                self.assertEqual(self.end_offset(), end)

    def test_topic_names(self):
        for name in ("..", ".", "a/b", "a" * 250, "a b", ""):
            with self.subTest(name=name):
                connection = self.connect()
                connection.sendall(request(3, 1, struct.pack(">i", 1) + string(name)))
                answer = self.receive(connection)
                if answer is not None:
                    self.assertEqual(struct.unpack(">h", answer[-(2 + 2 + len(name) + 1 + 4):][:2])[0], 17)
        for name in ("a/b", ".."):
            self.assertFalse(os.path.exists(os.path.join(self.broker.data, f"{name}-0")))

    def test_many_connections_that_send_nothing(self):
        idle = [self.connect() for _ in range(300)]
        self.assert_serves()
        for connection in idle:
            connection.close()


class FullDiskTest(support.unittest.TestCase):

    def test_a_full_disk_refuses_produce_and_serves_fetch(self):
        support.need_weir("full disk")
        support.program("kcat")
        if os.geteuid() != 0:
            support.loud_skip("full disk: needs root to mount a small tmpfs")
        folder = tempfile.mkdtemp(prefix="weir-interop-full-")
        self.addCleanup(os.rmdir, folder)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True)
        if mounted.returncode != 0:
            support.loud_skip(f"full disk: cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", folder])
        ballast = os.path.join(folder, "ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(16 << 20))
        with support.broker(folder=os.path.join(folder, "broker"), config={"num.partitions": "1"}) as broker:
            kcat = ["kcat", "-b", broker.address, "-t", "full", "-p", "0"]
            run(kcat + ["-P"], input=b"before\n")
            line = os.urandom(40_000).hex().encode() + b"\n"
            refused = subprocess.run(kcat + ["-P", "-X", "message.timeout.ms=4000", "-X", "acks=all"],
                                     input=line * 1200, capture_output=True, timeout=120)
            self.assertNotEqual(refused.returncode, 0, "96 MB went onto a disk of 64 MB")
            self.assertTrue(broker.alive(), broker.output())
            first = run(kcat + ["-C", "-o", "0", "-c", "1", "-e", "-q"])
            self.assertEqual(first, b"before\n")
            with open(os.path.join(broker.folder, "output.txt"), encoding="utf-8", errors="replace") as output:
                said = output.read()
            self.assertIn("No space left on device", said)
            os.remove(ballast)
            run(kcat + ["-P", "-X", "message.timeout.ms=10000"], input=b"there is room again\n")
            last = run(kcat + ["-C", "-o", "-1", "-e", "-q"])
            self.assertEqual(last, b"there is room again\n")


class BadStartTest(support.unittest.TestCase):
    """A server that cannot start says why and ends with an error."""

    def setUp(self):
        support.need_weir("bad start")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def refused(self, **settings):
        broker = support.broker(folder=self.folder.name, config={k.replace("_", "."): v for k, v in settings.items()})
        code, said = weir_process.run_to_end(support.PROGRAM, ["server", broker.write_properties()])
        self.assertNotEqual(code, 0, said)
        self.assertGreater(code, 0, f"ended by a signal: {said}")
        return said

    def test_an_unknown_key_is_named_with_the_nearest(self):
        said = self.refused(num_partition="3")
        self.assertIn("num.partition", said)
        self.assertIn("num.partitions", said)

    def test_a_bad_value_is_named(self):
        said = self.refused(num_partitions="many")
        self.assertIn("num.partitions", said)
        self.assertIn("many", said)

    def test_a_missing_file(self):
        code, said = weir_process.run_to_end(support.PROGRAM, ["server", "/no/such/file.properties"])
        self.assertGreater(code, 0)
        self.assertIn("/no/such/file.properties", said)

    def test_a_port_in_use(self):
        with support.broker() as first:
            controller = f"127.0.0.1:{weir_process.free_port()}"
            said = self.refused(listeners=f"PLAINTEXT://127.0.0.1:{first.port},CONTROLLER://{controller}",
                                controller_quorum_voters=f"1@{controller}")
            self.assertIn(str(first.port), said)
            self.assertTrue(weir_process.answers(first.port))

    def test_a_data_folder_in_use(self):
        with support.broker() as first:
            said = self.refused(**{"log_dirs": first.data})
            self.assertIn(first.data, said)
            self.assertTrue(weir_process.answers(first.port))

    def test_a_data_folder_that_cannot_be_made(self):
        path = os.path.join(self.folder.name, "file")
        with open(path, "w", encoding="ascii"):
            pass
        self.assertIn(path, self.refused(**{"log_dirs": path + "/data"}))
