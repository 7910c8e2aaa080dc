"""Things at the same time: topics are created and deleted and producer ids taken while records are produced."""

import threading

import support
import test_bad_input
from wire import Peer

PRODUCERS = 8
ROUNDS = 100


class ConcurrentTest(support.BrokerTest):

    def produce(self, partition, stop, acked):
        peer = Peer(self.broker.port)
        batch = test_bad_input.record_batch()
        data = [{"name": self.topic, "partitionData": [{"index": partition, "records": batch}]}]
        try:
            while not stop.is_set():
                answer = peer.ask("Produce", 9, acks=-1, timeoutMs=10000, topicData=data)
                done = answer["responses"][0]["partitionResponses"][0]
                acked[partition].append((done["errorCode"], done["baseOffset"]))
        except (OSError, TypeError, ValueError) as error:
            acked[partition].append((str(error), -1))
        finally:
            peer.close()

    def test_metadata_changes_while_records_are_produced(self):
        peer = Peer(self.broker.port)
        self.addCleanup(peer.close)
        self.create(peer, self.topic, PRODUCERS)
        stop, acked = threading.Event(), [[] for _ in range(PRODUCERS)]
        threads = [threading.Thread(target=self.produce, args=(p, stop, acked)) for p in range(PRODUCERS)]
        for thread in threads:
            thread.start()
        try:
            for number in range(ROUNDS):
                self.create(peer, f"other-{number}", 4)
                taken = peer.ask("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=1000)
                self.assertIn(taken["errorCode"], (0, 14))  # Kafka has no block of ids at first
                if number % 2:
                    gone = peer.ask("DeleteTopics", 5, timeoutMs=10000, topicNames=[f"other-{number}"])
                    self.assertEqual(gone["responses"][0]["errorCode"], 0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for answers in acked:
            self.assertGreater(len(answers), 1)
            self.assertEqual(answers, [(0, offset) for offset in range(len(answers))])

    def create(self, peer, name, partitions):
        answer = peer.ask("CreateTopics", 5, timeoutMs=10000, topics=[
            {"name": name, "numPartitions": partitions, "replicationFactor": 1}])
        self.assertIsNotNone(answer, self.broker.output())
        self.assertEqual(answer["topics"][0]["errorCode"], 0)
        self.wait_until_led(peer, name, partitions)

    def wait_until_led(self, peer, name, partitions):
        """Kafka answers before every partition leads."""
        for _ in range(1000):
            answer = peer.ask("ListOffsets", 5, replicaId=-1, topics=[{"name": name, "partitions": [
                {"partitionIndex": p, "timestamp": -1} for p in range(partitions)]}])
            if all(p["errorCode"] == 0 for p in answer["topics"][0]["partitions"]):
                return
        self.fail(f"{name} has no leaders")
