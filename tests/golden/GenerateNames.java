// Writes tests/golden/names.txt: the numbers that Apache Kafka gives its errors, APIs and types of
// records, asked of its own enumerations. Run by tools/golden.sh with the version.

import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.record.ControlRecordType;

public final class GenerateNames {
  public static void main(String[] arguments) {
    System.out.println(
        "# Enumerations of Apache Kafka " + arguments[0]
            + " (tests/golden/GenerateNames.java, tools/golden.sh):");
    System.out.println("# error CODE NAME retriable|final");
    System.out.println("# api KEY NAME FIRST-LAST flexible VERSION|never broker|controller[,...]");
    System.out.println("# control TYPE NAME; metadata|group|transaction TYPE NAME");
    for (Errors error : Errors.values()) {
      boolean retriable = error.exception() instanceof RetriableException;
      System.out.println(
          "error " + error.code() + " " + error.name() + (retriable ? " retriable" : " final"));
    }
    for (ApiKeys api : ApiKeys.values()) {
      if (api.oldestVersion() > api.latestVersion(false)) continue;  // gone, as those of ZooKeeper
      StringBuilder listeners = new StringBuilder();
      for (ApiMessageType.ListenerType listener : api.messageType.listeners()) {
        listeners.append(listeners.length() == 0 ? "" : ",").append(listener.name().toLowerCase());
      }
      int flexible = api.oldestVersion();
      while (flexible <= api.latestVersion(false) && api.requestHeaderVersion((short) flexible) < 2) {
        ++flexible;
      }
      boolean never = flexible > api.latestVersion(false);
      System.out.println(
          "api " + api.id + " " + api.name + " " + api.oldestVersion() + "-"
              + api.latestVersion(false) + " flexible " + (never ? "never" : flexible) + " "
              + listeners);
    }
    for (ControlRecordType type : ControlRecordType.values()) {
      System.out.println("control " + type.type() + " " + type.name());
    }
    for (MetadataRecordType type : MetadataRecordType.values()) {
      System.out.println("metadata " + type.id() + " " + type.name());
    }
    for (var type : org.apache.kafka.coordinator.group.generated.CoordinatorRecordType.values()) {
      System.out.println("group " + type.id() + " " + type.name());
    }
    for (var type
        : org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordType.values()) {
      System.out.println("transaction " + type.id() + " " + type.name());
    }
  }
}
