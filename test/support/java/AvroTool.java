import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * The second reader and writer of Avro, with Apache's own library. Lines in: "schema, id, its text", or "record, bytes,
 * id of the reader's schema". For each record one line out: what was read by the reader's schema (as JSON that names the
 * Java types), and the same value as Java writes it by the writer's, plainly and in blocks; or "error" and why.
 * Bytes travel as base64 behind Confluent's prefix; fields are parted by tabs.
 */
public final class AvroTool {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final Map<Integer, Schema> SCHEMAS = new HashMap<>();
    private static final GenericData DATA = new GenericData();

    public static void main(String[] args) throws Exception {
        DATA.addLogicalTypeConversion(new Conversions.DecimalConversion());
        DATA.addLogicalTypeConversion(new Conversions.UUIDConversion());
        DATA.addLogicalTypeConversion(new TimeConversions.DateConversion());
        DATA.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split("\t");
            if (parts[0].equals("schema")) {
                SCHEMAS.put(Integer.parseInt(parts[1]), new Schema.Parser().parse(parts[2]));
                continue;
            }
            try {
                out.println(answer(Base64.getDecoder().decode(parts[1]), SCHEMAS.get(Integer.parseInt(parts[2]))));
            } catch (Exception error) {
                out.println("error\t" + error.toString().replaceAll("\\s+", " "));
            }
        }
    }

    private static String answer(byte[] framed, Schema reader) throws Exception {
        ByteBuffer frame = ByteBuffer.wrap(framed);
        if (frame.get() != 0) throw new IllegalArgumentException("the first byte is not zero");
        int id = frame.getInt();
        Schema writer = SCHEMAS.get(id);
        Object resolved = read(framed, writer, reader);
        Object own = read(framed, writer, writer);
        String plain = write(id, writer, own, false);
        return "value\t" + new ObjectMapper().writeValueAsString(shown(reader, resolved)) + "\t" + plain + "\t"
            + write(id, writer, own, true);
    }

    private static Object read(byte[] framed, Schema writer, Schema reader) throws Exception {
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(framed, 5, framed.length - 5, null);
        Object value = new GenericDatumReader<Object>(writer, reader, DATA).read(null, decoder);
        if (!decoder.isEnd()) throw new IllegalArgumentException("bytes are left");
        return value;
    }

    private static String write(int id, Schema schema, Object value, boolean inBlocks) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(ByteBuffer.allocate(5).put((byte) 0).putInt(id).array());
        EncoderFactory factory = new EncoderFactory().configureBlockSize(64);
        BinaryEncoder encoder = inBlocks ? factory.blockingBinaryEncoder(bytes, null) : factory.binaryEncoder(bytes, null);
        new GenericDatumWriter<Object>(schema, DATA).write(value, encoder);
        encoder.flush();
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    private static JsonNode shown(Schema schema, Object value) {
        if (schema.getType() == Schema.Type.UNION) {
            Schema branch = schema.getTypes().get(DATA.resolveUnion(schema, value));
            return value == null ? JSON.nullNode() : tagged("union", JSON.arrayNode().add(branch.getFullName()).add(shown(branch, value)));
        }
        if (value == null) return JSON.nullNode();
        if (value instanceof Boolean) return JSON.booleanNode((Boolean) value);
        if (value instanceof Integer || value instanceof Long) {
            return tagged(value instanceof Long ? "long" : "int", JSON.textNode(value.toString()));
        }
        if (value instanceof Float || value instanceof Double) {
            long bits = Double.doubleToLongBits(((Number) value).doubleValue());
            return tagged("double", JSON.textNode(String.format("%016x", bits)));
        }
        if (value instanceof Instant) return tagged("instant", JSON.textNode(Long.toString(((Instant) value).toEpochMilli())));
        if (value instanceof LocalDate) return tagged("date", JSON.textNode(value.toString()));
        if (value instanceof BigDecimal) return JSON.textNode(((BigDecimal) value).toPlainString());
        if (value instanceof UUID) return JSON.textNode(value.toString());
        if (value instanceof ByteBuffer) {
            ByteBuffer copy = ((ByteBuffer) value).duplicate();
            byte[] bytes = new byte[copy.remaining()];
            copy.get(bytes);
            return tagged("bytes", JSON.textNode(Base64.getEncoder().encodeToString(bytes)));
        }
        if (value instanceof GenericFixed) {
            return tagged("bytes", JSON.textNode(Base64.getEncoder().encodeToString(((GenericFixed) value).bytes())));
        }
        if (value instanceof IndexedRecord) {
            ObjectNode fields = JSON.objectNode();
            for (Schema.Field field : schema.getFields()) {
                fields.set(field.name(), shown(field.schema(), ((IndexedRecord) value).get(field.pos())));
            }
            return fields;
        }
        if (value instanceof Collection) {
            ArrayNode items = JSON.arrayNode();
            for (Object item : (Collection<?>) value) items.add(shown(schema.getElementType(), item));
            return items;
        }
        if (value instanceof Map) {
            ObjectNode entries = JSON.objectNode();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                entries.set(entry.getKey().toString(), shown(schema.getValueType(), entry.getValue()));
            }
            return entries;
        }
        return JSON.textNode(value.toString());
    }

    private static ObjectNode tagged(String type, JsonNode value) {
        return JSON.objectNode().set("$" + type, value);
    }
}
