//! Tables as kubectl has them: columns with room between, nothing around. Wide characters take the room of two.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use jiff::{SpanRound, Timestamp, Unit};

use crate::{
    picture::{AVAILABLE, DEACTIVATED, FAILED, Line},
    read::Base,
};

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// With colours.
    pub(crate) colour: bool,
    /// With all columns.
    pub(crate) wide: bool,
    /// The moment that ages are counted from.
    pub(crate) now: Timestamp,
}

/// A table that is being filled.
pub(crate) struct Rows {
    table: Table,
}

impl Rows {
    /// One with these headings.
    pub(crate) fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>, style: Style) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        match style.colour {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        table.style_text_only();
        table.set_header(headings.into_iter().map(|heading| Cell::new(heading.into())));
        Self { table }
    }

    /// One more line.
    pub(crate) fn add(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.table.add_row(cells.into_iter().collect::<Vec<Cell>>());
    }

    /// The table, each line ended.
    pub(crate) fn text(mut self) -> String {
        for column in self.table.column_iter_mut() {
            column.set_padding((0, 3)).set_cell_alignment(CellAlignment::Left);
        }
        self.table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }
}

/// A cell of a text; `-` where there is none.
pub(crate) fn plain(text: impl AsRef<str>) -> Cell {
    let text = text.as_ref();
    Cell::new(if text.is_empty() { "-" } else { text })
}

/// A cell that may be empty.
pub(crate) fn blank(text: impl AsRef<str>) -> Cell {
    Cell::new(text.as_ref())
}

/// The state of a module.
pub(crate) fn state(line: &Line) -> Cell {
    let colour = match &*line.state {
        FAILED => Color::Red,
        AVAILABLE if line.pod_ready != Some(false) => Color::Green,
        DEACTIVATED => Color::DarkGrey,
        _ => Color::Yellow,
    };
    Cell::new(&*line.state).fg(colour)
}

/// An error code.
pub(crate) fn code(code: &str) -> Cell {
    if code.is_empty() { Cell::new("-") } else { Cell::new(code).fg(Color::Red) }
}

/// How bad a finding is.
pub(crate) fn severity(is_error: bool) -> Cell {
    let (text, colour) = if is_error { ("error", Color::Red) } else { ("warning", Color::Yellow) };
    Cell::new(text).fg(colour)
}

/// How a base stands, in a word or two.
pub(crate) fn base_state(base: &Base) -> Cell {
    let (text, colour) = match &base.ready {
        None => ("Unknown".to_owned(), Color::DarkGrey),
        Some(_) if base.is_ready() => ("Ready".to_owned(), Color::Green),
        Some(ready) if ready.reason.is_empty() => ("NotReady".to_owned(), Color::Red),
        Some(ready) => (ready.reason.to_string(), Color::Red),
    };
    let mut text = text;
    for (is, word) in [
        (base.memory_pressure, ",MetaspaceNearlyFull"),
        (base.cordoned, ",Cordoned"),
        (base.deleting, ",Leaving"),
    ] {
        text.push_str(if is { word } else { "" });
    }
    Cell::new(text).fg(if base.is_ready() && base.memory_pressure { Color::Yellow } else { colour })
}

/// How long ago, in the two largest units: `3d4h`, `5m`, `12s`; `-` where it is not known.
pub(crate) fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let span = (now - at).round(SpanRound::new().largest(Unit::Hour).smallest(Unit::Second));
    let Ok(span) = span else { return "-".to_owned() };
    // A clock of theirs that is ahead of ours is no reason for a negative age.
    let [hours, minutes, seconds] =
        [i64::from(span.get_hours()), span.get_minutes(), span.get_seconds()].map(|part| part.max(0));
    match (hours, minutes) {
        (48.., _) if hours % 24 == 0 || hours >= 240 => format!("{}d", hours / 24),
        (48.., _) => format!("{}d{}h", hours / 24, hours % 24),
        (1.., 0) => format!("{hours}h"),
        (1.., _) => format!("{hours}h{minutes}m"),
        (_, 10..) => format!("{minutes}m"),
        (_, 1..) if seconds > 0 => format!("{minutes}m{seconds}s"),
        (_, 1..) => format!("{minutes}m"),
        _ => format!("{seconds}s"),
    }
}

/// A text that is no longer than so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::now;

    #[test]
    fn ages_are_told_in_two_units() {
        for (seconds, said) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (95, "1m35s"),
            (640, "10m"),
            (3600, "1h"),
            (7260, "2h1m"),
            (190_800, "2d5h"),
            (864_000, "10d"),
        ] {
            let at = now() - jiff::SignedDuration::from_secs(seconds);
            assert_eq!(age(Some(at), now()), said);
        }
        assert_eq!(age(Some(now() + jiff::SignedDuration::from_secs(5)), now()), "0s");
        assert_eq!(age(None, now()), "-");
    }

    #[test]
    fn wide_characters_line_up_and_colours_take_no_room() {
        let style = Style { colour: false, wide: false, now: now() };
        let table = |style: Style| {
            let mut rows = Rows::new(["NAME", "STATE", "AGE"], style);
            for name in ["订单服务", "cart"] {
                rows.add([
                    plain(name),
                    state(&Line { state: "Failed".into(), ..Line::default() }),
                    plain("3s"),
                ]);
            }
            rows.text()
        };
        assert_eq!(table(style), "NAME       STATE    AGE\n订单服务   Failed   3s\ncart       Failed   3s\n");
        let coloured = table(Style { colour: true, ..style });
        assert!(coloured.contains("\u{1b}["), "{coloured:?}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), table(style));
    }
}
