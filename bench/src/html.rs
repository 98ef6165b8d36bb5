//! The report as one page of HTML, with charts, that needs nothing else.

use std::fmt::Write as _;

use crate::report::{Figure, Report, Unit, WayReport, number};

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:64em;color:#222}\
table{border-collapse:collapse}td,th{padding:.15em .8em;text-align:right;border-bottom:1px solid #ddd}\
td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}.failed{color:#b00020;white-space:pre-wrap}\
svg text{font:12px system-ui,sans-serif}.own{fill:#2b6cb0}.floor{fill:#a0aec0}pre{background:#f6f6f6;padding:1em;overflow-x:auto}";

/// The width that the longest bar has.
const WIDTH: f64 = 420.0;

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Benchmark of {0}</title><style>{STYLE}</style>\
         <h1>Benchmark of {0}</h1><p>{1} processors, load {2:.1} before the start. Blue is the controller, grey the floor: \
         a bare client of the same API server that makes the same writes.</p>",
        escaped(&report.began),
        report.processors,
        report.load_before
    );
    for way in &report.ways {
        scenario(&mut page, way);
    }
    let _ = write!(page, "<h2>In full</h2><pre>{}</pre></html>", escaped(&report.to_string()));
    page
}

fn scenario(page: &mut String, way: &WayReport) {
    let _ = write!(page, "<h2>{}</h2>", escaped(&way.plan.title()));
    if let Some(failed) = &way.failed {
        let _ = write!(page, "<p class=\"failed\">It did not come to its end: {}</p>", escaped(failed));
    }
    for (heading, unit) in [
        ("In a second (more is better)", Unit::PerSecond),
        ("Milliseconds (less is better)", Unit::Millis),
        ("Memory, MiB", Unit::Mib),
        ("Size, KiB", Unit::Kib),
        ("Processor time, % of a core", Unit::Percent),
    ] {
        // The longest of many is an accident, and would make all other bars short.
        let shown = |figure: &&Figure| figure.unit == unit && !figure.what.contains(", max of");
        let figures: Vec<&Figure> = way.figures.iter().filter(shown).collect();
        chart(page, heading, &figures);
    }
    page.push_str("<table><tr><th>phase<th>figure<th>measured<th>floor<th>ratio");
    for figure in &way.figures {
        let unit = figure.unit.as_str();
        let optional = |value: Option<f64>, unit| value.map_or_else(String::new, |value| number(value, unit));
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}",
            escaped(&figure.phase),
            escaped(&figure.what),
            number(figure.value, unit),
            optional(figure.floor, unit),
            optional(figure.ratio(), "x"),
        );
    }
    page.push_str("</table>");
}

/// Bars, each with its floor below it.
fn chart(page: &mut String, heading: &str, figures: &[&Figure]) {
    if figures.is_empty() {
        return;
    }
    let most =
        figures.iter().map(|figure| figure.value.max(figure.floor.unwrap_or(0.0))).fold(1e-9, f64::max);
    let height = 24 * figures.len() + 4;
    let _ = write!(
        page,
        "<h3>{heading}</h3><svg width=\"920\" height=\"{height}\" role=\"img\" aria-label=\"{heading}\">"
    );
    for (at, figure) in figures.iter().enumerate() {
        let (y, length) = (24 * at, |value: f64| value / most * WIDTH);
        let label = format!("{}: {}", figure.phase, figure.what.trim());
        let _ = write!(page, "<text x=\"0\" y=\"{}\">{}</text>", y + 15, escaped(&label));
        let _ = write!(
            page,
            "<rect class=\"own\" x=\"400\" y=\"{}\" width=\"{:.1}\" height=\"10\"/>",
            y + 4,
            length(figure.value)
        );
        if let Some(floor) = figure.floor {
            let width = length(floor);
            let _ = write!(
                page,
                "<rect class=\"floor\" x=\"400\" y=\"{}\" width=\"{width:.1}\" height=\"6\"/>",
                y + 15
            );
        }
        let end = 406.0 + length(figure.value.max(figure.floor.unwrap_or(0.0)));
        let value = number(figure.value, figure.unit.as_str());
        let _ = write!(page, "<text x=\"{end:.0}\" y=\"{}\">{value}</text>", y + 15);
    }
    page.push_str("</svg>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_page_stands_alone_and_says_what_failed() {
        let settings = Settings::try_parse_from(["bench"]).unwrap();
        let mut way = WayReport::new(&crate::plan::plans(&settings)[0]);
        way.figure("all online", "Pods", Unit::PerSecond, 100.0, Some(200.0));
        way.failed = Some("a < b".to_owned());
        let report = Report {
            began: "2026-11-23T10:00:00Z".into(),
            processors: 2,
            load_before: 0.1,
            settings,
            ways: vec![way],
        };
        let page = page(&report);
        assert!(page.contains("<rect class=\"own\" x=\"400\" y=\"4\" width=\"210.0\""), "{page}");
        assert!(page.contains("a &lt; b") && page.contains("0.50x"), "{page}");
        assert!(!page.contains("http://") && !page.contains("src="), "nothing is loaded from elsewhere");
    }
}
