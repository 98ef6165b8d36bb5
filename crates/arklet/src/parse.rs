//! Answers: `{code,message,data,errorStackTrace}` over HTTP, the same inside an envelope over MQTT.

use model::BizStatus;
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, CallError, Failure, Health, Operation, Outcome, PackageResult},
    biz::{biz_id, biz_list},
    command::CommandKind,
    error::WireError,
    failure::Story,
    wire::{array, bad, json, object, optional, remark, required, text},
};

/// A base's answer to a command: the body of its HTTP answer.
///
/// A list of biz stands where some of its entries cannot be read: they are left out. It is
/// malformed where none of its entries can be.
///
/// # Errors
/// [`CallError::Refused`] where the base says that it did not do it, [`CallError::Malformed`]
/// where the answer makes no sense.
pub fn parse_answer(command: CommandKind, body: &[u8]) -> Outcome {
    outcome(command, &json(body)?)
}

impl From<WireError> for CallError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// An answer that was parsed as JSON.
pub(crate) fn outcome(command: CommandKind, value: &Value) -> Outcome {
    let answer = object(value, "answer")?;
    let code = text(answer, "code")?;
    let data = optional(answer, "data");
    // A batch tells of each package how it ended, whether or not all of them succeeded.
    if command == CommandKind::BatchInstallBiz
        && let Some(results) = data.and_then(|data| data.get("bizUrlToResponse")).filter(|it| !it.is_null())
    {
        return Ok(Answer::Batch(batch(results)?));
    }
    let inner = data.and_then(Value::as_object).and_then(|data| data.get("code")).and_then(Value::as_str);
    if !succeeded(code) || inner.is_some_and(|code| !succeeded(code)) {
        return Err(CallError::Refused(Story::of_answer(answer).failure()));
    }
    Ok(match command {
        CommandKind::InstallBiz => installed(required(answer, "data")?)?,
        CommandKind::UninstallBiz => done(data, Answer::Uninstalled)?,
        CommandKind::SwitchBiz => done(data, Answer::Switched)?,
        CommandKind::QueryAllBiz => Answer::Biz(biz_list(required(answer, "data")?, "data")?),
        CommandKind::QueryBizOps => Answer::Operation(operation(required(answer, "data")?)?),
        CommandKind::BatchInstallBiz => return Err(WireError::MissingField("data.bizUrlToResponse").into()),
        CommandKind::Health => Answer::Health(health(required(answer, "data")?)?),
        CommandKind::Help => Answer::Help(commands(required(answer, "data")?)?),
    })
}

/// The answer of a bare list of biz, as MQTT has it.
pub(crate) fn biz_list_answer(data: &Value) -> Outcome {
    Ok(Answer::Biz(biz_list(data, "data")?))
}

fn succeeded(code: &str) -> bool {
    code.eq_ignore_ascii_case("SUCCESS")
}

/// What an installation brought; nothing yet where it runs on asynchronously.
fn installed(data: &Value) -> Outcome {
    let map = object(data, "data")?;
    if let Some(list) = optional(map, "data.bizInfos") {
        return Ok(Answer::Installed(biz_list(list, "data.bizInfos")?));
    }
    match running(map)? {
        Some(Operation::Failed(failure)) => Err(CallError::Refused(failure)),
        Some(_) => Ok(Answer::Installed(Vec::new())),
        None => Err(WireError::MissingField("data.bizInfos").into()),
    }
}

/// A command with nothing to tell; an [`Answer::Operation`] where it runs on asynchronously,
/// because then it is not done.
fn done(data: Option<&Value>, answer: Answer) -> Outcome {
    match data.and_then(Value::as_object).map(running).transpose()?.flatten() {
        None | Some(Operation::Succeeded) => Ok(answer),
        Some(Operation::Running) => Ok(Answer::Operation(Operation::Running)),
        Some(Operation::Failed(failure)) => Err(CallError::Refused(failure)),
    }
}

/// The operation where the data is one: it has a `status`.
fn running(data: &Map<String, Value>) -> Result<Option<Operation>, WireError> {
    optional(data, "data.status").map(|_| status(data)).transpose()
}

