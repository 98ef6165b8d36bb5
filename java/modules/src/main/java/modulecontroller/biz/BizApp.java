package modulecontroller.biz;

import com.alipay.sofa.ark.api.ArkClient;
import com.alipay.sofa.ark.spi.model.Biz;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * The program of every test module. Its name and version are those of the package it came in, and it tells them at
 * {@code GET /<web context path>/who}.
 *
 * <p>Install arguments: {@code --biz.fail=true} throws at start-up (the package {@code failing} does so by itself),
 * {@code --biz.delay.ms=N} sleeps before it is up (the package {@code slow} sleeps 5,000 ms by itself).
 */
@SpringBootApplication
@RestController
public class BizApp {

    private final String name;
    private final String version;

    BizApp(@Value("${biz.name}") String name, @Value("${biz.version}") String version,
           @Value("${biz.fail:false}") boolean fail, @Value("${biz.delay.ms:0}") long delayMs)
        throws InterruptedException {
        Thread.sleep(delayMs);
        if (fail) {
            throw new IllegalStateException(name + " told to fail at start-up");
        }
        this.name = name;
        this.version = version;
    }

    /** Arklet calls this with the install arguments. */
    public static void main(String[] args) {
        Biz biz = ArkClient.getBizManagerService().getBizByClassLoader(BizApp.class.getClassLoader());
        SpringApplication app = new SpringApplication(BizApp.class);
        app.setDefaultProperties(Map.of(
            "spring.application.name", biz.getBizName(),
            "info.app.version", biz.getBizVersion(),
            "biz.name", biz.getBizName(),
            "biz.version", biz.getBizVersion(),
            "biz.fail", biz.getBizName().equals("failing"),
            "biz.delay.ms", biz.getBizName().equals("slow") ? 5000 : 0));
        app.run(args);
    }

    @GetMapping("/who")
    Map<String, String> who() {
        return Map.of("name", name, "version", version);
    }
}
