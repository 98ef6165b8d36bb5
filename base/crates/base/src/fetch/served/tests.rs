//! Servers that move packages, cut them short, and take their time.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::*;
use crate::fetch::Fetcher;

const MOST: usize = 1_000;

type Requests = Arc<Mutex<Vec<String>>>;

/// The head of a request.
fn head(stream: &TcpStream) -> String {
    let (mut head, mut reader) = (String::new(), BufReader::new(stream.try_clone().unwrap()));
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    head
}

/// Answers each request by what it says, and hangs up. Gives its port and the requests that came.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> (u16, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Requests::default();
    let seen = requests.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let request = head(&stream);
            seen.lock().unwrap().push(request.clone());
            let _ = stream.write_all(answer(&request).as_bytes());
        }
    });
    (port, requests)
}

fn whole(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// "0123456789", of which three bytes come at a time.
fn in_pieces(request: &str, headers: &str) -> String {
    let from = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let from: usize = from.map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let piece: String = "0123456789".chars().skip(from).take(3).collect();
    let left = 10 - from;
    let head = match from {
        0 => "200 OK".to_owned(),
        _ => format!("206 Partial Content\r\ncontent-range: bytes {from}-9/10"),
    };
    format!("HTTP/1.1 {head}\r\ncontent-length: {left}\r\n{headers}connection: close\r\n\r\n{piece}")
}

async fn fetch(url: &str, is_hash_known: bool) -> Result<String, String> {
    let got = Served::new(crate::trust::client_config(None).unwrap(), MOST)
        .fetch(&url.parse().unwrap(), is_hash_known)
        .await;
    got.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn a_redirect_is_followed_and_credentials_stay_where_they_belong() {
    let (other, at_other) = serve(|_| whole("found"));
    let (first, at_first) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/a" => moved("/b"),
        _ => moved(&format!("http://localhost:{other}/c")),
    });
    let got = fetch(&format!("http://user:p%40ss@127.0.0.1:{first}/a#part"), false).await;
    assert_eq!(got.as_deref(), Ok("found"));
    let first = at_first.lock().unwrap().clone();
    assert_eq!(first.len(), 2);
    // user:p@ss
    assert!(
        first.iter().all(|request| request.contains("authorization: Basic dXNlcjpwQHNz\r\n")),
        "{first:?}"
    );
    let other = at_other.lock().unwrap().clone();
    assert!(other.len() == 1 && other[0].starts_with("GET /c HTTP/1.1"), "{other:?}");
    assert!(!other[0].to_lowercase().contains("authorization"), "{other:?}");
}

#[tokio::test]
async fn redirects_have_an_end_and_lead_to_servers_only() {
    let (round, requests) = serve(|_| moved("/again"));
    let error = fetch(&format!("http://127.0.0.1:{round}/a"), false).await.unwrap_err();
    assert!(error.contains("more than 5 redirects"), "{error}");
    assert_eq!(requests.lock().unwrap().len(), 6);
    let (file, _) = serve(|_| moved("file:///etc/passwd"));
    let error = fetch(&format!("http://127.0.0.1:{file}/a"), false).await.unwrap_err();
    assert!(error.contains("redirects to file"), "{error}");
    let (nowhere, _) =
        serve(|_| "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned());
    let error = fetch(&format!("http://127.0.0.1:{nowhere}/a"), false).await.unwrap_err();
    assert!(error.contains("redirects to nowhere"), "{error}");
    let down = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static("http://a.example/"))]);
    let down = redirected(&"https://a.example/".parse().unwrap(), &down).unwrap_err().to_string();
    assert!(down.contains("from https to http"), "{down}");
}

#[tokio::test]
async fn what_was_cut_short_is_gone_on_with() {
    let (port, requests) = serve(|request| in_pieces(request, "etag: \"1\"\r\n"));
    assert_eq!(fetch(&format!("http://127.0.0.1:{port}/a"), false).await.as_deref(), Ok("0123456789"));
    let requests = requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 4);
    assert!(!requests[0].contains("range:"), "{requests:?}");
    for (request, from) in requests.iter().skip(1).zip(["3-", "6-", "9-"]) {
        let asks = format!("range: bytes={from}\r\nif-range: \"1\"\r\n");
        assert!(request.contains(&asks), "{request}");
    }
    // Of a server that does not say what it has, only where the hash tells.
    let (port, _) = serve(|request| in_pieces(request, ""));
    let url = format!("http://127.0.0.1:{port}/a");
    assert_eq!(fetch(&url, true).await.as_deref(), Ok("0123456789"));
    let error = fetch(&url, false).await.unwrap_err();
    assert!(error.contains("cut short after 3 of 10 bytes") && error.contains("#sha256="), "{error}");
}

#[tokio::test]
async fn what_does_not_go_on_as_it_began_is_refused() {
    let first = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"1\"\r\nconnection: close\r\n\r\n012";
    for second in [
        // From the start again: another file, or a server that knows no ranges.
        whole("abcdefghij"),
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-9/10\r\ncontent-length: 6\r\n\r\n456789"
            .to_owned(),
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-11/12\r\ncontent-length: 9\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\n\r\n".to_owned(),
    ] {
        let answer = second.clone();
        let (port, _) =
            serve(move |request| if request.contains("range:") { answer.clone() } else { first.to_owned() });
        let error = fetch(&format!("http://127.0.0.1:{port}/a"), false).await.unwrap_err();
        assert!(error.contains("cut short after 3") && error.contains("does not go on"), "{second}: {error}");
    }
    // Nothing more comes: it is not asked for without end.
    let (port, requests) = serve(move |request| {
        if request.contains("range:") {
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-9/10\r\ncontent-length: 7\r\n\r\n"
                .to_owned()
        } else {
            first.to_owned()
        }
    });
    assert!(
        fetch(&format!("http://127.0.0.1:{port}/a"), false).await.unwrap_err().contains("cut short after 3")
    );
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_limit_of_size_holds_over_all_pieces() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(1_001)),
    ] {
        let (port, _) = serve(move |_| answer.clone());
        let error = fetch(&format!("http://127.0.0.1:{port}/a"), false).await.unwrap_err();
        assert!(error.contains("more than 1000 bytes"), "{error}");
    }
    let (port, _) = serve(|request| {
        if request.contains("range:") {
            let head =
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-1000/1001\r\ncontent-length: 998";
            format!("{head}\r\n\r\n{}", "x".repeat(998))
        } else {
            // Its length is not told, so that it is seen only by the end of the connection, before the last piece.
            "HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxxx\r\n".to_owned()
        }
    });
    let error = fetch(&format!("http://127.0.0.1:{port}/a"), false).await.unwrap_err();
    assert!(error.contains("more than 1000 bytes"), "{error}");
}

/// It sends a byte now and then, so that no limit of a connection ends it.
#[tokio::test]
async fn a_package_that_takes_too_long_to_come_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").unwrap();
        // Until the other side hangs up.
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    let fetcher = Fetcher::new(crate::trust::client_config(None).unwrap());
    let fetcher = Fetcher { deadline: Duration::from_millis(300), ..fetcher };
    let failure = fetcher.fetch(&format!("http://127.0.0.1:{port}/a.wasm?token=secret")).await.unwrap_err();
    let why = format!("http://127.0.0.1:{port}/a.wasm: it did not come within 300ms");
    assert!(matches!(&failure, Failure::TimedOut(told) if *told == why), "{failure:?}");
}
