//! MQTT topics, all under `koupleless_<env>/<identity>/`.

use model::BaseIdentity;

use crate::{command::CommandKind, error::WireError};

/// The filter for all that the bases of an environment publish: one subscription for all bases,
/// whose number the broker then never sees.
pub fn subscription(env: &str) -> String {
    format!("koupleless_{env}/+/base/+")
}

/// The filter for all that bases are told, but baselines: only to see what a broker has retained of it.
pub fn command_subscription(env: &str) -> String {
    format!("koupleless_{env}/+/+")
}

/// Whether this is a topic of [`command_subscription`] for a command that we know.
pub fn command_of_topic(env: &str, topic: &str) -> Option<(BaseIdentity, CommandKind)> {
    let rest = topic.strip_prefix("koupleless_")?.strip_prefix(env)?.strip_prefix('/')?;
    let (identity, command) = rest.split_once('/')?;
    Some((identity.parse().ok()?, CommandKind::from_name(command)?))
}

/// Whose this topic is, of those of [`subscription`].
pub fn base_of_topic(env: &str, topic: &str) -> Option<BaseIdentity> {
    Some(read(env, topic).ok()??.0)
}

/// Where a base listens for a command.
pub fn command_topic(env: &str, base: &BaseIdentity, command: CommandKind) -> String {
    format!("koupleless_{env}/{base}/{command}")
}

/// Where a base listens for its baseline.
pub fn baseline_topic(env: &str, base: &BaseIdentity) -> String {
    format!("koupleless_{env}/{base}{BASELINE}")
}

/// A baseline that a controller published: it comes back to whoever subscribed to all that bases
/// publish.
pub fn is_baseline_topic(topic: &str) -> bool {
    topic.ends_with(BASELINE)
}

const BASELINE: &str = "/base/baseline";

/// What a base publishes, by the topic's last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// `heart`.
    Heartbeat,
    /// `health`.
    Health,
    /// `simpleBiz`, and `biz` of agents before 2.1.11.
    BizList,
    /// `bizOperation`.
    BizOperation,
    /// `batchInstallBizResponse`.
    BatchInstall,
    /// `queryBaseline`.
    BaselineQuery,
}

/// The base and the channel of a topic; none where it is outside of [`subscription`] or carries
/// nothing that a base says to us, as the baseline that we publish ourselves.
pub(crate) fn read(env: &str, topic: &str) -> Result<Option<(BaseIdentity, Channel)>, WireError> {
    let rest = topic.strip_prefix("koupleless_").and_then(|rest| rest.strip_prefix(env));
    let Some((identity, last)) = rest.and_then(|rest| rest.strip_prefix('/')?.split_once("/base/")) else {
        return Ok(None);
    };
    let channel = match last {
        "heart" => Channel::Heartbeat,
        "health" => Channel::Health,
        "simpleBiz" | "biz" => Channel::BizList,
        "bizOperation" => Channel::BizOperation,
        "batchInstallBizResponse" => Channel::BatchInstall,
        "queryBaseline" => Channel::BaselineQuery,
        _ => return Ok(None),
    };
    Ok(Some((identity.parse()?, channel)))
}

#[cfg(test)]
mod tests {
    use model::base::IdentityError;

    use super::*;

    #[test]
    fn topics_are_those_of_the_recordings() {
        let base = "192.0.2.2".parse().unwrap();
        assert_eq!(subscription("default"), "koupleless_default/+/base/+");
        assert_eq!(
            command_topic("default", &base, CommandKind::InstallBiz),
            "koupleless_default/192.0.2.2/installBiz"
        );
        assert_eq!(baseline_topic("default", &base), "koupleless_default/192.0.2.2/base/baseline");
    }

    #[test]
    fn a_topic_is_read_back() {
        let channel = |last: &str| {
            read("dev", &format!("koupleless_dev/b1/base/{last}")).unwrap().map(|(base, channel)| {
                assert_eq!(base.as_str(), "b1");
                channel
            })
        };
        assert_eq!(channel("heart"), Some(Channel::Heartbeat));
        assert_eq!(channel("biz"), Some(Channel::BizList));
        assert_eq!(channel("simpleBiz"), Some(Channel::BizList));
        assert_eq!(channel("baseline"), None);
        assert_eq!(channel("heart/x"), None);
        assert_eq!(channel(""), None);
    }

    #[test]
    fn a_commands_topic_is_read_back() {
        let base: BaseIdentity = "b1".parse().unwrap();
        for command in CommandKind::ALL {
            let topic = command_topic("dev", &base, command);
            assert_eq!(command_of_topic("dev", &topic), Some((base.clone(), command)));
        }
        for topic in
            ["koupleless_dev/b1/base", "koupleless_dev/b1/base/heart", "koupleless_dev2/b1/health", ""]
        {
            assert_eq!(command_of_topic("dev", topic), None, "{topic}");
        }
    }

    #[test]
    fn other_topics_carry_nothing() {
        for topic in [
            "",
            "/",
            "koupleless_dev2/b1/base/heart",
            "koupleless_dev/b1/health",
            "koupleless_dev/b1/x/heart",
        ] {
            assert_eq!(read("dev", topic), Ok(None), "{topic}");
        }
    }

    #[test]
    fn an_impossible_identity_is_refused() {
        assert_eq!(read("dev", "koupleless_dev//base/heart"), Err(IdentityError::Empty.into()));
        assert_eq!(read("dev", "koupleless_dev/a/b/base/heart"), Err(IdentityError::Character('/').into()));
    }
}
