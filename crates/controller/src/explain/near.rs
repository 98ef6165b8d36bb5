//! What to say to a code that does not exist.

use std::fmt::Write as _;

use model::{ErrorCode, ErrorType, Language, error::UnknownCode};

/// The most codes that are suggested: what one looks over at a glance.
const MOST: usize = 5;

/// From this likeness of types on (0 is nothing in common, 1 the same) a code is worth a suggestion.
const LIKE: f64 = 0.5;

/// The refusal, with the codes that come close.
pub(super) fn refusal(given: &str, why: &UnknownCode, language: Language) -> String {
    // What is typed by mistake may be a whole file.
    let shown: String = given.chars().take(80).filter(|c| !c.is_control()).collect();
    let near = near(given);
    let mut text = match language {
        Language::English => format!("module-controller: {shown:?} is no error code: {why}\n"),
        Language::Chinese => format!("module-controller: {shown:?} 不是错误码\n"),
    };
    if !near.is_empty() {
        text.push_str(match language {
            Language::English => "Did you mean:\n",
            Language::Chinese => "最接近的有：\n",
        });
    }
    for code in near {
        let _ = writeln!(text, "  {code}");
    }
    text.push_str(match language {
        Language::English => "`module-controller explain` lists all codes.\n",
        Language::Chinese => "用 `module-controller explain` 列出全部错误码。\n",
    });
    text
}

/// The codes that come close, the closest first: by type, because it is the type that says what
/// happened, and then by the whole.
fn near(given: &str) -> Vec<ErrorCode> {
    let given = given.to_ascii_lowercase();
    let kind = given.rsplit('.').next().unwrap_or_default();
    let like =
        |kind: &str, other: &str| strsim::normalized_damerau_levenshtein(kind, &other.to_ascii_lowercase());
    let best = ErrorType::ALL.iter().map(|other| like(kind, other.as_str())).fold(0.0, f64::max);
    let mut found: Vec<(f64, f64, ErrorCode)> = ErrorCode::with_page()
        .iter()
        .map(|code| (like(kind, code.kind.as_str()), like(&given, &code.to_string()), *code))
        // Beside a type that fits, others would only distract.
        .filter(|(by_type, _, _)| *by_type >= LIKE.max(best - 0.2))
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    found.into_iter().map(|(_, _, code)| code).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(given: &str) -> String {
        near(given).first().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn a_slip_of_the_hand_finds_its_code() {
        for (given, meant) in [
            ("Arklet.InstalModuleFailed", "Arklet.InstallModuleFailed"),
            ("User.DiscFull", "User.DiskFull"),
            ("Disk.DiskFull", "User.DiskFull"),
            ("ModuleController.ResourceConstrained", "ModuleController.ResourceConstraned"),
            ("PullBizErr", "Arklet.PullBizError"),
            ("Arklet.PullBizTimedOut", "Arklet.PullBizTimeOut"),
            ("KouplelesBoard.UnknownError", "KouplelessBoard.UnknownError"),
            ("CrashLoopBackOff", ""),
        ] {
            assert_eq!(nearest(given), meant, "{given}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_there_is() {
        let why = "Arklet.PullBizErr".parse::<ErrorCode>().unwrap_err();
        let english = refusal("Arklet.PullBizErr", &why, Language::English);
        assert_eq!(
            english,
            "module-controller: \"Arklet.PullBizErr\" is no error code: \"PullBizErr\" is no type of error\n\
             Did you mean:\n  Arklet.PullBizError\n`module-controller explain` lists all codes.\n"
        );
        let chinese = refusal("Arklet.PullBizErr", &why, Language::Chinese);
        assert!(chinese.contains("最接近的有：\n  Arklet.PullBizError\n"), "{chinese}");
        let nothing = refusal(&"x\n".repeat(1000), &why, Language::English);
        assert!(!nothing.contains("Did you mean") && nothing.len() < 300, "{nothing}");
    }
}
