//! `module-controller explain` as it is typed: no settings, no cluster.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where, and stop")]

use std::{
    fs, io,
    path::Path,
    process::{Command, Output, Stdio},
};

/// What the guides tell their readers to type; each must work.
const DOCUMENTED: [&[&str]; 6] = [
    &["explain"],
    &["explain", "Arklet.PullBizError"],
    &["explain", "BaseInstanceNotReady"],
    &["explain", "Arklet.PullBizError", "--lang", "zh"],
    &["explain", "HeldByPlan"],
    &["explain", "metaspace"],
];

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_module-controller"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    program().args(args).envs(env.iter().copied()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The lines of a guide that call the program, without their comments.
fn commands(page: &str) -> Vec<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(page);
    let text = fs::read_to_string(&file).unwrap();
    let calls = text.lines().filter_map(|line| line.strip_prefix("module-controller "));
    let calls = calls.filter(|call| call.starts_with("explain"));
    calls
        .map(|call| {
            call.split('#').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn every_documented_command_works() {
    for args in DOCUMENTED {
        let output = run(args, &[]);
        assert!(output.status.success() && err(&output).is_empty(), "{args:?}: {}", err(&output));
        assert!(out(&output).lines().count() > 2, "{args:?}: {}", out(&output));
    }
    for page in ["operations.md", "operations.zh-CN.md"] {
        assert_eq!(commands(page), DOCUMENTED, "{page}");
    }
}

#[test]
fn the_page_comes_in_the_reader_s_language() {
    let code = ["explain", "Arklet.InstallModuleFailed"];
    let english = out(&run(&code, &[("LANG", "en_US.UTF-8")]));
    let chinese = out(&run(&code, &[("LANG", "zh_CN.UTF-8")]));
    assert!(english.starts_with("# Arklet.InstallModuleFailed\n") && english.contains("## What to do"));
    assert!(chinese.starts_with("# Arklet.InstallModuleFailed\n") && chinese.contains("## 怎么处理"));
    let asked = |lang| out(&run(&[code[0], code[1], "--lang", lang], &[("LC_ALL", "zh_CN.UTF-8")]));
    assert_eq!((asked("en"), asked("zh")), (english, chinese));
}

#[test]
fn a_composed_code_is_explained_too() {
    let output = run(&["explain", "otherdownstream.pullbizerror"], &[]);
    assert!(output.status.success());
    for said in ["# OtherDownstream.PullBizError", "Source `OtherDownstream`", "Pulling the package failed"] {
        assert!(out(&output).contains(said), "{}", out(&output));
    }
}

#[test]
fn an_unknown_code_ends_with_2_and_says_what_comes_close() {
    let output = run(&["explain", "Arklet.InstalModuleFailed"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        out(&output).is_empty() && err(&output).contains("  Arklet.InstallModuleFailed\n"),
        "{}",
        err(&output)
    );
    let output = run(&["explain", "User.DiskFull", "--lang", "de"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
}

#[test]
fn settings_that_are_wrong_or_missing_do_not_matter() {
    let output =
        run(&["explain", "User.DiskFull"], &[("ENABLE_HTTP_TUNNEL", "perhaps"), ("IS_CLUSTER", "true")]);
    assert!(output.status.success() && out(&output).contains("df -h"), "{}", err(&output));
    let output = run(&[], &[]);
    assert_eq!(output.status.code(), Some(2), "without `explain` settings are asked for");
}

#[test]
fn help_says_what_there_is() {
    let help = out(&run(&["--help"], &[]));
    assert!(help.contains("explain") && help.contains("--enable-http-tunnel"), "{help}");
    let help = out(&run(&["explain", "--help"], &[]));
    for said in ["[CODE]", "--lang <LANG>", "en", "zh", "Ends with code 2"] {
        assert!(help.contains(said), "{said} is not in\n{help}");
    }
    assert!(!help.contains("MQTT"), "{help}");
}

#[test]
fn help_and_what_is_refused_are_in_the_language_that_is_set() {
    let chinese = [("MESSAGE_LANGUAGE", "zh")];
    let help = out(&run(&["--help"], &chinese));
    assert!(help.contains("通过 MQTT 与基座通信") && help.contains("--enable-http-tunnel"), "{help}");
    let refused = err(&run(&[], &chinese));
    assert!(refused.contains("无法以这些配置启动：") && refused.contains("没有启用任何管道"), "{refused}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = program().arg("explain").stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", err(&output));
}
