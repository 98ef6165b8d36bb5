package modulecontroller.base;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import com.alipay.sofa.koupleless.arklet.core.command.CommandService;
import com.alipay.sofa.koupleless.arklet.core.command.builtin.model.BizInfo;
import com.alipay.sofa.koupleless.arklet.core.command.meta.Output;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** What a base does with a command that came over MQTT, and in what shape and on which topic it answers. */
final class MqttCommands {

    private final CommandService service;
    private final BiConsumer<String, Object> publish;

    MqttCommands(CommandService service, BiConsumer<String, Object> publish) {
        this.service = service;
        this.publish = publish;
    }

    /** An unknown command, or one that is no JSON, gets no answer, as upstream does. */
    void handle(String command, String body) {
        try {
            switch (command) {
                case "health" -> publish.accept("base/health", service.process(command, JSON.parseObject(body)));
                case "queryAllBiz" ->
                    publish.accept("base/simpleBiz", simple(service.process(command, new JSONObject())));
                case "installBiz", "uninstallBiz" -> operation(command, JSON.parseObject(body));
                case "baseline" -> baseline(JSON.parseArray(body).toJavaList(JSONObject.class));
                default -> BaseTunnel.log("unsupported command", new IllegalArgumentException(command));
            }
        } catch (Exception e) {
            BaseTunnel.log(command, e);
        }
    }

    private void operation(String command, JSONObject args) {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("command", command);
        data.put("bizName", args.get("bizName"));
        data.put("bizVersion", args.get("bizVersion"));
        try {
            data.put("response", service.process(command, args));
        } catch (Exception e) {
            data.put("response", failure(e));
        }
        publish.accept("base/bizOperation", data);
    }

    /**
     * The bizs of a baseline, one after the other: 2.1.6 has no batchInstallBiz over a list. The answer is put together
     * as 2.1.11 gives it.
     */
    private void baseline(List<JSONObject> bizs) {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("command", "batchInstallBiz");
        try {
            Map<String, Object> byUrl = new LinkedHashMap<>();
            boolean all = true;
            for (JSONObject biz : bizs) {
                String url = biz.getString("bizUrl");
                Output<?> output = service.process("installBiz", biz);
                all &= output.getCode().name().equals("SUCCESS");
                byUrl.put(url, output.getData());
            }
            Map<String, Object> inner = new LinkedHashMap<>();
            inner.put("bizUrlToResponse", byUrl);
            inner.put("code", all ? "SUCCESS" : "FAILED");
            inner.put("message", all ? "batch install success" : "batch install failed");
            Map<String, Object> response = new LinkedHashMap<>();
            response.put("code", all ? "SUCCESS" : "FAILED");
            response.put("data", inner);
            if (!all) {
                response.put("message", "install biz not success!");
            }
            data.put("response", response);
        } catch (Exception e) {
            data.put("response", failure(e));
        }
        publish.accept("base/batchInstallBizResponse", data);
    }

    /** The message is one line, the data the whole stack trace. */
    private static Map<String, Object> failure(Exception e) {
        StringWriter trace = new StringWriter();
        e.printStackTrace(new PrintWriter(trace, true));
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("code", "FAILED");
        data.put("message", trace.toString());
        Map<String, Object> response = new LinkedHashMap<>();
        response.put("code", "FAILED");
        response.put("data", data);
        response.put("message", e.getMessage());
        return response;
    }

    private static List<Map<String, Object>> simple(Output<?> output) {
        List<Map<String, Object>> all = new ArrayList<>();
        for (Object o : (List<?>) output.getData()) {
            BizInfo biz = (BizInfo) o;
            Map<String, Object> m = new LinkedHashMap<>();
            m.put("name", biz.getBizName());
            m.put("state", biz.getBizState().getBizState());
            m.put("version", biz.getBizVersion());
            all.add(m);
        }
        return all;
    }
}
