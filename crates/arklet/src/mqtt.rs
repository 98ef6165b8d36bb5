//! What bases publish over MQTT: `{publishTimestamp,data}` on one topic for each kind of answer.
//!
//! The timestamp is neither needed nor believed: it is the base's clock, and what is late is
//! judged by when it arrives.

pub use crate::topic::{
    base_of_topic, baseline_topic, command_of_topic, command_subscription, command_topic, is_baseline_topic,
    subscription,
};

use model::{BaseIdentity, BaseReport, BizId};
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, AnswerKey, CallError, Outcome},
    baseline::{self, BaselineQuery},
    biz::biz_id,
    command::CommandKind,
    error::WireError,
    heartbeat, parse,
    topic::{self, Channel},
    wire::{bad, json, object, required, text},
};

/// One message of a base.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// It lives.
    Heartbeat(BaseReport),
    /// A command's end.
    Answer {
        /// Whose.
        base: BaseIdentity,
        /// Which command's.
        key: AnswerKey,
        /// How it ended.
        outcome: Outcome,
    },
    /// It asks which modules it should have.
    BaselineQuery(BaselineQuery),
}

/// A message on a topic of [`subscription`]. None where the topic carries
/// nothing for us: another one, an unknown one, or the baseline that we published ourselves.
///
/// # Errors
/// Where nobody can be told, because base or command are not known: the envelope is broken, or
/// it speaks for another base than its topic. An answer that makes no sense by itself is a
/// [`Message::Answer`] with [`CallError::Malformed`], so that whoever waits for it learns it.
pub fn parse_message(env: &str, topic: &str, payload: &[u8]) -> Result<Option<Message>, WireError> {
    let Some((base, channel)) = topic::read(env, topic)? else { return Ok(None) };
    let envelope = json(payload)?;
    let envelope = object(&envelope, "envelope")?;
    let data = match channel {
        // A list that was never made.
        Channel::BizList => envelope.get("data").ok_or(WireError::MissingField("data"))?,
        _ => required(envelope, "data")?,
    };
    let answer = |command, biz, outcome| Message::Answer {
        base: base.clone(),
        key: AnswerKey { command, biz },
        outcome,
    };
    Ok(Some(match channel {
        Channel::Heartbeat => {
            let report = heartbeat::report(data, Some(&base))?;
            same(&base, &report.identity)?;
            Message::Heartbeat(report)
        }
        Channel::BaselineQuery => {
            let query = baseline::query(data, Some(&base))?;
            same(&base, &query.identity)?;
            Message::BaselineQuery(query)
        }
        Channel::Health => answer(CommandKind::Health, None, parse::outcome(CommandKind::Health, data)),
        Channel::BizList => answer(CommandKind::QueryAllBiz, None, biz_list(data)),
        Channel::BizOperation => {
            let map = object(data, "data")?;
            let command = command(map)?;
            answer(command, operand(command, map)?, response(command, map))
        }
        Channel::BatchInstall => {
            let command = CommandKind::BatchInstallBiz;
            answer(command, None, response(command, object(data, "data")?))
        }
    }))
}

/// What whoever waits for it is told of an answer that is not read, for this reason; none where the topic does not say to
/// which command it is.
pub fn unread_answer(env: &str, topic: &str, why: &str) -> Option<Message> {
    let (base, channel) = topic::read(env, topic).ok()??;
    let command = match channel {
        Channel::Health => CommandKind::Health,
        Channel::BizList => CommandKind::QueryAllBiz,
        Channel::Heartbeat | Channel::BizOperation | Channel::BatchInstall | Channel::BaselineQuery => {
            return None;
        }
    };
    let key = AnswerKey { command, biz: None };
    Some(Message::Answer { base, key, outcome: Err(CallError::Malformed(why.to_owned())) })
}

/// Refuses a message that speaks for another base than its topic: whoever may publish for one
/// base must not be believed for all.
fn same(topic: &BaseIdentity, found: &BaseIdentity) -> Result<(), WireError> {
    if topic == found {
        return Ok(());
    }
    Err(WireError::Topic { topic: topic.as_str().to_owned(), found: found.as_str().to_owned() })
}

/// A list of biz: bare, or as HTTP answers it, which agents before 2.1.11 do on `biz`.
fn biz_list(data: &Value) -> Outcome {
    match data {
        Value::Array(_) => parse::biz_list_answer(data),
        Value::Null => Ok(Answer::Biz(Vec::new())),
        _ => parse::outcome(CommandKind::QueryAllBiz, data),
    }
}

fn command(map: &Map<String, Value>) -> Result<CommandKind, WireError> {
    let name = text(map, "data.command")?;
    CommandKind::from_name(name).ok_or_else(|| bad("data.command", &Value::from(name), "a command of Arklet"))
}

/// The biz of a command that is about one.
fn operand(command: CommandKind, map: &Map<String, Value>) -> Result<Option<BizId>, WireError> {
    if command.is_about_one_biz() {
        biz_id(map, "data.bizName", "data.bizVersion").map(Some)
    } else {
        Ok(None)
    }
}

fn response(command: CommandKind, map: &Map<String, Value>) -> Outcome {
    match required(map, "data.response") {
        Ok(response) => parse::outcome(command, response),
        Err(error) => Err(CallError::from(error)),
    }
}

#[cfg(test)]
mod tests {
    use crate::answer::FailureKind;

    use super::*;

