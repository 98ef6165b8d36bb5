//! The reference page of the error codes, as text: the manual's tables, and behind them the pages that the controller
//! itself prints.

use std::fmt::Write as _;

use model::error::StandardCode;
use model::{ErrorCode, ErrorSource, Language};

const ENGLISH: &str = "\
# Error codes

[中文](error-codes.zh-CN.md)

Made from `crates/model/src/error` by `cargo xtask tidy --write`. `module-controller explain <CODE>` prints the same.

A code is `Source.Type`. It is the reason of a waiting container and of an Event, and the field `code` in the log. Sources and
types are composed freely: a code that is not in the table means what its halves mean.

## The manual's table

| code | of | area | meaning | suggestion |
|---|---|---|---|---|
";

const CHINESE: &str = "\
# 错误码

[English](error-codes.md)

由 `cargo xtask tidy --write` 根据 `crates/model/src/error` 生成。`module-controller explain <CODE>` 显示相同的内容。

错误码的形式是 `来源.类型`，是处于 waiting 状态的容器和 Event 的 reason，也是日志中的 `code` 字段。来源和类型可以任意组合：表中没有的错误码，
按它的两部分理解。

## 手册中的表

| 错误码 | 组件 | 业务类型 | 含义 | 解决方案 |
|---|---|---|---|---|
";

/// The page.
pub(super) fn reference(language: Language) -> String {
    let (head, sources) = match language {
        Language::English => (ENGLISH, "\n## Sources\n\n| source | meaning |\n|---|---|\n"),
        Language::Chinese => (CHINESE, "\n## 来源\n\n| 来源 | 含义 |\n|---|---|\n"),
    };
    let mut page = head.to_owned();
    for row in StandardCode::all() {
        let cells = [link(row.code), row.component.to_owned()].into_iter().chain(
            [row.area(language), row.meaning(language), row.suggestion(language)]
                .map(|text| text.replace('|', "\\|")),
        );
        let _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    page.push_str(sources);
    for source in ErrorSource::ALL {
        let _ = writeln!(page, "| `{}` | {} |", source.as_str(), source.meaning(language));
    }
    for code in ErrorCode::with_page() {
        let _ = write!(page, "\n{}", deeper(&code.page(language).to_string()));
    }
    page
}

/// To the code's own section, by the name that GitHub gives it.
fn link(code: ErrorCode) -> String {
    let anchor: String = code.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("[`{code}`](#{})", anchor.to_ascii_lowercase())
}

/// The same Markdown with its headings one step lower; what is fenced is no heading.
fn deeper(text: &str) -> String {
    let mut fenced = false;
    text.lines().fold(String::new(), |mut all, line| {
        fenced ^= line.starts_with("```");
        let _ = writeln!(all, "{}{line}", if line.starts_with('#') && !fenced { "#" } else { "" });
        all
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn headings_go_one_step_lower_and_fences_stay() {
        assert_eq!(deeper("# a\n```sh\n# b\n```\n## c\n"), "## a\n```sh\n# b\n```\n### c\n");
    }

    #[test]
    fn every_row_is_in_the_table_and_leads_to_a_section() {
        for language in Language::ALL {
            let page = reference(*language);
            let sections: BTreeSet<String> =
                page.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
            let linked: Vec<&str> =
                page.lines().filter_map(|line| line.split("](#").nth(1)?.split(')').next()).collect();
            assert_eq!(linked.len(), StandardCode::all().len());
            for link in linked {
                assert!(sections.contains(link), "{language:?}: nothing is called {link}");
            }
        }
    }

    fn anchor(heading: &str) -> String {
        heading.to_lowercase().replace(' ', "-").replace('.', "")
    }
}
