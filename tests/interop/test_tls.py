"""Clusters whose nodes speak mutual TLS with each other, and nodes that are not let in."""

import os
import re
import time

import cluster
import support

CERTIFICATES = os.path.join(support.ROOT, "coordination/grpc/test_certificates.h")
QUICK = {"controller.quorum.election.timeout.ms": 500, "broker.session.timeout.ms": 3000,
         "broker.heartbeat.interval.ms": 500}
MAP = "PLAINTEXT:PLAINTEXT,CONTROLLER:{0},INTERNAL:{0}"


def certificates():
    """The texts of the C++ tests: of an authority, what it signed for 127.0.0.1, and what nobody signed."""
    with open(CERTIFICATES, encoding="utf-8") as file:
        found = re.findall(r'k(\w+)Pem\[\] = R"\((.*?)\)"', file.read(), re.S)
    return dict(found)


class TlsTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")
        cls.cluster = cluster.Cluster({**cluster.COMBINED, 4: "broker"})
        cls.addClassCleanup(cls.cluster.__exit__)
        texts = certificates()
        cls.own = cls.file("own.pem", texts["TestKey"] + texts["TestCertificate"])
        cls.strange = cls.file("strange.pem", texts["StrangeCertificate"] + texts["StrangeKey"])
        cls.authority = cls.file("authority.pem", texts["TestAuthority"])
        cls.other_authority = cls.file("other.pem", texts["StrangeCertificate"])
        cls.cluster.config = {**QUICK, **cls.tls(cls.own, cls.authority)}
        for node in cls.cluster.controllers:
            node.start(wait=False)
        cls.cluster.wait_until_ready()

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.cluster.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @staticmethod
    def tls(keystore, truststore):
        return {"listener.security.protocol.map": MAP.format("SSL"), "ssl.client.auth": "required",
                "ssl.keystore.type": "PEM", "ssl.keystore.location": keystore,
                "ssl.truststore.type": "PEM", "ssl.truststore.location": truststore}

    def tearDown(self):
        self.cluster.check_alive()
        self.cluster.terms()

    def make_topic(self, node, name):
        support.run([support.PROGRAM, "topics", "--bootstrap-server", node.address, "--create", "--topic", name,
                     "--partitions", "3", "--replication-factor", "3"])

    def test_a_cluster_decides_and_fails_over(self):
        nodes = self.cluster
        for node in nodes.controllers:
            self.make_topic(node, f"at-{node.number}")
        term, leader = nodes.active()
        leader.kill()
        cluster.until(lambda: nodes.active(above=term), 20, lambda: f"nobody else is active\n{nodes.said()}")
        others = [node for node in nodes.controllers if node is not leader]
        for other in others:
            names = [f"at-{node.number}" for node in nodes.controllers]
            known = cluster.until(lambda o=other: nodes.metadata(o, names), 10, "no metadata")
            self.assertEqual({topic["errorCode"] for topic in known["topics"]}, {0})
        leader.start(wait=False)
        nodes.wait_until_ready()

    def test_who_speaks_in_the_clear_is_closed(self):
        node = self.cluster.controllers[0]
        started = time.monotonic()
        with cluster.socket.create_connection((node.host, node.controller_port), timeout=15) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            self.assertEqual(connection.recv(100), b"")
        self.assertLess(time.monotonic() - started, 10)
        self.assertRegex(node.all_output(), rf"127.0.0.1:{node.controller_port} is for the nodes of the cluster, which "
                         "speak gRPC with TLS, and what came is without it")

    def test_nodes_that_are_not_let_in(self):
        """A broker in the clear, one with a certificate of nobody's, one that believes others; at last a right one."""
        nodes, node = self.cluster, self.cluster.nodes[4]
        before, right = nodes.config, nodes.config
        self.addCleanup(setattr, nodes, "config", before)
        cases = {
            "in the clear": (
                {**QUICK, "listener.security.protocol.map": MAP.format("PLAINTEXT")},
                "this node speaks without TLS; does the other expect it"),
            "a certificate that nobody signed": (
                {**right, "ssl.keystore.location": self.strange},
                "this node speaks TLS; do both, and does each believe the other's certificate"),
            "another authority": (
                {**right, "ssl.truststore.location": self.other_authority}, "certificate verify failed"),
        }
        for name, (config, said) in cases.items():
            nodes.config = config
            node.start(wait=False)
            try:
                cluster.until(lambda: "waits for the controllers of its configuration" in node.all_output(), 20,
                              lambda n=name: f"{n}: nothing is said\n{node.output()}")
                self.assertRegex(node.all_output(), said, name)
                self.assertIsNone(node.identity("cluster.id"), name)
                self.assertNotIn(4, nodes.known_brokers(nodes.nodes[1]), name)
            finally:
                node.kill()
                os.remove(node.output_path)
        for other in nodes.controllers:  # whoever knocks does not fill the others' logs
            self.assertLess(other.all_output().count("\n"), 60, other.output())
        nodes.config = right
        node.start(wait=False)
        nodes.wait_until_ready()
        self.make_topic(node, "at-last")

    def test_settings_that_cannot_be(self):
        nodes, node = self.cluster, self.cluster.nodes[4]
        before = nodes.config
        self.addCleanup(setattr, nodes, "config", before)
        cases = {
            "ssl.keystore.location: /none.pem: ": {"ssl.keystore.location": "/none.pem"},
            "has no private key": {"ssl.keystore.location": self.authority},
            "ssl.keystore.type: is PKCS12: expected PEM; Weir reads neither JKS nor PKCS12":
                {"ssl.keystore.type": "PKCS12"},
            "expected a file with the certificates of authorities": {"ssl.truststore.location": ""},
        }
        for error, config in cases.items():
            nodes.config = {**before, **config}
            node.start(wait=False)
            self.assertEqual(node.process.wait(10), 1)
            self.assertIn(error, node.output())
            node.process = None
            os.remove(node.output_path)
