//! What of a log is asked for, by the names of Kubernetes' own `PodLogOptions`.

use std::str::FromStr;

use jiff::Timestamp;
use url::form_urlencoded::{self, Serializer};

use crate::refusal::Refusal;

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Seconds(u64),
    Time(Timestamp),
}

/// The options of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) follow: bool,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) tail_lines: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) since: Option<Since>,
}

impl Asked {
    /// Reads a query. What is no option of a log does not matter, as with a kubelet.
    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let (mut asked, mut seconds, mut time) = (Self::default(), None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let name = name.as_ref();
            match name {
                "follow" => asked.follow = flag(name, &value)?,
                "previous" => asked.previous = flag(name, &value)?,
                "timestamps" => asked.timestamps = flag(name, &value)?,
                "tailLines" => asked.tail_lines = Some(parsed(name, &value, "a number of lines")?),
                "limitBytes" => asked.limit_bytes = Some(parsed(name, &value, "a number of bytes")?),
                "sinceSeconds" => seconds = Some(parsed(name, &value, "a number of seconds")?),
                "sinceTime" => time = Some(parsed(name, &value, "a time as 2026-01-31T12:00:00Z")?),
                "stream" if value != "All" => {
                    return Err(Refusal::bad(format!(
                        "stream is {value:?}; of a module there is All only: its base does not keep the two apart"
                    )));
                }
                _ => {}
            }
        }
        asked.since = match (seconds, time) {
            (Some(_), Some(_)) => {
                return Err(Refusal::bad("sinceSeconds and sinceTime are not to be given both"));
            }
            (Some(seconds), None) => Some(Since::Seconds(seconds)),
            (None, time) => time.map(Since::Time),
        };
        Ok(asked)
    }

    /// Adds what is asked for to a query, all but `previous`.
    pub(crate) fn add_to(&self, query: &mut Serializer<'_, String>) {
        for (name, on) in [("follow", self.follow), ("timestamps", self.timestamps)] {
            if on {
                query.append_pair(name, "true");
            }
        }
        for (name, number) in [("tailLines", self.tail_lines), ("limitBytes", self.limit_bytes)] {
            if let Some(number) = number {
                query.append_pair(name, &number.to_string());
            }
        }
        let (name, value) = match self.since {
            Some(Since::Seconds(seconds)) => ("sinceSeconds", seconds.to_string()),
            Some(Since::Time(time)) => ("sinceTime", time.to_string()),
            None => return,
        };
        query.append_pair(name, &value);
    }
}

/// Kubernetes writes a flag that is set as `true`, and older clients as the name alone.
fn flag(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::bad(format!("{name} is {value:?}; expected true or false"))),
    }
}

fn parsed<T: FromStr>(name: &str, value: &str, expected: &str) -> Result<T, Refusal> {
    value.parse().map_err(|_| Refusal::bad(format!("{name} is {value:?}; expected {expected}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_the_api_server_writes_them_and_nonsense_is_refused() {
        let asked =
            Asked::read("follow=true&limitBytes=9&sinceSeconds=60&tailLines=5&timestamps=true&x=y").unwrap();
        let expected = Asked {
            follow: true,
            previous: false,
            timestamps: true,
            tail_lines: Some(5),
            limit_bytes: Some(9),
            since: Some(Since::Seconds(60)),
        };
        assert_eq!(asked, expected);
        assert_eq!(Asked::read("").unwrap(), Asked::default());
        let time = Asked::read("sinceTime=1970-01-01T00%3A00%3A00Z&stream=All").unwrap();
        assert_eq!(time.since, Some(Since::Time(Timestamp::UNIX_EPOCH)));
        for (query, says) in [
            ("follow=maybe", "follow is \"maybe\"; expected true or false"),
            ("tailLines=-1", "tailLines is \"-1\"; expected a number of lines"),
            ("sinceTime=today", "expected a time"),
            ("sinceSeconds=1&sinceTime=1970-01-01T00:00:00Z", "not to be given both"),
            ("stream=Stderr", "of a module there is All only"),
        ] {
            let refusal = Asked::read(query).unwrap_err();
            assert!(refusal.message.contains(says), "{query}: {refusal}");
        }
    }
}
