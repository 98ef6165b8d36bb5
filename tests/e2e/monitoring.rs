//! What `deploy/monitoring` and the pages say of metrics and alerts: every alert has a test and a runbook, every expression
//! parses, and every metric that is named anywhere is one that a real controller exports.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Way, manifest, shell::read, simulated::Simulated};
use serde_json::{Value, json};
use testkit::{artifacts, prometheus::promtool, wait::wait_for, work_dir::WorkDir};

const RULES: &str = "deploy/monitoring/rules.yaml";
const DASHBOARD: &str = "deploy/monitoring/dashboard.json";
const TESTS: &str = "deploy/monitoring/tests";
const RUNBOOKS: [&str; 2] = ["docs/guide/runbooks.md", "docs/guide/runbooks.zh-CN.md"];
const OPERATIONS: [&str; 2] = ["docs/guide/operations.md", "docs/guide/operations.zh-CN.md"];

/// What is replaced in the dashboard's expressions when it is shown.
const VARIABLES: [(&str, &str); 2] = [("$__rate_interval", "5m"), ("$job", ".+")];

#[test]
fn every_alert_has_a_test_of_its_own_and_passes_it() -> Result<()> {
    let alerts = alerts()?;
    let said = promtool(&artifacts::repository(), &["check", "rules", RULES])?;
    ensure!(
        said.contains(&format!(" {} rules found", alerts.len())),
        "{} are read here: {said}",
        alerts.len()
    );
    let (mut names, mut arguments) = (BTreeSet::new(), vec!["test".to_owned(), "rules".to_owned()]);
    for file in files(TESTS)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let test = fs::read_to_string(&file)?;
        for kind in ["exp_labels:", "exp_alerts: []"] {
            ensure!(
                test.contains(kind),
                "{name}: its test has no `{kind}`: when does it fire, and when not?"
            );
        }
        let others = values(&test, "alertname:").filter(|alert| *alert != name).count();
        ensure!(others == 0, "{name}: its test is of another alert");
        names.insert(name);
        arguments.push(file.display().to_string());
    }
    ensure!(names == alerts, "alerts {alerts:?}, tests {names:?}");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = promtool(&artifacts::repository(), &arguments)?;
    ensure!(said.matches("SUCCESS").count() == alerts.len(), "{said}");
    Ok(())
}

#[test]
fn every_alert_says_what_it_is_and_has_its_runbook_in_both_languages() -> Result<()> {
    let (rules, alerts) = (read(RULES)?, alerts()?);
    for page in RUNBOOKS {
        let text = read(page)?;
        let headings: BTreeSet<String> = values(&text, "## ").map(str::to_owned).collect();
        ensure!(headings == alerts, "{RULES} has {alerts:?}, {page} {headings:?}");
        let parts: Vec<&str> = text.split("\n## ").skip(1).collect();
        for part in parts {
            let points = part.lines().filter(|line| line.starts_with("- **")).count();
            ensure!(
                points == 4,
                "{page}: what it means, what users feel, how to find the cause, what to do: {part}"
            );
        }
    }
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap_or_default();
        for key in ["severity:", "summary:", "description:"] {
            ensure!(values(rule, key).count() == 1, "{name} has no {key}");
        }
        let runbook = values(rule, "runbook_url:").collect::<Vec<_>>();
        let expected = format!("{}#{}", RUNBOOKS[0], name.to_lowercase());
        ensure!(runbook == [expected.as_str()], "{name}: {runbook:?} is not {expected}");
    }
    Ok(())
}

#[test]
fn every_expression_of_the_dashboard_parses() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let mut expressions = Vec::new();
    find_expressions(&dashboard, &mut expressions);
    let filled = expressions
        .iter()
        .map(|expression| VARIABLES.iter().fold(expression.clone(), |all, (of, by)| all.replace(of, by)));
    let rules: Vec<Value> = filled
        .enumerate()
        .map(|(number, expr)| json!({"record": format!("dashboard:{number}"), "expr": expr}))
        .collect();
    ensure!(rules.len() > 20, "the dashboard shows {} expressions", rules.len());
    let dir = WorkDir::new("dashboard")?;
    // JSON is YAML.
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(dir.join("rules.yaml"), file.to_string())?;
    let said = promtool(dir.path(), &["check", "rules", "rules.yaml"])?;
    ensure!(said.contains(&format!(" {} rules found", expressions.len())), "{said}");
    Ok(())
}

