//! An announcement as a line of the log: what it is about, and which error it is, as fields of their own.

use engine::{Announcement, Regarding};
use tracing::field::display;

/// Writes it.
pub(super) fn write(announcement: &Announcement) {
    let Announcement { regarding, warning, reason, action, note, code, detail, trace, .. } = announcement;
    let code = code.map(display);
    let (mut pod, mut node, mut workload, mut plan) = (None, None, None, None);
    match regarding {
        Regarding::Pod(about) => pod = Some(display(about)),
        Regarding::Node { name, .. } => node = Some(display(name)),
        Regarding::Workload(about) => workload = Some(display(about)),
        Regarding::Plan(about) => plan = Some(display(about)),
    }
    if *warning {
        tracing::warn!(code, pod, node, workload, plan, reason, action, %trace, "{note}");
    } else {
        tracing::info!(code, pod, node, workload, plan, reason, action, %trace, "{note}");
    }
    if !detail.is_empty() {
        tracing::debug!(code, pod, node, workload, plan, reason, %trace, detail, "the whole story");
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use engine::view::PodRef;
    use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, bilingual};
    use serde_json::Value;
    use tracing::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(announcement: &Announcement) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || write(announcement));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn announcement(code: Option<ErrorCode>, detail: &str) -> Announcement {
        Announcement {
            regarding: Regarding::Pod(PodRef { namespace: "n".into(), name: "p".into(), uid: "u".into() }),
            warning: code.is_some(),
            reason: code.map_or_else(|| "BaseReady".to_owned(), |code| code.to_string()),
            action: "Install",
            note: bilingual!("installing biz1:1.0.0: no", "安装 biz1:1.0.0：no"),
            code,
            detail: detail.to_owned(),
            what: Bilingual::default(),
            base: "b".parse().ok(),
            biz: None,
            trace: 0xc0_ffee.into(),
            alarm: None,
        }
    }

    #[test]
    fn a_fault_has_its_code_as_a_field_and_its_story_one_level_lower() {
        let code = ErrorCode::new(ErrorSource::User, ErrorType::DiskFull);
        let lines = logged(&announcement(Some(code), "java.io.IOException: no\n\tat x"));
        let told: Vec<_> = lines
            .iter()
            .map(|line| ["level", "code", "pod", "message"].map(|field| line[field].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ["WARN", "User.DiskFull", "n/p", "installing biz1:1.0.0: no"],
                ["DEBUG", "User.DiskFull", "n/p", "the whole story"]
            ]
        );
        assert!(
            !lines[0].to_string().contains("\\tat")
                && lines[1]["detail"].as_str().unwrap().contains("\tat x")
        );
    }

    #[test]
    fn what_is_no_fault_has_no_code() {
        let lines = logged(&announcement(None, ""));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].get("code").is_none() && lines[0]["level"] == "INFO", "{lines:?}");
    }
}
