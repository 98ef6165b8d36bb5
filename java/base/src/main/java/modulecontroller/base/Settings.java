package modulecontroller.base;

import java.util.LinkedHashMap;
import java.util.Map;

/** What a base says of itself, and where to: the system properties {@code base.*}. The README lists them. */
final class Settings {

    static final String IDENTITY = text("identity", "base-1");
    static final String NAME = text("name", "base");
    static final String VERSION = text("version", "1.0.0");
    static final String CLUSTER = text("cluster", "default");
    static final String ENV = text("env", "default");
    static final String LOCAL_IP = text("localip", "127.0.0.1");
    static final String HOSTNAME = text("hostname", "test-host");
    static final boolean GOODBYE = Boolean.parseBoolean(text("goodbye", "true"));

    private Settings() {
    }

    static String text(String key, String otherwise) {
        return System.getProperty("base." + key, otherwise);
    }

    static long millis(String key, long otherwise) {
        return Long.getLong("base." + key, otherwise);
    }

    /** The port that the HTTP heartbeat tells: Arklet's own. */
    static int arkletPort() {
        return Integer.getInteger("koupleless.arklet.http.port", 1238);
    }

    /** {@code baseMetadata} of a heartbeat, and the whole of a baseline question. */
    static Map<String, Object> metadata() {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("clusterName", CLUSTER);
        m.put("identity", IDENTITY);
        m.put("name", NAME);
        m.put("version", VERSION);
        return m;
    }

    /** A heartbeat. Over MQTT upstream tells port 0. */
    static Map<String, Object> heartbeat(int port, String state) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("baseMetadata", metadata());
        m.put("localHostName", HOSTNAME);
        m.put("localIP", LOCAL_IP);
        m.put("port", port);
        m.put("state", state);
        return m;
    }
}
