"""The same requests to Weir and to Apache Kafka: every API, every version, good cases and bad ones.

Equal must be: which fields there are, error codes, what is null, counts, offsets. What two clusters cannot share (ids,
ports, times, the words of an error message) is compared by kind only. Known differences are named where they are
asked for.
"""

import time

import support
import test_bad_input
import weir_process
from wire import Peer

NULL_ID = bytes(16)
OTHER_ID = bytes(range(16))
NOT_SHARED = {"clusterId", "port", "host", "logAppendTimeMs", "producerId", "leaderId"}


def batch(**arguments):
    return test_bad_input.record_batch(**arguments)


def kind(name, value):
    """What must be equal of a value that two clusters do not share."""
    if name == "errorMessage" or name.endswith("ErrorMessage"):
        return "null" if value is None else "a text"
    if name == "topicId":
        return "no id" if value == NULL_ID else "an id"
    if name in NOT_SHARED:
        return f"{type(value).__name__} {'below 0' if isinstance(value, int) and value < 0 else ''}"
    return value


def differences(name, ours, theirs):
    """Lines of `path: ours, theirs`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        lines = [f"{name}.{key}: only {who}'s" for key, who in
                 [(k, "Weir") for k in ours.keys() - theirs.keys()] +
                 [(k, "Kafka") for k in theirs.keys() - ours.keys()]]
        return lines + [line for key in ours if key in theirs
                        for line in differences(f"{name}.{key}", ours[key], theirs[key])]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [line for at, pair in enumerate(zip(ours, theirs)) for line in differences(f"{name}[{at}]", *pair)]
    last = name.rsplit(".", 1)[-1]
    if kind(last, ours) != kind(last, theirs):
        return [f"{name}: Weir {ours!r}, Kafka {theirs!r}"]
    return []


class SideBySideTest(support.unittest.TestCase):

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        support.need_weir("side by side")
        jars = support.kafka_jars()
        config = {"auto.create.topics.enable": "false"}
        cls.weir = support.broker(config=config)
        cls.addClassCleanup(cls.weir.__exit__)
        cls.kafka = weir_process.Broker(jars, "kafka", config=config)
        cls.addClassCleanup(cls.kafka.__exit__)
        cls.weir.start()
        cls.kafka.start()
        cls.peers = {name: Peer(broker.port) for name, broker in (("weir", cls.weir), ("kafka", cls.kafka))}
        for peer in cls.peers.values():
            cls.addClassCleanup(peer.close)

    def versions(self, api):
        message = Peer.messages[api + "Request"]
        return range(message.min, message.max + 1)

    def both(self, api, version, known=(), name="", only=None, **values):
        """Asks both and compares. `known` are parts of lines that may differ; values may be made by a function of the
        peer's name. Returns Weir's and Kafka's answers."""
        answers = []
        for who, peer in self.peers.items():
            given = {key: value(who) if callable(value) else value for key, value in values.items()}
            try:
                answers.append(peer.ask(api, version, **given))
            except OSError as error:
                peer.close()
                answers.append({"no answer": str(error)})
        ours, theirs = answers
        compared = [only(answer) if only and answer is not None else answer for answer in answers]
        found = [line for line in differences("", *compared) if not any(part in line for part in known)]
        with self.subTest(api=api, version=version, case=name):
            self.assertEqual(found, [], f"{api} {version} {name}")
        return ours, theirs

    def make(self, topic, partitions=2, configs=()):
        """Creates a topic on both. Returns {peer's name: id}."""
        ids = {}
        for who, peer in self.peers.items():
            answer = peer.ask("CreateTopics", 7, timeoutMs=10000, topics=[
                {"name": topic, "numPartitions": partitions, "replicationFactor": 1,
                 "configs": [{"name": k, "value": v} for k, v in configs]}])
            self.assertEqual(answer["topics"][0]["errorCode"], 0, answer)
            ids[who] = answer["topics"][0]["topicId"]
            self.wait_for(who, lambda answer: all(p["errorCode"] == 0 for p in answer["topics"][0]["partitions"]),
                          "ListOffsets", 5, replicaId=-1, topics=[{"name": topic, "partitions": [
                              {"partitionIndex": p, "timestamp": -1} for p in range(partitions)]}])
        return ids

    def wait_for(self, who, is_ready, api, version, **values):
        """Kafka answers CreateTopics before its partitions lead."""
        deadline = time.monotonic() + 30
        while not is_ready(self.peers[who].ask(api, version, **values)):
            self.assertLess(time.monotonic(), deadline, f"{who} is not ready")
            time.sleep(0.05)

    def test_api_versions(self):
        ours = {api["apiKey"] for api in self.peers["weir"].ask("ApiVersions", 0)["apiKeys"]}
        for version in self.versions("ApiVersions"):
            def of_ours(answer):
                answer = dict(answer)
                answer["apiKeys"] = sorted((k["apiKey"], k["minVersion"], k["maxVersion"]) for k in answer["apiKeys"]
                                           if k["apiKey"] in ours)
                for features in ("supportedFeatures", "finalizedFeatures", "finalizedFeaturesEpoch"):
                    if features in answer:
                        answer[features] = type(answer[features]).__name__
                return answer
            self.both("ApiVersions", version, only=of_ours, clientSoftwareName="side", clientSoftwareVersion="1.0")
            if version >= 3:
                self.both("ApiVersions", version, name="bad name", only=of_ours, clientSoftwareName="-",
                          clientSoftwareVersion="")

    def test_metadata(self):
        ids = self.make("side-metadata")
        for version in self.versions("Metadata"):
            more = {"allowAutoTopicCreation": True} if version >= 4 else {}

            def of_topic(answer):
                answer = dict(answer)
                answer["topics"] = [t for t in answer["topics"] if t["name"] == "side-metadata" or t["errorCode"]]
                for topic in answer["topics"]:
                    topic["partitions"].sort(key=lambda p: p["partitionIndex"])
                return answer
            self.both("Metadata", version, name="all", only=of_topic, topics=None if version >= 1 else [], **more)
            if version >= 1:
                self.both("Metadata", version, name="none", topics=[])
            self.both("Metadata", version, name="one", only=of_topic, topics=[{"name": "side-metadata"}], **more)
            self.both("Metadata", version, name="twice", only=of_topic, topics=[{"name": "side-metadata"}] * 2, **more)
            self.both("Metadata", version, name="unknown", topics=[{"name": "side-nothing"}], **more)
            for bad in ("a/b", "..", "x" * 250, ""):
                self.both("Metadata", version, name=f"name '{bad[:9]}'", topics=[{"name": bad}], **more)
            if version >= 8:
                self.both("Metadata", version, name="operations", topics=[{"name": "side-metadata"}], only=of_topic,
                          includeTopicAuthorizedOperations=True,
                          **({"includeClusterAuthorizedOperations": True} if version <= 10 else {}))
            if version >= 10:
                # Kafka refuses ids before version 12 with an error for the whole request; Weir serves them.
                known = () if version >= 12 else (".",)
                self.both("Metadata", version, known, name="by id", only=of_topic,
                          topics=lambda who: [{"topicId": ids[who], "name": None}])
                self.both("Metadata", version, known, name="unknown id", topics=[{"topicId": OTHER_ID, "name": None}])

    def test_produce(self):
        ids = self.make("side-produce")
        batches = {"good": batch(), "three": batch(count=3), "bad crc": batch(crc_error=1), "none": b"",
                   "count": batch(count=2, last_offset_delta=5), "control": batch(attributes=0x20),
                   "magic": batch(magic=3), "two": batch() + batch(), "cut": batch()[:40], "codec": batch(attributes=7),
                   "large": batch(records=b"\0" * 1100000)}
        # Weir says what is wrong with a batch and Kafka often does not; Kafka tells the log's start with some refusals.
        refusal = (".errorMessage", ".logStartOffset")
        known = {name: () if name in ("good", "three") else refusal for name in batches}
        # Kafka takes half a header for an invalid record, another magic for a damaged one, and has no error of its own
        # for a codec that does not exist.
        for name in ("cut", "magic", "codec"):
            known[name] = refusal + (".errorCode",)
        for version in self.versions("Produce"):
            def topic(partitions, name="side-produce", version=version):
                def make(who):
                    here = {"partitionData": [{"index": p, "records": r} for p, r in partitions]}
                    here.update({"topicId": ids[who] if name == "side-produce" else OTHER_ID} if version >= 13
                                else {"name": name})
                    return [here]
                return make
            for name, records in batches.items():
                for acks in (1, -1):
                    self.both("Produce", version, known[name], name=f"{name} acks {acks}", acks=acks, timeoutMs=5000,
                              topicData=topic([(0, records)]))
            self.both("Produce", version, name="partitions", only=self.partitions_in_order, acks=1, timeoutMs=5000,
                      topicData=topic([(0, batch()), (1, batch()), (2, batch()), (-1, batch())]))
            self.both("Produce", version, name="unknown topic", acks=1, timeoutMs=5000,
                      topicData=topic([(0, batch())], "side-nothing"))
            self.both("Produce", version, refusal, name="acks 2", acks=2, timeoutMs=5000,
                      topicData=topic([(0, batch())]))
            self.both("Produce", version, name="nothing", acks=1, timeoutMs=5000, topicData=[])

    def partitions_in_order(self, answer):
        for topic in answer["responses"]:
            topic["partitionResponses"].sort(key=lambda partition: partition["index"])
        return answer

    def test_fetch(self):
        ids = self.make("side-fetch")
        for who, peer in self.peers.items():
            peer.ask("Produce", 9, acks=-1, timeoutMs=5000, topicData=[
                {"name": "side-fetch", "partitionData": [{"index": 0, "records": batch(count=5)}]}])
        for version in self.versions("Fetch"):
            def topics(*partitions, name="side-fetch", version=version):
                def make(who):
                    topic_id = ids[who] if name == "side-fetch" else OTHER_ID
                    key = {"topicId": topic_id} if version >= 13 else {"topic": name}
                    return [dict(key, partitions=[dict({"partitionMaxBytes": 1 << 20}, **p) for p in partitions])]
                return make
            ask = {"maxWaitMs": 1, "minBytes": 1, "maxBytes": 1 << 20}
            self.both("Fetch", version, name="records", topics=topics({"partition": 0}), **ask)
            self.both("Fetch", version, name="middle", topics=topics({"partition": 0, "fetchOffset": 3}), **ask)
            self.both("Fetch", version, name="end", topics=topics({"partition": 0, "fetchOffset": 5}), **ask)
            self.both("Fetch", version, name="beyond", topics=topics({"partition": 0, "fetchOffset": 6}), **ask)
            self.both("Fetch", version, name="negative", topics=topics({"partition": 0, "fetchOffset": -1}), **ask)
            self.both("Fetch", version, name="empty", topics=topics({"partition": 1}), **ask)
            self.both("Fetch", version, name="partition 9", topics=topics({"partition": 9}), **ask)
            self.both("Fetch", version, name="unknown", topics=topics({"partition": 0}, name="side-nothing"), **ask)
            self.both("Fetch", version, name="one byte", topics=topics({"partition": 0, "partitionMaxBytes": 1}), **ask)
            self.both("Fetch", version, name="committed", isolationLevel=1, topics=topics({"partition": 0}), **ask)
            self.both("Fetch", version, name="max", topics=topics({"partition": 0, "partitionMaxBytes": 2**31 - 1}),
                      maxWaitMs=1, minBytes=1, maxBytes=2**31 - 1)
            self.both("Fetch", version, name="nothing", topics=[], **ask)
            if version >= 9:
                for epoch in (0, 1, 5):
                    self.both("Fetch", version, name=f"epoch {epoch}",
                              topics=topics({"partition": 0, "currentLeaderEpoch": epoch}), **ask)
            if version >= 12:
                self.both("Fetch", version, name="diverged",
                          topics=topics({"partition": 0, "fetchOffset": 5, "lastFetchedEpoch": 3}), **ask)
            if version >= 7:
                self.both("Fetch", version, name="no session", sessionId=12345, sessionEpoch=1, topics=[], **ask)
                ours, theirs = self.both("Fetch", version, name="session", known=(".sessionId",), sessionId=0,
                                         sessionEpoch=0, topics=topics({"partition": 0}, {"partition": 1}), **ask)
                if ours is None or theirs is None:
                    continue
                session = {"weir": ours["sessionId"], "kafka": theirs["sessionId"]}
                for epoch, name in ((1, "next"), (1, "epoch again"), (2, "after")):
                    self.both("Fetch", version, name=f"session {name}", known=(".sessionId",), topics=[],
                              sessionId=session.get, sessionEpoch=epoch, **ask)
                self.both("Fetch", version, name="session ends", known=(".sessionId",), topics=[],
                          sessionId=session.get, sessionEpoch=-1, **ask)

    def test_list_offsets(self):
        self.make("side-offsets")
        for peer in self.peers.values():
            peer.ask("Produce", 9, acks=-1, timeoutMs=5000, topicData=[
                {"name": "side-offsets", "partitionData": [{"index": 0, "records": batch(count=5)}]}])
        for version in self.versions("ListOffsets"):
            stamps = (-1, -2, -3, -4, -5, -6, -7, 0, 1_700_000_000_000, 2**62)
            for partition, stamp in [(p, s) for p in (0, 1) for s in stamps] + [(9, -1)]:
                self.both("ListOffsets", version, name=f"{partition} at {stamp}", replicaId=-1, topics=[
                    {"name": "side-offsets", "partitions": [{"partitionIndex": partition, "timestamp": stamp}]}])
            self.both("ListOffsets", version, name="unknown", replicaId=-1, topics=[
                {"name": "side-nothing", "partitions": [{"partitionIndex": 0, "timestamp": -1}]}])
            self.both("ListOffsets", version, name="twice", replicaId=-1, topics=[
                {"name": "side-offsets", "partitions": [{"partitionIndex": 0, "timestamp": -1}] * 2}])
            if version >= 4:
                for epoch in (0, 5):
                    self.both("ListOffsets", version, name=f"epoch {epoch}", replicaId=-1, topics=[
                        {"name": "side-offsets", "partitions": [
                            {"partitionIndex": 0, "timestamp": -1, "currentLeaderEpoch": epoch}]}])

    def test_create_and_delete_topics(self):
        for version in self.versions("CreateTopics"):
            def topic(name, partitions=1, replicas=1, **more):
                return dict({"name": f"side-{version}-{name}" if name not in ("..", "a/b", "") else name,
                             "numPartitions": partitions, "replicationFactor": replicas}, **more)
            cases = {
                "good": [topic("good")], "again": [topic("good")], "two": [topic("a"), topic("b", 3)],
                "same twice": [topic("same"), topic("same")], "defaults": [topic("defaults", -1, -1)],
                "replication": [topic("rf", 1, 3)], "partitions": [topic("parts", 0)], "minus": [topic("minus", -2)],
                "dots": [topic("..")], "slash": [topic("a/b")], "empty": [topic("")],
                "config": [topic("conf", configs=[{"name": "retention.ms", "value": "1000"}])],
                "bad value": [topic("bad", configs=[{"name": "retention.ms", "value": "soon"}])],
                "bad key": [topic("bad", configs=[{"name": "no.such.key", "value": "1"}])],
                "null value": [topic("bad", configs=[{"name": "retention.ms", "value": None}])],
                "assigned": [topic("assigned", -1, -1, assignments=[{"partitionIndex": 0, "brokerIds": [1]}])],
                "assigned badly": [topic("gap", -1, -1, assignments=[{"partitionIndex": 1, "brokerIds": [1]}])],
                "assigned nowhere": [topic("where", -1, -1, assignments=[{"partitionIndex": 0, "brokerIds": [77]}])],
                "assigned and counted": [topic("both", 1, 1, assignments=[{"partitionIndex": 0, "brokerIds": [1]}])],
                "collides": [topic("a.b"), topic("a_b")], "nothing": []}
            for validate in (True, False):
                for name, topics in cases.items():
                    # A topic that is only validated gets no id from Weir. Topics that would share the names of their
                    # metrics are refused by Kafka only when one of them is there already.
                    known = (".topicId",) if validate else ()
                    known += ("topics[1].",) if name == "collides" else ()
                    self.both("CreateTopics", version, name=f"{name}, {validate}", timeoutMs=10000,
                              topics=topics, known=known,
                              only=lambda answer: self.without_configs(answer, "topics"), validateOnly=validate)
        for version in self.versions("DeleteTopics"):
            names = {"good": [f"side-2-{'good' if version == 1 else 'x'}"], "unknown": ["side-nothing"], "empty": [""],
                     "several": [f"side-{version}-a", f"side-{version}-b", "side-nothing"],
                     "twice": [f"side-{version}-conf"] * 2, "none": []}
            for name, topics in names.items():
                given = {"topics": [{"name": topic} for topic in topics]} if version >= 6 else {"topicNames": topics}
                self.both("DeleteTopics", version, name=name, timeoutMs=10000, only=self.sorted_deletions, **given)
        ids = self.make("side-by-id")
        for name, topics in {"id": lambda who: [{"topicId": ids[who]}], "again": lambda who: [{"topicId": ids[who]}],
                             "unknown": lambda who: [{"topicId": OTHER_ID}],
                             "neither": lambda who: [{}]}.items():
            self.both("DeleteTopics", 6, name=name, timeoutMs=10000, topics=topics)

    def without_configs(self, answer, key):
        """The settings are compared as a count; test_describe_configs looks closer."""
        answer[key].sort(key=lambda topic: topic["name"])
        for topic in answer[key]:
            if topic.get("configs"):
                topic["configs"] = "some"
        return answer

    def sorted_deletions(self, answer):
        answer["responses"].sort(key=lambda topic: (topic["name"] or "", topic["errorCode"]))
        return answer

    def test_init_producer_id(self):
        self.wait_for("kafka", lambda answer: answer["errorCode"] == 0, "InitProducerId", 0, transactionalId=None,
                      transactionTimeoutMs=1000)
        for version in self.versions("InitProducerId"):
            self.both("InitProducerId", version, name="idempotent", transactionalId=None, transactionTimeoutMs=1000)
            self.both("InitProducerId", version, name="empty id", transactionalId="", transactionTimeoutMs=1000)
            if version >= 3:
                for identity, epoch in ((5, 0), (5, -1), (-1, 3), (-5, -5)):
                    self.both("InitProducerId", version, name=f"{identity}, {epoch}", transactionalId=None,
                              transactionTimeoutMs=1000, producerId=identity, producerEpoch=epoch)

    def test_describe_configs(self):
        self.make("side-configs", configs=[("retention.ms", "4242"), ("max.message.bytes", "77777")])
        for version in self.versions("DescribeConfigs"):
            # A cluster that Kafka formats has min.insync.replicas as dynamic default (KIP-966). Kafka names no synonym
            # of a default that it computes from another unit.
            for synonyms in (False, True):
                self.both("DescribeConfigs", version, (".synonyms", ".configSource"),
                          name=f"all, {synonyms}", includeSynonyms=synonyms, resources=[
                    {"resourceType": 2, "resourceName": "side-configs", "configurationKeys": None}],
                    only=self.configs_in_order)
            for name, resource in {
                    "keys": (2, "side-configs", ["retention.ms", "max.message.bytes", "no.such.key"]),
                    "no keys": (2, "side-configs", []), "unknown": (2, "side-nothing", None),
                    "bad name": (2, "a/b", None), "broker 9": (4, "9", None), "broker x": (4, "x", None),
                    "type 3": (3, "1", None), "type 77": (77, "1", None),
                    "broker": (4, "1", ["num.partitions", "log.retention.ms"])}.items():
                # What Kafka may change at run time Weir says it cannot.
                known = {"broker": (".readOnly",), "no keys": (".configSource",)}.get(name, ())
                self.both("DescribeConfigs", version, known, name=name, only=self.configs_in_order, resources=[
                    {"resourceType": resource[0], "resourceName": resource[1], "configurationKeys": resource[2]}])

    def configs_in_order(self, answer):
        for result in answer["results"]:
            result["configs"].sort(key=lambda config: config["name"])
            for config in result["configs"]:
                if config.get("documentation") is not None:
                    config["documentation"] = "a text"
        return answer

    def test_describe_cluster(self):
        for version in self.versions("DescribeCluster"):
            for operations in (False, True):
                self.both("DescribeCluster", version, name=f"operations {operations}",
                          includeClusterAuthorizedOperations=operations)
            if version >= 1:
                for endpoint in (2, 0, 77):
                    self.both("DescribeCluster", version, name=f"endpoint {endpoint}", endpointType=endpoint)

    def test_find_coordinator(self):
        for version in self.versions("FindCoordinator"):
            given = {"coordinatorKeys": ["a", "b"]} if version >= 4 else {"key": "a"}
            for key_type in (0, 1, 2, 3, -1) if version >= 1 else (0,):
                # Weir has no coordinators yet; Kafka answers 15, too, until it has made its topics.
                # Share groups have keys of their own kind, which Kafka refuses when they are not.
                known = (".nodeId", ".port", ".errorCode", ".errorMessage") if key_type in (0, 1, 2) else ()
                self.both("FindCoordinator", version, name=f"type {key_type}", known=known,
                          **(dict(given, keyType=key_type) if version >= 1 else given))
