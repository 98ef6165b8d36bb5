package modulecontroller.base;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;

/** Who a base is to the broker: user and password, the CA it trusts, its own certificate; all PEM, all optional. */
final class MqttTls {

    private MqttTls() {
    }

    static MqttConnectOptions options() throws GeneralSecurityException, IOException {
        MqttConnectOptions options = new MqttConnectOptions();
        String user = Settings.text("mqtt.user", "");
        if (!user.isEmpty()) {
            options.setUserName(user);
            options.setPassword(Settings.text("mqtt.password", "").toCharArray());
        }
        String ca = Settings.text("mqtt.ca", "");
        if (!ca.isEmpty()) {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys(), trust(Path.of(ca)).getTrustManagers(), null);
            options.setSocketFactory(context.getSocketFactory());
        }
        return options;
    }

    private static TrustManagerFactory trust(Path ca) throws GeneralSecurityException, IOException {
        KeyStore store = empty();
        int n = 0;
        for (Certificate c : certificates(ca)) {
            store.setCertificateEntry("ca" + n++, c);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory;
    }

    private static KeyManager[] keys() throws GeneralSecurityException, IOException {
        String cert = Settings.text("mqtt.cert", "");
        if (cert.isEmpty()) {
            return null;
        }
        KeyStore store = empty();
        store.setKeyEntry("base", key(Path.of(Settings.text("mqtt.key", ""))), new char[0],
            certificates(Path.of(cert)).toArray(new Certificate[0]));
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, new char[0]);
        return factory.getKeyManagers();
    }

    private static KeyStore empty() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        return store;
    }

    private static Collection<? extends Certificate> certificates(Path pem) throws GeneralSecurityException, IOException {
        return CertificateFactory.getInstance("X.509")
            .generateCertificates(new ByteArrayInputStream(Files.readAllBytes(pem)));
    }

    /** A PKCS#8 key ("BEGIN PRIVATE KEY"). */
    private static PrivateKey key(Path pem) throws GeneralSecurityException, IOException {
        String body = Files.readString(pem).replaceAll("-----[^-]+-----", "").replaceAll("\\s", "");
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(body));
        try {
            return KeyFactory.getInstance("EC").generatePrivate(spec);
        } catch (InvalidKeySpecException notEc) {
            return KeyFactory.getInstance("RSA").generatePrivate(spec);
        }
    }
}
