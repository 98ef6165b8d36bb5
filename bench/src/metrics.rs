//! Counters on metrics pages: the controller's own, and those of the API server.

use std::collections::BTreeMap;

/// Numbers by what they count.
pub type Counts = BTreeMap<String, u64>;

/// One line of a metrics page: name, labels, value.
struct Line<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

impl Line<'_> {
    fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// What the controller asked of the API server: `verb resource`, and the outcome where it is not `ok`.
pub fn of_controller(page: &str) -> Counts {
    sum(page, "module_controller_api_requests_total", |line| {
        let (verb, resource, outcome) = (line.label("verb"), line.label("resource"), line.label("outcome"));
        let ok = if outcome == "ok" { String::new() } else { format!(" ({outcome})") };
        Some(format!("{verb} {resource}{ok}"))
    })
}

/// Writes of the controller that are under way or wait.
pub fn open_writes(page: &str) -> u64 {
    let lines = sum(page, "module_controller_queue_length", |line| {
        let queue = line.label("queue");
        queue.starts_with("writes").then(|| queue.to_owned())
    });
    lines.values().sum()
}

/// Writes that the API server took from anybody: `verb resource`, and the status where it is not 2xx.
pub fn of_server(page: &str) -> Counts {
    sum(page, "apiserver_request_total", |line| {
        let verb = line.label("verb");
        if !matches!(verb, "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION") {
            return None;
        }
        let (resource, sub, code) = (line.label("resource"), line.label("subresource"), line.label("code"));
        let slash = if sub.is_empty() { "" } else { "/" };
        let ok = if code.starts_with('2') { String::new() } else { format!(" ({code})") };
        Some(format!("{} {resource}{slash}{sub}{ok}", verb.to_lowercase()))
    })
}

/// What came to the counters of `before`; what did not change is left out.
pub fn since(before: &Counts, after: &Counts) -> Counts {
    let grown = |(key, now): (&String, &u64)| {
        let more = now.saturating_sub(before.get(key).copied().unwrap_or(0));
        (more > 0).then(|| (key.clone(), more))
    };
    after.iter().filter_map(grown).collect()
}

fn sum(page: &str, name: &str, key: impl Fn(&Line<'_>) -> Option<String>) -> Counts {
    let mut counts = Counts::new();
    for line in page.lines().filter(|line| line.starts_with(name)).filter_map(parse) {
        if line.name == name
            && let Some(key) = key(&line)
        {
            // Counters of requests are whole numbers, far below 2^53.
            *counts.entry(key).or_default() += line.value.max(0.0) as u64;
        }
    }
    counts
}

/// `name{key="value",…} number`; none for a comment or anything else.
fn parse(line: &str) -> Option<Line<'_>> {
    let split = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(split);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Line { name, labels, value })
}

/// Labels up to the closing brace, and what follows it. A value may hold any character, escaped by a backslash.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (key, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(characters.next()?.1),
                (_, other) => value.push(other),
            }
        };
        labels.push((key, value));
        rest = after.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controllers_page_is_read() {
        let page = "# HELP module_controller_api_requests Requests to the API server.\n\
             # TYPE module_controller_api_requests counter\n\
             module_controller_api_requests_total{verb=\"patch\",resource=\"pods/status\",outcome=\"ok\"} 7\n\
             module_controller_api_requests_total{verb=\"patch\",resource=\"pods/status\",outcome=\"conflict\"} 1\n\
             module_controller_commands_total{tunnel=\"http\"} 9\n# EOF\n";
        let counts = of_controller(page);
        assert_eq!(counts.len(), 2);
        assert_eq!(counts["patch pods/status"], 7);
        assert_eq!(counts["patch pods/status (conflict)"], 1);
    }

    #[test]
    fn what_the_controller_still_writes_is_read() {
        let page = "module_controller_queue_length{queue=\"events\"} 9\n\
             module_controller_queue_length{queue=\"writes\"} 3\n\
             module_controller_queue_length{queue=\"writes_running\"} 2\n";
        assert_eq!(open_writes(page), 5);
    }

    #[test]
    fn the_servers_page_is_read_and_reads_are_left_out() {
        let page = "apiserver_request_total{code=\"201\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",scope=\"resource\",subresource=\"\",verb=\"POST\",version=\"v1\"} 3\n\
             apiserver_request_total{code=\"200\",resource=\"pods\",subresource=\"status\",verb=\"PATCH\",x=\"a\\\"},b\"} 1e2\n\
             apiserver_request_total{code=\"409\",resource=\"leases\",subresource=\"\",verb=\"PUT\"} 2\n\
             apiserver_request_total{code=\"200\",resource=\"pods\",subresource=\"\",verb=\"LIST\"} 5\n\
             apiserver_request_total_other{code=\"200\",resource=\"pods\",verb=\"POST\"} 5\n";
        let counts = of_server(page);
        let expected = [("patch pods/status", 100), ("post pods", 3), ("put leases (409)", 2)];
        assert_eq!(counts, expected.map(|(key, count)| (key.to_owned(), count)).into());
    }

    #[test]
    fn only_what_grew_is_told() {
        let counts = |n| Counts::from([("a".to_owned(), n), ("b".to_owned(), 2)]);
        assert_eq!(since(&counts(1), &counts(4)), Counts::from([("a".to_owned(), 3)]));
        assert_eq!(since(&Counts::new(), &counts(4)), counts(4));
    }
}
