//! The reference page of the settings, as text.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use model::Language;

/// One flag of `--help`.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    variable: String,
    flag: String,
    default: String,
    text: String,
}

/// The page of all settings, from what `module-controller --help` prints.
pub(super) fn configuration(help: &str, language: Language) -> Result<String> {
    let settings = settings(help);
    ensure!(!settings.is_empty(), "no settings in the output of --help");
    let mut page = String::from(match language {
        Language::English => {
            "# Configuration\n\n\
         Made from `module-controller --help` by `cargo xtask tidy --write`.\n\n\
         Each setting is an environment variable and a flag; a flag wins. A variable that is set to nothing is as good as\n\
         unset. Every value is checked at the start, and a bad one is refused with its name, the value and what is allowed.\n\n\
         | variable | flag | default | |\n|---|---|---|---|\n"
        }
        Language::Chinese => {
            "# 配置项\n\n\
         本页由 `cargo xtask tidy --write` 根据 `MESSAGE_LANGUAGE=zh module-controller --help` 生成。\n\n\
         每个配置项都是一个环境变量，也是一个命令行参数；参数优先。变量设为空等于没有设置。\n\
         所有值在启动时检查，有问题的会被拒绝，并报出它的名称、值和允许的写法。\n\n\
         | 变量 | 参数 | 默认值 | |\n|---|---|---|---|\n"
        }
    });
    for Setting { variable, flag, default, text } in settings {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let text = cell(&text);
        let _ = writeln!(page, "| `{variable}` | `{flag}` | {default} | {text} |");
    }
    Ok(page)
}

/// A text as a cell of a table. What stands between backticks is shown as it is.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts =
        parts.map(|(index, part)| if index % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`").replace('|', "\\|")
}

fn settings(help: &str) -> Vec<Setting> {
    let mut found = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in help.lines().map(str::trim) {
        if line.starts_with("--") {
            let flag = line.split([' ', '[', '=']).next().unwrap_or(line);
            open = Some((flag.to_owned(), Vec::new()));
        } else if let Some(variable) = line.strip_prefix("[env: ") {
            let variable = variable.split(['=', ']']).next().unwrap_or_default().to_owned();
            if let Some((flag, lines)) = open.take() {
                let (text, default) = split_default(&lines.join(" "));
                found.push(Setting { variable, flag, default, text });
            }
        } else if let Some((_, lines)) = open.as_mut().filter(|_| !line.is_empty()) {
            lines.push(line);
        }
    }
    found
}

fn split_default(text: &str) -> (String, String) {
    match text.split_once("[default: ").or_else(|| text.split_once("[默认：")) {
        Some((text, default)) => (text.trim().to_owned(), default.trim_end_matches(']').to_owned()),
        None => (text.trim().to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Does things.\n\nOptions:\n      --a-b [<A_B>]\n          Turns it\n          on. [default: false]\n\n          \
                        [env: A_B=]\n\n      --c <C>\n          A name\n\n          [env: C=x]\n\n  -h, --help\n          Print help\n";

    #[test]
    fn flags_are_read_with_variable_and_default() {
        let setting = |variable: &str, flag: &str, default: &str, text: &str| Setting {
            variable: variable.into(),
            flag: flag.into(),
            default: default.into(),
            text: text.into(),
        };
        assert_eq!(
            settings(HELP),
            [setting("A_B", "--a-b", "false", "Turns it on."), setting("C", "--c", "", "A name")]
        );
        assert!(
            configuration("", Language::English).is_err(),
            "a help that is laid out otherwise is no empty page"
        );
    }

    #[test]
    fn a_cell_keeps_what_stands_between_backticks() {
        assert_eq!(cell("a <b> | `c <d>`"), "a &lt;b> \\| `c <d>`");
    }
}
