"""The active controller is killed, stopped and cut off from the others in a loop, while clients change the metadata."""

import os
import random
import statistics
import time

import cluster
import support
from cluster_load import Load

ROUNDS = int(os.environ.get("WEIR_INTEROP_KILLS", 50 if support.FULL else 3))
BOUND = 2 * cluster.ELECTION_MS / 1000 + 1
CATCH_UP_SECONDS_MAX = 20


class Kill:
    def strike(self, node):
        node.kill()

    def heal(self, node):
        node.start(wait=False)


class Pause:
    def strike(self, node):
        node.pause()

    def heal(self, node):
        node.resume()


class CutOff:
    def strike(self, node):
        node.cluster.network.cut_off(node.number)

    def heal(self, node):
        node.cluster.network.join(node.number)


class FailoverTest(support.unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        support.need_weir("clusters of several nodes")

    def test_controllers_are_killed_and_stopped(self):
        self.run_faults(cluster.Loopback, (Kill(), Pause()), ROUNDS)

    def test_controllers_are_cut_off(self):
        self.run_faults(cluster.Namespaces, (CutOff(),), max(2, ROUNDS - 1))

    def run_faults(self, network, faults, rounds):
        seed = cluster.seed()
        print(f"  {rounds} faults, WEIR_INTEROP_SEED={seed}", flush=True)
        self.chance = random.Random(seed)
        self.elections, self.writes, self.extra = [], [], 0
        with cluster.Cluster(cluster.APART, network) as nodes:
            with Load(nodes, seed) as load:
                try:
                    for number in range(rounds):
                        self.one_round(nodes, faults[number % len(faults)])
                        load.check_clients()
                finally:
                    print(f"  {load.said()}", flush=True)
            print(f"  {load.said()}", flush=True)
            topics = load.check()
            nodes.check_alive()
            cluster.until(lambda: self.logs_agree(nodes), CATCH_UP_SECONDS_MAX, "the logs do not agree")
            print(f"  {topics} topics as acknowledged on {len(nodes.brokers)} brokers; {nodes.check_logs()} offsets, "
                  f"{len(nodes.leaders)} terms in {len(nodes.nodes)} logs, {self.extra} elections without a fault",
                  flush=True)
        for what, times in (("a new controller", self.elections), ("a change acknowledged", self.writes)):
            print(f"  {what} after {statistics.median(times):.2f} s in the middle, {max(times):.2f} s at most, "
                  f"of {len(times)}", flush=True)
        self.assertLessEqual(max(self.elections), BOUND)

    def logs_agree(self, nodes):
        ends = {node.log()[-1].end for node in nodes.nodes.values()}
        return len(ends) == 1 and nodes.check_logs()

    def one_round(self, nodes, fault):
        time.sleep(self.chance.uniform(0.3, 1))
        epoch, victim = nodes.active()
        fault.strike(victim)
        struck = time.monotonic()
        try:
            epoch, leader = cluster.until(lambda: nodes.active(above=epoch), 4 * BOUND,
                                          lambda: f"node {victim.number}: nobody leads after "
                                                  f"{type(fault).__name__}\n{nodes.said()}")
            self.elections.append(time.monotonic() - struck)
            self.assertNotEqual(leader.number, victim.number)
            self.write(nodes, victim.number, epoch)
            self.writes.append(time.monotonic() - struck)
            time.sleep(self.chance.uniform(0, 2))
        finally:
            fault.heal(victim)
        end = leader.log()[-1].end
        cluster.until(lambda: victim.log()[-1:] and victim.log()[-1].end >= end, CATCH_UP_SECONDS_MAX,
                      lambda: f"node {victim.number} does not follow after {type(fault).__name__}\n{nodes.said()}", 0.1)
        now, _ = nodes.active()
        self.extra += now - epoch
        print(f"    {type(fault).__name__} of node {victim.number} in term {epoch}: node {leader.number} leads after "
              f"{self.elections[-1]:.2f} s, a change is acknowledged after {self.writes[-1]:.2f} s", flush=True)

    def write(self, nodes, *name):
        """Asks brokers in turn for a topic, each on a connection of its own, until one says that it is there."""
        deadline = time.monotonic() + 4 * BOUND
        answers, number = [], 0
        while time.monotonic() < deadline:
            node, number = nodes.brokers[number % len(nodes.brokers)], number + 1
            peer = node.peer(timeout=1)
            try:
                answer = peer.ask("CreateTopics", 7, timeoutMs=1000, topics=[
                    {"name": "probe-" + "-".join(map(str, name + (number,))), "numPartitions": 1,
                     "replicationFactor": 1}])
                answers.append(answer and (answer["topics"][0]["errorCode"], answer["topics"][0]["errorMessage"]))
                if answer and answer["topics"][0]["errorCode"] == 0:
                    return
            except OSError as error:
                answers.append(error)
            finally:
                peer.close()
            time.sleep(0.02)
        raise AssertionError(f"no change is acknowledged: {answers[-5:]}\n{nodes.said()}")
