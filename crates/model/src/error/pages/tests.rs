//! The pages held against the tables, against each other, and against what a reader needs.

use std::collections::BTreeSet;

use super::*;

const HEADINGS: [(Language, [&str; 5]); 2] = [
    (Language::English, ["What happened", "How it looks", "Usual causes", "What to do", "Who raises it"]),
    (Language::Chinese, ["发生了什么", "现象", "常见原因", "怎么处理", "由谁报出"]),
];

fn body(code: ErrorCode, language: Language) -> &'static str {
    code.page(language).body().unwrap()
}

/// What a page tells its reader to type.
fn commands(body: &str) -> Vec<&str> {
    body.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

#[test]
fn every_standard_code_has_a_page() {
    let standard: BTreeSet<ErrorCode> = StandardCode::all().iter().map(|row| row.code).collect();
    let with_page: BTreeSet<ErrorCode> = ErrorCode::with_page().iter().copied().collect();
    let composed: Vec<_> = with_page.difference(&standard).map(ToString::to_string).collect();
    assert_eq!(standard.difference(&with_page).count(), 0);
    assert_eq!((standard.len(), with_page.len()), (53, 54));
    assert_eq!(composed, ["OtherUpstream.InvalidRequest"], "what we raise beyond the tables");
}

#[test]
fn a_page_answers_five_questions_briefly() {
    for code in ErrorCode::with_page() {
        for (language, headings) in HEADINGS {
            let body = body(*code, language);
            let found: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(found, headings, "{code} {language:?}");
            let (lines, chars) = (body.lines().count(), body.chars().count());
            assert!((15..=45).contains(&lines) && chars > 250, "{code} {language:?}: {lines}, {chars}");
            assert!(body.lines().all(|line| line.chars().count() <= 140), "{code} {language:?}");
            assert!(body.ends_with('\n') && !body.ends_with("\n\n"), "{code} {language:?}");
        }
    }
}

#[test]
fn no_page_repeats_another() {
    for (language, _) in HEADINGS {
        let said: BTreeSet<&str> = ErrorCode::with_page()
            .iter()
            .flat_map(|code| body(*code, language).split("\n## ").take(4))
            .collect();
        assert_eq!(said.len(), 4 * ErrorCode::with_page().len(), "{language:?}");
    }
}

#[test]
fn both_languages_show_the_same_commands() {
    for code in ErrorCode::with_page() {
        let (english, chinese) = (body(*code, Language::English), body(*code, Language::Chinese));
        assert_eq!(commands(english), commands(chinese), "{code}");
    }
}

#[test]
fn every_code_that_a_page_names_exists() {
    let sources = ErrorSource::ALL.iter().map(|source| format!("{}.", source.as_str()));
    let sources: Vec<String> = sources.collect();
    for code in ErrorCode::with_page() {
        for (language, _) in HEADINGS {
            let words = body(*code, language).split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
            let words = words.map(|word| word.trim_end_matches('.'));
            for word in words.filter(|word| sources.iter().any(|source| word.starts_with(source))) {
                assert!(word.parse::<ErrorCode>().is_ok(), "{code} {language:?}: {word}");
            }
        }
    }
}

#[test]
fn the_manual_s_note_stands_where_it_belongs() {
    let noted = |language: Language| -> Vec<&str> {
        let codes = ErrorCode::with_page().iter();
        codes.filter(|code| body(**code, language).contains('⚠')).map(|code| code.kind.as_str()).collect()
    };
    for language in Language::ALL {
        assert_eq!(
            noted(*language),
            [
                "BaseInstanceInOperation",
                "BaseInstanceNotReady",
                "BaseInstanceHasBeenReplaced",
                "InsufficientHealthyBaseInstance"
            ]
        );
    }
}

#[test]
fn a_page_begins_with_every_row_of_its_code() {
    let code = ErrorCode::new(ErrorSource::User, ErrorType::DiskFull);
    let english = code.page(Language::English).to_string();
    assert!(
        english.starts_with(
            "# User.DiskFull\n\n\
             - Arklet, install: The disk was full while pulling the package. Suggestion: Replace the base.\n\
             - ModuleController, install: The disk is full. Suggestion: Replace the base.\n\n\
             ## What happened\n"
        ),
        "{english}"
    );
    let chinese = code.page(Language::Chinese).to_string();
    assert!(
        chinese.starts_with(
            "# User.DiskFull\n\n\
             - Arklet，安装相关：拉包时,磁盘已满。解决方案：请替换基座。\n\
             - ModuleController，安装相关：磁盘已满。解决方案：请替换。\n\n\
             ## 发生了什么\n"
        ),
        "{chinese}"
    );
}

#[test]
fn a_composed_code_is_explained_by_its_halves() {
    let code = ErrorCode::new(ErrorSource::KubeAPIServer, ErrorType::NetworkError);
    let english = code.page(Language::English).to_string();
    assert_eq!(
        english,
        "# KubeAPIServer.NetworkError\n\n\
         Not in the manual's tables: composed of a source and a type, as the manual allows.\n\n\
         - Source `KubeAPIServer`: the Kubernetes API server; the manual uses it in \
         KubeAPIServer.GetBaseInstanceFailed only.\n\
         - Type `NetworkError`: Network call failed. Suggestion: Retry.\n\
         - Type `NetworkError`: Calling an external service timed out. Suggestion: Retry.\n\
         - See also `Arklet.NetworkError`, `KouplelessBoard.NetworkError`.\n"
    );
    let chinese = code.page(Language::Chinese).to_string();
    assert!(chinese.contains("- 类型 `NetworkError`：网络调用异常。解决方案：请重试。\n"), "{chinese}");
}

#[test]
fn every_code_at_all_is_explained() {
    for source in ErrorSource::ALL {
        for kind in ErrorType::ALL {
            for language in Language::ALL {
                let page = ErrorCode::new(*source, *kind).page(*language).to_string();
                assert!(page.contains(source.as_str()) && page.lines().count() >= 5, "{page}");
            }
        }
    }
}
