import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.transport.Netty4Plugin;

/** One node of Elasticsearch on loopback, without its distribution: its folder, the port for HTTP and the one between nodes. */
public final class SearchNode extends Node {
  private SearchNode(Environment environment) {
    super(environment, Collections.singletonList(Netty4Plugin.class), false);
  }

  public static void main(String[] args) throws Exception {
    Path home = Paths.get(args[0]);
    Settings settings = Settings.builder()
        .put("path.home", home.toString())
        .put("cluster.name", "tests")
        .put("node.name", "one")
        .put("discovery.type", "single-node")
        .put("network.host", "127.0.0.1")
        .put("http.port", args[1])
        .put("transport.port", args[2])
        .put("http.type", "netty4")
        .put("transport.type", "netty4")
        // A disk that is nearly full would make indices read-only.
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .build();
    new SearchNode(new Environment(settings, home.resolve("config"))).start();
    Thread.currentThread().join();
  }
}
