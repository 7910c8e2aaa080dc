"""A process that is killed is fenced at once; one that is stopped keeps its session."""

import concurrent.futures
import contextlib
import os
import statistics
import subprocess
import time

import cluster
import support
from test_bad_input import record_batch

ROUNDS = 5 if support.FULL else 3
BOUND = 5  # the session of a broker lasts 9 s
SESSION = 9
NOT_LEADER_OR_FOLLOWER = 6
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
PRODUCER = (7, 0)  # its id and epoch


class FencingTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")

    def test_a_broker_that_is_killed(self):
        with cluster.Cluster(cluster.APART) as nodes:
            self.kill_rounds(nodes, lambda round: nodes.brokers[round % len(nodes.brokers)], "a broker")

    def test_the_active_controller_that_is_a_broker_too(self):
        with cluster.Cluster(cluster.COMBINED) as nodes:
            self.kill_rounds(nodes, lambda round: nodes.active()[1], "the active controller")

    def test_a_broker_that_is_stopped_keeps_its_session(self):
        with cluster.Cluster(cluster.APART) as nodes:
            self.create(nodes)
            victim, asked = nodes.brokers[0], nodes.brokers[1]
            victim.pause()
            stopped = time.monotonic()
            while time.monotonic() < stopped + SESSION / 2:
                self.assertIn(victim.number, nodes.known_brokers(asked))
                time.sleep(0.2)
            cluster.until(lambda: self.is_fenced(nodes, victim), 2 * SESSION,
                          "a broker that is stopped is never fenced")
            print(f"  a broker that is stopped is fenced after {time.monotonic() - stopped:.1f} s", flush=True)
            victim.resume()
            cluster.until(lambda: victim.number in nodes.known_brokers(asked), 20, "it does not come back")

    def test_a_leader_that_was_stopped_does_not_judge_by_its_old_log(self):
        """What clients asked it meanwhile is answered before it can know that another leads."""
        with cluster.Cluster(cluster.APART) as nodes:
            victim, heir, other = nodes.brokers
            self.create(nodes, [[victim.number, heir.number, other.number]])
            writer, reader = victim.peer(60), victim.peer(60)
            self.assertEqual(self.produce(writer, sequence=0), 0)
            self.assertEqual(self.fetch(reader, offset=0), 0)
            victim.pause()
            cluster.until(lambda: self.leaders(nodes, heir) == [heir.number], 2 * SESSION, "nobody else leads")
            successor = heir.peer()
            self.assertEqual(self.produce(successor, sequence=1), 0)
            with concurrent.futures.ThreadPoolExecutor() as pool:
                written = pool.submit(self.produce, writer, sequence=2)
                read = pool.submit(self.fetch, reader, offset=2)
                time.sleep(0.5)  # both have sent
                victim.resume()
                self.assertEqual((written.result(), read.result()), (NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER))
            self.assertEqual(self.produce(successor, sequence=2), 0)
            for peer in (writer, reader, successor):
                peer.close()

    def test_a_new_leader_does_not_judge_what_it_has_refused_the_beginning_of(self):
        """A batch is refused as it does not lead yet, and the next one, sent right behind, comes as it does."""
        with cluster.Cluster(cluster.APART, config={"min.insync.replicas": 2}) as nodes:
            victim, heir, other = nodes.brokers
            self.create(nodes, [[victim.number, heir.number, other.number]])
            before, peer = victim.peer(), heir.peer()
            self.assertEqual(self.produce(before, sequence=0), 0)
            victim.kill()
            errors = []
            with concurrent.futures.ThreadPoolExecutor() as pool:
                leads = pool.submit(self.leaders, nodes, heir)  # an answer that waits for that
                while not leads.done():
                    errors.append(self.produce(peer, sequence=1 + len(errors)))
                self.assertEqual(leads.result(), [heir.number])
            errors.append(self.produce(peer, sequence=1 + len(errors)))
            self.assertEqual(set(errors), {NOT_LEADER_OR_FOLLOWER}, f"{len(errors)} batches")
            self.assertEqual([self.produce(peer, sequence) for sequence in (1, 2, 3)], [0, 0, 0])
            time.sleep(2)
            self.assertEqual(self.produce(peer, sequence=7), OUT_OF_ORDER_SEQUENCE_NUMBER)
            before.close()
            peer.close()

    def test_who_lost_a_leader_is_not_sent_back_to_it(self):
        """What a client is told that asks as soon as its leader's connection has broken."""
        with cluster.Cluster(cluster.APART) as nodes:
            told, waited = [], []
            for round in range(ROUNDS):
                victim = nodes.brokers[round % len(nodes.brokers)]
                others = [node for node in nodes.brokers if node is not victim]
                self.create(nodes, [[victim.number, *(node.number for node in others)]])
                peer = victim.peer()
                self.assertEqual(self.fetch(peer, offset=0), 0)
                victim.kill()
                with contextlib.suppress(ConnectionResetError):
                    peer.socket.recv(1)  # the end
                peer.close()
                time.sleep(0.02)  # the others' connections have broken too
                asked = time.monotonic()
                told += [self.leaders(nodes, node) != [victim.number] for node in others]
                waited.append(time.monotonic() - asked)
                victim.start(wait=False)
                nodes.wait_until_ready()
            print(f"  {sum(told)} of {len(told)} are told of the next leader at once, {max(waited):.2f} s at most for "
                  "both", flush=True)
            self.assertTrue(any(told))

    def produce(self, peer, sequence):
        answer = peer.ask("Produce", 9, acks=-1, timeoutMs=10_000, topicData=[
            {"name": self.topic, "partitionData": [
                {"index": 0, "records": record_batch(producer=(*PRODUCER, sequence))}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def fetch(self, peer, offset):
        asked = {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}
        answer = peer.ask("Fetch", 8, replicaId=-1, maxWaitMs=100, minBytes=1, maxBytes=1 << 20, sessionEpoch=-1,
                          topics=[{"topic": self.topic, "partitions": [asked]}])
        return answer["responses"][0]["partitions"][0]["errorCode"]

    def test_producers_wait_shortly(self):
        for roles, what in ((cluster.APART, "a leader"), (cluster.COMBINED, "a leader that is the active controller")):
            with cluster.Cluster(roles, config={"min.insync.replicas": 2}) as nodes:
                stalls = []
                for round in range(ROUNDS):
                    victim = nodes.active()[1] if roles is cluster.COMBINED else nodes.brokers[round]
                    stalls.append(self.stall(nodes, victim))
                print(f"  a producer waits {statistics.median(stalls):.2f} s in the middle, {max(stalls):.2f} s at "
                      f"most, when {what} is killed, {len(stalls)} times", flush=True)

    def stall(self, nodes, victim):
        """The longest wait of a producer whose leader is killed."""
        others = [node.number for node in nodes.brokers if node is not victim]
        self.create(nodes, [[victim.number, *others]])
        client = subprocess.Popen(
            [support.python(), os.path.join(support.HERE, "stall_client.py"), nodes.address, self.topic],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(client.stdout.readline(), b"begun\n")
            time.sleep(1)
            victim.kill()
            time.sleep(4)
            said, _ = client.communicate(timeout=120)
        finally:
            client.kill()
            client.wait()
        longest, delivered, failed = said.split()
        self.assertEqual(int(failed), 0, said)
        self.assertGreater(int(delivered), 100)
        self.assertLess(float(longest), BOUND, nodes.said())
        victim.start(wait=False)
        nodes.wait_until_ready()
        return float(longest)

    def kill_rounds(self, nodes, choose, what):
        times = []
        for round in range(ROUNDS):
            self.create(nodes)
            victim = cluster.until(lambda: choose(round), 20, "nobody leads")
            self.assertTrue(self.led_by(nodes, victim), nodes.said())
            victim.kill()
            killed = time.monotonic()
            cluster.until(lambda: self.is_fenced(nodes, victim), BOUND,
                          lambda: f"node {victim.number} is not fenced\n{nodes.said()}")
            times.append(time.monotonic() - killed)
            victim.start(wait=False)
            nodes.wait_until_ready()
        print(f"  {what} is fenced and its partitions are led by others after {statistics.median(times):.2f} s in the "
              f"middle, {max(times):.2f} s at most, of {len(times)}", flush=True)

    def create(self, nodes, replicas=None):
        """A topic with these partitions: without them, one that each broker leads and the others follow."""
        self.topic = f"t{time.monotonic_ns()}"
        ids = [node.number for node in nodes.brokers]
        replicas = replicas or [ids[at:] + ids[:at] for at in range(len(ids))]
        peer = nodes.brokers[0].peer()
        try:
            answer = peer.ask("CreateTopics", 7, timeoutMs=10_000, topics=[
                {"name": self.topic, "numPartitions": -1, "replicationFactor": -1, "assignments": [
                    {"partitionIndex": at, "brokerIds": brokers} for at, brokers in enumerate(replicas)]}])
            self.assertEqual(answer["topics"][0]["errorCode"], 0, answer)
        finally:
            peer.close()
        for node in nodes.brokers:
            cluster.until(lambda n=node: len(self.leaders(nodes, n)) == len(replicas), 10, "the topic is missing")

    def leaders(self, nodes, node):
        said = nodes.metadata(node, [self.topic])
        if said is None or said["topics"][0]["errorCode"] != 0:
            return []
        return [partition["leaderId"] for partition in said["topics"][0]["partitions"]]

    def led_by(self, nodes, victim):
        return any(victim.number in self.leaders(nodes, node) for node in nodes.brokers if node is not victim)

    def is_fenced(self, nodes, victim):
        """As every other broker says, and that its partitions have other leaders."""
        for node in nodes.brokers:
            if node is victim:
                continue
            leaders = self.leaders(nodes, node)
            if not leaders or victim.number in leaders or -1 in leaders:
                return False
            if victim.number in nodes.known_brokers(node):
                return False
        return True
