//! `REPORT_HOOKS` and `REPORT_HOOK_SECRETS`: both are secrets.

use model::{Secret, bilingual};
use report::Hook;

use super::{Refusals, mqtt::is_placeholder, set};
use crate::args::Args;

const HOOKS: &str = "REPORT_HOOKS";
const SECRETS: &str = "REPORT_HOOK_SECRETS";

/// Every entry of REPORT_HOOKS with the one of REPORT_HOOK_SECRETS in the same place, and what is to be warned of. A
/// refusal says which entry, and never what it is.
///
/// An entry of nothing is none, as with the Go controller, whose manifests end with a separator or have it twice; it keeps
/// its place, so that the secrets of the others keep theirs.
pub(super) fn hooks(args: &Args, refused: &mut Refusals) -> (Vec<Hook>, Option<String>) {
    let entries = |given| set(given).map(|list| list.split(';').map(str::trim).collect::<Vec<_>>());
    let mut urls = entries(&args.report_hooks).unwrap_or_default();
    // A separator after the last one is no place.
    while urls.last().is_some_and(|last| last.is_empty()) {
        urls.pop();
    }
    let secrets = entries(&args.report_hook_secrets).unwrap_or_default();
    check_places(&urls, &secrets, refused);
    let secret = |index: usize| {
        secrets.get(index).filter(|secret| !secret.is_empty()).map(|secret| Secret::new(*secret))
    };
    let mut hooks = Vec::new();
    for (index, url) in urls.iter().enumerate().filter(|(_, url)| names_robot(url)) {
        match Hook::new(url, secret(index)) {
            Ok(hook) => hooks.push(hook),
            Err(why) => {
                let allowed = format!(
                    "entry {} is refused: {why}; allowed is https://HOST/PATH?access_token=TOKEN (http:// to a relay of yours only), with \
                     ';' between several",
                    index + 1
                );
                refused.add(HOOKS, None, allowed);
            }
        }
    }
    let placeholder = urls.iter().position(|url| is_placeholder(url));
    let warning = placeholder.map(|index| {
        format!("{HOOKS}: entry {} is the placeholder of a sample and no robot; it is left out", index + 1)
    });
    (hooks, warning)
}

fn names_robot(url: &str) -> bool {
    !url.is_empty() && !is_placeholder(url)
}

/// There is one secret, or nothing, for each place, and none where there is no robot.
fn check_places(urls: &[&str], secrets: &[&str], refused: &mut Refusals) {
    let surplus = secrets.get(urls.len()..).unwrap_or_default().iter().any(|secret| !secret.is_empty());
    if surplus || (!secrets.is_empty() && secrets.len() < urls.len()) {
        let (own, others) = (secrets.len(), urls.len());
        let allowed = bilingual!(
            "it has {own} entries for {others} of {HOOKS}; allowed is one for each, in the same order, with ';' between them and \
             nothing for a robot that wants no signature",
            "它有 {own} 项，而 {HOOKS} 有 {others} 项；应当一一对应，顺序相同，用 ';' 分隔，不需要签名的机器人留空"
        );
        refused.add(SECRETS, None, allowed);
        return;
    }
    let pairs = urls.iter().zip(secrets);
    if let Some(index) = pairs.into_iter().position(|(url, secret)| !names_robot(url) && !secret.is_empty()) {
        let allowed = bilingual!(
            "entry {entry} is for entry {entry} of {HOOKS}, which names no robot",
            "第 {entry} 项对应 {HOOKS} 的第 {entry} 项，而那一项没有写机器人",
            entry = index + 1
        );
        refused.add(SECRETS, None, allowed);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::settings::Settings;

    fn settings(flags: &[&str]) -> Result<Settings, String> {
        let args = ["module-controller", "--enable-http-tunnel"].iter().chain(flags);
        Settings::try_from(Args::try_parse_from(args).unwrap())
            .map_err(|refusals| refusals.told(model::Language::English))
    }

    #[test]
    fn hooks_with_and_without_secrets() {
        let (one, two) =
            ("https://oapi.dingtalk.com/robot/send?access_token=a", "http://relay.svc/robot?access_token=b");
        let hook = |url: &str, secret: Option<&str>| Hook::new(url, secret.map(Secret::new)).unwrap();
        let hooks = |urls: &str, secrets: &str| {
            let (urls, secrets) =
                (format!("--report-hooks={urls}"), format!("--report-hook-secrets={secrets}"));
            settings(&[&urls, &secrets]).map(|settings| settings.hooks)
        };
        assert_eq!(hooks("", ""), Ok(vec![]));
        assert_eq!(hooks(one, ""), Ok(vec![hook(one, None)]));
        assert_eq!(
            hooks(&format!(" {one} ; {two} ;"), ";SEC2"),
            Ok(vec![hook(one, None), hook(two, Some("SEC2"))])
        );
        assert_eq!(
            hooks(&format!("{one};{two}"), "SEC1;"),
            Ok(vec![hook(one, Some("SEC1")), hook(two, None)])
        );
    }

    #[test]
    fn what_is_empty_or_a_placeholder_is_no_hook() {
        let one = "https://oapi.dingtalk.com/robot/send?access_token=a";
        let hook = |secret: Option<&str>| Hook::new(one, secret.map(Secret::new)).unwrap();
        let given = |urls: &str, secrets: &str| {
            let settings = settings(&["--report-hooks", urls, "--report-hook-secrets", secrets]).unwrap();
            (settings.hooks, settings.warnings.len())
        };
        assert_eq!(given(&format!(" {one} ; ;\n{one};;"), ""), (vec![hook(None), hook(None)], 0));
        assert_eq!(given(&format!("{one};;{one}"), "S1;;S3"), (vec![hook(Some("S1")), hook(Some("S3"))], 0));
        assert_eq!(given(";", ""), (vec![], 0));
        assert_eq!(given("YOUR_REPORT_HOOKS", ""), (vec![], 1), "as the manual's sample has it");
    }

    #[test]
    fn a_bad_hook_is_named_by_its_place_and_never_shown() {
        let good = "https://oapi.dingtalk.com/robot/send?access_token=hunter2";
        for (urls, secrets, said) in [
            (format!("{good};hunter2"), "", "REPORT_HOOKS: entry 2 is refused: it is no URL"),
            (
                format!("{good};;{good}"),
                ";hunter2;",
                "entry 2 is for entry 2 of REPORT_HOOKS, which names no robot",
            ),
            (format!("{good}#hunter2"), "", "entry 1 is refused: it has a fragment"),
            (good.replace("https", "http"), "", "entry 1 is refused: it is dingtalk.com without TLS"),
            (
                format!("{good};{good}"),
                "hunter2",
                "REPORT_HOOK_SECRETS: it has 1 entries for 2 of REPORT_HOOKS",
            ),
            (good.to_owned(), ";hunter2", "REPORT_HOOK_SECRETS: it has 2 entries for 1 of"),
            (String::new(), "hunter2", "REPORT_HOOK_SECRETS: it has 1 entries for 0 of"),
        ] {
            let (urls, secrets) =
                (format!("--report-hooks={urls}"), format!("--report-hook-secrets={secrets}"));
            let refusal = settings(&[&urls, &secrets]).unwrap_err();
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        let shown = settings(&["--report-hooks", good, "--report-hook-secrets=hunter2"]);
        assert!(!format!("{shown:?}").contains("hunter2"));
    }
}
