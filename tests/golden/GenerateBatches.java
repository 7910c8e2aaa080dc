// Writes the record batches that tests/golden/batches_test.cc compares with, and reads back what Weir
// wrote. Not part of the build; run by hand against the jars of Apache Kafka 4.2.0:
//
//   java -cp 'KAFKA/libs/*' tests/golden/GenerateBatches.java generate tests/golden/batches
//   bazel run //tests/golden:write_batches -- /tmp/batches
//   java -cp 'KAFKA/libs/*' tests/golden/GenerateBatches.java verify /tmp/batches
//
// Every batch holds the same records: see Records below and SampleRecords in batches.h.
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;

public class GenerateBatches {
  static final long BASE_OFFSET = 1234567890123L;
  static final long BASE_TIMESTAMP = 1700000000000L;
  static final int RECORDS = 300;

  static byte[] bytes(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  static SimpleRecord record(int i) {
    List<Header> headers = new ArrayList<>();
    if (i % 5 == 0) headers.add(new RecordHeader("trace", bytes("t-" + i)));
    if (i % 10 == 0) headers.add(new RecordHeader("", null));
    String key = i % 7 == 0 ? null : "investor-" + i % 40;
    String value = i % 11 == 0 ? null
        : "{\"order_id\":" + i + ",\"asset_id\":\"A" + i % 13 + "\",\"shares\":" + i * 37 % 1000
            + ",\"price\":" + i * 7919 % 100000 + ",\"side\":\"" + (i % 2 == 0 ? "BUY" : "SELL") + "\"}";
    long timestamp = BASE_TIMESTAMP + (i % 3 == 0 ? -i : i * 1000L);
    return new SimpleRecord(timestamp, bytes(key), bytes(value), headers.toArray(new Header[0]));
  }

  static byte[] build(Compression compression, boolean idempotent) {
    MemoryRecordsBuilder builder = new MemoryRecordsBuilder(ByteBuffer.allocate(1 << 20),
        RecordBatch.MAGIC_VALUE_V2, compression, TimestampType.CREATE_TIME, BASE_OFFSET,
        RecordBatch.NO_TIMESTAMP, idempotent ? 4711L : RecordBatch.NO_PRODUCER_ID,
        idempotent ? (short) 12 : RecordBatch.NO_PRODUCER_EPOCH,
        idempotent ? Integer.MAX_VALUE - 10 : RecordBatch.NO_SEQUENCE, idempotent, false, 77, 1 << 20);
    for (int i = 0; i < RECORDS; i++) builder.append(record(i));
    return bytesOf(builder.build());
  }

  static byte[] bytesOf(MemoryRecords records) {
    ByteBuffer buffer = records.buffer().duplicate();
    byte[] out = new byte[buffer.remaining()];
    buffer.get(out);
    return out;
  }

  static byte[] commitMarker() {
    return bytesOf(MemoryRecords.withEndTransactionMarker(BASE_OFFSET, BASE_TIMESTAMP, 77, 4711L, (short) 12,
        new EndTransactionMarker(ControlRecordType.COMMIT, 5)));
  }

  static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static void verify(Path file) throws IOException {
    MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(file)));
    int batches = 0;
    for (MutableRecordBatch batch : records.batches()) {
      batches++;
      batch.ensureValid();
      check(batch.baseOffset() == BASE_OFFSET, "base offset");
      int i = 0;
      for (org.apache.kafka.common.record.Record came : batch) {
        SimpleRecord expected = record(i);
        check(new SimpleRecord(came).equals(expected), file + ": record " + i + " is " + came);
        check(came.offset() == BASE_OFFSET + i, "offset of record " + i);
        i++;
      }
      check(i == RECORDS, file + ": " + i + " records");
      System.out.println(file.getFileName() + ": " + batch.compressionType() + ", " + i + " records equal");
    }
    check(batches == 1, file + ": " + batches + " batches");
  }

  public static void main(String[] args) throws IOException {
    Path folder = Path.of(args[1]);
    if (args[0].equals("verify")) {
      for (String name : Arrays.asList("none", "idempotent", "gzip", "snappy", "lz4", "zstd")) {
        verify(folder.resolve(name + ".bin"));
      }
      return;
    }
    Files.createDirectories(folder);
    Files.write(folder.resolve("none.bin"), build(Compression.NONE, false));
    Files.write(folder.resolve("idempotent.bin"), build(Compression.NONE, true));
    Files.write(folder.resolve("gzip.bin"), build(Compression.gzip().build(), false));
    Files.write(folder.resolve("snappy.bin"), build(Compression.snappy().build(), false));
    Files.write(folder.resolve("lz4.bin"), build(Compression.lz4().build(), false));
    Files.write(folder.resolve("zstd.bin"), build(Compression.zstd().build(), false));
    Files.write(folder.resolve("commit_marker.bin"), commitMarker());
  }
}
