//! A base's log, cut to the lines of one module. Nothing here reads or waits.
//!
//! A record is a module's where it has the module's marker: `[name]` or `[name:version]`. A record begins with a line that begins
//! with a digit, a bracket or the word of a level, as the patterns of Logback and Log4j2 have it; lines that follow and do not
//! begin one (a stack trace, a text of several lines) belong to it.

use std::collections::VecDeque;

use model::BizId;

/// The longest line that is kept whole, in bytes: a container runtime cuts lines at 16 KiB.
const LONGEST_LINE: usize = 64 * 1024;
/// The most that is kept for `tailLines`, in bytes; what is older goes first.
const MOST_TAIL: usize = 4 * 1024 * 1024;

/// Words that a record begins with.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// What a module's records have in them.
#[derive(Debug, Clone)]
pub(crate) struct Markers(Vec<String>);

impl Markers {
    /// Those of a module. Where others' lines must not be shown, the version has to be there: a name alone is chosen by whoever
    /// writes the Pod, and may be what others have in brackets, as the name of a thread.
    pub(crate) fn of(biz: &BizId, exact: bool) -> Self {
        let name = (!exact).then(|| format!("[{}]", biz.name));
        Self(std::iter::once(format!("[{}:{}]", biz.name, biz.version)).chain(name).collect())
    }

    /// The line has one.
    pub(crate) fn are_in(&self, line: &str) -> bool {
        self.0.iter().any(|marker| line.contains(marker.as_str()))
    }
}

/// Says line by line what is of the module.
#[derive(Debug)]
pub(crate) struct Cut {
    markers: Markers,
    is_ours: bool,
}

impl Cut {
    pub(crate) fn new(markers: Markers) -> Self {
        Self { markers, is_ours: false }
    }

    /// The next line is of the module.
    pub(crate) fn keeps(&mut self, line: &str) -> bool {
        let is_marked = self.markers.are_in(line);
        if is_marked || begins_record(line) {
            self.is_ours = is_marked;
        }
        self.is_ours
    }
}

fn begins_record(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_digit() || first == '[')
        || LEVELS.iter().any(|level| line.starts_with(level))
}

/// Makes lines of what comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Takes a piece, and gives the lines that are whole now, without their ends. One that is too long is cut.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in piece {
            if *byte == b'\n' || self.0.len() >= LONGEST_LINE {
                whole.push(self.end());
            }
            if *byte != b'\n' {
                self.0.push(*byte);
            }
        }
        whole
    }

    /// What is left when nothing more comes.
    pub(crate) fn rest(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.end())
    }

    fn end(&mut self) -> String {
        let line = std::mem::take(&mut self.0);
        String::from_utf8(line).unwrap_or_else(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
    }
}

/// The last lines of what comes.
#[derive(Debug)]
pub(crate) struct Tail {
    most: usize,
    bytes: usize,
    lines: VecDeque<String>,
}

impl Tail {
    /// So many of them.
    pub(crate) fn new(most: u64) -> Self {
        Self { most: usize::try_from(most).unwrap_or(usize::MAX), bytes: 0, lines: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.most || self.bytes > MOST_TAIL {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }

    pub(crate) fn into_lines(self) -> impl Iterator<Item = String> {
        self.lines.into_iter()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn biz() -> BizId {
        BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() }
    }

    const LOG: &str = "\
2026-11-29 10:00:00 INFO 1 --- [base] [main] started
2026-11-29 10:00:01 INFO 1 --- [biz1] [main] hello
2026-11-29 10:00:02 INFO 1 --- [biz10] [main] not this one
2026-11-29 10:00:03 ERROR 1 --- [biz1:1.0.0] it fell
java.lang.IllegalStateException: why
\tat com.example.Biz.run(Biz.java:7)
Caused by: java.io.IOException
2026-11-29 10:00:04 INFO 1 --- [base] [main] goes on
\tof the base";

    fn cut(markers: Markers) -> Vec<&'static str> {
        let mut cut = Cut::new(markers);
        LOG.lines().filter(|line| cut.keeps(line)).collect()
    }

    #[test]
    fn the_records_of_a_module_are_kept_whole_and_no_others() {
        let lines: Vec<_> = LOG.lines().collect();
        assert_eq!(cut(Markers::of(&biz(), false)), [&lines[1..2], &lines[3..7]].concat());
        assert_eq!(cut(Markers::of(&biz(), true)), lines[3..7]);
        let other = BizId { name: "biz2".parse().unwrap(), version: "1.0.0".parse().unwrap() };
        assert_eq!(cut(Markers::of(&other, false)), [""; 0]);
    }

    #[test]
    fn lines_are_made_of_pieces_and_none_grows_without_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a\nb"), ["a"]);
        assert_eq!(lines.push(b"c\n\n"), ["bc", ""]);
        assert_eq!(lines.rest(), None);
        let long = lines.push(&vec![b'x'; 2 * LONGEST_LINE + 1]);
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE; 2]);
        assert_eq!(lines.rest().unwrap(), "x");
    }

    #[test]
    fn the_last_lines_are_kept_and_no_more_than_some_memory() {
        let mut tail = Tail::new(2);
        ["a", "b", "c"].into_iter().for_each(|line| tail.push(line.to_owned()));
        assert_eq!(tail.into_lines().collect::<Vec<_>>(), ["b", "c"]);
        let mut tail = Tail::new(u64::MAX);
        (0..100).for_each(|_| tail.push("x".repeat(LONGEST_LINE)));
        assert_eq!(tail.into_lines().count(), MOST_TAIL / LONGEST_LINE);
        let mut none = Tail::new(0);
        none.push("a".to_owned());
        assert_eq!(none.into_lines().count(), 0);
    }
}
