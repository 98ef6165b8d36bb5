//! Whatever happens, neither token nor secret gets into the log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use crate::robot::{Reply, Robot, config, failed, hook, nobody, now, reporter, wait_counts};

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
    let (quotes, hangs, breaks) = (
        Robot::start(&[Reply::Quote]).await,
        Robot::start(&[Reply::Hang]).await,
        Robot::start(&[Reply::Status(500)]).await,
    );
    let hooks = vec![
        quotes.hook(token, secret),
        hangs.hook(token, secret),
        breaks.hook(token, secret),
        hook(nobody().await, token, secret),
    ];
    let shown = format!("{hooks:?}");
    let mut config = config();
    config.times.deadline = Duration::from_millis(100);
    let reporter = reporter(hooks, config);
    reporter.report(&failed(1), now());
    for hook in 0..4 {
        wait_counts(&reporter, hook, |counts| counts.failed == 1);
    }
    reporter.shutdown(Duration::from_secs(10)).await;
    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in
        ["no such robot", "no answer within 100 ms", "HTTP 500", "Connection refused", "hook=1", "hook=4"]
    {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!format!("{shown} {reporter:?}").contains("hunter2"));
}
