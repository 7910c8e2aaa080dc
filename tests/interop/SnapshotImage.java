import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.image.writer.ImageWriterOptions;
import org.apache.kafka.image.writer.RecordListWriter;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.raft.Batch;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.snapshot.FileRawSnapshotReader;
import org.apache.kafka.snapshot.RecordsSnapshotReader;
import org.apache.kafka.snapshot.SnapshotPath;
import org.apache.kafka.snapshot.Snapshots;

/**
 * Loads a snapshot of the cluster metadata as Apache Kafka's controllers do, and writes the image again. Prints each
 * record of the file after `< ` and each of the image after `> `.
 */
public class SnapshotImage {
  static final int BATCH_BYTES = 8 * 1024 * 1024;  // as Kafka's own readers

  public static void main(String[] paths) throws Exception {
    Path path = Path.of(paths[0]);
    SnapshotPath snapshot = Snapshots.parse(path).get();
    MetadataDelta delta = new MetadataDelta.Builder().setImage(MetadataImage.EMPTY).build();
    LogContext log = new LogContext();
    try (FileRawSnapshotReader file = FileRawSnapshotReader.open(path.getParent(), snapshot.snapshotId());
         RecordsSnapshotReader<ApiMessageAndVersion> reader = RecordsSnapshotReader.of(
             file, MetadataRecordSerde.INSTANCE, BufferSupplier.create(), BATCH_BYTES, true, log)) {
      while (reader.hasNext()) {
        Batch<ApiMessageAndVersion> batch = reader.next();
        for (ApiMessageAndVersion record : batch.records()) {
          System.out.println("< " + record);
          delta.replay(record.message());
        }
      }
      delta.finishSnapshot();
      MetadataImage image = delta.apply(new MetadataProvenance(
          reader.lastContainedLogOffset(), reader.lastContainedLogEpoch(), reader.lastContainedLogTimestamp(), true));
      List<String> lost = new ArrayList<>();
      RecordListWriter writer = new RecordListWriter();
      image.write(writer, new ImageWriterOptions.Builder(image).setEligibleLeaderReplicasEnabled(true)
          .setLossHandler(loss -> lost.add(loss.getMessage())).build());
      for (ApiMessageAndVersion record : writer.records()) System.out.println("> " + record);
      for (String loss : lost) System.out.println("lost " + loss);
      System.out.println("end " + image.highestOffsetAndEpoch());
    }
  }
}
