//! The stages, in order. Nothing else runs beside the tests: they have deadlines, and a machine may have two cores.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use testkit::examples::{Example, Tried};
use testkit::{artifacts, rights, static_program};

use super::end_to_end;
use super::stage::{Stage, Verdict};
use super::tally::{self, Counts};
use super::times::Times;
use crate::book;
use crate::cargo;
use crate::tidy;

const SETUP: &str = "setup";
const BUILD: &str = "build";
const TESTS: &str = "tests";
const END_TO_END: &str = "end to end";
/// What is done in the workspace of the WebAssembly base begins with this.
const BASE_TESTS: &str = "base tests";

/// What tests that would take long do all of: `cargo xtask test --long`.
const LONG_RUN: [(&str, &str); 2] = [("LONG_RUN", "1"), ("SIM_SEEDS", "0..100000")];

/// Where the tests' API servers leave their audit logs.
const AUDIT: &str = "target/audit";

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Without what takes minutes.
    Quick,
    /// What every change has to pass.
    Usual,
    /// What a release has to pass.
    Long,
}

/// Everything, or what `length` and a filter leave of it.
pub(super) fn plan(length: Length, filter: Option<&str>) -> Vec<Stage> {
    let mut plan =
        vec![setup(), format_stage(), cargo_stage(BUILD, &["build", "--workspace", "--bins", "--tests"])];
    if filter.is_none() {
        plan.extend(checks(length));
        plan.extend((length != Length::Quick).then(image));
        plan.extend((length != Length::Quick).then(|| examples(length)));
    } else {
        plan.retain(|stage| stage.name != "format");
    }
    plan.push(tests(length, filter));
    plan.push(base_tests(length, filter));
    if length != Length::Quick {
        plan.push(end_to_end(length, filter.map(str::to_owned)));
        if filter.is_none() {
            plan.push(Stage {
                name: "rights",
                what: "the roles of deploy/ and the audit logs of the tests".to_owned(),
                // A test that failed says nothing of what the others asked for.
                after: &[SETUP, BUILD],
                work: Box::new(rights_are_used),
            });
            plan.push(Stage {
                name: "demo",
                what: "cargo xtask demo --once --fleet 30".to_owned(),
                after: &[SETUP, BUILD],
                work: Box::new(demo),
            });
            plan.extend((length == Length::Long).then(release));
        }
    }
    plan
}

/// The end-to-end tests alone, with what they are made of.
pub(super) fn only_end_to_end(length: Length, filter: Option<&str>) -> Vec<Stage> {
    const BUILT: [&str; 8] =
        ["build", "--workspace", "--bin", "module-controller", "--bin", "xtask", "--test", "e2e"];
    vec![setup(), cargo_stage(BUILD, &BUILT), end_to_end(length, filter.map(str::to_owned))]
}

/// Before the end-to-end tests, which would else wait for it: they make a release of it.
fn image() -> Stage {
    Stage {
        name: "image",
        what: "go test and gofmt of what makes images, and the static program of the tests".to_owned(),
        after: &[SETUP, BUILD],
        work: Box::new(|| {
            formatted("image")?;
            artifacts::test_image_maker()?;
            static_program::of_tests().map(|_| Verdict::Passed)
        }),
    }
}

/// Those of scripting languages are of half a minute each where they were not tried yet.
fn examples(length: Length) -> Stage {
    let all: &'static [Example] = match length {
        Length::Long => &[Example::Rust, Example::Python, Example::JavaScript],
        Length::Quick | Length::Usual => &[Example::Rust],
    };
    Stage {
        name: "examples",
        what: format!("examples: {all:?}, made by the commands of their pages, installed and asked"),
        after: &[SETUP],
        work: Box::new(move || {
            let mut lacking = Vec::new();
            for example in all {
                if let Tried::NoTool(command) = example.test()? {
                    lacking.push(format!("{example:?}: `{command}` fails here"));
                }
            }
            Ok(if lacking.is_empty() { Verdict::Passed } else { Verdict::Skipped(lacking.join("; ")) })
        }),
    }
}