#[test]
fn every_metric_that_is_named_is_exported_and_every_exported_one_is_explained() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let page = scene.controller.admin("/metrics")?.body;
    let exported = exported(&page);
    ensure!(exported.len() > 30, "{exported:?}");

    let mut pages = vec![(RULES.to_owned(), read(RULES)?), (DASHBOARD.to_owned(), read(DASHBOARD)?)];
    for file in files(TESTS)? {
        pages.push((file.display().to_string(), fs::read_to_string(&file)?));
    }
    for runbook in RUNBOOKS {
        pages.push((runbook.to_owned(), read(runbook)?));
    }
    for (page, text) in &pages {
        for name in named(text) {
            ensure!(exported.contains(family(name)), "{page}: nothing exports {name}");
        }
    }
    for shown in [RULES, DASHBOARD] {
        ensure!(named(&read(shown)?).count() > 10, "{shown} names hardly anything");
    }
    for operations in OPERATIONS {
        let text = read(operations)?;
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let explained: BTreeSet<&str> = rows.filter(|name| is_metric(name)).collect();
        let exported: BTreeSet<&str> = exported.iter().map(String::as_str).collect();
        ensure!(explained == exported, "{operations}: {:?}", explained.symmetric_difference(&exported));
    }
    Ok(())
}

#[test]
fn what_takes_time_is_measured_and_no_label_names_a_base_or_a_pod() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let biz = manifest::container("biz1", "1.0.0")?;
    scene.cluster.apply(&manifest::deployment(&scene, "measured", 1, &[biz]).to_string())?;
    let pods = scene.wait_pods_ready(1)?;
    let page = wait_for("all of it to be counted", Duration::from_secs(60), || {
        let page = scene.controller.admin("/metrics")?.body;
        let install = "command_duration_seconds_count{command=\"installBiz\",outcome=\"ok\"}";
        ensure!(sample(&page, install) == Some(1.0), "installs: {:?}", sample(&page, install));
        ensure!(sample(&page, "pod_start_duration_seconds_count") == Some(1.0), "Pods");
        ensure!(sample(&page, "pod_start_duration_seconds_sum").is_some_and(|sum| sum > 0.0), "their time");
        ensure!(sample(&page, "pods{ready=\"true\"}") == Some(1.0), "Ready");
        ensure!(sample(&page, "pod_longest_not_ready_seconds") == Some(0.0), "not Ready");
        // A Node is made with its status, so that nothing has to be written there.
        for status in ["pods/status", "modules/status"] {
            let count = format!("status_write_duration_seconds_count{{resource=\"{status}\"}}");
            ensure!(sample(&page, &count).is_some_and(|count| count >= 1.0), "{status}");
        }
        Ok(Some(page))
    })?;
    for (series, expected) in [("ready", 1.0), ("client_id_shared", 0.0), ("tunnel_up{tunnel=\"http\"}", 1.0)]
    {
        ensure!(sample(&page, series) == Some(expected), "{series}: {:?}", sample(&page, series));
    }
    ensure!(page.contains("module_controller_build_info{version=\""), "{page}");
    let pod = pods[0]["metadata"]["name"].as_str().context("a name")?;
    for name in [base.identity(), pod, "biz1", &scene.namespace] {
        ensure!(!page.contains(name), "{name} is in {page}");
    }
    Ok(())
}

/// The value of a series of the controller's.
fn sample(page: &str, series: &str) -> Option<f64> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("module_controller_"));
    // One without labels has empty braces, or none.
    let mut values = lines.filter_map(|line| {
        let rest = line.strip_prefix(series)?;
        rest.strip_prefix("{}").unwrap_or(rest).strip_prefix(' ')
    });
    values.find_map(|value| value.parse().ok())
}

/// The names of the alerts.
fn alerts() -> Result<BTreeSet<String>> {
    let alerts: BTreeSet<String> = values(&read(RULES)?, "- alert:").map(str::to_owned).collect();
    ensure!(alerts.len() > 10, "{alerts:?}");
    Ok(alerts)
}

/// What follows a word at the beginning of lines, without quotes and what is remarked.
fn values<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let rest = line.trim().trim_start_matches("- ").strip_prefix(word.trim_start_matches("- "))?;
        Some(rest.trim().trim_matches('\''))
    })
}

fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = artifacts::repository().join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn find_expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| find_expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| find_expressions(value, found)),
        _ => {}
    }
}

/// The metrics of a page, with the ending that a counter's and an info's samples have.
fn exported(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = types.map(|(name, kind)| match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    });
    names.collect()
}

/// The metric that a series of a histogram is of; any other name is its own.
fn family(name: &str) -> &str {
    let endings = ["_bucket", "_sum", "_count"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn is_metric(word: &str) -> bool {
    word.starts_with("module_controller_") || word.starts_with("process_")
}

/// The words of a text that are names of metrics.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !is_part(c)).filter(|word| is_metric(word))
}
