// Writes tests/golden/protocol.txt, or records.txt: messages serialised by Apache Kafka's own
// generated classes. Run by tools/golden.sh with the version and either the names of APIs or
// --records and names of classes. For every API, request and response, or record, and every version,
// two messages: "full", in which every field of the version has a value that is not its default and
// the top level has an unknown tagged field, and "null", in which everything that may be null is.
// What a version has is asked of the class's own schema, so nothing here repeats the definitions.

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.MemoryRecords;

public final class GenerateGolden {
  // Where the classes of records are, in the jars of Kafka's modules.
  private static final String[] PACKAGES = {
    "org.apache.kafka.common.message.",
    "org.apache.kafka.common.metadata.",
    "org.apache.kafka.coordinator.group.generated.",
    "org.apache.kafka.coordinator.transaction.generated.",
  };

  private final boolean nulls;
  private final short version;
  private int counter = 0;

  private GenerateGolden(boolean nulls, short version) {
    this.nulls = nulls;
    this.version = version;
  }

  public static void main(String[] arguments) throws Exception {
    boolean records = arguments[1].equals("--records");
    System.out.println(
        "# " + (records ? "Records" : "Messages") + " serialised by the classes of Apache Kafka "
            + arguments[0] + " (tests/golden/GenerateGolden.java, tools/golden.sh): "
            + (records ? "name, record" : "api, direction") + ", version, variant, hex or -");
    for (int i = records ? 2 : 1; i < arguments.length; ++i) {
      if (records) {
        every(arguments[i], "record", recordClass(arguments[i]));
        continue;
      }
      for (String direction : new String[] {"Request", "Response"}) {
        every(arguments[i], direction.toLowerCase(),
            Class.forName(PACKAGES[0] + arguments[i] + direction + "Data"));
      }
    }
  }

  private static Class<?> recordClass(String name) throws Exception {
    for (String prefix : PACKAGES) {
      for (String suffix : new String[] {"", "Data"}) {
        try {
          return Class.forName(prefix + name + suffix);
        } catch (ClassNotFoundException e) {
          continue;
        }
      }
    }
    throw new ClassNotFoundException(name);
  }

  private static void every(String name, String kind, Class<?> type) throws Exception {
    Message probe = (Message) type.getConstructor().newInstance();
    short last = probe.highestSupportedVersion();
    if (probe instanceof ApiMessage message && !kind.equals("record")) {
      last = ApiKeys.forId(message.apiKey()).latestVersion(/* enableUnstableLastVersion= */ false);
    }
    for (short version = probe.lowestSupportedVersion(); version <= last; ++version) {
      write(name, kind, type, version, false);
      write(name, kind, type, version, true);
    }
  }

  private static void write(
      String name, String kind, Class<?> type, short version, boolean nulls) throws Exception {
    Schema schema = ((Schema[]) type.getField("SCHEMAS").get(null))[version];
    Message message = (Message) new GenerateGolden(nulls, version).struct(type, schema);
    BoundField[] fields = schema.fields();
    boolean flexible =
        fields.length > 0 && fields[fields.length - 1].def.type instanceof TaggedFields;
    if (flexible && !nulls) {
      message.unknownTaggedFields().add(new RawTaggedField(1000, new byte[] {1, 2, 3}));
    }
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException(name + " " + version);
    StringBuilder hex = new StringBuilder();
    for (byte b : buffer.array()) hex.append(String.format("%02x", b));
    System.out.println(
        name + " " + kind + " " + version + " " + (nulls ? "null" : "full") + " "
            + (hex.length() == 0 ? "-" : hex));
  }

  private Object struct(Class<?> type, Schema schema) throws Exception {
    Object object = type.getConstructor().newInstance();
    for (BoundField bound : schema.fields()) {
      if (bound.def.type instanceof TaggedFields tagged) {
        for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> entry :
            fieldsOf(tagged).entrySet()) {
          set(object, entry.getValue().name, entry.getValue().type);
        }
      } else {
        set(object, bound.def.name, bound.def.type);
      }
    }
    return object;
  }

  // Sets a struct to null if it may be: schemas do not say, but the class then has a size for it.
  private void nullStruct(Object object, Field field) throws Exception {
    Object value = field.get(object);
    field.set(object, null);
    try {
      ((Message) object)
          .addSize(new MessageSizeAccumulator(), new ObjectSerializationCache(), version);
    } catch (NullPointerException e) {
      field.set(object, value);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<Integer, org.apache.kafka.common.protocol.types.Field> fieldsOf(
      TaggedFields tagged) throws Exception {
    Field map = TaggedFields.class.getDeclaredField("fields");
    map.setAccessible(true);
    return (Map<Integer, org.apache.kafka.common.protocol.types.Field>) map.get(tagged);
  }

  private void set(
      Object object, String name, org.apache.kafka.common.protocol.types.Type wire)
      throws Exception {
    for (Field field : object.getClass().getDeclaredFields()) {
      if (Modifier.isStatic(field.getModifiers())) continue;
      if (!field.getName().equalsIgnoreCase(name.replace("_", ""))) continue;
      field.setAccessible(true);
      field.set(object, nulls && wire.isNullable() ? null : value(field.getGenericType(), wire));
      if (nulls && wire instanceof Schema) nullStruct(object, field);
      return;
    }
    throw new IllegalStateException("no field " + name + " in " + object.getClass());
  }

  private Object value(Type type, org.apache.kafka.common.protocol.types.Type wire)
      throws Exception {
    int n = ++counter;
    if (type == boolean.class) return !nulls;
    if (type == byte.class || type == Byte.class) return (byte) (0x40 + n % 32);
    if (type == short.class || type == Short.class) return (short) (0x0100 + n);
    if (type == int.class || type == Integer.class) {
      return wire.toString().equals("UINT16") ? 0xff00 + n % 256 : 0x01020000 + n;
    }
    if (type == long.class || type == Long.class) return 0x0102030405060000L + n;
    if (type == double.class) return n + 0.5;
    // Every seventh string is long enough for a compact length of two bytes.
    if (type == String.class) return "s" + n + (n % 7 == 0 ? "é".repeat(70) : "");
    if (type == Uuid.class) return new Uuid(0x1122334455667700L + n, 0x8899aabbccddee00L + n);
    if (type == byte[].class) return new byte[] {(byte) n, 0, (byte) 0xff};
    if (type == ByteBuffer.class) return ByteBuffer.wrap(new byte[] {(byte) n, 0, (byte) 0xff});
    if (type instanceof Class<?> c && c.getName().endsWith("Records")) {
      return MemoryRecords.readableRecords(ByteBuffer.wrap(new byte[] {(byte) n, 5, 6, 7}));
    }
    if (wire.isArray()) return array(type, wire.arrayElementType().get());
    return struct((Class<?>) type, (Schema) wire);
  }

  @SuppressWarnings("unchecked")
  private Object array(Type type, org.apache.kafka.common.protocol.types.Type element)
      throws Exception {
    Collection<Object> elements;
    Type elementType;
    if (type instanceof ParameterizedType list) {
      elements = new java.util.ArrayList<>();
      elementType = list.getActualTypeArguments()[0];
    } else {
      Class<?> collection = (Class<?>) type;
      elements = (Collection<Object>) collection.getConstructor().newInstance();
      elementType =
          ((ParameterizedType) collection.getGenericSuperclass()).getActualTypeArguments()[0];
    }
    for (int i = 0; i < 2; ++i) elements.add(value(elementType, element));
    return elements;
  }
}
