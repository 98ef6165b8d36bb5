//! An outcome in one line, for tables.

use std::{collections::BTreeMap, fmt::Write as _};

use arklet::{Answer, CallError, CommandKind, Failure, Operation, Outcome};
use model::BizStatus;

pub(crate) fn outcome(command: CommandKind, outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => self::answer(command, answer),
        Err(CallError::Refused(failure)) => format!("refused {}", self::failure(command, failure)),
        Err(CallError::Malformed(text)) => format!("malformed {text}"),
        Err(other) => format!("{other}"),
    }
}

fn answer(command: CommandKind, answer: &Answer) -> String {
    match answer {
        Answer::Installed(list) => format!("installed{}", biz(list)),
        Answer::Uninstalled => "uninstalled".to_owned(),
        Answer::Switched => "switched".to_owned(),
        Answer::Biz(list) => format!("list{}", biz(list)),
        Answer::Health(health) => {
            assert!(health.committed_metaspace_bytes.is_none_or(|bytes| bytes > 1 << 20));
            let master = health.master.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("health {master}, limit {:?}", health.max_metaspace_bytes)
        }
        Answer::Operation(Operation::Running) => "operation runs".to_owned(),
        Answer::Operation(Operation::Succeeded) => "operation succeeded".to_owned(),
        Answer::Operation(Operation::Failed(failure)) => {
            format!("operation failed {}", self::failure(command, failure))
        }
        Answer::Batch(results) => results.iter().fold("batch".to_owned(), |mut text, (url, result)| {
            let result = match result {
                Ok(list) => biz(list),
                Err(failure) => format!(" {}", self::failure(command, failure)),
            };
            write!(text, "; {url}{result}").unwrap();
            text
        }),
        Answer::Help(names) => format!("commands {}", names.join(" ")),
    }
}

fn failure(command: CommandKind, failure: &Failure) -> String {
    assert!(
        !failure.cause.is_empty() && !failure.cause.contains('\n') && failure.cause.chars().count() <= 300
    );
    format!("{:?} {}: {}", failure.kind, failure.code(command), failure.cause)
}

fn biz(list: &[BizStatus]) -> String {
    list.iter().fold(String::new(), |mut text, biz| {
        let path = biz.web_context_path.as_deref().map(|path| format!(" at /{path}")).unwrap_or_default();
        let time = if biz.changed_at.is_some() { " timed" } else { "" };
        write!(text, " [{} {}{path}{time}]", biz.id, biz.state).unwrap();
        text
    })
}

/// A table of `key <tab> value`; a line is a comment after `#`.
pub(crate) fn table(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect()
}
