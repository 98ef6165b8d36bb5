//! A server of metrics that answers as a test says.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;

/// A status, and a body.
type Answer = (&'static str, &'static str);

/// It is not there.
pub(super) const AWAY: Answer = ("503 Service Unavailable", "not yet");
/// Nothing is wrong.
pub(super) const WELL: Answer =
    ("200 OK", r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}"#);
/// Nothing is wrong with what it has, and a part of that is missing: as VictoriaMetrics says it.
pub(super) const IN_PART: Answer =
    ("200 OK", r#"{"status":"success","isPartial":true,"data":{"resultType":"scalar","result":[1,"0"]}}"#);

/// The server.
pub(super) struct Metrics {
    pub(super) url: String,
    answer: Arc<Mutex<Answer>>,
}

impl Metrics {
    /// Answers this from now on.
    pub(super) fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (url, answer) = (format!("http://{}", listener.local_addr()?), Arc::new(Mutex::new(answer)));
        let answers = answer.clone();
        // It ends with the test.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut asked = [0; 4_096];
                // Whoever asks sends one short request, and is told to go.
                let (status, body) = match stream.read(&mut asked) {
                    Ok(_) => *answers.lock().unwrap_or_else(PoisonError::into_inner),
                    Err(_) => AWAY,
                };
                let length = body.len();
                let told = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                drop(stream.write_all(told.as_bytes()));
            }
        });
        Ok(Self { url, answer })
    }

    /// Answers this from now on.
    pub(super) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}
