//! A label selector, as every kind writes it, and as kubectl takes it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::nothing;

/// Labels that must have these values, and what else must hold of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectorJson {
    #[serde(deserialize_with = "nothing", skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<RequirementJson>,
}

/// What must hold of a label. A term of a node affinity has the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct RequirementJson {
    pub key: String,
    pub operator: String,
    #[serde(deserialize_with = "nothing", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A part of a selector that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no part of a label selector: write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
)]
pub struct NoSelector(String);

impl fmt::Display for SelectorJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let parts: Vec<String> =
            labels.chain(self.match_expressions.iter().map(ToString::to_string)).collect();
        f.write_str(&parts.join(","))
    }
}

impl fmt::Display for RequirementJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator.as_str() {
            "In" => write!(f, "{key} in ({values})"),
            "NotIn" => write!(f, "{key} notin ({values})"),
            "Exists" => f.write_str(key),
            "DoesNotExist" => write!(f, "!{key}"),
            other => write!(f, "{key} {other} ({values})"),
        }
    }
}

impl FromStr for SelectorJson {
    type Err = NoSelector;

    fn from_str(text: &str) -> Result<Self, NoSelector> {
        let mut selector = Self::default();
        for part in parts(text) {
            let no = || NoSelector(part.to_owned());
            match equality(part) {
                Some((key, value)) if is_key(key) && !value.contains(['=', '!', ' ']) => {
                    selector.match_labels.insert(key.to_owned(), value.to_owned());
                }
                Some(_) => return Err(no()),
                None => selector.match_expressions.push(requirement(part).ok_or_else(no)?),
            }
        }
        Ok(selector)
    }
}

/// What stands between commas that are in no parentheses.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let between = move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(between).map(str::trim).filter(|part| !part.is_empty())
}

/// `key=value` or `key==value`.
fn equality(part: &str) -> Option<(&str, &str)> {
    if part.contains("!=") {
        return None;
    }
    let (key, value) = part.split_once('=')?;
    Some((key.trim(), value.strip_prefix('=').unwrap_or(value).trim()))
}

fn requirement(part: &str) -> Option<RequirementJson> {
    let of = |key: &str, operator: &str, values: Vec<String>| {
        let key = key.trim();
        is_key(key).then(|| RequirementJson { key: key.to_owned(), operator: operator.to_owned(), values })
    };
    if let Some((key, value)) = part.split_once("!=") {
        return of(key, "NotIn", vec![value.trim().to_owned()]);
    }
    if let Some((head, list)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values: Vec<String> =
            list.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect();
        let (key, word) = head.trim().rsplit_once(' ')?;
        let operator = match word {
            "in" => "In",
            "notin" => "NotIn",
            _ => return None,
        };
        return of(key, operator, values).filter(|made| !made.values.is_empty());
    }
    match part.strip_prefix('!') {
        Some(key) => of(key, "DoesNotExist", Vec::new()),
        None => of(part, "Exists", Vec::new()),
    }
}

fn is_key(key: &str) -> bool {
    let is_of_keys = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !key.is_empty() && key.chars().all(is_of_keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same() {
        for (text, written) in [
            ("", ""),
            ("zone=a", "zone=a"),
            (" zone == a , tier in (x, y),!old,new", "zone=a,tier in (x,y),!old,new"),
            ("a!=b,c notin (d)", "a notin (b),c notin (d)"),
            ("base.koupleless.io/name=", "base.koupleless.io/name="),
        ] {
            let selector: SelectorJson = text.parse().unwrap();
            assert_eq!(selector.to_string(), written);
            assert_eq!(written.parse::<SelectorJson>().unwrap(), selector);
        }
    }

    #[test]
    fn what_says_nothing_is_named() {
        for text in ["=a", "a b", "a in ()", "a within (b)", "a=b=c", "ü=1", "a in (b"] {
            let told = text.parse::<SelectorJson>().unwrap_err().to_string();
            assert!(told.contains(text), "{told}");
        }
    }
}
