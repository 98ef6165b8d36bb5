//! `plan`: operation plans, one on a line, and one with all of it.

use plan::{Base, Spec};

use super::table::{Rows, Style, code, plain};
use crate::read::{Health, Plan};

/// The plans as text.
pub(crate) fn list(plans: &[Plan], style: Style) -> String {
    if plans.is_empty() {
        return "No operation plans.\n".to_owned();
    }
    let headings = ["NAMESPACE", "PLAN", "MODULE", "PHASE", "BATCH", "READY", "MESSAGE"];
    let mut rows = Rows::new(headings, style);
    for plan in plans {
        let status = &plan.status;
        rows.add([
            plain(&plan.namespace),
            plain(&plan.name),
            plain(&plan.module),
            plain(phase(plan)),
            plain(&status.batch),
            plain(format!("{}/{}", status.ready, status.bases)),
            plain(&status.message),
        ]);
    }
    rows.text()
}

/// What nobody has looked at yet waits.
fn phase(plan: &Plan) -> &str {
    plan.status.phase.some().unwrap_or("Pending")
}

/// One plan: how it stands, its batches, what failed, and what whoever reads it can do.
pub(crate) fn show(plan: &Plan, style: Style) -> String {
    let status = &plan.status;
    let mut text = format!(
        "Plan {}/{}: {} for {}\n{}: {}\n",
        &*plan.namespace,
        &*plan.name,
        plan.module,
        plan.target,
        phase(plan),
        status.message.some().unwrap_or("no controller has looked at it yet"),
    );
    if let Some(what) = status.code.some() {
        text += &format!("{what}: {}\n", &*status.suggestion);
    }
    text += &format!(
        "{} of {} bases have it, {} are unavailable\n",
        status.ready, status.bases, status.unavailable
    );
    if !status.batches.is_empty() {
        let mut rows = Rows::new(["BATCH", "PHASE", "READY"], style);
        for batch in &status.batches {
            let ready = format!("{}/{}", batch.ready, batch.bases);
            rows.add([plain(&batch.name), plain(&batch.phase), plain(ready)]);
        }
        text += "\n";
        text += &rows.text();
    }
    if !status.metrics.is_empty() {
        let mut rows = Rows::new(["METRIC", "READING", "VALUE"], style);
        for metric in &status.metrics {
            rows.add([plain(&metric.name), plain(&metric.reading), plain(&metric.message)]);
        }
        text += "\n";
        text += &rows.text();
    }
    if let Some(Health { up, down, unknown, message }) = &status.health {
        let why = message.some().map(|message| format!(": {message}")).unwrap_or_default();
        text += &format!("\nHealth of its modules: {up} UP, {down} DOWN, {unknown} unknown{why}\n");
    }
    if !status.failures.is_empty() {
        let mut rows = Rows::new(["BASE", "ERROR", "WHY"], style);
        for failed in &status.failures {
            rows.add([plain(&failed.base), code(&failed.code), plain(&failed.message)]);
        }
        text += "\n";
        text += &rows.text();
    }
    if let Some(next) = next(plan) {
        text += &format!("\nNext: {next}\n");
    }
    text
}

/// Which bases come with which batch.
pub(crate) fn preview(plan: &Plan, spec: &Spec, batches: &[Vec<&Base>], style: Style) -> String {
    let all: usize = batches.iter().map(Vec::len).sum();
    let mut text = format!(
        "Plan {}/{}: {} for {}, {all} bases\n\n",
        &*plan.namespace, &*plan.name, plan.module, plan.target
    );
    let mut rows = Rows::new(["BATCH", "BASES", "WHICH"], style);
    for (batch, bases) in spec.batches.iter().zip(batches) {
        let mut keys: Vec<&str> = bases.iter().map(|base| &*base.key).collect();
        keys.sort_unstable();
        rows.add([plain(&batch.name), plain(bases.len().to_string()), plain(keys.join(" "))]);
    }
    text += &rows.text();
    text
}

