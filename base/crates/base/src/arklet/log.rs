//! `GET /bizLog`: what a module printed last, as `kubectl logs` asks for it.

use std::{
    convert::Infallible,
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use host::{Line, Log};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use url::form_urlencoded;

use crate::{
    modules::Modules,
    server::{Body, boxed, full},
};

/// Those who read logs at one time: commands need connections too.
const READERS: usize = 16;

/// The most that is taken of a log at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How long a reader may take for a piece: one that reads nothing has no place.
const STUCK: Duration = Duration::from_secs(30);

/// The logs of all modules.
#[derive(Debug)]
pub(crate) struct Logs {
    modules: Arc<Modules>,
    readers: Arc<Semaphore>,
    ended: watch::Receiver<bool>,
}

/// What is asked for, by the names of Kubernetes' own `PodLogOptions`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    biz_name: String,
    biz_version: String,
    follow: bool,
    tail_lines: Option<usize>,
    since: Option<SystemTime>,
    timestamps: bool,
    limit_bytes: Option<usize>,
}

impl Logs {
    pub(crate) fn new(modules: Arc<Modules>, ended: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self { modules, readers: Arc::new(Semaphore::new(READERS)), ended })
    }

    /// The answer to a query.
    pub(super) fn answer(&self, query: &str) -> Response<Body> {
        self.open(query).unwrap_or_else(|(status, why)| text(status, full(format!("{why}\n"))))
    }

    fn open(&self, query: &str) -> Result<Response<Body>, (StatusCode, String)> {
        let asked = Asked::read(query, SystemTime::now()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let log = self.find(&asked).ok_or_else(|| {
            let Asked { biz_name, biz_version, .. } = &asked;
            let why = format!("{biz_name}:{biz_version} is not installed here; queryAllBiz tells what is");
            (StatusCode::NOT_FOUND, why)
        })?;
        let place = self.readers.clone().try_acquire_owned().map_err(|_| {
            let why = format!("{READERS} logs are being read already; try again later");
            (StatusCode::SERVICE_UNAVAILABLE, why)
        })?;
        let (send, pieces) = mpsc::channel(1);
        let mut ended = self.ended.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tell(&log, &asked, &send, place) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
        Ok(text(StatusCode::OK, boxed(Pieces(pieces))))
    }

    fn find(&self, asked: &Asked) -> Option<Arc<Log>> {
        let all = self.modules.with_code();
        let mut all = all.into_iter();
        let is_it = |id: &model::BizId| {
            id.name.as_str() == asked.biz_name && id.version.as_str() == asked.biz_version
        };
        all.find_map(|(biz, code)| code.filter(|_| is_it(&biz.id))).map(|code| code.log().clone())
    }
}

impl Asked {
    fn read(query: &str, now: SystemTime) -> Result<Self, String> {
        let (mut asked, mut since_seconds) = (Self::default(), None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let name = name.as_ref();
            match name {
                "bizName" => asked.biz_name = value.into_owned(),
                "bizVersion" => asked.biz_version = value.into_owned(),
                "follow" => asked.follow = parsed(name, &value, "true or false")?,
                "timestamps" => asked.timestamps = parsed(name, &value, "true or false")?,
                "tailLines" => asked.tail_lines = Some(parsed(name, &value, "a number of lines")?),
                "limitBytes" => asked.limit_bytes = Some(parsed(name, &value, "a number of bytes")?),
                "sinceSeconds" => since_seconds = Some(parsed::<u32>(name, &value, "a number of seconds")?),
                "sinceTime" => {
                    let time: Timestamp = parsed(name, &value, "a time as 2026-01-31T12:00:00Z")?;
                    asked.since = Some(time.into());
                }
                _ => {
                    return Err(format!(
                        "there is no parameter {name:?}; there are bizName, bizVersion, follow, tailLines, sinceSeconds, \
                         sinceTime, timestamps and limitBytes"
                    ));
                }
            }
        }
        if asked.biz_name.is_empty() || asked.biz_version.is_empty() {
            return Err("bizName and bizVersion are needed, to say whose log it is".to_owned());
        }
        if let Some(seconds) = since_seconds {
            if asked.since.is_some() {
                return Err("sinceSeconds and sinceTime are not to be given both".to_owned());
            }
            asked.since = now.checked_sub(Duration::from_secs(seconds.into()));
        }
        Ok(asked)
    }
}

