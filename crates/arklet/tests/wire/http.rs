//! Arklet over HTTP.

use arklet::{Answer, CommandKind, Failure, FailureKind, parse_answer, parse_heartbeat};
use model::{BaseState, BizState};

use crate::{
    recordings::{Call, calls, posted},
    summary,
};

/// What each recording comes to.
const EXPECTED: &str = include_str!("http.tsv");

/// The command that a call was; none where it was none of Arklet's.
fn command(call: &Call) -> Option<CommandKind> {
    match call.path.as_str() {
        // What an Arklet answers that does not know the command.
        "nosuch" => Some(CommandKind::Help),
        path => CommandKind::from_name(path),
    }
}

#[test]
fn every_answer_is_what_the_table_says() {
    let expected = summary::table(EXPECTED);
    let mut seen = 0;
    for call in calls() {
        let (Some(command), Some(answer)) = (command(&call), &call.answer) else { continue };
        let outcome = parse_answer(command, answer.as_bytes());
        let found = summary::outcome(command, &outcome);
        match expected.get(call.file.as_str()) {
            Some(expected) => assert_eq!(found, **expected, "{}", call.file),
            // Not in the table: it must make sense all the same, and a failure must be in it, with its code.
            None => assert!(outcome.is_ok(), "{}\t{found}", call.file),
        }
        seen += usize::from(expected.contains_key(call.file.as_str()));
    }
    assert_eq!(seen, expected.len(), "the table names recordings that are not there");
}

#[test]
fn a_broken_biz_tells_why_it_broke() {
    for (version, cause) in [
        ("2.1.11", "java.lang.IllegalStateException: biz2 told to fail at startup"),
        // Its state records are empty objects.
        ("2.1.6", "the module failed to start"),
    ] {
        let file = format!("http/{version}/121-keepbroken-queryAllBiz.json");
        let call = calls().into_iter().find(|call| call.file == file).unwrap();
        let answer = parse_answer(CommandKind::QueryAllBiz, call.answer.unwrap().as_bytes());
        let Ok(Answer::Biz(list)) = answer else { panic!("{answer:?}") };
        assert_eq!((list[0].state, list[0].changed_at.is_some()), (BizState::Broken, version == "2.1.11"));
        let failure = Failure::of_broken(&list[0].message);
        assert_eq!((failure.kind, failure.cause.as_str()), (FailureKind::StartUp, cause));
    }
}

#[test]
fn every_heartbeat_is_a_report() {
    for (file, body) in posted() {
        let report = parse_heartbeat(body.as_bytes()).unwrap();
        let (identity, name) =
            if file.contains("labtunnel") { ("node-1", Some("base")) } else { ("192.0.2.2", None) };
        assert_eq!((report.identity.as_str(), report.name.as_deref()), (identity, name), "{file}");
        assert_eq!((report.port, report.state), (Some(1238), BaseState::Activated), "{file}");
        assert_eq!(
            (&*report.version, &*report.cluster, &*report.stack),
            ("1.0.0", "default", "java"),
            "{file}"
        );
        assert!(report.ip.is_some() && !report.host_name.is_empty(), "{file}");
    }
}
