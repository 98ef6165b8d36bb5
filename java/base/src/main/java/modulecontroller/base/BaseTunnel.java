package modulecontroller.base;

import com.alipay.sofa.koupleless.arklet.core.api.tunnel.Tunnel;
import com.alipay.sofa.koupleless.arklet.core.command.CommandService;
import com.alipay.sofa.koupleless.arklet.core.hook.base.BaseMetadataHook;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Gives a base on koupleless 2.1.6 the tunnels that 2.1.11 has: the HTTP heartbeat and the MQTT topics, written from
 * recordings of the real ones. The commands themselves run in the real Arklet. Either tunnel is off when its address
 * ({@code base.heartbeat.http}, {@code base.mqtt}) is not given.
 */
public class BaseTunnel implements Tunnel {

    private final ScheduledExecutorService timer = Executors.newScheduledThreadPool(2, BaseTunnel::daemon);
    private CommandService commands;
    private HttpHeartbeat http;
    private MqttTunnel mqtt;

    static Thread daemon(Runnable r) {
        Thread t = new Thread(r, "base-tunnel");
        t.setDaemon(true);
        return t;
    }

    static void log(String what, Throwable why) {
        System.err.println("base tunnel: " + what + ": " + why);
    }

    @Override
    public void init(CommandService commandService, BaseMetadataHook ignored) {
        commands = commandService;
    }

    @Override
    public void run() {
        String endpoint = Settings.text("heartbeat.http", "");
        if (!endpoint.isEmpty()) {
            http = new HttpHeartbeat(endpoint);
            every(Settings.millis("heartbeat.http.ms", 12_000), "http heartbeat", () -> http.send("activated"));
        }
        String broker = Settings.text("mqtt", "");
        if (!broker.isEmpty()) {
            mqtt = new MqttTunnel(broker, commands);
            timer.execute(mqtt::connect);
            every(Settings.millis("heartbeat.mqtt.ms", 10_000), "mqtt heartbeat", () -> mqtt.heartbeat("activated"));
        }
        if (Settings.GOODBYE) {
            Runtime.getRuntime().addShutdownHook(new Thread(this::goodbye, "base-goodbye"));
        }
    }

    private void every(long ms, String what, Runnable task) {
        timer.scheduleAtFixedRate(() -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                log(what, e);
            }
        }, 0, ms, TimeUnit.MILLISECONDS);
    }

    /** A last heartbeat, so that a base that was told to stop is not waited for. */
    private void goodbye() {
        timer.shutdownNow();
        if (http != null) {
            try {
                timer.awaitTermination(1, TimeUnit.SECONDS);
                http.last().completeOnTimeout(null, 2, TimeUnit.SECONDS).join();
                http.send("deactivated").join();
            } catch (RuntimeException | InterruptedException e) {
                log("goodbye over http", e);
            }
        }
        if (mqtt != null) {
            try {
                mqtt.heartbeat("deactivated");
            } catch (RuntimeException e) {
                log("goodbye over mqtt", e);
            }
        }
    }

    @Override
    public void shutdown() {
        timer.shutdownNow();
        if (mqtt != null) {
            mqtt.shutdown();
        }
    }
}
