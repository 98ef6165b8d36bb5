//! Modules that call other hosts.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
};

use samples::Sample;

use crate::support::Base;

/// The error codes of `wasi:http`, as a sample tells them.
const PROHIBITED: &str = "04";
const DENIED: &str = "15";

/// Sends everybody who asks for `/moved` to another place, and says `found` to the rest.
fn serve(moved_to: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let answer = if line.contains("/moved") {
                format!(
                    "HTTP/1.1 302 Found\r\nlocation: {moved_to}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{moved_to}",
                    moved_to.len()
                )
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nfound".to_owned()
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_module_calls_whom_its_package_names_and_nobody_else() {
    let secret = serve(String::new());
    let server = serve(format!("{secret}/secret"));
    let base = Base::start(&["--base.module.outbound.networks=127.0.0.0/8"]);
    base.installed(&Sample::new("biz1", "1.0.0").calls(&server.to_string()));
    base.installed(&Sample::new("biz2", "1.0.0"));
    let call = |biz: &str, to: &str| {
        let answer = base.get(&format!("/{biz}/call/{to}"));
        (answer.status, answer.body)
    };
    assert_eq!(call("biz1", &format!("{server}/x")), (200, "found".to_owned()));
    assert_eq!(call("biz2", &format!("{server}/x")), (502, DENIED.to_owned()));
    // The host does not follow: the module would, and each step is a call of its own.
    let (status, next) = call("biz1", &format!("{server}/moved"));
    assert_eq!(status, 302);
    assert_eq!(call("biz1", &next), (502, DENIED.to_owned()));
}

#[test]
fn by_default_no_module_reaches_the_bases_own_machine() {
    let server = serve(String::new());
    let base = Base::start(&[]);
    let by_name = format!("localhost:{}", server.port());
    let mapped = format!("[::ffff:127.0.0.1]:{}", server.port());
    let metadata = "169.254.169.254".to_owned();
    let all = [server.to_string(), by_name, mapped, metadata];
    let sample = all.iter().fold(Sample::new("biz1", "1.0.0"), |sample, host| sample.calls(host));
    base.installed(&sample);
    for host in all {
        let answer = base.get(&format!("/biz1/call/{host}/x"));
        assert_eq!((answer.status, &*answer.body), (502, PROHIBITED), "{host}");
    }
}
