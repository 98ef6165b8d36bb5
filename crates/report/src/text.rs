//! The message as DingTalk takes it: Markdown in two languages.

use engine::Alarm;
use model::{BaseIdentity, Language};
use serde::Serialize;

use crate::report::Report;

/// DingTalk takes 20,000 bytes; title, braces and the line on what is missing need the rest.
const MOST_BYTES: usize = 19_000;
/// A cause is one line; what is longer is in the log.
const MOST_OF_CAUSE: usize = 1_200;
/// The longest names that Kubernetes knows have 253 bytes, and a Pod has two.
const MOST_OF_NAME: usize = 330;
/// More blocks than this in one message are read by nobody.
const MOST_BLOCKS: usize = 20;
/// A robot that filters by keyword looks for it in every message.
const KEYWORD: &str = "Module Controller";
/// The Go controller's heading: robots that were set up for its reports have this keyword.
const UPSTREAM_KEYWORD: &str = "MC告警";

/// A message that is filled with reports until it is full.
#[derive(Debug, Default)]
pub(crate) struct Message {
    title: String,
    blocks: Vec<String>,
    bytes: usize,
}

#[derive(Serialize)]
struct Body<'a> {
    msgtype: &'a str,
    markdown: Markdown<'a>,
}

#[derive(Serialize)]
struct Markdown<'a> {
    title: &'a str,
    text: &'a str,
}

impl Message {
    /// Puts a report in; false where there is no room for it.
    pub(crate) fn push(&mut self, report: &Report, env: &str) -> bool {
        let block = block(report, env);
        let bytes = encoded_len(&block) + SEPARATOR.len() + 2;
        let is_full = self.bytes + bytes > MOST_BYTES || self.blocks.len() >= MOST_BLOCKS;
        if is_full && !self.blocks.is_empty() {
            return false;
        }
        if self.blocks.is_empty() {
            self.title = title(report);
        }
        self.bytes += bytes;
        self.blocks.push(block);
        true
    }

    /// How many reports are in it.
    pub(crate) fn len(&self) -> u64 {
        self.blocks.len().try_into().unwrap_or(u64::MAX)
    }

    /// The request's body; `missing` reports before these did not arrive.
    pub(crate) fn body(&self, missing: u64) -> String {
        let mut title = self.title.clone();
        if let more @ 1.. = self.blocks.len().saturating_sub(1) {
            title.push_str(&format!(" (+{more})"));
        }
        let mut text = self.blocks.join(SEPARATOR);
        if missing > 0 {
            text.push_str(&format!(
                "{SEPARATOR}**此前有 {missing} 条告警未能送达，请查看事件与日志 / {missing} earlier reports could not be \
                 delivered: see the Events and the log**"
            ));
        }
        let body = Body { msgtype: "markdown", markdown: Markdown { title: &title, text: &text } };
        // Two texts: that cannot fail.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

const SEPARATOR: &str = "\n\n---\n\n";

/// How long it becomes in JSON.
fn encoded_len(text: &str) -> usize {
    serde_json::to_string(text).map_or(text.len() * 6, |encoded| encoded.len())
}

/// What a telephone shows without opening the message.
fn title(report: &Report) -> String {
    let code = report.code.map(|code| format!(" {code}")).unwrap_or_default();
    let biz = report.biz.as_ref().map(|biz| format!(" {}", plain(&biz.to_string(), MOST_OF_NAME)));
    format!("{KEYWORD}:{code}{}", biz.unwrap_or_default())
}

fn heading(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::InstallFailed => "模块安装失败 / Installing a module failed",
        Alarm::UninstallFailed => "模块卸载失败 / Uninstalling a module failed",
        Alarm::TimedOut => "命令超时 / A command timed out",
        Alarm::LostBase => "基座失联 / A base is lost",
        Alarm::BlastRadius => "大量基座失联，已暂停删除 / Bases fell silent together: nothing is deleted",
        Alarm::PlanWaits => "工单等待确认 / An operation plan waits for a person",
        Alarm::PlanFailed => "工单失败 / An operation plan failed",
        Alarm::PlanSucceeded => "工单完成 / An operation plan has succeeded",
    }
}

/// DingTalk joins lines that only one newline parts, so that everything is a list.
fn block(report: &Report, env: &str) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("- {name}: {}", plain(value, MOST_OF_NAME)));
        }
    };
    if let Some(code) = report.code {
        line("错误码 / Code", &code.to_string());
        line("含义 / Meaning", &both(code.meaning(Language::Chinese), code.meaning(Language::English)));
        line(
            "建议 / Suggestion",
            &both(code.suggestion(Language::Chinese), code.suggestion(Language::English)),
        );
    }
    line("基座 / Base", report.base.as_ref().map(BaseIdentity::as_str).unwrap_or_default());
    line("工单 / Plan", report.plan.as_deref().unwrap_or_default());
    line("Pod", report.pod.as_deref().unwrap_or_default());
    line("模块 / Module", &report.biz.as_ref().map(ToString::to_string).unwrap_or_default());
    line("环境 / Env", env);
    line("时间 / Time", &format!("{:.0}", report.at));
    line("Trace", &report.trace.to_string());
    if report.repeated > 0 {
        let times = report.repeated;
        line(
            "重复 / Repeated",
            &format!("{times} 次（自上次告警） / {times} times since it was last reported"),
        );
    }
    line("来源 / From", &format!("{KEYWORD} ({UPSTREAM_KEYWORD})"));
    format!(
        "### {}\n\n> {}\n\n{}",
        heading(report.alarm),
        plain(&report.what, MOST_OF_CAUSE),
        lines.join("\n")
    )
}

