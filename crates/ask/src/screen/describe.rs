//! `describe`: all that is known of one base, or of one module.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::table::{Rows, Style, age, code, plain, short, state};
use crate::{
    picture::{Line, NotShown, Picture},
    read::{Base, Happened, Pod},
};

/// More of what happened nobody reads at once.
const EVENTS: usize = 20;

/// A base, as text.
pub(crate) fn base(picture: &Picture, base: &Base, happened: &[Happened], style: Style) -> String {
    let mut text = String::new();
    let memory = base.memory.as_ref().map(|(free, all)| format!("{free} free of {all}"));
    let pressure = if base.memory_pressure { ", nearly full" } else { "" };
    let status = match &base.ready {
        None => "not known: its Node was not seen".to_owned(),
        Some(ready) if ready.status.is_empty() => "its Node does not say it yet".to_owned(),
        Some(ready) => {
            format!(
                "{} ({}), for {}: {}",
                ready.status,
                ready.reason,
                age(ready.since, style.now),
                ready.message
            )
        }
    };
    let reached = match &*base.tunnel {
        "mqtt" => "over MQTT".to_owned(),
        tunnel => format!("over {}, Arklet at {}:{}", tunnel.to_uppercase(), base.address, base.port),
    };
    let owner = format!("{}, renewed {} ago", base.owner, age(base.renewed, style.now));
    for (key, value) in [
        ("Node", base.node.to_string()),
        ("Identity", base.identity.to_string()),
        ("Ready", status),
        ("Name", base.name.to_string()),
        ("Version", base.version.to_string()),
        ("Environment", base.env.to_string()),
        ("Cluster", base.cluster.to_string()),
        ("Host", base.host_name.to_string()),
        ("Address", base.address.to_string()),
        ("Reached", if base.tunnel.is_empty() { String::new() } else { reached }),
        ("Metaspace", memory.map(|memory| memory + pressure).unwrap_or_default()),
        (
            "Cordoned",
            if base.cordoned { "yes: nothing new is placed on it".to_owned() } else { String::new() },
        ),
        ("Leaving", if base.deleting { "yes: its Node is being deleted".to_owned() } else { String::new() }),
        ("Acted for by", if base.owner.is_empty() { String::new() } else { owner }),
        ("There for", age(base.created, style.now)),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "{key:<14} {value}");
        }
    }
    let lines: Vec<Line> = picture.lines().into_iter().filter(|line| line.node == base.node).collect();
    let _ = writeln!(text, "\nModules: {}", if lines.is_empty() { "none" } else { "" });
    text.push_str(&modules(&lines, style));
    let _ = writeln!(text, "\nEvents: {}", if happened.is_empty() { "none lately" } else { "" });
    text.push_str(&events(happened, style));
    next(&mut text, &lines);
    trimmed(&text)
}

/// A module in all its versions, or in one, as text.
pub(crate) fn module(lines: &[Line], unplaced: &[&Pod], style: Style) -> String {
    let mut text = String::new();
    let mut versions: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        versions.entry(line.id()).or_default().push(line);
    }
    for (id, lines) in &versions {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        let mut packages: BTreeMap<&str, usize> = BTreeMap::new();
        for line in lines {
            *states.entry(&*line.state).or_default() += 1;
            *owners.entry(format!("{} {}", line.namespace, line.owner_path())).or_default() += 1;
            *packages.entry(&*line.url).or_default() += 1;
        }
        let _ = writeln!(text, "Module         {id}");
        let _ = writeln!(text, "Bases          {}", lines.len());
        let _ =
            writeln!(text, "States         {}", counted(states.iter().map(|(k, v)| ((*k).to_owned(), *v))));
        let packages = packages.iter().filter(|(url, _)| !url.is_empty());
        let _ = writeln!(text, "Package        {}", counted(packages.map(|(k, v)| ((*k).to_owned(), *v))));
        let _ = writeln!(text, "Asked for by   {}\n", counted(owners.into_iter()));
    }
    let _ = writeln!(text, "On bases: {}", if lines.is_empty() { "none" } else { "" });
    text.push_str(&on_bases(lines, style));
    if !unplaced.is_empty() {
        let mut rows = Rows::new(["POD", "AGE", "MESSAGE"], style);
        for pod in unplaced {
            let message = short(&pod.message, 1_000);
            rows.add([
                plain(format!("{}/{}", pod.namespace, pod.name)),
                plain(age(pod.created, style.now)),
                plain(message),
            ]);
        }
        let _ = writeln!(text, "\nOn no base yet:");
        text.push_str(&rows.text());
    }
    next(&mut text, lines);
    trimmed(&text)
}