    fn on(last: &str, payload: &str) -> Result<Option<Message>, WireError> {
        parse_message("dev", &format!("koupleless_dev/b1/base/{last}"), payload.as_bytes())
    }

    fn outcome(last: &str, payload: &str) -> (AnswerKey, Outcome) {
        match on(last, payload) {
            Ok(Some(Message::Answer { key, outcome, .. })) => (key, outcome),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_base_speaks_only_for_itself() {
        let heart = on("heart", r#"{"data":{"baseMetadata":{"identity":"b2"}},"publishTimestamp":0}"#);
        assert_eq!(heart, Err(WireError::Topic { topic: "b1".into(), found: "b2".into() }));
        let query = on("queryBaseline", r#"{"data":{"identity":"b2"}}"#);
        assert_eq!(query, Err(WireError::Topic { topic: "b1".into(), found: "b2".into() }));
    }

    #[test]
    fn the_timestamp_is_not_needed() {
        assert!(matches!(
            on("heart", r#"{"data":{"baseMetadata":{"identity":"b1"}},"publishTimestamp":"x"}"#),
            Ok(Some(Message::Heartbeat(_)))
        ));
    }

    #[test]
    fn a_broken_envelope_is_an_error_on_every_channel() {
        for last in [
            "heart",
            "health",
            "simpleBiz",
            "biz",
            "bizOperation",
            "batchInstallBizResponse",
            "queryBaseline",
        ] {
            assert!(matches!(on(last, ""), Err(WireError::NotJson { .. })));
            assert!(matches!(on(last, "[]"), Err(WireError::BadField { field: "envelope", .. })));
            assert_eq!(on(last, "{}"), Err(WireError::MissingField("data")));
        }
        assert_eq!(on("baseline", "not read at all"), Ok(None));
    }

    #[test]
    fn whoever_waits_learns_of_an_answer_that_makes_no_sense() {
        let (key, outcome) = outcome("health", r#"{"data":[]}"#);
        assert_eq!(key, AnswerKey { command: CommandKind::Health, biz: None });
        assert!(matches!(outcome, Err(CallError::Malformed(_))));
    }

    #[test]
    fn a_list_may_be_bare_or_an_answer() {
        let list = r#"[{"bizName":"a","bizVersion":"1","bizState":"ACTIVATED"}]"#;
        for data in [list.to_owned(), format!(r#"{{"code":"SUCCESS","data":{list}}}"#)] {
            let (key, outcome) = outcome("biz", &format!(r#"{{"data":{data}}}"#));
            assert_eq!(key.command, CommandKind::QueryAllBiz);
            assert!(matches!(outcome, Ok(Answer::Biz(list)) if list.len() == 1));
        }
    }

    #[test]
    fn a_list_that_was_never_made_is_empty() {
        for payload in [r#"{"data":null}"#, r#"{"data":[]}"#, r#"{"data":{"code":"SUCCESS","data":null}}"#] {
            for last in ["simpleBiz", "biz"] {
                assert_eq!(outcome(last, payload).1, Ok(Answer::Biz(vec![])), "{last} {payload}");
            }
        }
    }

    /// The broker is the way to it.
    #[test]
    fn an_address_that_cannot_be_read_is_none() {
        let heart =
            r#"{"data":{"baseMetadata":{"identity":"b1"},"localIP":"here","port":"no","state":"activated"}}"#;
        let Ok(Some(Message::Heartbeat(report))) = on("heart", heart) else { panic!() };
        assert_eq!((report.ip, report.port), (None, None));
    }

    /// As bases before koupleless 2 speak.
    #[test]
    fn the_topic_names_who_does_not() {
        let heart = r#"{"data":{"masterBizInfo":{"name":"base","version":"1"},"networkInfo":{},"state":"ACTIVATED"}}"#;
        let Ok(Some(Message::Heartbeat(report))) = on("heart", heart) else { panic!() };
        assert_eq!((report.identity.as_str(), report.name.as_deref()), ("b1", Some("base")));
        let query = on("queryBaseline", r#"{"data":{"name":"base","version":"1"}}"#);
        let Ok(Some(Message::BaselineQuery(query))) = query else { panic!() };
        assert_eq!((query.identity.as_str(), &*query.version), ("b1", "1"));
        let other = on("heart", r#"{"data":{"baseID":"b2","masterBizInfo":{}}}"#);
        assert_eq!(other, Err(WireError::Topic { topic: "b1".into(), found: "b2".into() }));
    }

    #[test]
    fn an_operation_names_its_command_and_biz() {
        let (key, outcome) = outcome(
            "bizOperation",
            r#"{"data":{"command":"switchBiz","bizName":"a","bizVersion":"1","response":{"code":"CMD_NOT_FOUND"}}}"#,
        );
        assert_eq!((key.command, key.biz.unwrap().to_string()), (CommandKind::SwitchBiz, "a:1".into()));
        assert!(matches!(outcome, Err(CallError::Refused(f)) if f.kind == FailureKind::CommandNotFound));
        for (data, field) in [
            (r#"{"command":"nosuch"}"#, "field data.command is \"nosuch\"; expected a command of Arklet"),
            ("{}", "field data.command is missing"),
            (r#"{"command":"installBiz","bizName":"a"}"#, "field data.bizVersion is missing"),
        ] {
            let error = on("bizOperation", &format!(r#"{{"data":{data}}}"#)).unwrap_err();
            assert_eq!(error.to_string(), field);
        }
    }
}
