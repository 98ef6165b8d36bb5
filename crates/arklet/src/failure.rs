//! What a base's refusal means: from codes, messages and stack traces to a [`Failure`].

use serde_json::{Map, Value};

use crate::{
    answer::{Failure, FailureKind},
    error::{cut, redact},
    wire::{detail, remark},
};

/// The most characters of a cause: one line of an Event or a condition.
const MAX_CAUSE_CHARS: usize = 300;

/// The most causes of a cause that are followed, as deep as `serde_json` nests.
const MAX_CAUSES: usize = 128;

/// Java's exception for "what was called by reflection failed": the module's main method.
const STARTING: &str = "invocationtargetexception";

/// All that a base says of a failure, put apart.
#[derive(Debug, Default)]
pub(crate) struct Story<'a> {
    /// The answer's code: `FAILED`, `CMD_NOT_FOUND`, …
    code: &'a str,
    /// The data's code: `REPEAT_BIZ`, …
    inner_code: &'a str,
    /// The answer's message, often only that it failed.
    message: &'a str,
    /// The data's message, which says more.
    inner_message: &'a str,
    /// The stack trace: the exceptions' own lines and the frames.
    trace: String,
}

impl<'a> Story<'a> {
    /// `{code,message,errorStackTrace,data:{code,message}}`.
    pub(crate) fn of_answer(answer: &'a Map<String, Value>) -> Self {
        let data = answer.get("data").and_then(Value::as_object);
        let inner = |key| data.map_or("", |data| remark(data, key));
        Self {
            code: remark(answer, "code"),
            inner_code: inner("code"),
            message: remark(answer, "message"),
            trace: remark(answer, "errorStackTrace").to_owned(),
            ..Self::default()
        }
        .with_inner(inner("message"))
    }

    /// An asynchronous command's record: `{message,throwable}`.
    pub(crate) fn of_operation(data: &'a Map<String, Value>) -> Self {
        let trace = data.get("throwable").map_or_else(String::new, exceptions);
        Self { message: remark(data, "message"), trace, ..Self::default() }
    }

    /// Over MQTT the stack trace is the data's message.
    fn with_inner(mut self, message: &'a str) -> Self {
        if self.trace.is_empty() && message.contains("\n\tat ") {
            self.trace = message.to_owned();
        } else {
            self.inner_message = message;
        }
        self
    }

    /// What it comes to.
    pub(crate) fn failure(&self) -> Failure {
        let kind = self.kind();
        Failure { kind, cause: self.cause(kind), detail: self.detail() }
    }

    fn kind(&self) -> FailureKind {
        for code in [self.inner_code, self.code] {
            match code.to_ascii_uppercase().as_str() {
                "REPEAT_BIZ" => return FailureKind::RepeatBiz,
                "NOT_FOUND_BIZ" => return FailureKind::NotFoundBiz,
                "CMD_NOT_FOUND" => return FailureKind::CommandNotFound,
                _ => {}
            }
        }
        classify(&self.said())
    }

    /// All that is said, without the frames: a frame's class or package may be called anything.
    fn said(&self) -> String {
        let texts = [self.message, self.inner_message, &self.trace];
        let lines = texts.into_iter().flat_map(str::lines).filter(|line| !line.starts_with(['\t', ' ']));
        lines.fold(String::new(), |mut said, line| {
            said.push_str(&line.to_ascii_lowercase());
            said.push('\n');
            said
        })
    }

    fn cause(&self, kind: FailureKind) -> String {
        if kind == FailureKind::ContextPathTaken
            && let Some(path) = self.taken_path()
        {
            return one_line(&format!("the web context path \"{path}\" is taken: another biz serves on it"));
        }
        if kind == FailureKind::Unclear {
            return "its start failed, and the base does not say why: see the base's log".to_owned();
        }
        let innermost = self.trace.lines().rev().find_map(|line| line.strip_prefix("Caused by: "));
        let message = self.message.strip_prefix("Internal Error: ").unwrap_or(self.message);
        let first = self.trace.lines().next().unwrap_or_default();
        let said = innermost.into_iter().chain([self.inner_message, message, first, self.code]);
        // Of control characters alone nothing is left.
        let mut said = said.map(|text| one_line(text.trim())).filter(|line| !line.trim().is_empty());
        said.next().unwrap_or_else(|| "the base gives no reason".to_owned())
    }

    /// The path in Tomcat's `Child name [biz1] is not unique`.
    fn taken_path(&self) -> Option<&str> {
        let texts = [self.message, self.inner_message, &self.trace];
        let (_, rest) = texts.into_iter().find_map(|text| text.split_once("Child name ["))?;
        Some(rest.split_once("] is not unique")?.0)
    }

