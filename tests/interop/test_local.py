"""`weir start` and what goes with it: local clusters that outlive the command that made them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import support
from support import run

WEIR = support.PROGRAM


def free_ports():
    """A port below those that the system gives to clients; the next ones, and those 10,000 above, are free as well."""
    for port in range(20_000 + os.getpid() % 1000, 22_700, 5):
        sockets = []
        try:
            for at in (port, port + 1, port + 2, port + 10_000, port + 10_001, port + 10_002):
                sockets.append(socket.create_server(("127.0.0.1", at)))
            return port
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("there are no free ports")


class LocalTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("local clusters")

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="weir-local-")
        self.environment = {**os.environ, "WEIR_HOME": self.home}
        self.port = free_ports()
        self.address = f"localhost:{self.port}"
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.addCleanup(self.call, "stop", "--timeout-ms", 5000)

    def call(self, *words):
        return subprocess.run([WEIR, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                              env=self.environment)

    def weir(self, *words):
        done = self.call(*words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.decode()

    def refused(self, code, *words):
        done = self.call(*words)
        self.assertEqual((done.returncode, done.stdout), (code, b""), done.stderr)
        return done.stderr.decode()

    def status(self, code=0):
        done = self.call("status", "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def pid(self):
        return self.status()[0]["pid"]

    def path(self, *names):
        return os.path.join(self.home, "node-1", *names)

    def test_a_cluster_is_started_used_stopped_and_started_again(self):
        support.program("kcat")
        self.assertEqual(self.weir("current"), self.home + "\n")
        self.assertEqual(self.status(), [])
        said = self.weir("start", "--port", self.port, "--override", "num.partitions=3")
        self.assertIn(f"--bootstrap-server {self.address}", said)
        (node,) = self.status()
        self.assertEqual((node["node"], node["state"], node["listener"], node["controller"]),
                         ("node-1", "running", self.address, "active"))
        os.kill(node["pid"], 0)
        self.assertEqual(os.getsid(node["pid"]), node["pid"])  # not of this terminal
        run(["kcat", "-b", self.address, "-P", "-t", "t", "-p", "0"], input=b"one\ntwo\n")
        read = ["kcat", "-b", self.address, "-C", "-t", "t", "-e", "-q"]
        self.assertEqual(run(read), b"one\ntwo\n")
        (topic,) = json.loads(run([WEIR, "topics", "--describe", "--topic", "t", "--json", "--bootstrap-server",
                                   self.address]))
        self.assertEqual(len(topic["partitions"]), 3)
        (row,) = json.loads(self.weir("list", "--json"))
        self.assertEqual((row["roles"], row["folder"]), ("broker,controller", self.path()))
        self.assertIn("Weir is ready on", self.weir("logs"))

        again = self.call("start")
        self.assertEqual(again.returncode, 0)
        self.assertIn(b"runs already", again.stderr)
        self.assertEqual(self.pid(), node["pid"])

        self.assertEqual(json.loads(self.weir("stop", "--json")), [{"node": "node-1", "state": "stopped"}])
        self.assertEqual(self.status()[0]["state"], "stopped")
        self.assertIn("stopped cleanly", self.weir("logs", "node-1", "--lines", 1))
        self.assertIn(b"nothing runs", self.call("stop").stderr)
        self.weir("start")
        self.assertNotEqual(self.pid(), node["pid"])
        self.assertEqual(run(read), b"one\ntwo\n")

    def test_a_node_that_was_killed_is_shown_and_started_again(self):
        self.weir("start", "--port", self.port)
        self.end(self.pid())
        (node,) = self.status(code=1)
        self.assertEqual((node["state"], node["pid"]), ("ended by itself", None))
        self.weir("start")
        self.assertEqual(self.status()[0]["state"], "running")

    def end(self, pid):
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    break
            time.sleep(0.01)

    def test_another_process_with_the_number_of_a_node_is_left_alone(self):
        self.weir("start", "--port", self.port)
        with open(self.path("pid"), encoding="ascii") as file:
            text = file.read()
        self.end(self.pid())
        with subprocess.Popen(["sleep", "600"]) as other:
            try:
                for stale in (text.replace(text.split()[0], f"pid={other.pid}"), f"{other.pid}\n", ""):
                    with open(self.path("pid"), "w", encoding="ascii") as file:
                        file.write(stale)
                    self.assertNotEqual(json.loads(self.call("status", "--json").stdout)[0]["state"], "running")
                    self.assertEqual(self.call("stop", "--timeout-ms", 200).returncode, 0)
                    self.assertIsNone(other.poll())
                self.weir("start")
                self.assertNotEqual(self.pid(), other.pid)
            finally:
                other.kill()

    def test_a_cluster_grows_while_it_runs_and_keeps_its_records(self):
        support.program("kcat")
        self.weir("start", "--port", self.port)
        run(["kcat", "-b", self.address, "-P", "-t", "t"], input=b"one\n")
        first = self.pid()
        self.weir("start", "--brokers", 3)
        nodes = self.status()
        self.assertEqual([(n["node"], n["state"], n["controller"]) for n in nodes],
                         [("node-1", "running", "active"), ("node-2", "running", "no"), ("node-3", "running", "no")])
        self.assertEqual(nodes[0]["pid"], first)
        self.assertEqual(run(["kcat", "-b", nodes[2]["listener"], "-C", "-t", "t", "-e", "-q"]), b"one\n")
        self.assertIn("--brokers: expected at least the 3", self.refused(2, "start", "--brokers", 2))
        self.weir("stop")
        self.weir("start")
        self.assertEqual([n["state"] for n in self.status()], ["running"] * 3)

    def test_three_nodes_vote_and_one_that_is_killed_comes_back(self):
        self.weir("start", "--port", self.port, "--brokers", 3)
        nodes = self.status()
        self.assertEqual({n["controller"] for n in nodes} - {"voter", "active"}, set())
        self.end(nodes[1]["pid"])
        self.assertEqual([n["state"] for n in self.status(code=1)], ["running", "ended by itself", "running"])
        self.weir("start")
        again = self.status()
        self.assertEqual([n["state"] for n in again], ["running"] * 3)
        self.assertEqual([n["pid"] for n in again[::2]], [n["pid"] for n in nodes[::2]])

    def test_a_port_in_use_is_named_and_may_be_chosen_again(self):
        with socket.create_server(("127.0.0.1", self.port)):
            said = self.refused(1, "start", "--port", self.port)
        self.assertIn(f"port {self.port}, which node-1 needs for its listener PLAINTEXT, is in use by ", said)
        self.assertIn(f"(process {os.getpid()})", said)
        self.weir("start", "--port", self.port + 1)
        self.assertEqual(self.status()[0]["listener"], f"localhost:{self.port + 1}")
        self.assertIn(f"--port: expected {self.port + 1}", self.refused(2, "start", "--port", self.port))

    def test_what_the_server_refuses_is_said_before_anything_is_made(self):
        self.assertIn("unknown key 'no.such.key'", self.refused(1, "start", "--override", "no.such.key=1"))
        self.assertIn("does not decide itself", self.refused(2, "start", "--override", "node.id=7"))
        self.assertIn("--brokers", self.refused(2, "start", "--brokers", 0))
        self.assertFalse(os.path.exists(self.path()))
        self.assertIn("there is no cluster", self.refused(1, "logs"))

    def test_why_a_node_ends_is_shown(self):
        self.weir("start", "--port", self.port)
        self.weir("stop")
        with open(self.path("data", "meta.properties"), "w", encoding="ascii") as file:
            file.write("version=9\n")
        said = self.refused(1, "start")
        self.assertIn("node-1 ended at once", said)
        self.assertIn("meta.properties", said)
        self.assertEqual(self.status()[0]["state"], "stopped")

    def test_a_node_that_does_not_end_is_killed_and_that_is_said(self):
        self.weir("start", "--port", self.port)
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        done = self.call("stop", "--timeout-ms", 100, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout), [{"node": "node-1", "state": "killed"}])
        self.assertIn(b"node-1 did not end within 100 ms and was killed", done.stderr)
        self.assertEqual(self.status()[0]["state"], "stopped")

    def test_logs_follow(self):
        self.weir("start", "--port", self.port)
        with subprocess.Popen([WEIR, "log", "--follow", "-n", "0"], stdout=subprocess.PIPE,
                              env=self.environment) as follower:
            with open(self.path("server.log"), "ab", buffering=0) as log:
                deadline = time.monotonic() + 30
                line = b""
                os.set_blocking(follower.stdout.fileno(), False)
                while b"written now" not in line and time.monotonic() < deadline:
                    log.write(b"written now\n")
                    time.sleep(0.05)
                    line += follower.stdout.read() or b""
            self.assertIn(b"written now\n", line)
            follower.send_signal(signal.SIGINT)
            self.assertEqual(follower.wait(30), 0)

    def test_the_folder_of_a_plain_broker_is_refused(self):
        with open(os.path.join(self.home, "meta.properties"), "w", encoding="ascii"):
            pass
        self.assertIn("is the data of a broker", self.refused(1, "start"))
        os.remove(os.path.join(self.home, "meta.properties"))
