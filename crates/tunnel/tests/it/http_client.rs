use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use arklet::{Answer, CallError, Command, CommandKind};
use tokio::net::TcpListener;
use tunnel::{
    HttpConfig, HttpTunnel, Target,
    http::{HttpLimits, MAX_ANSWER_BYTES},
};

use crate::support::{
    Behaviour, Events, FakeArklet, ONE_BIZ, PATIENCE, QUERY, arklet_says, biz, events, http_target,
    on_this_host, soon,
};

async fn start(limits: HttpLimits) -> (HttpTunnel, Events) {
    let (sender, mut events) = events(8);
    let config =
        HttpConfig { limits, addresses: on_this_host(), ..HttpConfig::new("127.0.0.1:0".parse().unwrap()) };
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    events.up().await;
    (tunnel, events)
}

/// One call to a base that behaves so, with a deadline.
async fn call(behaviour: Behaviour, deadline: Duration) -> Result<Answer, CallError> {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let base = FakeArklet::start(behaviour).await;
    tunnel.call(http_target(base.address), QUERY, deadline);
    events.outcome().await
}

#[tokio::test]
async fn a_command_is_answered_by_a_close() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let mut base = FakeArklet::start(arklet_says(ONE_BIZ)).await;
    tunnel.call(http_target(base.address), QUERY, PATIENCE);
    let (identity, key, outcome) = events.answer().await;
    assert_eq!((identity.as_str(), key.command, key.biz), ("b1", CommandKind::QueryAllBiz, None));
    let Ok(Answer::Biz(list)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(list[0].id, biz("biz1", "1.0.0"));
    let request = soon(base.requests.recv()).await.unwrap();
    assert!(request.starts_with("POST /queryAllBiz HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    assert_eq!(tunnel.stats().calls, 1);
}

#[tokio::test]
async fn the_answer_says_which_biz_it_is_about() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let base = FakeArklet::start(arklet_says(r#"{"code":"SUCCESS","data":{"code":"SUCCESS"}}"#)).await;
    tunnel.call(http_target(base.address), Command::UninstallBiz(biz("biz1", "1.0.0")), PATIENCE);
    let (_, key, outcome) = events.answer().await;
    assert_eq!((key.command, key.biz), (CommandKind::UninstallBiz, Some(biz("biz1", "1.0.0"))));
    assert_eq!(outcome, Ok(Answer::Uninstalled));
}

#[tokio::test]
async fn a_base_that_hangs_is_given_up_at_the_deadline() {
    let begun = Instant::now();
    assert_eq!(call(Behaviour::Hang, Duration::from_millis(100)).await, Err(CallError::TimedOut));
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_unreachable() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    tunnel.call(http_target(free), QUERY, PATIENCE);
    let outcome = events.outcome().await;
    let Err(CallError::Unreachable(cause)) = outcome else { panic!("{outcome:?}") };
    assert!(cause.contains(&free.to_string()) && cause.contains("refused"), "{cause}");
}

#[tokio::test]
async fn a_base_that_accepts_no_connection_by_the_deadline_is_unreachable() {
    // A listener whose queue is full drops every further SYN.
    let full = socket_with_a_full_queue().await;
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    tunnel.call(http_target(full.0.local_addr().unwrap()), QUERY, Duration::from_millis(200));
    let outcome = events.outcome().await;
    assert!(matches!(outcome, Err(CallError::Unreachable(_))), "{outcome:?}");
}

async fn socket_with_a_full_queue() -> (TcpListener, Vec<tokio::task::JoinHandle<()>>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let to = listener.local_addr().unwrap();
    let mut held = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(to)).await {
            Ok(stream) => held.push(tokio::spawn(async move {
                let _stream = stream;
                std::future::pending().await
            })),
            Err(_) => return (listener, held),
        }
    }
}

#[tokio::test]
async fn a_base_without_an_address_is_unreachable() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let mut target = http_target("127.0.0.1:1".parse().unwrap());
    target.address = None;
    tunnel.call(target, QUERY, PATIENCE);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_command_leaves_it_in_doubt() {
    assert_eq!(call(Behaviour::Reset, PATIENCE).await, Err(CallError::TimedOut));
    assert_eq!(call(Behaviour::Say(vec![]), PATIENCE).await, Err(CallError::TimedOut));
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_malformed() {
    let half = &ONE_BIZ[..ONE_BIZ.len() / 2];
    let outcome = call(arklet_says(half), PATIENCE).await;
    assert!(matches!(outcome, Err(CallError::Malformed(_))), "{outcome:?}");
    let short = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", ONE_BIZ.len());
    let outcome = call(Behaviour::Say(short.into_bytes()), PATIENCE).await;
    assert_eq!(outcome, Err(CallError::Malformed(format!("it broke off after {} bytes", half.len()))));
    let outcome = call(Behaviour::Say(b"nonsense\r\n\r\n".to_vec()), PATIENCE).await;
    assert!(matches!(outcome, Err(CallError::Malformed(_))), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_malformed() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let huge = [head, vec![b' '; MAX_ANSWER_BYTES + 1]].concat();
    let outcome = call(Behaviour::Say(huge), PATIENCE).await;
    assert_eq!(outcome, Err(CallError::Malformed(format!("it has more than {MAX_ANSWER_BYTES} bytes"))));
}

/// A list of so many broken modules, each with a stack trace of so many bytes.
fn list(modules: usize, trace: usize) -> String {
    let trace = "at lab.biz1.BizApp.main(BizApp.java:17) ".repeat(trace / 40);
    let biz = |number: usize| {
        format!(
            r#"{{"bizName":"biz{number}","bizVersion":"1","bizState":"broken","bizStateRecords":[{{"changeTime":1,"message":"{trace}"}}]}}"#
        )
    };
    format!(r#"{{"code":"SUCCESS","data":[{}]}}"#, (0..modules).map(biz).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn of_a_base_that_is_known_a_large_answer_is_read_and_little_of_it_is_held() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let text = list(300, 20 * 1024);
    assert!(text.len() > 5 << 20);
    let base = FakeArklet::start(arklet_says(&text)).await;
    tunnel.call(http_target(base.address), QUERY, PATIENCE);
    let Ok(arklet::Answer::Biz(biz)) = events.outcome().await else { panic!("it is not read") };
    assert_eq!(biz.len(), 300);
    let stats = tunnel.stats();
    assert!(stats.answer_bytes_peak <= 1 << 20 && stats.answer_bytes == 0, "{stats:?}");
}

#[tokio::test]
async fn sixteen_strangers_with_large_answers_are_refused_and_nearly_nothing_is_held() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let mut bases = Vec::new();
    for (number, text) in
        [list(400, 20 * 1024), format!("[{}0]", "0,".repeat(4 << 20))].iter().cycle().take(16).enumerate()
    {
        let base = FakeArklet::start(arklet_says(text)).await;
        let name = format!("stranger-{number}").parse().unwrap();
        tunnel.call(Target { base: name, known: false, ..http_target(base.address) }, QUERY, PATIENCE);
        bases.push(base);
    }
    for _ in 0..16 {
        let outcome = events.outcome().await;
        let Err(CallError::Malformed(cause)) = outcome else { panic!("{outcome:?}") };
        assert!(cause.contains("more than"), "{cause}");
    }
    let stats = tunnel.stats();
    assert!(stats.answer_bytes_peak <= 16 * 128 * 1024 && stats.answer_bytes == 0, "{stats:?}");
    // What is small is read of a stranger too.
    let base = FakeArklet::start(arklet_says(&list(50, 1024))).await;
    tunnel.call(Target { known: false, ..http_target(base.address) }, QUERY, PATIENCE);
    assert!(events.outcome().await.is_ok());
}

#[tokio::test]
async fn a_status_other_than_200_is_malformed_and_quoted() {
    let said =
        b"HTTP/1.1 500 Internal Server Error\r\n\r\nPOST http request only supported by arklet\n".to_vec();
    assert_eq!(
        call(Behaviour::Say(said), PATIENCE).await,
        Err(CallError::Malformed(
            "HTTP 500 Internal Server Error: POST http request only supported by arklet".into()
        ))
    );
    let other = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nwho?".to_vec();
    let outcome = call(Behaviour::Say(other), PATIENCE).await;
    assert_eq!(outcome, Err(CallError::NotArklet("HTTP 404 Not Found: who?".into())));
    let moved = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n".to_vec();
    let outcome = call(Behaviour::Say(moved), PATIENCE).await;
    assert_eq!(outcome, Err(CallError::Malformed("HTTP 302 Found: ".into())));
}

#[tokio::test]
async fn a_connection_that_the_base_keeps_open_is_used_again() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ONE_BIZ}", ONE_BIZ.len());
    let base = FakeArklet::start(Behaviour::KeepOpen(answer.into_bytes())).await;
    for _ in 0..3 {
        tunnel.call(http_target(base.address), QUERY, PATIENCE);
        assert!(events.outcome().await.is_ok());
    }
    assert_eq!(base.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn more_commands_than_the_limit_are_refused_at_once() {
    let (tunnel, mut events) = start(HttpLimits { calls: 1, ..HttpLimits::default() }).await;
    let base = FakeArklet::start(Behaviour::Hang).await;
    tunnel.call(http_target(base.address), QUERY, PATIENCE);
    tunnel.call(http_target(base.address), QUERY, PATIENCE);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
    assert_eq!((tunnel.stats().calls_open, tunnel.stats().calls_refused), (1, 1));
}

#[tokio::test]
async fn no_answer_is_lost_where_the_channel_is_full() {
    let (sender, mut events) = events(1);
    let config = HttpConfig { addresses: on_this_host(), ..HttpConfig::new("127.0.0.1:0".parse().unwrap()) };
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    let base = FakeArklet::start(arklet_says(ONE_BIZ)).await;
    // Nothing is read from the channel, which `Up` has filled, until all are under way.
    for _ in 0..50 {
        tunnel.call(http_target(base.address), QUERY, PATIENCE);
    }
    for _ in 0..50 {
        assert!(events.outcome().await.is_ok());
    }
}

#[tokio::test]
async fn the_shutdown_waits_for_commands_under_way() {
    let (tunnel, mut events) = start(HttpLimits::default()).await;
    let mut base = FakeArklet::start(Behaviour::Hang).await;
    tunnel.call(http_target(base.address), QUERY, Duration::from_millis(300));
    soon(base.requests.recv()).await.unwrap();
    let handle = tunnel.clone();
    soon(tunnel.shutdown()).await;
    assert_eq!(events.outcome().await, Err(CallError::TimedOut));
    handle.call(http_target(base.address), QUERY, PATIENCE);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
}
