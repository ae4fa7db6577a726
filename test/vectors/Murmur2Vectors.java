import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Prints where the Java client puts keys. How to run it: README.md beside this file. */
public class Murmur2Vectors {
  private static final int[] COUNTS = {1, 3, 8, 50};

  public static void main(String[] arguments) {
    List<String> rows = new ArrayList<>();
    for (byte[] key : keys()) rows.add(row(key));
    System.out.println("[\n" + String.join(",\n", rows) + "\n]");
  }

  private static String row(byte[] key) {
    StringBuilder partitions = new StringBuilder();
    for (int count : COUNTS) {
      if (partitions.length() > 0) partitions.append(", ");
      partitions.append("\"" + count + "\": " + BuiltInPartitioner.partitionForKey(key, count));
    }
    return "  { \"hex\": \"" + hex(key) + "\", \"hash\": " + Utils.murmur2(key) + ", \"partitions\": { " + partitions + " } }";
  }

  private static List<byte[]> keys() {
    List<byte[]> keys = new ArrayList<>();
    String[] texts = {"", "a", "ab", "abc", "abcd", "2", "100", "-1", "0", "9007199254740991", "tenant-1#0", "tenant-1#7",
      "raw_events", "host-01.example.com", "ключ", "键", "告警", "naïve", "ß", "👩‍🚀", "\u0000", "\u00ff", "\ufeff",
      "a b", "key#with#hashes", "{\"json\":true}"};
    for (String text : texts) keys.add(text.getBytes(StandardCharsets.UTF_8));
    Random random = new Random(20240229L);
    for (int length = 1; length <= 32; length++) {
      keys.add(filled(length, (byte) 0));
      keys.add(filled(length, (byte) 0xff));
      for (int sample = 0; sample < 5; sample++) {
        byte[] key = new byte[length];
        random.nextBytes(key);
        keys.add(key);
      }
    }
    for (int number = 0; number < 40; number++) keys.add(Integer.toString(number * 37).getBytes(StandardCharsets.UTF_8));
    return keys;
  }

  private static byte[] filled(int length, byte value) {
    byte[] key = new byte[length];
    java.util.Arrays.fill(key, value);
    return key;
  }

  private static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte value : bytes) text.append(String.format("%02x", value));
    return text.toString();
  }
}
