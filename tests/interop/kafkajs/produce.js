// kafkajs against a broker: node produce.js ADDRESS TOPIC.
// Its consumer needs groups; this produces and asks for offsets.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

async function main(address, topic) {
  const kafka = new Kafka({ clientId: 'interop', brokers: [address], logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }], waitForLeaders: true });
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
    const messages = [];
    for (let n = 0; n < 500; n += 1) {
      messages.push({ key: `k${n}`, value: `value ${n}`, headers: { from: 'kafkajs' }, partition: n % 2 });
    }
    const answers = await producer.send({ topic, messages, compression, acks: -1 });
    if (answers.some((answer) => answer.errorCode !== 0)) throw new Error(JSON.stringify(answers));
  }
  await producer.disconnect();
  const offsets = await admin.fetchTopicOffsets(topic);
  const highs = offsets.map((o) => `${o.partition}:${o.low}-${o.high}`).sort().join(' ');
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  const cluster = await admin.describeCluster();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  console.log(`${highs}; ${metadata.topics[0].partitions.length} partitions; ${cluster.brokers.length} brokers`);
}

main(...process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