fn both(chinese: &str, english: &str) -> String {
    if chinese.is_empty() { english.to_owned() } else { format!("{chinese} / {english}") }
}

/// A text of others in one line, at most so many bytes: it makes no link, no image, no mention, no heading, and
/// no character that is not seen.
fn plain(text: &str, most: usize) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let seen: String = text.chars().map(|c| if invisible(c) { ' ' } else { c }).collect();
    let words: Vec<String> = seen.split_whitespace().map(unlinked).collect();
    // Markdown's own signs: a link's, a tag's, and what begins a heading, a list or a quote at the start of a line.
    let mut line =
        words.join(" ").replace("](", "] (").replace('<', "＜").replace('>', "＞").replace('@', "＠");
    if line.starts_with(['#', '-', '+', '*', '=', '|', '~', '`']) {
        line.insert(0, '\\');
    }
    if line.len() <= most {
        return line;
    }
    let end = line.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", line.get(..end).unwrap_or_default())
}

/// What begins a link, what is told in its place of its last part, and whether a host follows it.
const LINKS: [(&str, &str, bool); 6] = [
    ("://", "[:]//", true),
    ("www.", "[.]", true),
    ("mailto:", "[:]", false),
    ("tel:", "[:]", false),
    ("sms:", "[:]", false),
    ("javascript:", "[:]", false),
];

/// A word in which no client finds a link: DingTalk makes one of every address that it sees, also outside of Markdown's
/// brackets. It stays readable: `https[:]//host[.]example/path`.
fn unlinked(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let begins = |at: usize| {
        let rest = lower.get(at..).unwrap_or_default();
        LINKS.iter().find(|(sign, ..)| rest.starts_with(sign))
    };
    let (mut told, mut in_host, mut after) = (String::with_capacity(word.len()), false, 0);
    for (at, c) in word.char_indices() {
        if at < after {
            continue;
        }
        if let Some((sign, instead, host)) = begins(at) {
            let word_of_it = sign.trim_end_matches([':', '.', '/']).len();
            told.push_str(word.get(at..at + word_of_it).unwrap_or_default());
            told.push_str(instead);
            (in_host, after) = (*host, at + sign.len());
            continue;
        }
        in_host &= !matches!(c, '/' | '?' | '#');
        if in_host && c == '.' { told.push_str("[.]") } else { told.push(c) }
    }
    told
}

