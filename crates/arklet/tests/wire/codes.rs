//! What a base answers, by the codes of the manual: which recording is which code. Failures that nobody recorded are
//! derived from a recorded answer of the same command, with only the exception exchanged.

use arklet::{CallError, CommandKind, Message, Outcome, parse_answer, parse_message};

use crate::recordings::{calls, env, published};

/// The exceptions in the recordings that are exchanged.
const NO_FILE: &str = "java.io.FileNotFoundException: /nowhere/x-ark-biz.jar (No such file or directory)";
const NO_FILE_MQTT: &str = "java.io.FileNotFoundException: /nowhere.jar (No such file or directory)";
const STARTING: &str = "java.lang.IllegalStateException: biz2 told to fail at startup";

/// As Java says it where a download fills the disk, stands still, cannot connect in time, or needs room for classes.
const DISK_FULL: &str = "java.io.IOException: No space left on device";
const READ_TIMED_OUT: &str = "java.net.SocketTimeoutException: Read timed out";
const CONNECT_TIMED_OUT: &str = "java.net.ConnectException: Connection timed out";
const METASPACE: &str = "java.lang.OutOfMemoryError: Metaspace";
const CLASS_SPACE: &str = "java.lang.OutOfMemoryError: Compressed class space";

/// Code and cause of what came of a command.
fn told(command: CommandKind, outcome: &Outcome) -> (String, String) {
    let Err(error) = outcome else { panic!("{command} succeeded") };
    let fault = error.to_fault(command, String::new());
    (fault.code.to_string(), fault.cause.to_string())
}

/// A recorded answer over HTTP, with `from` exchanged for `to` wherever it stands.
fn over_http(file: &str, (from, to): (&str, &str)) -> (String, String) {
    let call = calls().into_iter().find(|call| call.file == file).unwrap_or_else(|| panic!("{file}"));
    let (command, answer) = (CommandKind::from_name(&call.path).unwrap(), call.answer.unwrap());
    assert!(answer.contains(from), "{file}: {answer}");
    told(command, &parse_answer(command, answer.replace(from, to).as_bytes()))
}

/// The same over MQTT.
fn over_mqtt(file: &str, (from, to): (&str, &str)) -> (String, String) {
    let message = published().into_iter().find(|it| it.file == file).unwrap_or_else(|| panic!("{file}"));
    assert!(message.payload.contains(from), "{file}: {}", message.payload);
    let payload = message.payload.replace(from, to);
    let read = parse_message(env(&message.topic), &message.topic, payload.as_bytes());
    let Ok(Some(Message::Answer { key, outcome, .. })) = read else { panic!("{file}: {read:?}") };
    told(key.command, &outcome)
}

#[test]
fn recorded_failures_have_the_manual_s_codes() {
    const AS_IT_IS: (&str, &str) = ("", "");
    for (file, code) in [
        ("18-install-bad-url-nofile", "Arklet.PullBizError"),
        ("20-install-bad-url-http-refused", "Arklet.PullBizError"),
        ("76-install-fails-at-startup", "User.InstallBizUserError"),
        ("64-sync-install-conflict-while-running", "Arklet.InstallBizExecuting"),
        ("36-install-duplicate", "Arklet.InstallBizFailed"),
        ("37-install-second-version", "Arklet.InstallBizFailed"),
        ("50-uninstall-not-installed", "Arklet.NoMatchedBiz"),
        ("16-install-missing-url", "ModuleController.InvalidRequest"),
    ] {
        for version in ["2.1.6", "2.1.11"] {
            let file = format!("http/{version}/{file}.json");
            assert_eq!(over_http(&file, AS_IT_IS).0, code, "{file}");
        }
    }
    for (file, code) in [
        ("08-install-bad-url", "Arklet.PullBizError"),
        ("10-install-fails-at-startup", "User.InstallBizUserError"),
        ("05-install-duplicate", "Arklet.InstallBizFailed"),
        ("16-uninstall-notfound", "Arklet.NoMatchedBiz"),
        ("09-install-missing-url", "ModuleController.InvalidRequest"),
    ] {
        for base in ["labtunnel-2.1.6", "2.1.11"] {
            let file = format!("mqtt/{base}/{file}.json");
            assert_eq!(over_mqtt(&file, AS_IT_IS).0, code, "{file}");
        }
    }
}

/// Nobody filled a disk or cut a download while it was recorded: derived from a package that cannot be fetched.
#[test]
fn a_full_disk_and_a_download_that_stands_still_have_codes_of_their_own() {
    for (exception, code) in [
        (DISK_FULL, "User.DiskFull"),
        (READ_TIMED_OUT, "Arklet.PullBizTimeOut"),
        (CONNECT_TIMED_OUT, "Arklet.PullBizTimeOut"),
    ] {
        let told = (code.to_owned(), exception.to_owned());
        for version in ["2.1.6", "2.1.11"] {
            let file = format!("http/{version}/18-install-bad-url-nofile.json");
            assert_eq!(over_http(&file, (NO_FILE, exception)), told, "{file}");
        }
        for base in ["labtunnel-2.1.6", "2.1.11"] {
            let file = format!("mqtt/{base}/08-install-bad-url.json");
            assert_eq!(over_mqtt(&file, (NO_FILE_MQTT, exception)), told, "{file}");
        }
    }
}

/// Nobody filled a metaspace while it was recorded: derived from a module that fails when it starts, which is where its
/// classes are loaded. (A 2.1.6 base tells no cause over MQTT; there it stays a failure of the start.)
#[test]
fn a_full_metaspace_is_not_the_module_s_fault() {
    for exception in [METASPACE, CLASS_SPACE] {
        let told = ("User.MetaspaceFull".to_owned(), exception.to_owned());
        for version in ["2.1.6", "2.1.11"] {
            let file = format!("http/{version}/76-install-fails-at-startup.json");
            assert_eq!(over_http(&file, (STARTING, exception)), told, "{file}");
        }
        let file = "mqtt/2.1.11/10-install-fails-at-startup.json";
        assert_eq!(over_mqtt(file, (STARTING, exception)), told, "{file}");
    }
}

/// A module whose own start runs into a time-out or misses a file is no package that cannot be fetched: derived from a
/// module that fails when it starts.
#[test]
fn what_a_module_misses_at_its_start_is_its_own_matter() {
    for exception in [READ_TIMED_OUT, NO_FILE] {
        let file = "http/2.1.11/76-install-fails-at-startup.json";
        let told = ("User.InstallBizUserError".to_owned(), exception.to_owned());
        assert_eq!(over_http(file, (STARTING, exception)), told);
    }
}

#[test]
fn a_base_that_never_answers_has_timed_out_and_one_that_is_not_there_is_unreachable() {
    let silent = |call: &crate::recordings::Call| call.path == "installBiz" && call.answer.is_none();
    assert_eq!(calls().iter().filter(|call| silent(call)).count(), 2, "recorded: what is not JSON");
    let code = |error: CallError, command| told(command, &Err(error)).0;
    assert_eq!(code(CallError::TimedOut, CommandKind::InstallBiz), "Arklet.InstallModuleTimedOut");
    assert_eq!(code(CallError::TimedOut, CommandKind::UninstallBiz), "Arklet.UninstallBizTimedOut");
    let unreachable = || CallError::Unreachable("connection refused".into());
    assert_eq!(code(unreachable(), CommandKind::InstallBiz), "Arklet.NetworkError");
}
