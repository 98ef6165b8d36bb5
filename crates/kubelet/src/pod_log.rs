//! The log of a module of a base that runs in a Pod: that Pod's log, cut to the module's lines where they are marked.
//!
//! Whose log this is follows from what a base says of its address, and who may read it from where the module's Pod is. So it is
//! given out only where the base's Pod is in the namespace of the module's Pod, or in one of those where bases are
//! (`BASE_POD_NAMESPACES`); and in the latter nothing but the lines that are marked as those of the very version.

use std::time::Duration;

use bytes::Bytes;
use engine::view::PodRef;
use http::Request;
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use kube::client::Body as KubeBody;
use model::BizId;
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};
use url::form_urlencoded::Serializer;

use crate::{
    api::Api,
    asked::{Asked, Since},
    body::{Body, pieces},
    lines::{Cut, Lines, Markers, Tail},
    refusal::Refusal,
};

/// So many lines are looked at to know whether any is marked.
const PROBE_LINES: u64 = 1_000;
/// The most of them, in bytes.
const PROBE_BYTES: usize = 1024 * 1024;
/// How long the head of an answer, or these lines, may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a reader may take for a piece: one that reads nothing has no place.
const STUCK: Duration = Duration::from_secs(30);
/// The most of a refusal that is read, in bytes.
const MOST_WORDS: usize = 4 * 1024;
/// Says which container's log is meant, as `kubectl logs` takes it.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Whose log is opened, and what of it may be shown.
#[derive(Debug, Clone)]
pub(crate) struct Of {
    /// The base's own Pod.
    pub(crate) pod: PodRef,
    pub(crate) biz: BizId,
    /// Lines of others are not to be shown.
    pub(crate) others_hidden: bool,
}

#[derive(Deserialize)]
struct PodJson {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
}

/// Begins to read it. What is wrong with that is said before anything is sent.
pub(crate) async fn open(api: Api, of: Of, asked: Asked) -> Result<Body, Refusal> {
    let PodRef { namespace, name, .. } = &of.pod;
    let at = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let gone = || Refusal::not_found(format!("the pod {namespace}/{name}, which the base runs in, is gone"));
    let json = api.get(&at).await?.ok_or_else(gone)?;
    let container = container(&json).map_err(|error| {
        Refusal::unavailable(format!(
            "the pod {namespace}/{name}, which the base runs in, cannot be read: {error}"
        ))
    })?;
    let log = Log { api, path: format!("{at}/log?container={container}") };
    let markers = Markers::of(&of.biz, of.others_hidden);
    let is_marked = log.last_lines().await?.lines().any(|line| markers.are_in(line));
    let shows_all = !is_marked && !of.others_hidden;
    let notice = (!is_marked).then(|| notice(&of, shows_all));
    let (out, read) = mpsc::channel(1);
    let left = asked.limit_bytes.unwrap_or(u64::MAX);
    let cut = (!shows_all).then(|| Cut::new(markers));
    let reading = Reading { log, asked, out, left, cut, last: None };
    tokio::spawn(reading.run(notice));
    Ok(pieces(read))
}

fn container(json: &str) -> Result<String, serde_json::Error> {
    use serde::de::Error as _;
    let PodJson { mut metadata, spec } = serde_json::from_str(json)?;
    let named = metadata.annotations.remove(DEFAULT_CONTAINER);
    let first = || spec.containers.into_iter().next().map(|container| container.name);
    named.or_else(first).ok_or_else(|| serde_json::Error::custom("it has no container"))
}

fn notice(of: &Of, shows_all: bool) -> String {
    let Of { pod: PodRef { namespace, name, .. }, biz, .. } = of;
    let of_base =
        format!("of the last {PROBE_LINES} lines of pod {namespace}/{name}, which the base runs in, none");
    if shows_all {
        let markers = format!("[{}] or [{biz}]", biz.name);
        format!("(module-controller: {of_base} is marked with {markers}: this is the log of the whole base)")
    } else {
        format!(
            "(module-controller: {of_base} is marked with [{biz}]; lines of others are not shown, as the base runs in another \
             namespace)"
        )
    }
}

/// A container's log at the API server.
struct Log {
    api: Api,
    path: String,
}

impl Log {
    async fn last_lines(&self) -> Result<String, Refusal> {
        let body = self.open(&format!("&tailLines={PROBE_LINES}&limitBytes={PROBE_BYTES}")).await?;
        let late = || Refusal::unavailable("the log of the base's pod did not come in time");
        let whole =
            timeout(PATIENCE, Limited::new(body, PROBE_BYTES + 1).collect()).await.map_err(|_| late())?;
        let whole = whole
            .map_err(|error| Refusal::unavailable(format!("the log of the base's pod broke off: {error}")))?;
        Ok(String::from_utf8_lossy(&whole.to_bytes()).into_owned())
    }

