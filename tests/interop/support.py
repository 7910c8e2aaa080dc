"""What the interop tests share: which broker to test, the clients' cache folder, and a way to skip that is heard."""

import functools
import os
import shutil
import subprocess
import sys
import unittest

import weir_process

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "weir-interop")

KIND = os.environ.get("WEIR_INTEROP_BROKER", "weir")
PROGRAM = os.environ.get("WEIR_INTEROP_PROGRAM", os.path.join(ROOT, "bazel-bin/server/weir"))
FULL = os.environ.get("WEIR_INTEROP_FULL") == "1"
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def broker(**arguments):
    return weir_process.Broker(PROGRAM, KIND, **arguments)


def loud_skip(what):
    print(f"SKIPPED: {what}", file=sys.stderr, flush=True)
    raise unittest.SkipTest(what)


def need_weir(what):
    if KIND != "weir":
        loud_skip(f"{what}: asks for Weir's own behaviour, and this is {KIND}")


def run(command, timeout=120, **arguments):
    """Runs `command` and returns its standard output as bytes. What it said is in the error when it fails."""
    arguments.setdefault("stdin", None if "input" in arguments else subprocess.DEVNULL)
    if "input" in arguments:
        arguments.pop("stdin")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **arguments)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))[:500]}\nended with {done.returncode}\n"
                             f"{done.stdout[-2000:].decode('utf-8', 'replace')}\n"
                             f"{done.stderr[-4000:].decode('utf-8', 'replace')}")
    return done.stdout


def install(name, command, **arguments):
    """Runs an installing command; when it fails (no network, say) the test is skipped, loudly."""
    try:
        run(command, timeout=600, **arguments)
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        loud_skip(f"{name} cannot be installed: {str(error)[-300:]}")


def program(name):
    if shutil.which(name) is None:
        loud_skip(f"{name} is not on this machine")
    return name


def built(label):
    """A program of this tree that is built beside the broker: `tests/golden/print_partitions`."""
    folder = os.environ.get("WEIR_INTEROP_BIN") or os.path.dirname(os.path.dirname(os.path.realpath(PROGRAM)))
    path = os.path.join(folder, label)
    if not os.path.exists(path):
        raise AssertionError(f"there is no {path}: ./bazelw build -c opt //{':'.join(label.rsplit('/', 1))}")
    return path


def read(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


@functools.lru_cache(None)
def python():
    """A Python with the client libraries of requirements.txt."""
    wanted = read("requirements.txt")
    folder = os.path.join(CACHE, "venv")
    mark = os.path.join(folder, "requirements.txt")
    if not os.path.exists(mark) or read(mark) != wanted:
        install("the Python clients", ["/usr/bin/python3", "-m", "venv", "--clear", folder])
        install("the Python clients", [os.path.join(folder, "bin/pip"), "install", "-q", "--disable-pip-version-check",
                                       "-r", os.path.join(HERE, "requirements.txt")])
        with open(mark, "w", encoding="utf-8") as file:
            file.write(wanted)
    return os.path.join(folder, "bin/python")


@functools.lru_cache(None)
def node_modules():
    """A folder where node finds kafkajs."""
    program("node")
    program("npm")
    folder = os.path.join(CACHE, "node")
    os.makedirs(folder, exist_ok=True)
    mark = os.path.join(folder, "package.json")
    wanted = read("kafkajs/package.json")
    if not os.path.exists(mark) or read(mark) != wanted or not os.path.isdir(
            os.path.join(folder, "node_modules/kafkajs")):
        with open(mark, "w", encoding="utf-8") as file:
            file.write(wanted)
        install("kafkajs", ["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder)
    return os.path.join(folder, "node_modules")


@functools.lru_cache(None)
def franz_go():
    """The program of franz_go/, built."""
    program("go")
    binary = os.path.join(CACHE, "franz_go")
    os.makedirs(CACHE, exist_ok=True)
    install("franz-go", ["go", "build", "-o", binary, "."], cwd=os.path.join(HERE, "franz_go"))
    return binary


@functools.lru_cache(None)
def kafka_jars():
    """The folder with Apache Kafka's own jars."""
    program("java")
    given = os.environ.get("WEIR_KAFKA_JARS")
    if given:
        return given
    program("mvn")
    install("Apache Kafka's tools", [os.path.join(ROOT, "tools/fetch_kafka.sh")])
    return run([os.path.join(ROOT, "tools/fetch_kafka.sh")]).decode().strip()


@functools.lru_cache(None)
def system_confluent():
    """The distribution's Python, if it has the distribution's confluent-kafka."""
    done = subprocess.run(["/usr/bin/python3", "-c", "import confluent_kafka"], capture_output=True)
    if done.returncode != 0:
        loud_skip("the distribution's python3-confluent-kafka is not on this machine")
    return "/usr/bin/python3"


def kafka_command(main, *arguments):
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp",
            f"{kafka_jars()}/*", main, *map(str, arguments)]


def kafka_tool(main, *arguments, timeout=120, **more):
    return run(kafka_command(main, *arguments), timeout=timeout, **more).decode("utf-8", "replace")


class BrokerTest(unittest.TestCase):
    """Tests that share one broker: `self.broker`."""

    config = {}

    @classmethod
    def setUpClass(cls):
        cls.broker = broker(config=cls.config)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.broker.start()

    def setUp(self):
        self.topic = "t-" + self.id().rsplit(".", 1)[-1].replace("_", "-")

    def tearDown(self):
        self.assertTrue(self.broker.alive(), "the broker ended: " + self.broker.output())