/// A real one: with the release profile it takes a quarter of an hour.
fn release() -> Stage {
    Stage {
        name: "release",
        what: "cargo xtask release".to_owned(),
        after: &[SETUP],
        work: Box::new(make_release),
    }
}

/// Where no other is: what a developer made stays.
fn make_release() -> Result<Verdict> {
    let out = artifacts::repository().join("target/release-check");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let status =
        cargo::command(&["xtask", "release", "--out"]).arg(&out).status().context("starting cargo")?;
    ensure!(status.success(), "`cargo xtask release` failed ({status})");
    Ok(Verdict::Passed)
}

fn setup() -> Stage {
    Stage {
        name: SETUP,
        what: "the dev cluster, Helm, what makes images, the board's page, mdBook, the Java and the WebAssembly base, mosquitto, Prometheus, Chromium".to_owned(),
        after: &[],
        work: Box::new(set_up),
    }
}

/// What needs nothing but Rust, and is over in a minute or two when little has changed.
pub(super) fn check() -> Vec<Stage> {
    const UNIT_TESTS: [&str; 5] = ["test", "--workspace", "--no-fail-fast", "--lib", "--bins"];
    let what = format!("cargo {}", UNIT_TESTS.join(" "));
    let work = move || count(cargo::command(&UNIT_TESTS), Length::Quick).map(Verdict::Tests);
    vec![format_stage(), clippy(), tidy(&[]), Stage { name: TESTS, what, after: &[], work: Box::new(work) }]
}

fn checks(length: Length) -> Vec<Stage> {
    let mut stages = vec![
        clippy(),
        tidy(&[BUILD]),
        Stage {
            name: "doc",
            what: "cargo doc --workspace --no-deps, with warnings denied".to_owned(),
            after: &[BUILD],
            work: Box::new(|| doc(cargo::command(&["doc", "--workspace", "--no-deps"]))),
        },
        Stage {
            name: "dev cluster",
            what: if length == Length::Long { "gofmt -l, go vet" } else { "gofmt -l" }.to_owned(),
            after: &[SETUP],
            work: Box::new(move || dev_cluster(length)),
        },
        Stage {
            name: "deny",
            what: "cargo deny check bans licenses sources".to_owned(),
            after: &[],
            work: Box::new(|| deny(&mut cargo::command(&["deny", "check", "bans", "licenses", "sources"]))),
        },
    ];
    stages.push(Stage {
        name: "page",
        what: "the unit tests of the board's page, and its tests in a browser".to_owned(),
        after: &[SETUP],
        work: Box::new(|| {
            artifacts::test_page()?;
            artifacts::browse_page().map(|()| Verdict::Passed)
        }),
    });
    stages.push(Stage {
        name: "book",
        what: "the pages as a site, in which every link leads somewhere".to_owned(),
        after: &[SETUP],
        work: Box::new(|| book::make(Path::new("target/book"), None).map(|()| Verdict::Passed)),
    });
    stages.extend(base_checks());
    stages
}

/// The same checks in the workspace of the WebAssembly base.
fn base_checks() -> Vec<Stage> {
    const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    const DOC: &[&str] = &["doc", "--workspace", "--no-deps"];
    const DENY: &[&str] = &["deny", "--config", "../deny.toml", "check", "bans", "licenses", "sources"];
    let stage = |name, args: &'static [&'static str]| Stage {
        name,
        what: format!("cargo {}, in base/", args.join(" ")),
        after: &[],
        work: Box::new(move || cargo::run_in_base(args).map(|()| Verdict::Passed)),
    };
    let mut stages =
        vec![stage("base format", &["fmt", "--all", "--", "--check", "-l"]), stage("base clippy", CLIPPY)];
    stages.push(Stage { work: Box::new(|| doc(cargo::command_of_base(DOC))), ..stage("base doc", DOC) });
    stages.push(Stage {
        work: Box::new(|| deny(&mut cargo::command_of_base(DENY))),
        ..stage("base deny", DENY)
    });
    stages
}

