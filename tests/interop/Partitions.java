import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** What tests/golden/print_partitions prints, as the Java client has it. */
public class Partitions {
  public static void main(String[] counts) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    StringBuilder out = new StringBuilder();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      byte[] key = HexFormat.of().parseHex(line);
      out.append(Utils.murmur2(key));
      for (String count : counts) {
        out.append(' ').append(BuiltInPartitioner.partitionForKey(key, Integer.parseInt(count)));
      }
      out.append('\n');
    }
    System.out.print(out);
  }
}
