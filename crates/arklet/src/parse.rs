//! Answers: `{code,message,data,errorStackTrace}` over HTTP, the same inside an envelope over MQTT.

use model::BizStatus;
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, CallError, Failure, Health, Operation, Outcome, PackageResult},
    biz::{biz_id, biz_infos, biz_list},
    command::CommandKind,
    error::WireError,
    failure::Story,
    wire::{array, bad, json, object, optional, remark, required, text, whole},
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
        && let Some(results) = data.and_then(|data| data.get("bizUrlToResponse")).and_then(Value::as_object)
    {
        return Ok(Answer::Batch(batch(results)));
    }
    let inner = data.and_then(Value::as_object).and_then(|data| data.get("code")).and_then(Value::as_str);
    if !succeeded(code) || inner.is_some_and(|code| !succeeded(code)) {
        return Err(CallError::Refused(Story::of_answer(answer).failure()));
    }
    Ok(match command {
        CommandKind::InstallBiz => installed(data)?,
        CommandKind::UninstallBiz => done(data, Answer::Uninstalled)?,
        CommandKind::SwitchBiz => done(data, Answer::Switched)?,
        // A list that was never made is an empty one: `null` where Go writes it, left out where Java does.
        CommandKind::QueryAllBiz => match data {
            Some(data) => Answer::Biz(biz_list(data, "data")?),
            None => Answer::Biz(Vec::new()),
        },
        CommandKind::QueryBizOps => Answer::Operation(operation(required(answer, "data")?)?),
        // The list says what came of it.
        CommandKind::BatchInstallBiz => Answer::Batch(Vec::new()),
        CommandKind::Health => Answer::Health(health(data)),
        CommandKind::Help => Answer::Help(commands(required(answer, "data")?)?),
    })
}

/// The answer of a bare list of biz, as MQTT has it.
pub(crate) fn biz_list_answer(data: &Value) -> Outcome {
    Ok(Answer::Biz(biz_list(data, "data")?))
}

fn succeeded(code: &str) -> bool {
    code.trim().eq_ignore_ascii_case("SUCCESS")
}

/// What an installation brought; nothing where it runs on asynchronously, or where the base does not say: its list does.
fn installed(data: Option<&Value>) -> Outcome {
    let Some(map) = data.and_then(Value::as_object) else { return Ok(Answer::Installed(Vec::new())) };
    match running(map) {
        Ok(Some(Operation::Failed(failure))) => Err(CallError::Refused(failure)),
        _ => Ok(Answer::Installed(biz_infos(map.get("bizInfos")))),
    }
}

