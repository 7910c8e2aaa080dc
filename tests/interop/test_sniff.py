"""`weir sniff` between real clients and the broker under test: what it prints, that clients stay on it, and that it
passes on whatever comes."""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import textwrap

import support
from support import CODECS, run
from test_bad_input import request, string

WEIR = support.PROGRAM if support.KIND == "weir" else os.path.join(support.ROOT, "bazel-bin/server/weir")


class Proxy:
    """`weir sniff --listen`: its address while it runs, and afterwards the lines that it printed and what it noted."""

    def __init__(self, process, address, output):
        self.process, self.address, self.output = process, address, output
        self.lines, self.notes = [], ""

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def messages(self):
        return [json.loads(line) for line in self.lines]


class SniffTest(support.BrokerTest):

    @contextlib.contextmanager
    def proxy(self, *words):
        """Ends with SIGINT, which must be a clean end."""
        output = os.path.join(self.broker.folder, "sniffed.txt")
        with open(output, "wb") as file:
            process = subprocess.Popen(
                [WEIR, "sniff", "--listen", "127.0.0.1:0", "--to", self.broker.address, *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, text=True)
        try:
            first = process.stderr.readline()
            found = re.search(r"may now use (127\.0\.0\.1:\d+)", first)
            self.assertTrue(found, first)
            proxy = Proxy(process, found.group(1), output)
            yield proxy
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            proxy.notes = process.stderr.read()
            self.assertEqual(process.wait(20), 0, proxy.notes)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
        with open(output, encoding="utf-8") as file:
            proxy.lines = file.read().splitlines()

    def exchange(self, port, sent):
        """What comes back for `sent`, up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            got = b""
            with contextlib.suppress(OSError):
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    got += part
        return got

    def kcat(self, proxy, *words, **more):
        support.program("kcat")
        return run(["kcat", "-b", proxy.address, *map(str, words)], **more).decode()

    def produce(self, proxy, *words):
        self.kcat(proxy, "-P", "-t", self.topic, "-p", 0, "-K:", *words, input=b"key:value\nnext:another\n")

    def records(self, messages, api, kind):
        """Every record in the batches of those messages, as (offset, key, value)."""
        found = []

        def visit(value):
            for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
                visit(inner)
            for record in value.get("records", []) if isinstance(value, dict) and "baseOffset" in value else []:
                found.append((record["offset"], record["key"], record["value"]))

        for message in messages:
            if (message.get("api"), message["kind"]) == (api, kind):
                visit(message["body"])
        return found

    def check_pairs(self, messages):
        """Each answer has the header of its request, and came later."""
        requests = {}
        for message in messages:
            key = (message["client"], message.get("correlationId"))
            same = {name: message.get(name) for name in ("api", "apiKey", "apiVersion", "clientId", "server")}
            if message["kind"] == "request":
                requests[key] = (same, message["timeUs"])
            elif message["kind"] == "response":
                self.assertEqual(requests[key][0], same)
                self.assertEqual(message["timeUs"] - requests[key][1], message["latencyUs"])
                self.assertGreaterEqual(message["latencyUs"], 0)
            self.assertFalse(message.get("bytesHead"), message)


class ClientsTest(SniffTest):

    def test_kcat_with_every_codec(self):
        for codec in CODECS:
            with self.subTest(codec=codec), self.proxy("--json", "--records") as proxy:
                self.topic = f"sniffed-{codec}"
                self.produce(proxy, "-z", codec, "-X", "linger.ms=100")
                self.assertEqual(self.kcat(proxy, "-C", "-t", self.topic, "-p", 0, "-e", "-q", "-K:").splitlines(),
                                 ["key:value", "next:another"])
            messages = proxy.messages()
            self.check_pairs(messages)
            apis = {message["api"] for message in messages if "api" in message}
            self.assertLessEqual({"ApiVersions", "Metadata", "Produce", "Fetch", "ListOffsets"}, apis)
            self.assertEqual({m["clientId"] for m in messages if "clientId" in m}, {"rdkafka"})
            expected = [(0, "key", "value"), (1, "next", "another")]
            self.assertEqual(self.records(messages, "Produce", "request"), expected)
            self.assertEqual(self.records(messages, "Fetch", "response")[:2], expected)

    def test_clients_stay_on_the_proxy(self):
        with self.proxy("--json") as proxy:
            listing = self.kcat(proxy, "-L")
        self.assertIn(f"broker 1 at {proxy.address}", listing)
        self.assertNotIn(self.broker.address, listing)
        with self.proxy("--json", "--no-rewrite") as proxy:
            listing = self.kcat(proxy, "-L")
        self.assertIn(f"broker 1 at {self.broker.address}", listing)

    def test_a_group_of_kafka_python(self):
        program = textwrap.dedent("""
            import sys
            from kafka import KafkaConsumer, KafkaProducer
            address, topic = sys.argv[1:]
            producer = KafkaProducer(bootstrap_servers=address)
            producer.send(topic, b"from python").get(30)
            producer.close()
            consumer = KafkaConsumer(topic, bootstrap_servers=address, group_id="sniffed", client_id="reader",
                                     auto_offset_reset="earliest", consumer_timeout_ms=30000)
            print(next(consumer).value.decode())
            consumer.commit()
            consumer.close()
            """)
        with self.proxy("--json") as proxy:
            said = run([support.python(), "-c", program, proxy.address, self.topic]).decode()
        self.assertEqual(said, "from python\n")
        messages = proxy.messages()
        self.check_pairs(messages)
        of_reader = {m["api"] for m in messages if m.get("clientId") == "reader"}
        self.assertLessEqual({"FindCoordinator", "JoinGroup", "SyncGroup", "OffsetFetch", "Fetch", "OffsetCommit",
                              "LeaveGroup"}, of_reader)
        joined = [m for m in messages if m.get("api") == "JoinGroup" and m["kind"] == "response"]
        self.assertEqual(joined[0]["errors"], ["MEMBER_ID_REQUIRED"])
        self.assertEqual(joined[1].get("errors"), None)
        commits = [m for m in messages if m.get("api") == "OffsetCommit" and m["kind"] == "request"]
        self.assertEqual(commits[0]["body"]["groupId"], "sniffed")

    def test_the_java_tools(self):
        with self.proxy("--json") as proxy:
            support.kafka_tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", proxy.address, "--create",
                               "--topic", self.topic, "--partitions", 2)
        messages = proxy.messages()
        self.check_pairs(messages)
        (created,) = [m for m in messages if m.get("api") == "CreateTopics" and m["kind"] == "request"]
        self.assertEqual(created["body"]["topics"][0]["name"], self.topic)

    def test_what_was_recorded_is_read_again(self):
        capture = os.path.join(self.broker.folder, "talk.pcap")
        with self.proxy("--json", "--records", "--record", capture) as proxy:
            self.produce(proxy)
            self.kcat(proxy, "-C", "-t", self.topic, "-p", 0, "-e", "-q")
        printed = run([WEIR, "sniff", "--read", capture, "--json", "--records"])
        again = [json.loads(line) for line in printed.splitlines()]
        names = ("kind", "from", "client", "api", "apiVersion", "correlationId", "clientId", "bytes", "body", "errors")

        def told(messages):
            by_client = {}
            for message in messages:
                if message["kind"] != "note":
                    by_client.setdefault(message["client"], []).append({n: message.get(n) for n in names})
            return by_client

        self.assertEqual(told(again), told(proxy.messages()))
        self.assertGreater(len(again), 8)
        # A live capture comes through a pipe, and may end within a packet.
        with open(capture, "rb") as file:
            whole = file.read()
        cut = subprocess.run([WEIR, "sniff", "--read", "-", "--headers-only"], input=whole[:-50], capture_output=True,
                             timeout=60)
        self.assertEqual(cut.returncode, 0)
        self.assertIn(b"in the middle of a packet", cut.stderr)
        self.assertIn(b" Produce v", cut.stdout)

    def test_filters(self):
        with self.proxy("--api", "produce,3", "--headers-only") as proxy:
            self.produce(proxy)
        self.assertTrue(proxy.lines)
        for line in proxy.lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{6} \S+ [<>] \S+ "
                                   r"((Produce|Metadata) v\d+ #\d+ 'rdkafka' |\(ended)")
        with self.proxy("--client-id", "nobody") as proxy:
            self.produce(proxy)
        self.assertEqual([line for line in proxy.lines if "(ended" not in line], [])
        with self.proxy("--errors-only", "--json") as proxy:
            self.kcat(proxy, "-L")
            self.exchange(proxy.port, request(3, 1, struct.pack(">i", 1) + string("no/topic"), correlation=77))
        self.assertEqual([(m["kind"], m["correlationId"], m.get("errors")) for m in proxy.messages()],
                         [("request", 77, None), ("response", 77, ["INVALID_TOPIC_EXCEPTION"])])
        with self.proxy("--max-messages", 3) as proxy:
            self.exchange(proxy.port, request(18, 0) * 5)
            proxy.process.wait(20)
        self.assertEqual(len(proxy.lines), 3)


class GarbageTest(SniffTest):

    def test_garbage_passes_and_is_told(self):
        noise = bytes(range(256)) * 20
        pieces = {
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "this is HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise: "this is TLS",
            struct.pack(">i", -1) + noise: "a length of -1",
            struct.pack(">i", 2**31 - 1): "a length of 2147483647",
            request(999, 7, noise): "an API that is not known here",
            request(3, 99, b"body"): "known here are versions",
            request(3, 1, b"\0\0"): "malformed message",
            struct.pack(">i", 4) + b"tiny": "less than 8 bytes",
            request(18, 0)[:-3]: "bytes into a frame",
        }
        with self.proxy() as proxy:
            for sent in pieces:
                self.exchange(proxy.port, sent)
                self.assertEqual(self.exchange(proxy.port, request(18, 0)),
                                 self.exchange(self.broker.port, request(18, 0)))
        text = "\n".join(proxy.lines)
        for words in pieces.values():
            self.assertIn(words, text)

    def test_every_byte_passes_unchanged_without_rewriting(self):
        self.kcat(Proxy(None, self.broker.address, None), "-P", "-t", self.topic, input=b"x\n")
        asked = b"".join(request(3, version, struct.pack(">i", -1) + (b"\1" if version >= 4 else b""), version)
                         for version in range(1, 8))
        direct = self.exchange(self.broker.port, asked)
        with self.proxy("--no-rewrite") as proxy:
            self.assertEqual(self.exchange(proxy.port, asked), direct)
        with self.proxy() as proxy:
            through = self.exchange(proxy.port, asked)
        port = struct.pack(">i", proxy.port)
        self.assertEqual(through, direct.replace(struct.pack(">i", self.broker.port), port))

    def test_a_broker_that_is_not_there(self):
        free = support.weir_process.free_port()
        process = subprocess.Popen([WEIR, "sniff", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{free}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            port = int(re.search(r":(\d+)\s*$", process.stderr.readline()).group(1))
            self.assertEqual(self.exchange(port, request(18, 0)), b"")
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=20)
            self.assertIn("cannot be reached", said)
        finally:
            process.kill()
            process.wait()

    def test_files_that_are_no_capture(self):
        path = os.path.join(self.broker.folder, "no-capture")
        with open(path, "wb") as file:
            file.write(b"this is no capture, whatever its name says")
        done = subprocess.run([WEIR, "sniff", "--read", path], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"pcap or pcapng", done.stderr)
        done = subprocess.run([WEIR, "sniff", "--read", path, "--api", "Produse"], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"did you mean Produce?", done.stderr)