/// The line that lets it go on; none where nobody is waited for.
fn next(plan: &Plan) -> Option<String> {
    let command =
        |what: &str| format!("kubectl koupleless plan {what} {} -n {}", &*plan.name, &*plan.namespace);
    let back = || format!("kubectl rollout undo {} -n {}", plan.target.to_lowercase(), &*plan.namespace);
    match phase(plan) {
        "AwaitingConfirm" => Some(command("confirm")),
        "Paused" if plan.steering.paused => Some(command("resume")),
        "Failed" => Some(format!("{}, or after a mend: {}", back(), command("retry"))),
        "Aborted" => Some(back()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{picture::tests::now, read::Object, screen::golden};

    fn plan(phase: &str, more: &str) -> Plan {
        let json = format!(
            r#"{{"metadata": {{"namespace": "shop", "name": "cart-2", "resourceVersion": "7"}},
                "spec": {{"target": {{"kind": "Deployment", "name": "cart"}}, "module": {{"name": "cart", "version": "2"}},
                          "paused": true}},
                "status": {{"phase": "{phase}", "message": "batch beta is done, and waits for somebody to confirm it",
                    "batch": "beta (1/2)", "ready": 1, "bases": 10, "unavailable": 0, "confirmable": 1,
                    "batches": [{{"name": "beta", "phase": "AwaitingConfirm", "bases": 1, "ready": 1}},
                                {{"name": "rest", "phase": "Waiting"}}]{more}}}}}"#
        );
        Plan::read(&json).unwrap()
    }

    #[test]
    fn the_screens() {
        let style = Style { colour: false, wide: false, now: now() };
        let waiting = plan("AwaitingConfirm", "");
        let failed = plan(
            "Failed",
            r#", "code": "User.InstallModuleFailed", "suggestion": "Check the module",
                "metrics": [{"name": "errors", "reading": "Passed", "message": "it is 0, as must be < 0.01"}],
                "health": {"up": 2, "down": 1, "unknown": 0, "message": "on host-1 it is DOWN: db"},
                "failures": [{"base": "host-1", "code": "User.InstallModuleFailed", "message": "it does not start"}]"#,
        );
        golden::holds("plan-list.txt", &list(&[waiting.clone(), failed.clone()], style));
        golden::holds("plan-awaiting-confirm.txt", &show(&waiting, style));
        golden::holds("plan-failed.txt", &show(&failed, style));
    }

    #[test]
    fn which_bases_come_with_which_batch() {
        let json = r#"{"metadata": {"namespace": "shop", "name": "cart-2", "uid": "u"},
            "spec": {"target": {"kind": "Deployment", "name": "cart"}, "module": {"name": "cart", "version": "2"},
                     "batches": [{"name": "beta", "size": 1, "selector": {"matchLabels": {"ring": "beta"}}},
                                 {"name": "rest", "count": 2}]},
            "status": {}}"#;
        let plan = Plan::read(json).unwrap();
        let base = |n: u32| {
            let mut node = engine::view::NodeView { name: format!("node-{n}").into(), ..Default::default() };
            node.labels.insert("base.koupleless.io/host-name".into(), format!("host-{n}").into());
            if n == 7 {
                node.labels.insert("ring".into(), "beta".into());
            }
            engine::base_of_node(&plan.uid, &node, true)
        };
        let bases: Vec<Base> = (0..10).map(base).collect();
        let spec = plan.spec().unwrap();
        let batches = plan::preview(&spec, &plan.standing(), &bases);
        let style = Style { colour: false, wide: false, now: now() };
        golden::holds("plan-preview.txt", &preview(&plan, &spec, &batches, style));
    }

    #[test]
    fn what_no_controller_has_looked_at_says_so() {
        let style = Style { colour: false, wide: false, now: now() };
        let plan = Plan::read(r#"{"metadata": {"name": "p"}}"#).unwrap();
        assert!(show(&plan, style).contains("Pending: no controller has looked at it yet"));
    }
}