/// A command with nothing to tell; an [`Answer::Operation`] where it runs on asynchronously,
/// because then it is not done.
fn done(data: Option<&Value>, answer: Answer) -> Outcome {
    match data.and_then(Value::as_object).map_or(Ok(None), running) {
        Ok(None | Some(Operation::Succeeded)) => Ok(answer),
        Ok(Some(Operation::Failed(failure))) => Err(CallError::Refused(failure)),
        Ok(Some(Operation::Running)) | Err(_) => Ok(Answer::Operation(Operation::Running)),
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
fn batch(results: &Map<String, Value>) -> Vec<PackageResult> {
    results.iter().map(|(url, result)| (url.clone(), package(result))).collect()
}

/// One that does not say that it succeeded has failed; the list tells better, where it has not.
fn package(result: &Value) -> Result<Vec<BizStatus>, Failure> {
    match result.as_object() {
        Some(map) if succeeded(remark(map, "code")) => Ok(biz_infos(map.get("bizInfos"))),
        Some(map) => Err(Story::of_answer(map).failure()),
        None => Err(Story::default().failure()),
    }
}

/// `data.healthData`; what it leaves out stays unknown, as in the answer to a narrower question. Nothing of it is needed.
fn health(data: Option<&Value>) -> Health {
    let data = data.and_then(|data| data.get("healthData"));
    let part = |key| data.and_then(|data| data.get(key)).and_then(Value::as_object);
    let (master, jvm) = (part("masterBizInfo"), part("jvm"));
    // No limit is -1, which is no u64.
    let bytes =
        |key| jvm.and_then(|jvm| jvm.get(key)).and_then(whole).and_then(|bytes| u64::try_from(bytes).ok());
    Health {
        master: master.and_then(|master| biz_id(master, "bizName", "bizVersion").ok()),
        max_metaspace_bytes: bytes("java max metaspace"),
        committed_metaspace_bytes: bytes("java committed metaspace"),
    }
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
            (K::QueryAllBiz, r#"{"code":"SUCCESS","data":{}}"#, "field data is {}; expected a list"),
            (K::QueryBizOps, r#"{"code":"SUCCESS","data":{}}"#, "field data.status is missing"),
            (K::Help, "[]", "field answer is []; expected an object"),
        ] {
            assert_eq!(malformed(command, body), says, "{command} {body}");
        }
        assert!(
            malformed(K::Help, "POST only").starts_with("not JSON: expected value at line 1 column 1; near")
        );
        assert!(malformed(K::Help, "").starts_with("not JSON: EOF"));
    }

    /// As the Go controller's own simulated bases answer: lists that were never made are `null`.
    #[test]
    fn a_success_that_says_nothing_more_is_one() {
        use CommandKind as K;
        for data in ["", r#","data":null"#, r#","data":{}"#, r#","data":[]"#, r#","data":"done""#] {
            let answer = |command| parse_answer(command, format!(r#"{{"code":"SUCCESS"{data}}}"#).as_bytes());
            assert_eq!(answer(K::InstallBiz), Ok(Answer::Installed(vec![])), "{data}");
            assert_eq!(answer(K::UninstallBiz), Ok(Answer::Uninstalled), "{data}");
            assert_eq!(answer(K::SwitchBiz), Ok(Answer::Switched), "{data}");
            assert_eq!(answer(K::BatchInstallBiz), Ok(Answer::Batch(vec![])), "{data}");
            assert_eq!(answer(K::Health), Ok(Answer::Health(Health::default())), "{data}");
        }
        for data in ["", r#","data":null"#, r#","data":[]"#] {
            let body = format!(r#"{{"code":"SUCCESS"{data}}}"#);
            assert_eq!(parse_answer(K::QueryAllBiz, body.as_bytes()), Ok(Answer::Biz(vec![])), "{data}");
        }
    }

    #[test]
    fn what_an_install_brought_is_read_whole_or_asked_for() {
        let good = r#"{"bizName":"a","bizVersion":"1","bizState":"ACTIVATED"}"#;
        let brought = |list: &str| {
            let body = format!(r#"{{"code":"SUCCESS","data":{{"code":"SUCCESS","bizInfos":{list}}}}}"#);
            match parse_answer(CommandKind::InstallBiz, body.as_bytes()) {
                Ok(Answer::Installed(biz)) => biz.len(),
                other => panic!("{list}: {other:?}"),
            }
        };
        assert_eq!(brought(&format!("[{good}]")), 1);
        for list in ["null", "[]", "{}", "7", r#""""#, &format!("[{good},{{}}]"), "[7]"] {
            assert_eq!(brought(list), 0, "{list}");
        }
    }

    #[test]
    fn a_batch_whose_results_are_strange_tells_of_each_package() {
        let body =
            br#"{"code":"SUCCESS","data":{"bizUrlToResponse":{"file:///a":{"code":"SUCCESS","bizInfos":null},
            "file:///b":null,"file:///c":{"code":7}}}}"#;
        let Ok(Answer::Batch(results)) = parse_answer(CommandKind::BatchInstallBiz, body) else { panic!() };
        let ended: Vec<_> = results.into_iter().map(|(url, result)| (url, result.is_ok())).collect();
        assert_eq!(
            ended,
            [("file:///a".into(), true), ("file:///b".into(), false), ("file:///c".into(), false)]
        );
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
        assert_eq!(health(r#"{"java max metaspace":"9","java committed metaspace":"x"}"#), (Some(9), None));
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
