//! Servers that have a certificate of somebody's own: whom the base and its modules believe over https.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use samples::Sample;
use serde_json::json;

use crate::support::{Base, Folder};

/// The error code of `wasi:http`, as a sample tells it.
const CERTIFICATE: &str = "13";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for one name, of an authority.
fn certificate(name: &str, authority: &Authority, year_of_end: i32) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = date_time_ymd(year_of_end, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
}

/// Serves the files of a folder, and says `found` where there is none; `localhost:port`.
fn serve(config: ServerConfig, folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream));
            let (mut first, mut line) = (String::new(), String::new());
            // A caller that does not believe us goes in the middle of this.
            if reader.read_line(&mut first).is_err() {
                continue;
            }
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let body = fs::read(folder.join(path)).unwrap_or_else(|_| b"found".to_vec());
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let stream = reader.get_mut();
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    host
}

#[test]
fn an_authority_of_the_operator_is_trusted_beside_the_public_ones_and_no_other() {
    let (folder, ours, other) = (Folder::new(), authority("ours"), authority("other"));
    let file = folder.path().join("ca.pem");
    fs::write(&file, ours.pem()).unwrap();
    let serve = |config| serve(config, folder.path().to_owned());
    let good = serve(certificate("localhost", &ours, 2100));
    let bad = [
        (serve(certificate("other.example", &ours, 2100)), "not valid for name"),
        (serve(certificate("localhost", &other, 2100)), "UnknownIssuer"),
        (serve(certificate("localhost", &ours, 2020)), "expired"),
    ];
    let hosts: Vec<&String> = bad.iter().map(|(host, _)| host).chain([&good]).collect();
    let sample = hosts.iter().fold(Sample::new("biz1", "1.0.0"), |sample, host| sample.calls(host));
    let call = |base: &Base, host: &str| {
        let answer = base.get(&format!("/biz1/calls/{host}/x"));
        (answer.status, answer.body)
    };
    let log = |base: &Base| crate::support::get(&base.log_url("biz1", "")).body;
    let networks = "--base.module.outbound.networks=127.0.0.0/8";

    let base = Base::start(&[networks, &format!("--base.ca-path={}", file.display())]);
    base.installed(&sample);
    assert_eq!(call(&base, &good), (200, "found".to_owned()));
    for (host, says) in &bad {
        assert_eq!(call(&base, host), (502, CERTIFICATE.to_owned()), "{says}");
        let log = log(&base);
        assert!(log.lines().any(|line| line.contains(host) && line.contains(says)), "{says}: {log}");
    }
    // Packages come by the same trust.
    folder.package(&Sample::new("biz2", "1.0.0"));
    let url = |host: &str| json!({"bizUrl": format!("https://{host}/biz2-1.0.0.wasm")});
    for (host, says) in &bad {
        let answer = base.arklet("installBiz", &url(host));
        assert!(answer["message"].as_str().unwrap().contains(says), "{says}: {answer}");
    }
    assert_eq!(base.arklet("installBiz", &url(&good))["code"], "SUCCESS");
    assert_eq!(base.serving("biz2").as_deref(), Some("1.0.0"));

    let stranger = Base::start(&[networks]);
    stranger.installed(&sample);
    assert_eq!(call(&stranger, &good), (502, CERTIFICATE.to_owned()));
    let log = log(&stranger);
    assert!(log.contains("UnknownIssuer") && log.contains("base.ca-path"), "{log}");
}
