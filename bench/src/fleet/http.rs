//! Arklet's HTTP port and heartbeats, as a Java base has them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{FleetOptions, Member, second_heartbeat, words};

/// How often a Java base posts a heartbeat.
pub const PERIOD: Duration = Duration::from_secs(12);

/// No request of the controller is larger.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// A heartbeat that takes longer has failed, as in Java.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(5);

/// Starts the listener of all bases and the heartbeats of each.
pub(super) async fn start(
    members: &[Arc<Member>],
    options: &FleetOptions,
    controller: &str,
) -> Result<Vec<JoinHandle<()>>> {
    let listener =
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.context("listening for the simulated bases")?;
    let port = listener.local_addr().context("the port of the simulated bases")?.port();
    let by_ip: HashMap<IpAddr, Arc<Member>> =
        members.iter().map(|member| (member.ip.into(), member.clone())).collect();
    let mut tasks = vec![tokio::spawn(serve(listener, Arc::new(by_ip)))];
    for (n, member) in members.iter().enumerate() {
        let body =
            words::heartbeat(&member.identity, &options.version, &member.ip.to_string(), port).to_string();
        let request = format!(
            "POST /heartbeat HTTP/1.1\r\nContent-Type: application/json\r\nUser-Agent: Java/17.0.15\r\n\
             Host: {controller}\r\nAccept: text/html, image/gif, image/jpeg, */*; q=0.2\r\n\
             Connection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let second = second_heartbeat(PERIOD, n, members.len());
        tasks.push(tokio::spawn(heartbeats(member.clone(), controller.to_owned(), request, second)));
    }
    Ok(tasks)
}

async fn heartbeats(member: Arc<Member>, controller: String, request: String, second: Duration) {
    member.heartbeat_begins();
    member.heartbeat_ended(post(&controller, &request).await);
    let mut due = interval_at(Instant::now() + second, PERIOD);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        member.heartbeat_ended(post(&controller, &request).await);
    }
}

async fn post(controller: &str, request: &str) -> Result<()> {
    let exchange = async {
        let mut stream = TcpStream::connect(controller).await.context("connecting to the controller")?;
        stream.write_all(request.as_bytes()).await.context("sending a heartbeat")?;
        let mut answer = Vec::new();
        // A Java base reads the status and not the body; the controller closes.
        stream.take(1_024).read_to_end(&mut answer).await.context("reading the answer to a heartbeat")?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200 "), "a heartbeat was answered {status:?}");
        Ok(())
    };
    timeout(HEARTBEAT_LIMIT, exchange).await.context("a heartbeat was not answered in time")?
}

async fn serve(listener: TcpListener, members: Arc<HashMap<IpAddr, Arc<Member>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor left: wait until one is.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Some(member) = stream.local_addr().ok().and_then(|address| members.get(&address.ip()).cloned())
        else {
            continue;
        };
        tokio::spawn(async move {
            // The controller learns of a connection that breaks; it is its to tell.
            let _ = connection(stream, &member).await;
        });
    }
}

/// One request, one answer, and the end: a Java base has neither Content-Length nor Content-Type.
async fn connection(mut stream: TcpStream, member: &Member) -> Result<()> {
    stream.set_nodelay(true).context("setting TCP_NODELAY")?;
    let (command, body) = read_request(&mut stream).await?;
    match member.carry_out(&command, &body).await {
        Some(answer) => {
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{answer}");
            stream.write_all(answer.as_bytes()).await.context("sending an answer")?;
            stream.shutdown().await.context("closing")?;
        }
        None => {
            // Held open until the controller has enough of it.
            stream.read(&mut [0; 1]).await.context("holding a connection open")?;
        }
    }
    Ok(())
}

/// The command of the path, and the body.
async fn read_request(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if let Some(request) = parse_request(&bytes)? {
            return Ok(request);
        }
        ensure!(bytes.len() < MAX_REQUEST_BYTES, "a request of more than {MAX_REQUEST_BYTES} bytes");
        let read = stream.read_buf(&mut bytes).await.context("reading a request")?;
        ensure!(read > 0, "the request broke off");
    }
}

/// None while something is missing.
fn parse_request(bytes: &[u8]) -> Result<Option<(String, Vec<u8>)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = bytes.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).context("a request's head")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ');
    let (Some("POST"), Some(path)) = (words.next(), words.next()) else { bail!("{first:?} is no POST") };
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    Ok(body.get(..length).map(|body| (path.trim_start_matches('/').to_owned(), body.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let whole = b"POST /installBiz HTTP/1.1\r\nhost: x\r\nContent-Length: 2\r\n\r\n{}";
        for part in 0..whole.len() {
            assert_eq!(parse_request(&whole[..part]).unwrap(), None, "{part}");
        }
        assert_eq!(parse_request(whole).unwrap(), Some(("installBiz".to_owned(), b"{}".to_vec())));
        assert!(parse_request(b"GET / HTTP/1.1\r\n\r\n").is_err());
    }
}
