//! Properties: their names and defaults, and where their values come from.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, str::FromStr};

/// A property.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    /// Empty where there is none.
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

/// A value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    /// A name that says nothing: a mistake in typing would go unnoticed otherwise.
    #[error("{from} sets {name:?}, which is no property; `base properties` prints all")]
    Unknown { from: String, name: String },
    /// A value that does not fit.
    #[error("{name} is {value:?} ({from}); expected {expected}")]
    Value { name: &'static str, value: String, from: String, expected: String },
    /// A line of the file that is no `name=value`.
    #[error("{file}, line {line}: expected name=value")]
    Line { file: String, line: usize },
    /// The file cannot be read.
    #[error("{file}: {error}")]
    File { file: String, error: String },
}

/// The values that were set, each with where it came from: flags before the environment before the file.
#[derive(Debug, Default)]
pub(crate) struct Values {
    set: BTreeMap<&'static str, (String, String)>,
    table: &'static [Property],
}

impl Values {
    /// None that is set.
    pub(crate) fn new(table: &'static [Property]) -> Self {
        Self { set: BTreeMap::new(), table }
    }

    /// Those of a file: `name=value` in lines; `#` and `!` begin a remark.
    pub(crate) fn read_file(&mut self, file: &Path) -> Result<(), SettingError> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file);
        let text =
            text.map_err(|error| SettingError::File { file: shown.clone(), error: error.to_string() })?;
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let no_line = || SettingError::Line { file: shown.clone(), line: at + 1 };
            let (name, value) = line.split_once('=').ok_or_else(no_line)?;
            self.put(name.trim(), value.trim(), &shown)?;
        }
        Ok(())
    }

    /// Those of the environment, by names as Spring Boot makes them: `server.port` is `SERVER_PORT`, and
    /// `show-details` at the end is `SHOWDETAILS`.
    pub(crate) fn read_environment(&mut self, get: impl Fn(&str) -> Option<String>) {
        for property in self.table {
            let name = environment_name(property.name);
            if let Some(value) = get(&name) {
                self.set.insert(property.name, (value, name));
            }
        }
    }

    /// One of the command line: `--name=value`.
    pub(crate) fn read_flag(&mut self, flag: &str) -> Result<(), SettingError> {
        let unknown = || SettingError::Unknown { from: "the command line".to_owned(), name: flag.to_owned() };
        let (name, value) =
            flag.strip_prefix("--").and_then(|flag| flag.split_once('=')).ok_or_else(unknown)?;
        self.put(name, value, "the command line")
    }

    fn put(&mut self, name: &str, value: &str, from: &str) -> Result<(), SettingError> {
        let known = self.table.iter().find(|property| property.name == name);
        let unknown = || SettingError::Unknown { from: from.to_owned(), name: name.to_owned() };
        let property = known.ok_or_else(unknown)?;
        self.set.insert(property.name, (value.to_owned(), from.to_owned()));
        Ok(())
    }

    /// The text of a property; none where it is empty.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        let (value, _) = self.value(name);
        (!value.is_empty()).then_some(value)
    }

    /// A property read as something; none where it is empty.
    pub(crate) fn parse<T: FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, SettingError> {
        self.text(name).map(|text| text.parse().map_err(|_| self.wrong(name, expected))).transpose()
    }

    /// A property that has a default.
    pub(crate) fn need<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<T, SettingError> {
        self.parse(name, expected)?.ok_or_else(|| self.wrong(name, expected))
    }

    /// That a value does not fit.
    pub(crate) fn wrong(&self, name: &'static str, expected: &str) -> SettingError {
        let (value, from) = self.value(name);
        SettingError::Value { name, value, from, expected: expected.to_owned() }
    }

    fn value(&self, name: &'static str) -> (String, String) {
        let default = || {
            let known = self.table.iter().find(|property| property.name == name);
            (known.map_or("", |property| property.default).to_owned(), "by default".to_owned())
        };
        self.set
            .get(name)
            .map(|(value, from)| (value.trim().to_owned(), format!("set by {from}")))
            .unwrap_or_else(default)
    }
}

fn environment_name(property: &str) -> String {
    property
        .chars()
        .filter(|c| *c != '-')
        .map(|c| if c == '.' { '_' } else { c.to_ascii_uppercase() })
        .collect()
}

/// All properties with their defaults and meanings, as text.
pub(crate) fn table(properties: &[Property]) -> String {
    let mut text = String::new();
    for property in properties {
        let default = if property.default.is_empty() { "not set" } else { property.default };
        let environment = environment_name(property.name);
        // Writing to a String does not fail.
        let _ = writeln!(text, "{} ({environment}; {default})\n    {}", property.name, property.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Property] = &[
        Property { name: "server.port", default: "8080", meaning: "a port" },
        Property { name: "management.endpoint.health.show-details", default: "never", meaning: "what" },
    ];

    #[test]
    fn flags_come_before_the_environment_and_that_before_the_default() {
        let mut values = Values::new(TABLE);
        assert_eq!(values.need::<u16>("server.port", "a port"), Ok(8080));
        values.read_environment(|name| (name == "SERVER_PORT").then(|| "81".to_owned()));
        assert_eq!(values.need::<u16>("server.port", "a port"), Ok(81));
        values.read_flag("--server.port=82").unwrap();
        assert_eq!(values.need::<u16>("server.port", "a port"), Ok(82));
        assert_eq!(environment_name(TABLE[1].name), "MANAGEMENT_ENDPOINT_HEALTH_SHOWDETAILS");
    }

    #[test]
    fn a_file_has_names_values_and_remarks() {
        let file = std::env::temp_dir().join(format!("base-properties-{}", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let mut values = Values::new(TABLE);
            values.read_file(&file).map(|()| values)
        };
        let mut values = read("# a remark\n! another\n\n server.port = 83 \n").unwrap();
        assert_eq!(values.need::<u16>("server.port", "a port"), Ok(83));
        values.read_environment(|name| (name == "SERVER_PORT").then(|| "84".to_owned()));
        assert_eq!(values.need::<u16>("server.port", "a port"), Ok(84));
        assert!(matches!(read("server.port"), Err(SettingError::Line { line: 1, .. })));
        assert!(matches!(read("server.prot=1"), Err(SettingError::Unknown { .. })));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(Values::new(TABLE).read_file(&file), Err(SettingError::File { .. })));
    }

    #[test]
    fn what_is_wrong_is_named_with_where_it_came_from() {
        let mut values = Values::new(TABLE);
        values.read_flag("--server.port=many").unwrap();
        let error = values.need::<u16>("server.port", "a port, 0 to 65535").unwrap_err();
        assert_eq!(
            error.to_string(),
            "server.port is \"many\" (set by the command line); expected a port, 0 to 65535"
        );
        for flag in ["--server.prot=1", "server.port", "--server.port"] {
            assert!(matches!(values.read_flag(flag), Err(SettingError::Unknown { .. })), "{flag}");
        }
    }
}
