"""Starts, kills and restarts the broker under test: Weir, or Apache Kafka to prove that a test is right."""

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

READY_SECONDS_MAX = 60
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port, timeout=0.5, host="127.0.0.1"):
    """Whether an ApiVersions v0 request gets an answer."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
            head = connection.recv(8)
            return len(head) == 8 and struct.unpack(">i", head[4:])[0] == 7
    except OSError:
        return False


def end_with_parent():
    """For preexec_fn: the process is killed when the thread that starts it ends, as the main thread does in a test that
    is killed. Threads that end earlier must not start with it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """A one-node broker with its data in a folder of its own. Use it in a `with`: what it started is ended there.

    `kind` is "weir" or "kafka"; `program` the binary, or the folder with Kafka's jars. `quorum` says how controllers
    find each other: "voters" are named in the configuration, "bootstrap" servers know them (KIP-853).
    """

    def __init__(self, program, kind="weir", folder=None, config=None, port=None, quorum="voters"):
        self.program, self.kind = program, kind
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="weir-interop-")
        self.data = os.path.join(self.folder, "data")
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.controller_port = free_port()
        self.config = dict(config or {})
        self.quorum = quorum
        self.java_options = ["-Xmx768m"]
        self.process = None
        self.output_path = os.path.join(self.folder, "output.txt")
        self.starts = 0

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def properties(self):
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.data,
            "num.partitions": "4",
            "offsets.topic.replication.factor": "1",
        }
        if self.quorum == "voters":
            settings["controller.quorum.voters"] = f"1@127.0.0.1:{self.controller_port}"
        else:
            settings["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{self.controller_port}"
        settings.update(self.config)
        return settings

    def write_properties(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "server.properties")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(f"{key}={value}\n" for key, value in self.properties().items()))
        return path

    def command(self, properties):
        if self.kind == "weir":
            return [self.program, "server", properties]
        return ["java", *self.java_options, "-Dlog4j2.level=ERROR", "-cp", f"{self.program}/*", "kafka.Kafka",
                properties]

    def start(self, wait=True):
        properties = self.write_properties()
        if self.kind == "kafka" and not os.path.exists(os.path.join(self.data, "meta.properties")):
            subprocess.run(["java", "-cp", f"{self.program}/*", "kafka.tools.StorageTool", "format", "-t",
                            "MkU3OEVBNTcwNTJENDM2Qk", "-c", properties]
                           + ["--standalone"] * (self.quorum == "bootstrap"), check=True, capture_output=True)
        self.starts += 1
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(self.command(properties), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.folder, preexec_fn=end_with_parent)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not answers(self.port, host=self.host):
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.output()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the broker does not answer after {READY_SECONDS_MAX} s:\n{self.output()}")
            time.sleep(0.002)

    def output(self):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-8000:]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def kill(self):
        """SIGKILL: the process has no chance to write or sync anything more."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def restart(self):
        self.kill()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.kill()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def run_to_end(program, arguments, timeout=20):
    """Runs a `weir server` that must refuse to start. Returns its exit code and everything it said."""
    done = subprocess.run([program] + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout)
    return done.returncode, done.stdout.decode("utf-8", "replace")