    fn detail(&self) -> std::sync::Arc<str> {
        let texts = [self.code, self.inner_code, self.message, self.inner_message, &self.trace];
        let texts: Vec<_> = texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
        detail(&texts.join("\n"))
    }
}

/// The kind of a failure by what is said of it, in lower case; see the recordings for who says it.
fn classify(said: &str) -> FailureKind {
    use FailureKind as K;
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let all = |words: &[&str]| words.iter().all(|word| said.contains(word));
    if all(&["conflict", "unfinished command"]) {
        K::Conflict
    } else if any(&["no space left on device", "not enough space on the disk", "disk quota exceeded"]) {
        K::DiskFull
    } else if any(&["metaspace", "compressed class space"]) {
        K::MetaspaceFull
    } else if all(&["child name [", "] is not unique"]) {
        K::ContextPathTaken
    } else if said.lines().filter(|line| !line.is_empty()).all(|line| line.trim_end().ends_with(STARTING))
        && said.contains(STARTING)
    {
        K::Unclear
    } else if said.contains(STARTING) {
        // Only now: a module that cannot reach its own database is not a package that cannot
        // be fetched.
        K::StartUp
    } else if any(&INVALID) {
        K::InvalidRequest
    } else if any(&["can not find biz"]) {
        K::NotFoundBiz
    } else if any(&["timeoutexception", "timed out"]) {
        K::PullTimedOut
    } else if any(&UNREACHABLE) {
        K::PullFailed
    } else if any(&NO_PACKAGE) {
        K::BadPackage
    } else {
        K::Other
    }
}

/// What Arklet says of a request before it does anything.
const INVALID: [&str; 7] = [
    "commandvalidationexception",
    "should not be blank",
    "should be both blank",
    "is blank",
    "list is null",
    "because \"input\" is null",
    "corresponding to the requestid(",
];

/// What Java says where it cannot fetch a URL.
const UNREACHABLE: [&str; 12] = [
    "filenotfoundexception",
    "nosuchfileexception",
    "accessdeniedexception",
    "connectexception",
    "unknownhostexception",
    "noroutetohostexception",
    "malformedurlexception",
    "unknownserviceexception",
    "java.net.socketexception",
    "javax.net.ssl.",
    "server returned http response code",
    "sun.net.ftp.",
];

/// What Java and SOFAArk say of a file that is no module package.
const NO_PACKAGE: [&str; 7] = [
    "zipexception",
    "zip end header",
    "zip file",
    "zlib input stream",
    "jarexception",
    "must be a ark biz",
    "manifest",
];

/// The exceptions of a `throwable` as fastjson writes it, in the form of a stack trace without
/// frames: `{"@type","message","cause":{…}}`.
fn exceptions(throwable: &Value) -> String {
    let mut text = String::new();
    let mut next = Some(throwable);
    for _ in 0..MAX_CAUSES {
        let Some(map) = next.and_then(Value::as_object) else { break };
        let (class, message) = (remark(map, "@type"), remark(map, "message"));
        if class.is_empty() && message.is_empty() {
            break;
        }
        text.push_str(if text.is_empty() { "" } else { "\nCaused by: " });
        let colon = if class.is_empty() || message.is_empty() { "" } else { ": " };
        text.extend([class, colon, message.lines().next().unwrap_or_default()]);
        next = map.get("cause");
    }
    text
}

/// The text's first line, without secrets and control characters, as long as a condition takes it.
fn one_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    cut(&redact(&line), MAX_CAUSE_CHARS)
}

