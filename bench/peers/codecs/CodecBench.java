import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.Function;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Measures kafka-clients on the messages of a file: lines of name, version and hexadecimal bytes, as //bench:protocol_bench
 * writes them. Prints JSON lines: name, and the nanoseconds of decoding and of encoding one, warm: the best of ROUNDS rounds.
 */
public class CodecBench {
    static final int ROUNDS = 12;
    static final long ROUND_NANOS = 250_000_000L;
    static Object sink;

    interface Decode {
        ApiMessage from(Readable in, short version);
    }

    static Decode decoderOf(String name) {
        return switch (name) {
            case "ProduceRequest" -> ProduceRequestData::new;
            case "ProduceResponse" -> ProduceResponseData::new;
            case "FetchRequest" -> FetchRequestData::new;
            case "FetchResponse" -> FetchResponseData::new;
            case "MetadataResponse" -> MetadataResponseData::new;
            case "ApiVersionsResponse" -> ApiVersionsResponseData::new;
            case "JoinGroupRequest" -> JoinGroupRequestData::new;
            case "JoinGroupResponse" -> JoinGroupResponseData::new;
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** As a client does it: the size first, then the bytes. */
    static void encode(ApiMessage message, short version, ByteBuffer out) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = message.size(cache, version);
        out.clear();
        message.write(new ByteBufferAccessor(out), cache, version);
        if (out.position() != size) throw new IllegalStateException("size");
    }

    static double measure(Runnable work) {
        double best = Double.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long done = 0, begin = System.nanoTime(), now;
            do {
                for (int i = 0; i < 32; i++) work.run();
                done += 32;
                now = System.nanoTime();
            } while (now - begin < ROUND_NANOS);
            best = Math.min(best, (double) (now - begin) / done);
        }
        return best;
    }

    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split(" ");
            short version = Short.parseShort(words[1]);
            byte[] frame = HexFormat.of().parseHex(words[2]);
            Decode decoder = decoderOf(words[0]);
            ApiMessage decoded = decoder.from(new ByteBufferAccessor(ByteBuffer.wrap(frame)), version);
            ByteBuffer out = ByteBuffer.allocate(2 * frame.length);
            encode(decoded, version, out);
            if (!Arrays.equals(Arrays.copyOf(out.array(), out.position()), frame)) {
                throw new IllegalStateException(words[0] + ": kafka-clients encodes other bytes");
            }
            double decodeNanos = measure(
                () -> sink = decoder.from(new ByteBufferAccessor(ByteBuffer.wrap(frame)), version));
            double encodeNanos = measure(() -> encode(decoded, version, out));
            System.out.printf(java.util.Locale.ROOT, "{\"name\":\"%s\",\"decode_ns\":%.1f,\"encode_ns\":%.1f}%n", words[0],
                decodeNanos, encodeNanos);
        }
    }
}