/// A base as JSON.
pub(crate) fn base_json(picture: &Picture, base: &Base, happened: &[Happened]) -> Value {
    let lines: Vec<Line> = picture.lines().into_iter().filter(|line| line.node == base.node).collect();
    json!({ "base": base, "modules": lines, "events": happened, "notShown": picture.not_shown })
}

/// A module as JSON.
pub(crate) fn module_json(lines: &[Line], unplaced: &[&Pod], not_shown: &[NotShown]) -> Value {
    json!({ "modules": lines, "unplaced": unplaced, "notShown": not_shown })
}

fn modules(lines: &[Line], style: Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut rows = Rows::new(["MODULE", "VERSION", "STATE", "SINCE", "CODE", "POD", "OWNER"], style);
    for line in lines {
        rows.add([
            plain(&line.module),
            plain(&line.version),
            state(line),
            plain(age(line.since, style.now)),
            code(&line.code),
            plain(line.pod_path()),
            plain(line.owner_path()),
        ]);
    }
    rows.text() + &messages(lines)
}

fn on_bases(lines: &[Line], style: Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut rows = Rows::new(["BASE", "VERSION", "STATE", "SINCE", "CODE", "POD"], style);
    for line in lines {
        rows.add([
            plain(&line.node),
            plain(&line.version),
            state(line),
            plain(age(line.since, style.now)),
            code(&line.code),
            plain(line.pod_path()),
        ]);
    }
    rows.text() + &messages(lines)
}

/// What those that are not well say, each word once.
fn messages(lines: &[Line]) -> String {
    let mut said: BTreeMap<(&str, &str, &str), Vec<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.is_well() && !line.message.is_empty()) {
        let of = (&*line.code, &*line.message, &*line.suggestion);
        said.entry(of).or_default().push(format!("{} on {}", line.id(), line.node));
    }
    let mut text = String::new();
    for ((_, message, suggestion), of) in said {
        let more = if of.len() > 1 { format!(" and {} more", of.len() - 1) } else { String::new() };
        let _ = writeln!(text, "\n{}{more}:\n  {message}", of.first().map_or("", String::as_str));
        // The message has it already where the controller wrote it.
        if !suggestion.is_empty() && !message.contains(suggestion) {
            let _ = writeln!(text, "  {suggestion}");
        }
    }
    text
}

fn events(happened: &[Happened], style: Style) -> String {
    if happened.is_empty() {
        return String::new();
    }
    let mut last: Vec<&Happened> = happened.iter().collect();
    last.sort_by_key(|event| std::cmp::Reverse(event.at));
    let mut rows = Rows::new(["LAST SEEN", "TYPE", "REASON", "MESSAGE"], style);
    for event in last.into_iter().take(EVENTS) {
        let cells = [&event.kind, &event.reason].map(|text| plain(&**text));
        let message = plain(short(&event.message, 300));
        rows.add([plain(age(event.at, style.now))].into_iter().chain(cells).chain([message]));
    }
    rows.text()
}

/// What to ask next.
fn next(text: &mut String, lines: &[Line]) {
    let codes: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line.code.some()).filter(|code| code.contains('.')).collect();
    if !codes.is_empty() {
        text.push('\n');
    }
    for code in codes.iter().take(5) {
        let _ = writeln!(text, "module-controller explain {code}");
    }
}

fn counted(of: impl Iterator<Item = (String, usize)>) -> String {
    of.map(|(what, count)| format!("{} ({count})", what.trim())).collect::<Vec<_>>().join(", ")
}

fn trimmed(text: &str) -> String {
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::tests::{now, shop},
        screen::golden,
    };

    const STYLE: Style = Style { colour: false, wide: false, now: jiff::Timestamp::UNIX_EPOCH };

    #[test]
    fn the_screens() {
        let (shop, style) = (shop(), Style { now: now(), ..STYLE });
        let happened = Happened {
            at: Some(now() - jiff::SignedDuration::from_secs(90)),
            kind: "Warning".into(),
            reason: "BaseSilent".into(),
            message: "nothing is heard\u{1b}[31m".into(),
        };
        let a = shop.base("virtual-node-a").unwrap();
        golden::holds("describe-base.txt", &base(&shop, a, &[], style));
        let b = shop.base("b").unwrap();
        golden::holds("describe-base-silent.txt", &base(&shop, b, &[happened], style));
        let unseen = Base::of_name("virtual-node-c".into());
        golden::holds("describe-base-unseen.txt", &base(&shop, &unseen, &[], style));
        let untold = Base { ready: Some(crate::read::Ready::default()), ..unseen };
        golden::holds("describe-base-untold.txt", &base(&shop, &untold, &[], style));
        let cart: Vec<Line> = shop.lines().into_iter().filter(|line| &*line.module == "cart").collect();
        let unplaced: Vec<&Pod> = shop.unplaced().collect();
        golden::holds("describe-module.txt", &module(&cart, &unplaced, style));
    }
}