#[cfg(test)]
mod tests {
    use model::{ErrorSource, ErrorType};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn report() -> Report {
        Report {
            alarm: Alarm::InstallFailed,
            code: Some(model::ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError)),
            what: "installing biz1:1.0.0: /nowhere.jar (No such file or directory)".into(),
            base: "base-1".parse().ok(),
            plan: None,
            pod: Some("default/biz1-a".into()),
            biz: Some(model::BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() }),
            trace: 0xc0_ffee.into(),
            at: "2026-11-23T01:02:03.4Z".parse().unwrap(),
            repeated: 0,
        }
    }

    fn text(body: &str) -> String {
        let body: Value = serde_json::from_str(body).unwrap();
        body["markdown"]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn one_report() {
        let mut message = Message::default();
        assert!(message.push(&report(), "dev"));
        let body: Value = serde_json::from_str(&message.body(0)).unwrap();
        let text = "### 模块安装失败 / Installing a module failed\n\n\
            > installing biz1:1.0.0: /nowhere.jar (No such file or directory)\n\n\
            - 错误码 / Code: Arklet.PullBizError\n\
            - 含义 / Meaning: 拉包失败 / Pulling the package failed\n\
            - 建议 / Suggestion: 请重试 / Retry\n\
            - 基座 / Base: base-1\n\
            - Pod: default/biz1-a\n\
            - 模块 / Module: biz1:1.0.0\n\
            - 环境 / Env: dev\n\
            - 时间 / Time: 2026-11-23T01:02:03Z\n\
            - Trace: 0000000000c0ffee\n\
            - 来源 / From: Module Controller (MC告警)";
        let title = "Module Controller: Arklet.PullBizError biz1:1.0.0";
        assert_eq!(body, json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}}));
    }

    #[test]
    fn a_plan_that_waits_is_about_no_base() {
        let waits = Report {
            alarm: Alarm::PlanWaits,
            code: None,
            base: None,
            plan: Some("shop/cart-2".into()),
            pod: None,
            ..report()
        };
        let mut message = Message::default();
        assert!(message.push(&waits, "dev"));
        let text = text(&message.body(0));
        assert!(text.starts_with("### 工单等待确认 / An operation plan waits for a person"), "{text}");
        assert!(text.contains("- 工单 / Plan: shop/cart-2") && !text.contains("Base:"), "{text}");
    }

    #[test]
    fn several_reports_and_what_is_missing() {
        let mut message = Message::default();
        let lost =
            Report { alarm: Alarm::LostBase, code: None, pod: None, biz: None, repeated: 7, ..report() };
        assert!(message.push(&report(), "dev") && message.push(&lost, "dev"));
        let body = message.body(3);
        assert!(body.contains("Arklet.PullBizError biz1:1.0.0 (+1)\""), "{body}");
        let text = text(&body);
        for said in ["基座失联 / A base is lost", "7 times since", "3 earlier reports", "\n\n---\n\n"] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
        assert_eq!(message.len(), 2);
    }

    #[test]
    fn every_report_has_both_keywords() {
        let mut message = Message::default();
        assert!(message.push(&report(), "dev") && message.push(&report(), "dev"));
        let text = text(&message.body(0));
        for keyword in ["Module Controller", "MC告警"] {
            assert!(
                text.split(SEPARATOR).all(|block| block.contains(keyword)),
                "{keyword} is not in\n{text}"
            );
        }
    }

    #[test]
    fn what_a_base_says_makes_no_markdown() {
        let nasty = "a\n# b\u{202e}\r![x](http://evil.example/y.png)";
        assert_eq!(plain(nasty, 100), "a # b ![x] (http[:]//evil[.]example/y.png)");
        assert_eq!(plain("基座基座", 10), "基座…");
    }

    #[test]
    fn an_address_in_what_a_base_says_is_no_link() {
        for (said, told) in [
            ("see https://evil.example/login now", "see https[:]//evil[.]example/login now"),
            ("(HTTP://a.b:80?x=c.d)", "(HTTP[:]//a[.]b:80?x=c.d)"),
            ("www.evil.example", "www[.]evil[.]example"),
            (
                "dingtalk://dingtalkclient/page/link?url=http%3A%2F%2Fx",
                "dingtalk[:]//dingtalkclient/page/link?url=http%3A%2F%2Fx",
            ),
            ("http://a.b/http://c.d/", "http[:]//a[.]b/http[:]//c[.]d/"),
            ("mailto:x@y.z MAILTO:q", "mailto[:]x＠y.z MAILTO[:]q"),
            ("@all @13800000000", "＠all ＠13800000000"),
            ("http://a.(evil)", "http[:]//a[.] (evil)"),
            ("<a href=x>", "＜a href=x＞"),
            ("# big", "\\# big"),
            ("java.io.FileNotFoundException: /a/b.jar", "java.io.FileNotFoundException: /a/b.jar"),
        ] {
            assert_eq!(plain(said, 200), told);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn whatever_a_base_says_has_no_address_left(said in "(http|HTTPS|ftp|://|/|www\\.|a\\.b|[(]|[)]|\\[|\\]|@| |mailto:|\\PC){0,40}") {
            let told = plain(&said, 4_000).to_lowercase();
            for sign in ["://", "www.", "mailto:", "](", "@", "<"] {
                prop_assert!(!told.contains(sign), "{sign} is in {told}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_message_is_longer_than_dingtalk_takes(
            causes in prop::collection::vec(".{0,300}|[\"\\\\]{0,2000}|[基座]{0,1000}", 1..30),
            missing: u64,
        ) {
            let mut message = Message::default();
            let taken = causes.into_iter().take_while(|what| {
                message.push(&Report { what: what.clone(), repeated: u32::MAX, ..report() }, "dev")
            }).count();
            prop_assert!(taken >= 1);
            let body = message.body(missing);
            prop_assert!(body.len() <= 20_000, "{}", body.len());
        }
    }
}
