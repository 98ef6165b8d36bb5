//! The settings, explained in Chinese.

use clap::Command;

/// What each is for: its variable, a tab and the text.
const TEXTS: &str = include_str!("zh.tsv");

const ABOUT: &str = "模块化应用的 Kubernetes 控制面：把每个运行中的基座变成 Node，把每个模块变成 Pod，让 Deployment、Service 和 kubectl 都能用于模块";

const DETAILS: &str = "模块化应用的 Kubernetes 控制面：把每个运行中的基座变成 Node，把每个模块变成 Pod，让 Deployment、Service 和 kubectl 都能用于模块。\n\n\
                       每个参数都可以用旁边的环境变量设置，参数优先。至少要启用一个管道：--enable-http-tunnel 或 --enable-mqtt-tunnel。\
                       API server 的地址来自 KUBECONFIG 或 Pod 的 ServiceAccount。";

/// The same command line with these texts.
pub(super) fn explained(command: Command) -> Command {
    command.about(ABOUT).long_about(DETAILS).mut_args(|arg| {
        let text = arg.get_env().and_then(|variable| of(variable.to_str()?));
        match text {
            Some(text) => arg.help(text).long_help(text),
            None => arg,
        }
    })
}

fn of(variable: &str) -> Option<&'static str> {
    TEXTS
        .lines()
        .find_map(|line| line.split_once('\t').filter(|(of, _)| *of == variable))
        .map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Args;

    #[test]
    fn every_setting_is_explained_and_nothing_else() {
        let missing: Vec<_> = Args::VARIABLES.iter().filter(|variable| of(variable).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let unknown: Vec<_> = TEXTS
            .lines()
            .filter_map(|line| line.split('\t').next())
            .filter(|variable| !Args::VARIABLES.contains(variable))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    /// A default that is said in English is said in Chinese, and it is the same where it is a value.
    #[test]
    fn defaults_are_the_same() {
        for arg in Args::command().get_arguments() {
            let Some(variable) = arg.get_env().and_then(|variable| variable.to_str()) else { continue };
            let english = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
            let english = english.split_once("[default: ").map(|(_, default)| default.trim_end_matches(']'));
            let chinese = of(variable).unwrap();
            let chinese = chinese.split_once("[默认：").map(|(_, default)| default.trim_end_matches(']'));
            assert_eq!(english.is_some(), chinese.is_some(), "{variable}");
            let is_value = |text: &str| {
                text.chars().all(|c| c.is_ascii_graphic())
                    && text != "any"
                    && text != "none"
                    && text != "nowhere"
            };
            if let Some(english) = english.filter(|english| is_value(english)) {
                assert_eq!(Some(english), chinese, "{variable}");
            }
        }
    }
}