/// `cargo test` over the workspace of the base: it starts real bases, and needs nothing but Rust.
fn base_tests(length: Length, filter: Option<&str>) -> Stage {
    let mut args: Vec<String> = ["test", "--workspace", "--no-fail-fast"].map(str::to_owned).into();
    args.extend(filter.map(str::to_owned));
    let what = format!("cargo {}, in base/", args.join(" "));
    let work = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        count(cargo::command_of_base(&args), length).map(Verdict::Tests)
    };
    Stage { name: BASE_TESTS, what, after: &[SETUP], work: Box::new(work) }
}

fn format_stage() -> Stage {
    cargo_stage("format", &["fmt", "--all", "--", "--check", "-l"])
}

fn clippy() -> Stage {
    cargo_stage("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn tidy(after: &'static [&'static str]) -> Stage {
    let work = Box::new(|| tidy::check().map(|()| Verdict::Passed));
    Stage { name: "tidy", what: "cargo xtask tidy".to_owned(), after, work }
}

fn cargo_stage(name: &'static str, args: &'static [&'static str]) -> Stage {
    let what = format!("cargo {}", args.join(" "));
    Stage { name, what, after: &[], work: Box::new(|| cargo::run(args).map(|()| Verdict::Passed)) }
}

/// `cargo test` over the whole workspace, so that nothing is built again with other features.
fn tests(length: Length, filter: Option<&str>) -> Stage {
    let mut args: Vec<String> =
        ["test", "--workspace", "--no-fail-fast", "--exclude", "e2e"].map(str::to_owned).into();
    args.extend(filter.map(str::to_owned));
    let what = format!("cargo {}", args.join(" "));
    let work = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        count(cargo::command(&args), length).map(Verdict::Tests)
    };
    Stage { name: TESTS, what, after: &[SETUP, BUILD], work: Box::new(work) }
}

fn end_to_end(length: Length, filter: Option<String>) -> Stage {
    Stage {
        name: END_TO_END,
        what: "tests/e2e, on the dev cluster".to_owned(),
        after: &[SETUP, BUILD],
        work: Box::new(move || {
            // Whoever names a test wants it run.
            let all = length == Length::Long || filter.is_some();
            let command = end_to_end::command(filter.as_deref(), all)?;
            count(command, length).map(Verdict::Tests)
        }),
    }
}

/// Runs tests, passes their output on, and adds up what their programs say at their end.
fn count(mut command: Command, length: Length) -> Result<Counts> {
    if length == Length::Long {
        command.envs(LONG_RUN);
    }
    let mut child = command
        .env("MODULE_CONTROLLER_BIN", built("module-controller")?)
        .env(rights::DIRECTORY, artifacts::repository().join(AUDIT))
        .stdout(Stdio::piped())
        .spawn()
        .context("starting tests")?;
    let output = child.stdout.take().context("the output of tests")?;
    let (mut counts, mut times) = (Counts::default(), Times::default());
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading the output of tests")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts = counts + tally::of_line(&line).unwrap_or_default();
        times.note(&line);
    }
    let status = child.wait().context("waiting for tests")?;
    print!("{}", times.slowest());
    // A binary that does not compile, or is killed, closes with no line.
    ensure!(status.success() || counts.failed > 0, "the tests failed ({status}) with no failed test");
    Ok(counts)
}

/// A program of the build stage, which tests and demo take as it is: beside us.
fn built(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("where this program is")?;
    Ok(own.with_file_name(name))
}

/// What the tests need, and no audit log of an earlier run.
fn set_up() -> Result<Verdict> {
    let audit = artifacts::repository().join(AUDIT);
    if audit.exists() {
        fs::remove_dir_all(&audit).with_context(|| format!("removing {}", audit.display()))?;
    }
    artifacts::all().map(|()| Verdict::Passed)
}

/// The controllers of the tests asked for nothing that their account may not do, and for all that it may.
fn rights_are_used() -> Result<Verdict> {
    let rights = rights::Rights::read(&artifacts::repository().join(AUDIT))?;
    let wrong = rights.wrong();
    for one in &wrong {
        println!("rights: {one}");
    }
    ensure!(wrong.is_empty(), "rights: {} found", wrong.len());
    ensure!(rights.granted() > 0, "rights: no test left an audit log");
    println!("rights: each of the {} rights was used, and nothing else was asked for", rights.granted());
    Ok(Verdict::Passed)
}

