//! Whatever happens, neither token nor secret gets into the log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use testkit::robot::{Reply, Robot};
use tracing_subscriber::fmt::MakeWriter;

use crate::samples::{config, failed, hook, nobody, now, reporter, robot, wait_counts};

/// The log of this whole process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_what_failed_and_never_token_or_secret() {
    let log = Log::default();
    let everything = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(everything).unwrap();
    let (token, secret) = ("hunter2-token", Some("hunter2-secret"));
    let (quotes, hangs, breaks) =
        (robot(&[Reply::Quote]), robot(&[Reply::Hang]), robot(&[Reply::Status(500)]));
    let unknown = Robot::start_tls(&[Reply::Take]).unwrap();
    let hooks = vec![
        hook(&quotes.url(token), secret),
        hook(&hangs.url(token), secret),
        hook(&breaks.url(token), secret),
        hook(&nobody(token).await, secret),
        hook(&unknown.url(token), secret),
    ];
    let hooks_count = hooks.len();
    let shown = format!("{hooks:?}");
    let mut config = config();
    config.times.deadline = Duration::from_millis(100);
    let reporter = reporter(hooks, config);
    reporter.report(&failed(1), now());
    for hook in 0..hooks_count {
        wait_counts(&reporter, hook, |counts| counts.failed == 1);
    }
    reporter.shutdown(Duration::from_secs(10)).await;
    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "no such robot",
        "no answer within 100 ms",
        "HTTP 500",
        "Connection refused",
        "UnknownIssuer",
        "hook=1",
        "hook=5",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!format!("{shown} {reporter:?}").contains("hunter2"));
}
