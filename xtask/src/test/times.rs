//! How long tests take, as they say it themselves.

use std::fmt::Write as _;

/// So many are shown.
const SHOWN: usize = 10;

/// The times of one run.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<(f64, String)>);

impl Times {
    /// Notes the time of a test that a line of its program tells.
    pub(super) fn note(&mut self, line: &str) {
        self.0.extend(of_line(line));
    }

    /// The slowest tests, one a line; empty where no test told its time.
    pub(super) fn slowest(mut self) -> String {
        self.0.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut text = String::new();
        if !self.0.is_empty() {
            text.push_str("the slowest tests:\n");
        }
        for (seconds, name) in self.0.iter().take(SHOWN) {
            let _ = writeln!(text, "{seconds:>7.1} s  {name}");
        }
        text
    }
}

fn of_line(line: &str) -> Option<(f64, String)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let seconds = rest.strip_suffix("s>")?.rsplit_once('<')?.1.parse().ok()?;
    Some((seconds, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_come_first_and_other_lines_tell_nothing() {
        let mut times = Times::default();
        let lines =
            ["running 3 tests", "test a::b ... ok <1.250s>", "test c ... FAILED <70.011s>", "test d ... ok"];
        lines.iter().for_each(|line| times.note(line));
        assert_eq!(times.slowest(), "the slowest tests:\n   70.0 s  c\n    1.2 s  a::b\n");
        assert_eq!(Times::default().slowest(), "");
    }
}
