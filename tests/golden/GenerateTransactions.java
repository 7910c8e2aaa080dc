// Writes the partition that log/kafka_folder_test.cc opens: transactions that were committed, aborted
// and left open, over several segments. Not part of the build; run by hand against a broker of Apache
// Kafka 4.2.0 with these settings besides those of config/server.properties:
//
//   transaction.state.log.replication.factor=1  transaction.state.log.min.isr=1
//
//   java -cp 'KAFKA/libs/*' tests/golden/GenerateTransactions.java 127.0.0.1:9092
//
// then stop the broker and copy what is in its folder transactions-0 but partition.metadata, without the
// *.index and *.timeindex files, which are preallocated. What `kafka-dump-log.sh` says of the folder goes beside it.
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class GenerateTransactions {
  static final String TOPIC = "transactions";
  static final long SEGMENT_MS = 3000;
  static String address;
  static int sent = 0;

  static KafkaProducer<String, String> producer(String transactionalId, String codec) {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", address);
    config.put("compression.type", codec);
    config.put("linger.ms", 200);
    config.put("transaction.timeout.ms", 900000);
    if (transactionalId != null) config.put("transactional.id", transactionalId);
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    if (transactionalId != null) producer.initTransactions();
    return producer;
  }

  // Records whose values say what became of them.
  static void send(KafkaProducer<String, String> producer, String fate, int count) {
    for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(TOPIC, 0, "key " + sent, fate + " " + sent++));
    producer.flush();
  }

  static void nextSegment() throws Exception {
    Thread.sleep(SEGMENT_MS + 500);
  }

  public static void main(String[] arguments) throws Exception {
    address = arguments[0];
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      Map<String, String> config = Map.of("segment.ms", "" + SEGMENT_MS, "retention.ms", "-1");
      admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1).configs(config))).all().get();
    }
    KafkaProducer<String, String> plain = producer(null, "none");
    KafkaProducer<String, String> a = producer("a", "none");
    KafkaProducer<String, String> b = producer("b", "gzip");
    KafkaProducer<String, String> c = producer("c", "zstd");
    send(plain, "plain", 2);
    a.beginTransaction();
    send(a, "committed", 3);
    a.commitTransaction();
    a.beginTransaction();
    send(a, "aborted", 2);
    b.beginTransaction();
    send(b, "aborted", 3);
    a.abortTransaction();
    send(plain, "plain", 1);
    nextSegment();
    send(b, "aborted", 2);
    c.beginTransaction();
    send(c, "committed", 4);
    b.abortTransaction();
    c.commitTransaction();
    nextSegment();
    send(plain, "plain", 1);
    a.beginTransaction();
    send(a, "aborted", 1);
    a.abortTransaction();
    b.beginTransaction();
    send(b, "committed", 2);
    b.commitTransaction();
    nextSegment();
    send(plain, "plain", 1);
    c.beginTransaction();
    send(c, "open", 2);
    a.beginTransaction();
    send(a, "aborted", 1);
    a.abortTransaction();
    send(plain, "plain", 1);
    Runtime.getRuntime().halt(0);  // the last transaction of c stays open
  }
}