fn operation(data: &Value) -> Result<Operation, WireError> {
    status(object(data, "data")?)
}

/// `status`, in any letter case, and for a failure its `message` and `throwable`.
fn status(data: &Map<String, Value>) -> Result<Operation, WireError> {
    let status = text(data, "data.status")?;
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    if is("INITIALIZED") || is("EXECUTING") {
        Ok(Operation::Running)
    } else if is("SUCCEEDED") {
        Ok(Operation::Succeeded)
    } else if is("FAILED") {
        Ok(Operation::Failed(Story::of_operation(data).failure()))
    } else {
        Err(bad("data.status", &Value::from(status), "INITIALIZED, EXECUTING, SUCCEEDED or FAILED"))
    }
}

/// Each package URL's own result.
fn batch(results: &Value) -> Result<Vec<PackageResult>, WireError> {
    let results = object(results, "data.bizUrlToResponse")?;
    results.iter().map(|(url, result)| Ok((url.clone(), package(result)?))).collect()
}

fn package(result: &Value) -> Result<Result<Vec<BizStatus>, Failure>, WireError> {
    let map = object(result, "data.bizUrlToResponse.*")?;
    if succeeded(text(map, "data.bizUrlToResponse.*.code")?) {
        Ok(Ok(biz_list(
            required(map, "data.bizUrlToResponse.*.bizInfos")?,
            "data.bizUrlToResponse.*.bizInfos",
        )?))
    } else {
        Ok(Err(Story::of_answer(map).failure()))
    }
}

/// `data.healthData`; what it leaves out stays unknown, as in the answer to a narrower question.
fn health(data: &Value) -> Result<Health, WireError> {
    let data = object(required(object(data, "data")?, "data.healthData")?, "data.healthData")?;
    let master = data.get("masterBizInfo").and_then(Value::as_object);
    let jvm = data.get("jvm").and_then(Value::as_object);
    // No limit is -1, which is no u64.
    let bytes = |key| jvm.and_then(|jvm| jvm.get(key)).and_then(Value::as_u64);
    Ok(Health {
        master: master.and_then(|master| biz_id(master, "bizName", "bizVersion").ok()),
        max_metaspace_bytes: bytes("java max metaspace"),
        committed_metaspace_bytes: bytes("java committed metaspace"),
    })
}