    async fn open(&self, options: &str) -> Result<KubeBody, Refusal> {
        let request = Request::get(format!("{}{options}", self.path))
            .body(KubeBody::empty())
            .map_err(|error| Refusal::bad(format!("no request can be made of this: {error}")))?;
        let silent =
            |why: String| Refusal::unavailable(format!("the log of the base's pod cannot be read: {why}"));
        let response = timeout(PATIENCE, self.api.0.send(request)).await;
        let response = response.map_err(|_| silent("the API server does not answer".to_owned()))?;
        let response = response.map_err(|error| silent(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let status = response.status();
        let words = timeout(PATIENCE, Limited::new(response.into_body(), MOST_WORDS).collect()).await;
        let words = words.ok().and_then(Result::ok).map(|words| words.to_bytes()).unwrap_or_default();
        let told: Option<String> = serde_json::from_slice::<serde_json::Value>(&words)
            .ok()
            .and_then(|status| Some(status.get("message")?.as_str()?.to_owned()));
        let words = told.unwrap_or_else(|| String::from_utf8_lossy(&words).trim().to_owned());
        Err(silent(format!("{status}: {words}")))
    }
}

/// The options of a log whose lines begin with their times.
fn options(follow: bool, since: Option<Since>, tail_lines: Option<u64>) -> String {
    let mut query = Serializer::new("&timestamps=true".to_owned());
    Asked { follow, since, tail_lines, ..Asked::default() }.add_to(&mut query);
    query.finish()
}

/// A log that is being read: what there is, and then, where it is followed, what comes.
struct Reading {
    log: Log,
    asked: Asked,
    out: mpsc::Sender<Bytes>,
    /// So many bytes may still be sent.
    left: u64,
    /// None where all of it is shown.
    cut: Option<Cut>,
    /// The time of the last line that was read.
    last: Option<Timestamp>,
}

/// The reader is gone, or has all that it may have.
struct Over;

impl Reading {
    async fn run(mut self, notice: Option<String>) {
        let _ = self.tell(notice).await;
    }

    async fn tell(&mut self, notice: Option<String>) -> Result<(), Over> {
        if let Some(notice) = notice {
            self.send(format!("{notice}\n").into()).await?;
        }
        // Of what is cut the last lines are found here.
        let (here, there) = match &self.cut {
            Some(_) => (self.asked.tail_lines, None),
            None => (None, self.asked.tail_lines),
        };
        let mut tail = here.map(Tail::new);
        self.read(&options(false, self.asked.since, there), &mut tail).await?;
        if let Some(tail) = tail {
            for line in tail.into_lines() {
                self.send(format!("{line}\n").into()).await?;
            }
        }
        if !self.asked.follow {
            return Ok(());
        }
        // What was read already is known by its time.
        let since = self.last.map(Since::Time).or(self.asked.since);
        self.read(&options(true, since, None), &mut None).await
    }

    /// Reads to the end of what is opened. A log that breaks off ends.
    async fn read(&mut self, options: &str, tail: &mut Option<Tail>) -> Result<(), Over> {
        let mut body = match self.log.open(options).await {
            Ok(body) => body,
            Err(refusal) => {
                return self.send(format!("(module-controller: {})\n", refusal.message).into()).await;
            }
        };
        let (before, mut lines) = (self.last, Lines::default());
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.out.closed() => return Err(Over),
            };
            let Some(Ok(frame)) = frame else { break };
            let Ok(data) = frame.into_data() else { continue };
            let mut piece = String::new();
            for line in lines.push(&data) {
                self.take(&line, before, tail, &mut piece);
            }
            self.send(piece.into()).await?;
        }
        let mut piece = String::new();
        if let Some(line) = lines.rest() {
            self.take(&line, before, tail, &mut piece);
        }
        self.send(piece.into()).await
    }

    /// Takes a line, which begins with its time.
    fn take(&mut self, line: &str, before: Option<Timestamp>, tail: &mut Option<Tail>, piece: &mut String) {
        let (at, text) = line.split_once(' ').unwrap_or((line, ""));
        if let Ok(at) = at.parse::<Timestamp>() {
            if before.is_some_and(|before| at <= before) {
                return;
            }
            self.last = Some(at);
        }
        if !self.cut.as_mut().is_none_or(|cut| cut.keeps(text)) {
            return;
        }
        let shown = if self.asked.timestamps { line } else { text };
        match tail {
            Some(tail) => tail.push(shown.to_owned()),
            None => {
                piece.push_str(shown);
                piece.push('\n');
            }
        }
    }

    async fn send(&mut self, piece: Bytes) -> Result<(), Over> {
        if piece.is_empty() {
            return Ok(());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        self.left -= u64::try_from(most).unwrap_or(self.left);
        let sent = timeout(STUCK, self.out.send(piece.slice(..most))).await;
        if matches!(sent, Ok(Ok(()))) && self.left > 0 { Ok(()) } else { Err(Over) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_that_which_kubectl_would_take() {
        let pod = |annotations: &str| {
            format!(
                r#"{{"metadata":{{"annotations":{{{annotations}}}}},"spec":{{"containers":[{{"name":"a"}},{{"name":"b"}}]}}}}"#
            )
        };
        assert_eq!(container(&pod("")).unwrap(), "a");
        assert_eq!(container(&pod(r#""kubectl.kubernetes.io/default-container":"b""#)).unwrap(), "b");
        assert!(container(r#"{"metadata":{},"spec":{"containers":[]}}"#).is_err());
    }
}
