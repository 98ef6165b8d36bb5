package modulecontroller.base;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.serializer.SerializerFeature;
import com.alipay.sofa.koupleless.arklet.core.command.CommandService;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.MqttCallbackExtended;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** The topics {@code koupleless_<env>/<identity>/...}: commands in, answers and heartbeats out, QoS 1, not retained. */
final class MqttTunnel implements MqttCallbackExtended {

    private final ExecutorService worker = Executors.newFixedThreadPool(5, BaseTunnel::daemon);
    private final MqttCommands commands;
    private final MqttClient client;
    private volatile boolean baselineAsked;
    private volatile boolean stopped;

    MqttTunnel(String broker, CommandService service) {
        try {
            client = new MqttClient(broker, Settings.text("mqtt.clientid", "base@@@" + Settings.IDENTITY),
                new MemoryPersistence());
        } catch (MqttException e) {
            throw new IllegalStateException("bad broker address " + broker, e);
        }
        commands = new MqttCommands(service, this::publish);
        client.setCallback(this);
        client.setTimeToWait(5_000);
    }

    /** Tries until the broker is there; later breaks are mended by the client itself. */
    void connect() {
        while (!stopped) {
            try {
                MqttConnectOptions options = MqttTls.options();
                options.setAutomaticReconnect(true);
                options.setMaxReconnectDelay((int) Settings.millis("mqtt.reconnect.max.ms", 2_000));
                options.setConnectionTimeout(5);
                options.setKeepAliveInterval((int) (Settings.millis("mqtt.keepalive.ms", 10_000) / 1_000));
                client.connect(options);
                return;
            } catch (Exception e) {
                BaseTunnel.log("no MQTT broker at " + client.getServerURI(), e);
            }
            try {
                Thread.sleep(500);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    void heartbeat(String state) {
        if (client.isConnected()) {
            publish("base/heart", Settings.heartbeat(0, state));
        }
    }

    void shutdown() {
        stopped = true;
        worker.shutdownNow();
    }

    private static String topic(String tail) {
        return "koupleless_" + Settings.ENV + "/" + Settings.IDENTITY + "/" + tail;
    }

    private void publish(String tail, Object data) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("data", data);
        m.put("publishTimestamp", System.currentTimeMillis());
        byte[] bytes = JSON.toJSONString(m, SerializerFeature.DisableCircularReferenceDetect)
            .getBytes(StandardCharsets.UTF_8);
        try {
            client.publish(topic(tail), bytes, 1, false);
        } catch (MqttException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void connectComplete(boolean again, String uri) {
        worker.submit(() -> {
            try {
                client.subscribe(topic("+"), 1);
                client.subscribe(topic("base/baseline"), 1);
                if (!baselineAsked) {
                    baselineAsked = true;
                    publish("base/queryBaseline", Settings.metadata());
                }
                heartbeat("activated");
            } catch (MqttException | RuntimeException e) {
                BaseTunnel.log("subscribe", e);
            }
        });
    }

    @Override
    public void messageArrived(String topic, MqttMessage message) {
        String command = topic.substring(topic.lastIndexOf('/') + 1);
        String body = new String(message.getPayload(), StandardCharsets.UTF_8);
        worker.submit(() -> commands.handle(command, body));
    }

    @Override
    public void connectionLost(Throwable cause) {
        BaseTunnel.log("connection lost", cause);
    }

    @Override
    public void deliveryComplete(IMqttDeliveryToken token) {
    }
}
