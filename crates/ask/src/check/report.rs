//! What was found, as it is shown.

use model::Language;
use serde_json::{Value, json};

use super::{Evidence, Finding, code::Severity, findings};
use crate::{
    picture::NotShown,
    screen::table::{Rows, Style, plain, severity, short},
};

/// Where the pages are.
const PAGE: &str = "docs/reference/checks.md";

/// The findings that are not ignored, and what could not be checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    skipped: Vec<NotShown>,
    workloads: usize,
}

impl Report {
    /// Of this evidence.
    pub(crate) fn of(evidence: &Evidence, definitions: &[Value], ignored: &[String]) -> Self {
        let mut findings = findings(evidence, definitions);
        findings
            .retain(|finding| !ignored.iter().any(|code| code.eq_ignore_ascii_case(finding.code.as_str())));
        Self { findings, skipped: evidence.skipped.clone(), workloads: evidence.workloads() }
    }

    /// Nothing is wrong, as far as could be seen.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.findings.len()
    }

    /// All was checked.
    pub(crate) fn is_complete(&self) -> bool {
        self.skipped.is_empty()
    }

    /// As text.
    pub(crate) fn text(&self, language: Language, style: Style) -> String {
        let mut text = String::new();
        if !self.findings.is_empty() {
            let mut rows = Rows::new(["SEVERITY", "CODE", "WITH", "FOUND"], style);
            let most = if style.wide { 4_096 } else { 140 };
            for finding in &self.findings {
                rows.add([
                    severity(finding.code.severity() == Severity::Error),
                    plain(finding.code.as_str()),
                    plain(&finding.about),
                    plain(short(&finding.message, most)),
                ]);
            }
            text.push_str(&rows.text());
            let mut codes: Vec<_> = self.findings.iter().map(|finding| finding.code).collect();
            codes.dedup();
            for code in codes {
                text.push_str(&format!("\n{code}\n  {}\n", code.remedy(language)));
            }
            text.push('\n');
        }
        for NotShown { what, why } in &self.skipped {
            text.push_str(&match language {
                Language::English => format!("not checked: {what}: {why}\n"),
                Language::Chinese => format!("未检查：{what}：{why}\n"),
            });
        }
        text + &self.verdict(language)
    }

    fn verdict(&self, language: Language) -> String {
        let (findings, skipped, workloads) = (self.findings.len(), self.skipped.len(), self.workloads);
        match (language, findings, skipped) {
            (Language::English, 0, 0) => {
                format!("Nothing was found. {workloads} workloads of modules were looked at.\n")
            }
            (Language::English, 0, _) => {
                format!("Nothing was found, and {skipped} things could not be checked.\n")
            }
            (Language::English, ..) => format!(
                "{findings} found. `module-controller explain CODE` says more of each; --ignore CODE leaves one out.\n"
            ),
            (Language::Chinese, 0, 0) => format!("没有发现问题。共检查了 {workloads} 个模块工作负载。\n"),
            (Language::Chinese, 0, _) => format!("没有发现问题，但有 {skipped} 项无法检查。\n"),
            (Language::Chinese, ..) => format!(
                "发现 {findings} 个问题。用 `module-controller explain 代码` 查看详细说明；用 --ignore 代码 忽略某一项。\n"
            ),
        }
    }

    /// As JSON.
    pub(crate) fn json(&self, language: Language) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let page = format!("{PAGE}#{}", finding.code.as_str().to_ascii_lowercase());
                json!({"code": finding.code.as_str(), "severity": finding.code.severity(), "about": finding.about,
                       "message": finding.message, "remedy": finding.code.remedy(language), "page": page})
            })
            .collect();
        json!({ "findings": findings, "skipped": self.skipped, "workloads": self.workloads })
    }
}