/// In a process of its own, as a reader starts it.
fn demo() -> Result<Verdict> {
    let mut command = Command::new(built("xtask")?);
    command
        .args(["demo", "--once", "--fleet", "30"])
        .env("MODULE_CONTROLLER_BIN", built("module-controller")?);
    let status = command.status().context("starting the demo")?;
    ensure!(status.success(), "the demo failed ({status})");
    Ok(Verdict::Passed)
}

fn doc(mut command: Command) -> Result<Verdict> {
    let flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    let status =
        command.env("RUSTDOCFLAGS", format!("{flags} -D warnings")).status().context("starting cargo")?;
    ensure!(status.success(), "cargo doc failed ({status})");
    Ok(Verdict::Passed)
}

/// Vetting looks through Kubernetes too, for two minutes.
fn dev_cluster(length: Length) -> Result<Verdict> {
    formatted("devcluster")?;
    if length == Length::Long {
        artifacts::vet_devcluster()?;
    }
    Ok(Verdict::Passed)
}

/// A folder of Go sources is as gofmt would have it.
fn formatted(folder: &str) -> Result<()> {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(":/usr/local/go/bin")); // where Go's own installer puts it
    let mut gofmt = Command::new("gofmt");
    gofmt.args(["-l", "."]).current_dir(artifacts::repository().join(folder)).env("PATH", path);
    let output = gofmt.output().context("starting gofmt")?;
    let unformatted = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && unformatted.trim().is_empty(), "gofmt would change {unformatted}");
    Ok(())
}

/// Advisories are left out: they change from day to day, and their database is fetched from the network.
fn deny(check: &mut Command) -> Result<Verdict> {
    let installed =
        cargo::command(&["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        return Ok(Verdict::Skipped("cargo-deny is not installed".to_owned()));
    }
    match check.status() {
        Ok(status) if status.success() => Ok(Verdict::Passed),
        Ok(status) => bail!("cargo deny failed ({status})"),
        Err(error) => Err(error).context("starting cargo deny"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(length: Length, filter: Option<&str>) -> Vec<&'static str> {
        plan(length, filter).iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn quick_leaves_out_what_runs_end_to_end_and_nothing_else() {
        let mut all = names(Length::Usual, None);
        all.retain(|name| ![END_TO_END, "image", "examples", "rights", "demo"].contains(name));
        assert_eq!(names(Length::Quick, None), all);
    }

    #[test]
    fn before_a_release_one_is_made_too() {
        let mut long = names(Length::Long, None);
        assert_eq!(long.pop(), Some("release"));
        assert_eq!(long, names(Length::Usual, None));
    }

    #[test]
    fn what_is_run_for_every_change_needs_nothing_but_rust() {
        let names: Vec<&str> = check().iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["format", "clippy", "tidy", TESTS]);
        assert!(check().iter().all(|stage| stage.after.is_empty()));
    }

    #[test]
    fn a_filter_runs_tests_only() {
        assert_eq!(names(Length::Usual, Some("x")), [SETUP, BUILD, TESTS, BASE_TESTS, END_TO_END]);
        assert_eq!(names(Length::Quick, Some("x")), [SETUP, BUILD, TESTS, BASE_TESTS]);
        let alone = only_end_to_end(Length::Usual, Some("x"));
        assert_eq!(alone.iter().map(|stage| stage.name).collect::<Vec<_>>(), [SETUP, BUILD, END_TO_END]);
    }

    #[test]
    fn no_stage_hangs_on_a_test_that_passes() {
        let tests = [TESTS, BASE_TESTS, END_TO_END];
        let hangs = |stage: &Stage| stage.after.iter().any(|name| tests.contains(name));
        assert!(!plan(Length::Usual, None).iter().any(hangs));
    }

    #[test]
    fn every_need_is_a_stage_that_comes_before() {
        let plan = plan(Length::Usual, None);
        for (index, stage) in plan.iter().enumerate() {
            for needed in stage.after {
                assert!(plan[..index].iter().any(|one| one.name == *needed), "{} needs {needed}", stage.name);
            }
        }
    }
}