fn parsed<T: FromStr>(name: &str, value: &str, expected: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} is {value:?}; expected {expected}"))
}

/// Sends a log piece by piece. Nothing is kept for a reader but the piece that it reads: one that is slow misses lines, and is
/// told how many.
async fn tell(log: &Log, asked: &Asked, send: &mpsc::Sender<Bytes>, _place: OwnedSemaphorePermit) {
    let mut next = log.start(asked.tail_lines, asked.since);
    let end = if asked.follow { u64::MAX } else { log.start(Some(0), None) };
    let mut left = asked.limit_bytes.unwrap_or(usize::MAX);
    while left > 0 && next < end {
        let (lines, is_open) = log.from(next, PIECE_BYTES);
        let Some(last) = lines.last() else {
            if !(is_open && asked.follow) {
                return;
            }
            tokio::select! {
                () = log.wait(next) => continue,
                () = send.closed() => return,
            }
        };
        let following = last.number + 1;
        let mut piece = piece(&lines, next, end, asked.timestamps);
        next = following;
        piece.truncate(left);
        left -= piece.len();
        // It fails where the reader is gone.
        let sent = tokio::time::timeout(STUCK, send.send(piece.into()));
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
    }
}

fn piece(lines: &[Line], expected: u64, end: u64, timestamps: bool) -> Vec<u8> {
    let mut text = String::new();
    let missed = lines.first().map_or(0, |first| first.number.saturating_sub(expected));
    if missed > 0 {
        text.push_str(&format!("{missed} lines were dropped here: they came faster than they were read\n"));
    }
    for line in lines.iter().take_while(|line| line.number < end) {
        if timestamps {
            // A clock far out of any time has none that can be written.
            let at = Timestamp::try_from(line.at).unwrap_or_default();
            text.push_str(&format!("{at:.9} "));
        }
        text.push_str(&line.text);
        text.push('\n');
    }
    text.into_bytes()
}

fn text(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// The pieces of a log, as they come.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_query_is_read_or_refused_with_what_is_wrong() {
        let all = "bizName=a&bizVersion=1&follow=true&tailLines=5&timestamps=true&limitBytes=9&sinceTime=1970-01-01T00:00:00Z";
        let expected = Asked {
            biz_name: "a".to_owned(),
            biz_version: "1".to_owned(),
            follow: true,
            tail_lines: Some(5),
            since: Some(NOW),
            timestamps: true,
            limit_bytes: Some(9),
        };
        assert_eq!(Asked::read(all, NOW), Ok(expected));
        for (query, says) in [
            ("", "bizName and bizVersion are needed"),
            ("bizName=a&bizVersion=1&tail=5", "there is no parameter \"tail\""),
            ("bizName=a&bizVersion=1&tailLines=-1", "tailLines is \"-1\"; expected a number of lines"),
            ("bizName=a&bizVersion=1&follow=yes", "expected true or false"),
            ("bizName=a&bizVersion=1&sinceTime=today", "expected a time"),
            ("bizName=a&bizVersion=1&sinceSeconds=1&sinceTime=1970-01-01T00:00:00Z", "not to be given both"),
        ] {
            let error = Asked::read(query, NOW).unwrap_err();
            assert!(error.contains(says), "{query}: {error}");
        }
    }

    #[test]
    fn what_a_slow_reader_missed_is_told_and_nothing_after_the_end() {
        let line = |number, text: &str| Line { number, at: NOW, text: text.into() };
        let lines = [line(7, "a"), line(8, "b"), line(9, "c")];
        let told = String::from_utf8(piece(&lines, 5, 9, false)).unwrap();
        assert_eq!(told, "2 lines were dropped here: they came faster than they were read\na\nb\n");
        let told = String::from_utf8(piece(&lines[..1], 7, 9, true)).unwrap();
        assert_eq!(told, "1970-01-01T00:00:00.000000000Z a\n");
    }
}
