//! What a module costs the API server in writes, by the server's own count.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::Counts;
use crate::table::Table;

/// What was written while modules went one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Writes {
    /// How many modules did.
    pub modules: u64,
    /// Writes by verb and resource, without what makes, binds and deletes a Pod: that is the price of any Pod.
    pub counts: Counts,
    /// Writes of Events, which are told by the way.
    pub events: u64,
    /// Writes of Leases, which time costs and not modules.
    pub leases: u64,
}

impl Writes {
    /// From bound to Ready, out of what the server took meanwhile.
    pub fn online(server: &Counts, modules: u64) -> Self {
        Self::without(server, modules, &["post pods", "post pods/binding"])
    }

    /// From deletion to gone, out of what the server took meanwhile.
    pub fn offline(server: &Counts, modules: u64) -> Self {
        Self::without(server, modules, &["delete pods"])
    }

    /// Without one write of each of these kinds for each module.
    fn without(server: &Counts, modules: u64, given: &[&str]) -> Self {
        let mut writes = Self { modules, ..Self::default() };
        for (what, count) in server {
            let resource = what.split(' ').nth(1).unwrap_or_default();
            let own = if given.contains(&what.as_str()) { count.saturating_sub(modules) } else { *count };
            match resource {
                "events" => writes.events += own,
                "leases" => writes.leases += own,
                _ if own > 0 => drop(writes.counts.insert(what.clone(), own)),
                _ => {}
            }
        }
        writes
    }

    /// For each module; 0 where there was none.
    fn each(&self, count: u64) -> String {
        // Far below 2^53.
        format!("{:.2}", if self.modules == 0 { 0.0 } else { count as f64 / self.modules as f64 })
    }
}

/// The writes of both ways, for each module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModuleWrites {
    /// From bound to Ready.
    pub online: Writes,
    /// From deletion to gone.
    pub offline: Writes,
}

impl fmt::Display for ModuleWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { online, offline } = self;
        let mut table = Table::new(&["writes for each module", "online", "offline"]);
        let mut row = |what: &str, count: &dyn Fn(&Writes) -> u64| {
            let both = [online, offline].map(|writes| writes.each(count(writes)));
            table.row(std::iter::once(what.to_owned()).chain(both));
        };
        let kinds: BTreeSet<&String> = online.counts.keys().chain(offline.counts.keys()).collect();
        for kind in kinds {
            row(kind, &|writes| writes.counts.get(kind).copied().unwrap_or(0));
        }
        row("together", &|writes| writes.counts.values().sum());
        row("and Events", &|writes| writes.events);
        row("and Leases", &|writes| writes.leases);
        table.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: &[(&str, u64)]) -> Counts {
        all.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
    }

    #[test]
    fn what_any_pod_costs_is_left_out_and_events_and_leases_stand_apart() {
        let server = counts(&[
            ("post pods", 10),
            ("post pods/binding", 11),
            ("patch pods/status", 25),
            ("post events", 20),
            ("patch events", 1),
            ("put leases", 3),
            ("patch leases (409)", 1),
        ]);
        let online = Writes::online(&server, 10);
        assert_eq!(online.counts, counts(&[("patch pods/status", 25), ("post pods/binding", 1)]));
        assert_eq!((online.events, online.leases), (21, 4));
        let offline = Writes::offline(&counts(&[("delete pods", 20), ("patch pods/status", 5)]), 10);
        assert_eq!(offline.counts, counts(&[("delete pods", 10), ("patch pods/status", 5)]));

        let text = ModuleWrites { online, offline }.to_string();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert!(rows.contains(&vec!["patch pods/status", "2.50", "0.50"]), "{text}");
        assert!(rows.contains(&vec!["together", "2.60", "1.50"]), "{text}");
        assert!(rows.contains(&vec!["and Leases", "0.40", "0.00"]), "{text}");
    }
}
