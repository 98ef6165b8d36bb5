//! A mosquitto broker of one's own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;
use crate::{artifacts, names};

/// Who may connect, and how.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// Users and their passwords. With none, anybody may connect.
    pub users: Vec<(String, String)>,
    /// TLS with a certificate for `127.0.0.1` and `localhost`, from a CA of its own.
    pub tls: bool,
    /// A client must show a certificate of that CA ([`Broker::client_certificate`]). Implies TLS.
    pub client_certificates: bool,
}

/// A certificate and its key, both PEM (the key PKCS#8).
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The file of the certificate.
    pub cert: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
}

/// A broker on a port of its own on 127.0.0.1, which it keeps when it is stopped and started again. It forgets its
/// sessions and messages when it stops.
#[derive(Debug)]
pub struct Broker {
    process: Option<Process>,
    program: PathBuf,
    port: u16,
    ca: Option<Ca>,
    dir: WorkDir,
}

impl Broker {
    /// Starts one and waits until it takes connections.
    pub fn start(options: &BrokerOptions) -> Result<Self> {
        let program = artifacts::mosquitto()?;
        let dir = WorkDir::new("broker")?;
        let port = names::free_port()?;
        let mut config = format!(
            "listener {port} 127.0.0.1\npersistence false\nset_tcp_nodelay true\nlog_dest stderr\nlog_type all\n\
             user root\nallow_anonymous {}\n",
            options.users.is_empty()
        );
        if !options.users.is_empty() {
            let file = dir.join("users");
            fs::write(&file, "").context("writing the broker's users")?;
            for (user, password) in &options.users {
                set_password(&file, user, password)?;
            }
            config += &format!("password_file {}\n", file.display());
        }
        let mut ca = None;
        if options.tls || options.client_certificates {
            let authority = Ca::new(dir.path())?;
            let own = authority.issue(dir.path(), "broker", ExtendedKeyUsagePurpose::ServerAuth)?;
            config += &format!(
                "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate {}\n",
                authority.file.display(),
                own.cert.display(),
                own.key.display(),
                options.client_certificates
            );
            ca = Some(authority);
        }
        fs::write(dir.join("mosquitto.conf"), config).context("writing the broker's configuration")?;
        let mut broker = Self { process: None, program, port, ca, dir };
        broker.start_again()?;
        Ok(broker)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address as a Java base wants it: `tcp://127.0.0.1:<port>`, or `ssl://` with TLS.
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "ssl" } else { "tcp" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The certificate of the CA to trust; none without TLS.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_ref().map(|ca| ca.file.as_path())
    }

    /// A new certificate for a client called `name`; an error without TLS.
    pub fn client_certificate(&self, name: &str) -> Result<Certificate> {
        let ca = self.ca.as_ref().context("this broker has no TLS")?;
        ca.issue(self.dir.path(), name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Everything it has logged: each connection, subscription and message.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("mosquitto.log")).unwrap_or_default()
    }

    /// Stops it (SIGTERM: it says goodbye to its clients).
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.stop(Duration::from_secs(5)).map(drop),
            None => Ok(()),
        }
    }

    /// Kills it: its clients' connections break.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Freezes it: connections stay, and nothing comes through.
    pub fn pause(&mut self) -> Result<()> {
        self.process.as_mut().context("the broker does not run")?.pause()
    }

    /// Lets it go on after [`Broker::pause`].
    pub fn resume(&mut self) -> Result<()> {
        self.process.as_mut().context("the broker does not run")?.resume()
    }

    /// Starts it again on the same port, with the same users and certificates.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the broker runs already");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.dir.join("mosquitto.conf"));
        let mut process = Process::spawn("mosquitto", command, &self.dir.join("mosquitto.log"), Tie::Guard)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        process.wait_for("the broker to listen", Duration::from_secs(20), || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1))
                .map(Some)
                .with_context(|| format!("connecting to {address}"))
        })?;
        self.process = Some(process);
        Ok(())
    }
}

fn set_password(file: &Path, user: &str, password: &str) -> Result<()> {
    let output = Command::new(artifacts::mosquitto_passwd()?)
        .arg("-b")
        .arg(file)
        .args([user, password])
        .output()
        .context("running mosquitto_passwd")?;
    ensure!(output.status.success(), "mosquitto_passwd: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// A certificate authority for one broker.
#[derive(Debug)]
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Ca {
    fn new(dir: &Path) -> Result<Self> {
        let key = KeyPair::generate().context("making the CA's key")?;
        let mut params = CertificateParams::new(Vec::new()).context("the CA's certificate")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "test broker CA");
        let cert = params.self_signed(&key).context("signing the CA's certificate")?;
        let file = dir.join("ca.pem");
        fs::write(&file, cert.pem()).context("writing the CA's certificate")?;
        Ok(Self { issuer: Issuer::new(params, key), file })
    }

    fn issue(&self, dir: &Path, name: &str, usage: ExtendedKeyUsagePurpose) -> Result<Certificate> {
        let key = KeyPair::generate().context("making a key")?;
        let hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(hosts).context("a certificate")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let cert = params.signed_by(&key, &self.issuer).context("signing a certificate")?;
        let made =
            Certificate { cert: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        fs::write(&made.cert, cert.pem()).context("writing a certificate")?;
        fs::write(&made.key, key.serialize_pem()).context("writing a key")?;
        Ok(made)
    }
}
