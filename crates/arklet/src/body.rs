//! Commands as the bytes that a Java base was seen to accept (`testdata/http`).

use model::{BizId, ModuleSpec};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::command::{Command, WireStrategy};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Id<'a> {
    biz_name: &'a str,
    biz_version: &'a str,
}

impl<'a> From<&'a BizId> for Id<'a> {
    fn from(id: &'a BizId) -> Self {
        Self { biz_name: id.name.as_str(), biz_version: id.version.as_str() }
    }
}

/// A biz and where its package is: an entry of a baseline, the beginning of an installation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    biz_url: &'a str,
}

impl<'a> From<&'a ModuleSpec> for Package<'a> {
    fn from(spec: &'a ModuleSpec) -> Self {
        Self { id: Id::from(&spec.id), biz_url: spec.url.as_written() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Install<'a> {
    #[serde(flatten)]
    package: Package<'a>,
    /// Left out for `installOnly`, Arklet's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    install_strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "Envs::is_empty")]
    envs: Envs<'a>,
}

/// An object whose keys keep the user's order.
struct Envs<'a>(&'a [(String, String)]);

impl Envs<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Envs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        // A name that is given twice counts the last time, as in a container; JSON with a key
        // twice is read differently by every reader.
        for (at, (name, value)) in self.0.iter().enumerate() {
            if !self.0.iter().skip(at + 1).any(|(later, _)| later == name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    biz_list: Vec<Package<'a>>,
}

impl Command {
    /// The command's arguments as JSON: the HTTP body, or the MQTT payload.
    ///
    /// An asynchronous run is never asked for: over MQTT its end could not be asked for either.
    pub fn body(&self) -> Vec<u8> {
        match self {
            Self::InstallBiz { spec, strategy } => encode(&Install {
                package: Package::from(spec),
                install_strategy: match strategy {
                    WireStrategy::InstallOnly => None,
                    WireStrategy::UninstallThenInstall => Some("uninstallThenInstall"),
                },
                args: &spec.args,
                envs: Envs(&spec.envs),
            }),
            Self::UninstallBiz(id) | Self::SwitchBiz(id) => encode(&Id::from(id)),
            Self::QueryBizOps { request_id } => encode(&Operation { request_id }),
            Self::BatchInstallBiz(specs) => {
                encode(&Batch { biz_list: specs.iter().map(Package::from).collect() })
            }
            Self::QueryAllBiz | Self::Health | Self::Help => b"{}".to_vec(),
        }
    }
}

/// A baseline as the base expects it: a bare list of packages.
pub(crate) fn packages(specs: &[ModuleSpec]) -> Vec<u8> {
    encode(&specs.iter().map(Package::from).collect::<Vec<_>>())
}

/// JSON of one of the types above. They hold text, lists and text keys only, for which
/// `serde_json` cannot fail.
fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(envs: &[(&str, &str)]) -> ModuleSpec {
        ModuleSpec {
            id: BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() },
            url: "file:///a.jar".parse().unwrap(),
            strategy: model::InstallStrategy::Auto,
            args: [].into(),
            envs: envs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    fn install(envs: &[(&str, &str)]) -> String {
        let command = Command::InstallBiz { spec: spec(envs), strategy: WireStrategy::InstallOnly };
        String::from_utf8(command.body()).unwrap()
    }

    #[test]
    fn the_default_strategy_and_empty_lists_are_left_out() {
        assert_eq!(install(&[]), r#"{"bizName":"biz1","bizVersion":"1.0.0","bizUrl":"file:///a.jar"}"#);
    }

    #[test]
    fn envs_keep_their_order_and_the_last_of_a_name() {
        let body = install(&[("Z", "1"), ("A", "2"), ("Z", "3")]);
        assert!(body.ends_with(r#""envs":{"A":"2","Z":"3"}}"#), "{body}");
        let body = install(&[("Z", "1"), ("A", "\"2\n")]);
        assert!(body.ends_with(r#""envs":{"Z":"1","A":"\"2\n"}}"#), "{body}");
    }

    #[test]
    fn queries_have_no_arguments() {
        for command in [Command::QueryAllBiz, Command::Health, Command::Help] {
            assert_eq!(command.body(), b"{}");
        }
    }
}