impl Failure {
    /// The failure behind a biz that the base kept as broken, from the stack trace that it
    /// reports with the state. Where it reports none (2.1.6), all that is known is that the
    /// module's start failed.
    pub fn of_broken(message: &str) -> Self {
        let story = Story { message: "the module failed to start", ..Story::default() }.with_inner(message);
        let failure = story.failure();
        let is_vague = matches!(failure.kind, FailureKind::Other | FailureKind::Unclear);
        let kind = if is_vague { FailureKind::StartUp } else { failure.kind };
        Self { kind, ..failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Failure {
        let value: Value = serde_json::from_str(json).unwrap();
        Story::of_answer(value.as_object().unwrap()).failure()
    }

    fn said(message: &str) -> FailureKind {
        Story { message, ..Story::default() }.failure().kind
    }

    #[test]
    fn kinds_by_what_is_said() {
        for (message, kind) in [
            ("java.io.IOException: No space left on device", FailureKind::DiskFull),
            ("java.lang.OutOfMemoryError: Metaspace", FailureKind::MetaspaceFull),
            ("java.net.SocketTimeoutException: Read timed out", FailureKind::PullTimedOut),
            ("java.net.ConnectException: Connection timed out", FailureKind::PullTimedOut),
            ("java.net.UnknownHostException: repo", FailureKind::PullFailed),
            (
                "java.io.IOException: Server returned HTTP response code: 503 for URL: http://h/a",
                FailureKind::PullFailed,
            ),
            ("sun.net.ftp.FtpLoginException: Invalid username/password", FailureKind::PullFailed),
            ("java.lang.IllegalArgumentException: Archive must be a ark biz!", FailureKind::BadPackage),
            ("java.util.zip.ZipException: zip file is empty", FailureKind::BadPackage),
            ("java.lang.reflect.InvocationTargetException", FailureKind::Unclear),
            ("Internal Error: java.lang.reflect.InvocationTargetException", FailureKind::Unclear),
            (
                "java.lang.reflect.InvocationTargetException\nCaused by: java.lang.Error: x",
                FailureKind::StartUp,
            ),
            ("something new", FailureKind::Other),
        ] {
            assert_eq!(said(message), kind, "{message}");
        }
    }

    #[test]
    fn a_module_that_misses_its_own_database_failed_in_its_own_code() {
        let failure = answer(
            r#"{"code":"CMD_PROCESS_INTERNAL_ERROR","message":"Internal Error: java.lang.reflect.InvocationTargetException",
            "errorStackTrace":"x.ArkletRuntimeException: java.lang.reflect.InvocationTargetException\n\tat a.MetaspaceX.b(C.java:1)\nCaused by: java.net.ConnectException: Connection refused\n\tat d.e\n\t... 9 more"}"#,
        );
        assert_eq!(failure.kind, FailureKind::StartUp);
        assert_eq!(failure.cause, "java.net.ConnectException: Connection refused");
    }

    #[test]
    fn a_cause_is_never_empty() {
        let failure = answer(r#"{"code":"FAILED","message":"\u0000","data":{"message":" \u0007\n"}}"#);
        assert_eq!(failure.cause, "FAILED");
        let failure = answer(r#"{"code":"\u0000"}"#);
        assert_eq!(failure.cause, "the base gives no reason");
    }

    #[test]
    fn a_taken_path_is_named() {
        let failure = answer(
            r#"{"code":"FAILED","data":{"code":"FAILED","message":"java.lang.reflect.InvocationTargetException\n\tat x\nCaused by: java.lang.IllegalArgumentException: Child name [shop] is not unique\n\tat y"}}"#,
        );
        assert_eq!(failure.kind, FailureKind::ContextPathTaken);
        assert_eq!(failure.cause, "the web context path \"shop\" is taken: another biz serves on it");
        assert!(failure.detail.contains("\tat y"));
    }

    #[test]
    fn a_cause_is_one_short_line_without_secrets() {
        let long = format!("http://u:p@h/a.jar?token=s {}", "x".repeat(1000));
        let failure =
            answer(&serde_json::json!({"code": "FAILED", "message": format!("{long}\nmore")}).to_string());
        assert!(failure.cause.starts_with("http://h/a.jar?… xxx"), "{}", failure.cause);
        assert_eq!((failure.cause.chars().count(), failure.cause.contains('\n')), (300, false));
        assert!(!failure.detail.contains("token"));
    }

    #[test]
    fn a_detail_is_limited() {
        let failure =
            answer(&serde_json::json!({"code": "FAILED", "message": "x".repeat(1 << 20)}).to_string());
        assert_eq!(failure.detail.chars().count(), crate::wire::MAX_DETAIL_CHARS);
    }

    #[test]
    fn a_refusal_without_words_still_has_a_cause() {
        assert_eq!(answer(r#"{"code":"FAILED"}"#).cause, "FAILED");
        assert_eq!(Story::default().failure().cause, "the base gives no reason");
    }

    #[test]
    fn causes_of_a_throwable_are_followed_to_the_last() {
        let value: Value = serde_json::from_str(
            r#"{"message":"b","throwable":{"@type":"A","message":"b","cause":{"@type":"C","cause":{"message":"d",
               "cause":{"$ref":".."}}}}}"#,
        )
        .unwrap();
        let failure = Story::of_operation(value.as_object().unwrap()).failure();
        assert_eq!((failure.cause.as_str(), &*failure.detail), ("d", "b\nA: b\nCaused by: C\nCaused by: d"));
    }

    #[test]
    fn a_broken_biz_failed_at_its_start() {
        let trace = "java.lang.reflect.InvocationTargetException\n\tat x\nCaused by: java.lang.Error: no";
        let failure = Failure::of_broken(trace);
        assert_eq!((failure.kind, failure.cause.as_str()), (FailureKind::StartUp, "java.lang.Error: no"));
        let failure = Failure::of_broken("");
        assert_eq!(
            (failure.kind, failure.cause.as_str()),
            (FailureKind::StartUp, "the module failed to start")
        );
    }
}
