import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import org.apache.kafka.common.utils.Utils;

/** Prints `hex(key) murmur2 positive%7 positive%50` for 1200 keys, as the Java client computes them. */
public class GenerateMurmur2 {
  public static void main(String[] args) {
    Random random = new Random(4242);
    for (int i = 0; i < 1200; ++i) {
      byte[] key;
      if (i < 64) {
        key = new byte[i];
        random.nextBytes(key);
      } else if (i < 700) {
        key = ("key-" + i).getBytes(StandardCharsets.UTF_8);
      } else {
        key = new byte[random.nextInt(40)];
        random.nextBytes(key);
      }
      int hash = Utils.murmur2(key);
      int positive = Utils.toPositive(hash);
      System.out.println((key.length == 0 ? "-" : HexFormat.of().formatHex(key)) + " " + hash + " " + positive % 7 + " "
          + positive % 50);
    }
  }
}
