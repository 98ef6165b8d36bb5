//! `tree`: each base with its modules, and under each module the Pod and the owner that ask for it.

use comfy_table::Cell;
use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, age, base_state, blank, code, plain, short, state},
};
use crate::{
    picture::{Line, Picture},
    read::{Base, Pod},
};

/// What is shown of a base.
struct Branch<'a> {
    base: &'a Base,
    lines: Vec<Line>,
}

/// The tree as text.
pub(crate) fn text(picture: &Picture, filter: &Filter, style: Style) -> String {
    let branches = branches(picture, filter);
    let mut headings = vec!["BASE/MODULE/POD", "VERSION", "STATE", "AGE", "CODE", "OWNER"];
    headings.extend(style.wide.then_some("MESSAGE"));
    let mut rows = Rows::new(headings, style);
    for branch in &branches {
        let base = branch.base;
        let message = base.ready.as_ref().filter(|_| !base.is_ready()).map(|ready| &*ready.message);
        let since = base.ready.as_ref().and_then(|ready| ready.since).filter(|_| !base.is_ready());
        let cells = [
            blank(&base.node),
            blank(&base.version),
            base_state(base),
            plain(age(since.or(base.created), style.now)),
            plain(""),
            plain(""),
        ];
        row(&mut rows, cells, message.unwrap_or_default(), style);
        let last = branch.lines.len().saturating_sub(1);
        for (number, line) in branch.lines.iter().enumerate() {
            module(&mut rows, line, number == last, style);
        }
    }
    let unplaced: Vec<&Pod> = picture.unplaced().filter(|pod| filter.pod(pod)).collect();
    if !unplaced.is_empty() {
        let cells = ["(no base yet)", "", "", "", "", ""].map(blank);
        row(&mut rows, cells, "", style);
        let last = unplaced.len() - 1;
        for (number, pod) in unplaced.iter().enumerate() {
            waiting(&mut rows, pod, number == last, style);
        }
    }
    match branches.is_empty() && unplaced.is_empty() {
        true => filter.nothing(),
        false => rows.text(),
    }
}

fn module(rows: &mut Rows, line: &Line, last: bool, style: Style) {
    let (corner, beside) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
    let note = match line.unasked {
        Some("InPlace") => "(came with the base)",
        Some(_) => "(put there by hand)",
        None => "",
    };
    let cells = [
        blank(format!("{corner}{}", line.module)),
        plain(&line.version),
        state(line),
        plain(age(line.since, style.now)),
        code(&line.code),
        plain(note),
    ];
    row(rows, cells, &line.message, style);
    if !line.pod.is_empty() {
        let ready = match line.pod_ready {
            Some(true) => "Ready",
            Some(false) => "NotReady",
            None => "(not seen)",
        };
        let path = blank(format!("{beside}└─ {}", line.pod_path()));
        let cells = [path, blank(""), plain(ready), blank(""), blank(""), plain(line.owner_path())];
        row(rows, cells, "", style);
    }
}

fn waiting(rows: &mut Rows, pod: &Pod, last: bool, style: Style) {
    let owner = pod.owner.as_ref().map(|owner| format!("{}/{}", owner.kind, owner.name));
    let versions: Vec<&str> = pod.containers.iter().filter_map(|module| module.version.some()).collect();
    let cells = [
        blank(format!("{}{}/{}", if last { "└─ " } else { "├─ " }, pod.namespace, pod.name)),
        plain(versions.join(",")),
        plain(&pod.phase),
        plain(age(pod.created, style.now)),
        plain(""),
        plain(owner.unwrap_or_default()),
    ];
    row(rows, cells, &pod.message, style);
}

fn row(rows: &mut Rows, cells: [Cell; 6], message: &str, style: Style) {
    let message = style.wide.then(|| blank(short(message, 160)));
    rows.add(cells.into_iter().chain(message));
}

fn branches<'a>(picture: &'a Picture, filter: &Filter) -> Vec<Branch<'a>> {
    let mut lines = picture.lines().into_iter().peekable();
    let mut branches = Vec::new();
    for base in &picture.bases {
        let mut own = Vec::new();
        while let Some(line) = lines.next_if(|line| line.node <= base.node) {
            if line.node == base.node && filter.line(&line, Some(base)) {
                own.push(line);
            }
        }
        if !own.is_empty() || filter.base(base) {
            branches.push(Branch { base, lines: own });
        }
    }
    branches
}

/// The tree as JSON.
pub(crate) fn json(picture: &Picture, filter: &Filter) -> Value {
    let bases: Vec<Value> = branches(picture, filter)
        .into_iter()
        .map(|branch| {
            let mut base = json!(branch.base);
            if let Some(base) = base.as_object_mut() {
                base.insert("modules".to_owned(), json!(branch.lines));
            }
            base
        })
        .collect();
    let unplaced: Vec<&Pod> = picture.unplaced().filter(|pod| filter.pod(pod)).collect();
    json!({ "bases": bases, "unplaced": unplaced, "notShown": picture.not_shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::tests::{large, now, shop},
        screen::golden,
    };

    const STYLE: Style = Style { colour: false, wide: false, now: jiff::Timestamp::UNIX_EPOCH };

    #[test]
    fn the_screens() {
        let (shop, style) = (shop(), Style { now: now(), ..STYLE });
        golden::holds("tree.txt", &text(&shop, &Filter::default(), style));
        golden::holds("tree-wide.txt", &text(&shop, &Filter::default(), Style { wide: true, ..style }));
        let problems = Filter { problems: true, ..Filter::default() };
        golden::holds("tree-problems.txt", &text(&shop, &problems, style));
        golden::holds("tree-cart.txt", &text(&shop, &Filter::of(&["cart"]), style));
        golden::holds(
            "tree.json",
            &(serde_json::to_string_pretty(&json(&shop, &Filter::default())).unwrap() + "\n"),
        );
        assert_eq!(
            text(&shop, &Filter::of(&["nothing-of-that-name"]), style),
            "Nothing here is called nothing-of-that-name: no base, module, Pod or owner.\n"
        );
    }

    #[test]
    fn of_fifty_thousand_modules_what_is_wrong_is_a_few_lines() {
        let problems = Filter { problems: true, ..Filter::default() };
        let text = text(&large(1_000, 50), &problems, Style { now: now(), ..STYLE });
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
