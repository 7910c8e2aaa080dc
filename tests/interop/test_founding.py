"""How clusters begin: nodes that end in the middle of it, and nodes that come back with nothing."""

import os
import random
import time

import cluster
import support

ROUNDS = int(os.environ.get("WEIR_INTEROP_KILLS", 50 if support.FULL else 3))
QUICK = {"controller.quorum.election.timeout.ms": 200, "broker.session.timeout.ms": 3000,
         "broker.heartbeat.interval.ms": 500}


class FoundingTest(support.unittest.TestCase):

    def setUp(self):
        support.need_weir("clusters of several nodes")

    def ids(self, nodes):
        return {node.identity("cluster.id") for node in nodes.nodes.values()} - {None}

    def test_nodes_that_are_killed_while_they_found_a_cluster(self):
        seed = cluster.seed()
        print(f"  {ROUNDS} clusters, WEIR_INTEROP_SEED={seed}", flush=True)
        chance, kills, early = random.Random(seed), 0, 0
        for number in range(ROUNDS):
            nodes = cluster.Cluster(cluster.COMBINED, config=QUICK)
            try:
                ids = set()
                waiting = [(chance.uniform(0, 0.4), "start", node) for node in nodes.nodes.values()]
                for _ in range(chance.randint(1, 6)):
                    node, at = chance.choice(list(nodes.nodes.values())), chance.uniform(0.05, 1.5)
                    waiting += [(at, "kill", node), (at + chance.uniform(0, 0.2), "start", node)]
                began = time.monotonic()
                for at, what, node in sorted(waiting, key=lambda event: event[0]):
                    time.sleep(max(0, began + at - time.monotonic()))
                    if what == "kill" and node.alive():
                        node.kill()
                        kills += 1
                        early += not self.ids(nodes)
                    elif what == "start" and not node.alive():
                        node.start(wait=False)
                    ids |= self.ids(nodes)
                nodes.wait_until_ready(20)
                ids |= self.ids(nodes)
                self.assertEqual(len(ids), 1, f"cluster {number}: {ids}\n{nodes.said()}")
                nodes.check_alive()
                nodes.check_logs()
            finally:
                nodes.__exit__()
        print(f"  {kills} kills, {early} of them before anybody knew the cluster", flush=True)

    def test_a_node_that_lost_its_disk_joins_with_another(self):
        with cluster.Cluster(cluster.COMBINED, config=QUICK) as nodes:
            _, leader = nodes.active()
            if nodes.voters_of(leader) is None:
                support.loud_skip("Weir's broker does not serve DescribeQuorum yet")
            for node in (next(n for n in nodes.brokers if n is not leader), leader):
                others = [n for n in nodes.brokers if n is not node]
                cluster_id, directory = node.identity("cluster.id"), node.identity("directory.id")
                self.make_topic(others[0], f"before-{node.number}")
                node.wipe()
                node.start(wait=False)
                nodes.wait_until_ready()
                self.assertEqual(node.identity("cluster.id"), cluster_id)
                self.assertNotEqual(node.identity("directory.id"), directory)
                self.assertNotIn("founds", node.all_output().rsplit("poller: ", 1)[-1])
                self.assertIn(f"before-{node.number}", self.topics(node))
                self.check_vote(nodes, node, others)
            nodes.check_alive()
            nodes.check_logs()

    def check_vote(self, nodes, node, others):
        """It is a voter again: with one of the others gone, nothing is decided without it."""
        due = {each.number: each.identity("directory.id") for each in nodes.controllers}
        cluster.until(lambda: nodes.voters_of(others[0]) == due, 15,
                      lambda: f"{nodes.voters_of(others[0])} vote, expected {due}\n{nodes.said()}", 0.1)
        others[0].kill()
        self.make_topic(others[1], f"with-{node.number}")
        others[0].start(wait=False)
        nodes.wait_until_ready()

    def test_nobody_founds_while_one_is_missing(self):
        """Who has lost its disk waits for those that may know the cluster; no cluster beside the first."""
        with cluster.Cluster(cluster.COMBINED, config=QUICK) as nodes:
            cluster_id = nodes.nodes[1].identity("cluster.id")
            for node in nodes.nodes.values():
                node.kill()
            for number in (1, 2):
                nodes.nodes[number].wipe()
                nodes.nodes[number].start(wait=False)
            deadline = time.monotonic() + 6
            while time.monotonic() < deadline:
                for number in (1, 2):
                    self.assertIsNone(nodes.nodes[number].identity("cluster.id"), nodes.said())
                time.sleep(0.1)
            nodes.check_alive()
            self.assertIn("waits for the controllers of its configuration", nodes.nodes[1].all_output())
            nodes.nodes[3].start(wait=False)
            cluster.until(lambda: all(nodes.nodes[n].identity("cluster.id") for n in (1, 2)), 10,
                          lambda: f"nobody joins\n{nodes.said()}")
            self.assertEqual(self.ids(nodes), {cluster_id})
            nodes.check_alive()

    def test_nobody_founds_before_all_have_come(self):
        nodes = cluster.Cluster(cluster.COMBINED, config=QUICK)
        self.addCleanup(nodes.__exit__)
        for number in (1, 2):
            nodes.nodes[number].start(wait=False)
        time.sleep(2)
        self.assertEqual(self.ids(nodes), set())
        nodes.nodes[3].start(wait=False)
        nodes.wait_until_ready()
        self.assertEqual(len(self.ids(nodes)), 1)

    def make_topic(self, node, name):
        """Made through this broker within 20 s, however often it takes."""
        def attempt():
            peer = node.peer(timeout=5)
            try:
                said.append(peer.ask("CreateTopics", 7, timeoutMs=3000, topics=[
                    {"name": name, "numPartitions": 1, "replicationFactor": 1}]))
                return said[-1] and said[-1]["topics"][0]["errorCode"] in (0, 36)  # 36: it is there already
            except OSError as error:
                said.append(error)
            finally:
                peer.close()
        said = []
        cluster.until(attempt, 20, lambda: f"{name}: {said[-1]}\n{node.cluster.said()}", 0.1)

    def topics(self, node):
        return [topic["name"] for topic in node.cluster.metadata(node, None)["topics"]]
