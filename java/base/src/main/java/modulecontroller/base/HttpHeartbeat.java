package modulecontroller.base;

import com.alibaba.fastjson.JSON;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** {@code POST <endpoint>/heartbeat}; the answer is not read, a failure only logged, as upstream does. */
final class HttpHeartbeat {

    private final HttpClient client = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(2)).build();
    private final URI uri;
    private volatile CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

    HttpHeartbeat(String endpoint) {
        uri = URI.create(endpoint + "/heartbeat");
    }

    CompletableFuture<Void> send(String state) {
        HttpRequest request = HttpRequest.newBuilder(uri)
            .header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(state.equals("activated") ? 10 : 2))
            .POST(HttpRequest.BodyPublishers.ofString(
                JSON.toJSONString(Settings.heartbeat(Settings.arkletPort(), state))))
            .build();
        last = client.sendAsync(request, HttpResponse.BodyHandlers.discarding()).handle((response, failure) -> {
            if (failure != null) {
                BaseTunnel.log("POST " + uri, failure);
            } else if (response.statusCode() != 200) {
                BaseTunnel.log("POST " + uri, new IllegalStateException("status " + response.statusCode()));
            }
            return null;
        });
        return last;
    }

    /** The one that was sent last: what is sent after its end cannot be overtaken by it. */
    CompletableFuture<Void> last() {
        return last;
    }
}
