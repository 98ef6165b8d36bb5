//! What is sent on: a heartbeat a line, behind the address that it was heard from.

use std::net::IpAddr;

use model::BaseReport;

/// In the place of an address that is not known.
const UNKNOWN: &str = "-";

/// One heartbeat as a line, its end included.
pub(super) fn line(report: &BaseReport) -> String {
    let peer = report.peer.map_or_else(|| UNKNOWN.to_owned(), |peer| peer.to_string());
    format!("{peer} {}\n", arklet::heartbeat_body(report))
}

/// The heartbeats of a body; the error says what is wrong with the first that is none.
pub(super) fn read(body: &[u8]) -> Result<Vec<BaseReport>, String> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(read_line).collect()
}

fn read_line(line: &[u8]) -> Result<BaseReport, String> {
    let at = line.iter().position(|byte| *byte == b' ').ok_or("a line without an address")?;
    let (peer, heartbeat) = line.split_at(at);
    let peer = str::from_utf8(peer).map_err(|_| "an address that is no text")?;
    let peer: Option<IpAddr> = match peer {
        UNKNOWN => None,
        peer => Some(peer.parse().map_err(|_| format!("{peer:?} is no address"))?),
    };
    let report = arklet::parse_heartbeat(heartbeat).map_err(|error| error.to_string())?;
    Ok(BaseReport { peer, ..report })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_read_as_they_were_heard() {
        let heard = |identity: &str, peer: Option<&str>| {
            let body = format!(r#"{{"baseMetadata":{{"identity":"{identity}"}},"localIP":"192.0.2.2"}}"#);
            let report = arklet::parse_heartbeat(body.as_bytes()).unwrap();
            BaseReport { peer: peer.map(|peer| peer.parse().unwrap()), ..report }
        };
        let reports = [heard("a", Some("192.0.2.2")), heard("b c", Some("fd00::1")), heard("c", None)];
        let body: String = reports.iter().map(line).collect();
        assert_eq!(read(body.as_bytes()).unwrap(), reports);
        for bad in ["x", "here {}", "- {}", "- not json", "\u{0} {}"] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
