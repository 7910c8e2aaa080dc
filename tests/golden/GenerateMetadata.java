// Writes tests/golden/metadata.txt: metadata records framed and serialised by Apache Kafka's own
// classes, one a line: `Record version full|plain hex`. In "full" every field of the version has a
// value that is not its default; in "plain" none has, but fields that may not be null are not.
// Run: java -cp 'LIBS/*' tests/golden/GenerateMetadata.java > tests/golden/metadata.txt

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.AbstractCollection;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public final class GenerateMetadata {
  private static int next = 1;

  public static void main(String[] args) throws Exception {
    System.out.println("# Made by tests/golden/GenerateMetadata.java with Apache Kafka 4.2.0.");
    for (MetadataRecordType type : MetadataRecordType.values()) {
      for (short v = type.lowestSupportedVersion(); v <= type.highestSupportedVersion(); ++v) {
        next = 1;
        ApiMessage full = type.newMetadataRecord();
        fill(full, v);
        print(full, v, "full");
        print(type.newMetadataRecord(), v, "plain");
      }
    }
  }

  private static void print(ApiMessage record, short version, String kind) {
    MetadataRecordSerde serde = new MetadataRecordSerde();
    ApiMessageAndVersion message = new ApiMessageAndVersion(record, version);
    ObjectSerializationCache cache = new ObjectSerializationCache();
    int size;
    try {
      size = serde.recordSize(message, cache);
    } catch (NullPointerException e) {
      return;  // a default that Kafka itself cannot write
    }
    ByteBuffer buffer = ByteBuffer.allocate(size);
    serde.write(message, cache, new ByteBufferAccessor(buffer));
    StringBuilder hex = new StringBuilder();
    for (byte b : buffer.array()) hex.append(String.format("%02x", b));
    System.out.println(
        record.getClass().getSimpleName() + " " + version + " " + kind + " " + hex);
  }

  private static void fill(Object record, short version) throws Exception {
    Schema schema = (Schema) record.getClass().getField("SCHEMA_" + version).get(null);
    List<String> names = new ArrayList<>();
    for (BoundField field : schema.fields()) {
      if (field.def.type instanceof TaggedFields tagged) {
        for (var entry : tagged.fields().entrySet()) names.add(entry.getValue().name);
      } else {
        names.add(field.def.name);
      }
    }
    for (Field field : record.getClass().getDeclaredFields()) {
      String snake = field.getName().replaceAll("([A-Z])", "_$1").toLowerCase();
      if (Modifier.isStatic(field.getModifiers()) || !names.contains(snake)) continue;
      field.setAccessible(true);
      field.set(record, value(field.getGenericType(), version));
    }
  }

  @SuppressWarnings("unchecked")
  private static Object value(Type type, short version) throws Exception {
    int n = next++;
    if (type == byte.class) return (byte) n;
    if (type == short.class) return (short) (256 + n);
    if (type == int.class) return 70000 + n;
    if (type == long.class) return (1L << 40) + n;
    if (type == double.class) return n + 0.5;
    if (type == boolean.class) return true;
    if (type == String.class) return "text-" + n;
    if (type == Uuid.class) return new Uuid(n, 1000L + n);
    if (type == byte[].class) return new byte[] {(byte) n, 0, (byte) 255};
    if (type instanceof ParameterizedType list) {
      List<Object> items = new ArrayList<>();
      Type of = list.getActualTypeArguments()[0];
      for (int i = 0; i < 2; ++i) {
        items.add(of == Integer.class ? (Object) (70000 + next++) : value(of, version));
      }
      return items;
    }
    Class<?> of = (Class<?>) type;
    Object made = of.getDeclaredConstructor().newInstance();
    if (made instanceof AbstractCollection) {  // a keyed collection of structs
      Class<?> item = (Class<?>) ((ParameterizedType) of.getGenericSuperclass())
          .getActualTypeArguments()[0];
      for (int i = 0; i < 2; ++i) ((Collection<Object>) made).add(value(item, version));
      return made;
    }
    fill(made, version);
    return made;
  }
}