/// The names of commands.
fn commands(data: &Value) -> Result<Vec<String>, WireError> {
    let names = array(data, "data")?.iter().filter_map(Value::as_object).map(|command| remark(command, "id"));
    Ok(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use crate::answer::FailureKind;

    use super::*;

    fn malformed(command: CommandKind, body: &str) -> String {
        match parse_answer(command, body.as_bytes()) {
            Err(CallError::Malformed(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_are_read_in_any_case() {
        let body = br#"{"code":"success","data":{"code":"Success"}}"#;
        assert_eq!(parse_answer(CommandKind::UninstallBiz, body), Ok(Answer::Uninstalled));
        let body = br#"{"code":"failed","data":{"code":"repeat_biz","message":"there"}}"#;
        let Err(CallError::Refused(failure)) = parse_answer(CommandKind::InstallBiz, body) else { panic!() };
        assert_eq!((failure.kind, &*failure.cause), (FailureKind::RepeatBiz, "there"));
    }

    #[test]
    fn an_inner_refusal_counts() {
        let body = br#"{"code":"SUCCESS","data":{"code":"NOT_FOUND_BIZ"}}"#;
        assert!(matches!(parse_answer(CommandKind::UninstallBiz, body), Err(CallError::Refused(_))));
    }

    #[test]
    fn missing_parts_are_named() {
        use CommandKind as K;
        for (command, body, says) in [
            (K::InstallBiz, "{}", "field code is missing"),
            (K::InstallBiz, r#"{"code":null}"#, "field code is missing"),
            (K::InstallBiz, r#"{"code":200}"#, "field code is 200; expected text"),
            (K::InstallBiz, r#"{"code":"SUCCESS"}"#, "field data is missing"),
            (K::InstallBiz, r#"{"code":"SUCCESS","data":{}}"#, "field data.bizInfos is missing"),
            (K::QueryAllBiz, r#"{"code":"SUCCESS"}"#, "field data is missing"),
            (K::QueryAllBiz, r#"{"code":"SUCCESS","data":{}}"#, "field data is {}; expected a list"),
            (K::Health, r#"{"code":"SUCCESS","data":{}}"#, "field data.healthData is missing"),
            (K::QueryBizOps, r#"{"code":"SUCCESS","data":{}}"#, "field data.status is missing"),
            (K::BatchInstallBiz, r#"{"code":"SUCCESS"}"#, "field data.bizUrlToResponse is missing"),
            (K::Help, "[]", "field answer is []; expected an object"),
        ] {
            assert_eq!(malformed(command, body), says, "{command} {body}");
        }
        assert!(
            malformed(K::Help, "POST only").starts_with("not JSON: expected value at line 1 column 1; near")
        );
        assert!(malformed(K::Help, "").starts_with("not JSON: EOF"));
    }

    #[test]
    fn an_error_shows_little_of_a_long_answer() {
        let body = format!(r#"{{"code":"SUCCESS","data":{{"x":"{}"}}}}"#, "y".repeat(100_000));
        assert!(malformed(CommandKind::QueryAllBiz, &body).chars().count() < 250);
    }

    #[test]
    fn nesting_is_limited() {
        let body = format!(r#"{{"code":"SUCCESS","data":{}"#, "[".repeat(100_000));
        assert!(malformed(CommandKind::QueryAllBiz, &body).contains("recursion limit"));
    }

    #[test]
    fn metaspace_without_a_limit_has_none() {
        let health = |jvm: &str| {
            let body = format!(r#"{{"code":"SUCCESS","data":{{"healthData":{{"jvm":{jvm}}}}}}}"#);
            match parse_answer(CommandKind::Health, body.as_bytes()) {
                Ok(Answer::Health(health)) => (health.max_metaspace_bytes, health.committed_metaspace_bytes),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(health(r#"{"java max metaspace":-1,"java committed metaspace":7}"#), (None, Some(7)));
        assert_eq!(health(r#"{"java max metaspace":9}"#), (Some(9), None));
        assert_eq!(health("[]"), (None, None));
    }

    #[test]
    fn what_runs_on_is_not_done() {
        let body = br#"{"code":"SUCCESS","data":{"status":"executing"}}"#;
        assert_eq!(parse_answer(CommandKind::InstallBiz, body), Ok(Answer::Installed(vec![])));
        assert_eq!(parse_answer(CommandKind::UninstallBiz, body), Ok(Answer::Operation(Operation::Running)));
        let body = br#"{"code":"SUCCESS","data":{"status":"FAILED","message":"no"}}"#;
        assert!(matches!(parse_answer(CommandKind::InstallBiz, body), Err(CallError::Refused(_))));
        let body = r#"{"code":"SUCCESS","data":{"status":"?"}}"#;
        assert!(
            malformed(CommandKind::QueryBizOps, body).starts_with("field data.status is \"?\"; expected")
        );
    }

    #[test]
    fn a_batch_tells_of_each_package() {
        let body = br#"{"code":"FAILED","data":{"bizUrlToResponse":{
            "file:///a":{"code":"SUCCESS","bizInfos":[{"bizName":"a","bizVersion":"1","bizState":"activated"}]},
            "file:///b":{"code":"REPEAT_BIZ","message":"there"}}}}"#;
        let Ok(Answer::Batch(results)) = parse_answer(CommandKind::BatchInstallBiz, body) else { panic!() };
        assert_eq!(results[0].0, "file:///a");
        assert_eq!(results[0].1.as_ref().unwrap()[0].id.to_string(), "a:1");
        assert_eq!(results[1].1.as_ref().unwrap_err().kind, FailureKind::RepeatBiz);
    }
}
