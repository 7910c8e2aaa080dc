// A member of a consumer group with kafkajs: node member.js ADDRESS TOPIC GROUP SESSION_MS until SIGTERM.
// Prints what group_member.py prints.
const { Kafka, logLevel } = require('kafkajs');

async function main(address, topic, groupId, session) {
  const kafka = new Kafka({ clientId: 'interop', brokers: [address], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    maxWaitTimeInMs: Number(session) / 10, // it beats between fetches
    groupId, sessionTimeout: Number(session), heartbeatInterval: Number(session) / 5, rebalanceTimeout: 10000,
  });
  consumer.on(consumer.events.GROUP_JOIN, (event) => {
    const mine = event.payload.memberAssignment[topic] || [];
    console.log(['assigned', ...mine.sort()].join(' '));
  });
  consumer.on(consumer.events.CRASH, (event) => {
    if (!event.payload.restart) console.log(`failed ${event.payload.error}`);
  });
  process.on('SIGTERM', async () => {
    await consumer.disconnect();
    process.exit(0);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ partition, message }) => console.log(`read ${partition} ${message.offset}`),
  });
}

main(...process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
