package modulecontroller.base;

import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A base with nothing in it but SOFAArk, Arklet and our tunnels. */
@SpringBootApplication
@RestController
public class BaseApp {

    public static void main(String[] args) {
        // Arklet reads its settings from system properties only.
        if (System.getProperty("koupleless.arklet.custom.tunnel.classname") == null) {
            System.setProperty("koupleless.arklet.custom.tunnel.classname", BaseTunnel.class.getName());
        }
        SpringApplication.run(BaseApp.class, args);
    }

    @GetMapping("/who")
    Map<String, String> who() {
        return Map.of("name", Settings.NAME, "version", Settings.VERSION);
    }
}
