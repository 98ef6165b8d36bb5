//! What operation plans may rely on: the labels by which they know groups of bases, and where they may ask for metrics.

use std::sync::Arc;

use metric::Login;
use model::{bilingual, name::is_label_key};
use plan::MetricServer;

use super::{Refusals, set};
use crate::args::Args;

/// More labels than this are no groups, but a Pod's private matters.
const MOST_LABELS: usize = 16;

/// What follows these domains means something to Kubernetes or to this controller, and is not a base's to say.
const KEPT: [&str; 3] = ["kubernetes.io", "k8s.io", "koupleless.io"];

/// `BASE_LABELS`.
pub(super) fn base_labels(args: &Args, refused: &mut Refusals) -> Vec<Arc<str>> {
    let given = set(&args.base_labels).unwrap_or_default();
    let labels: Vec<Arc<str>> = parts(given).map(Into::into).collect();
    let is_kept = |label: &str| {
        let domain = label.split_once('/').map(|(domain, _)| domain).unwrap_or_default();
        KEPT.iter().any(|kept| domain == *kept || domain.ends_with(&format!(".{kept}"))) || label == "type"
    };
    if let Some(bad) = labels.iter().find(|label| !is_label_key(label)) {
        refused.add(
            "BASE_LABELS",
            Some(given),
            bilingual!(
                "{bad:?} can be no label's key; allowed are as ring or example.com/ring, comma separated",
                "{bad:?} 不能是标签的键；可以写 ring 或 example.com/ring 这样的键，用逗号分隔"
            ),
        );
    } else if let Some(bad) = labels.iter().find(|label| is_kept(label)) {
        refused.add(
            "BASE_LABELS",
            Some(given),
            bilingual!(
                "{bad:?} means something to Kubernetes or this controller; give labels of your own",
                "{bad:?} 对 Kubernetes 或控制器有特定含义；请使用你自己的标签"
            ),
        );
    } else if labels.len() > MOST_LABELS {
        refused.add(
            "BASE_LABELS",
            Some(given),
            bilingual!("allowed are at most {MOST_LABELS} labels", "最多 {MOST_LABELS} 个标签"),
        );
    }
    labels
}

/// `PLAN_METRIC_SERVERS`.
pub(super) fn metric_servers(args: &Args, refused: &mut Refusals) -> Vec<MetricServer> {
    let given = set(&args.plan_metric_servers).unwrap_or_default();
    let mut servers = Vec::new();
    for part in parts(given) {
        match part.parse::<MetricServer>() {
            Ok(server) => servers.push(server),
            Err(error) => refused.add("PLAN_METRIC_SERVERS", Some(given), error.told()),
        }
    }
    servers
}

/// `PLAN_METRIC_LOGINS`, and what is to be said of it.
pub(super) fn metric_logins(
    args: &Args,
    servers: &[MetricServer],
    refused: &mut Refusals,
) -> (Vec<Login>, Vec<String>) {
    const VARIABLE: &str = "PLAN_METRIC_LOGINS";
    let given = set(&args.plan_metric_logins).unwrap_or_default();
    let (mut logins, mut warnings): (Vec<Login>, Vec<String>) = (Vec::new(), Vec::new());
    for part in parts(given) {
        let Some((server, file)) = part.rsplit_once('=').filter(|(_, file)| !file.is_empty()) else {
            refused.add(
                VARIABLE,
                Some(given),
                bilingual!("{part:?} is no <URL>=<file>", "{part:?} 不是 <URL>=<文件> 的形式"),
            );
            continue;
        };
        let server = match server.parse::<MetricServer>() {
            Ok(server) if !servers.contains(&server) => {
                refused.add(
                    VARIABLE,
                    Some(given),
                    bilingual!(
                        "PLAN_METRIC_SERVERS does not name {server}",
                        "PLAN_METRIC_SERVERS 中没有 {server}"
                    ),
                );
                continue;
            }
            Ok(server) => server,
            Err(error) => {
                refused.add(VARIABLE, Some(given), error.told());
                continue;
            }
        };
        let login = Login { server, file: file.into() };
        if logins.iter().any(|other| other.server == login.server) {
            refused.add(
                VARIABLE,
                Some(given),
                bilingual!(
                    "{server} has two logins; write one",
                    "{server} 有两个凭据；请只写一个",
                    server = login.server
                ),
            );
        } else if let Err(why) = login.header() {
            refused.add(VARIABLE, Some(given), why);
        } else if login.server.as_str().starts_with("http:") {
            warnings.push(format!(
                "PLAN_METRIC_LOGINS: {} has no TLS, so its login can be read on the way",
                login.server
            ));
        }
        logins.push(login);
    }
    (logins, warnings)
}

fn parts(given: &str) -> impl Iterator<Item = &str> {
    given.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;

    fn labels(given: &str) -> Result<Vec<String>, String> {
        let given = format!("--base-labels={given}");
        settings(&["--enable-http-tunnel", &given])
            .map(|settings| settings.engine.group_labels.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn labels_of_groups_are_keys_that_mean_nothing_to_others() {
        assert_eq!(labels("").unwrap(), [""; 0]);
        assert_eq!(labels("ring, example.com/team,").unwrap(), ["ring", "example.com/team"]);
        for bad in [
            "a b",
            "/a",
            "type",
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
            "base.koupleless.io/name",
        ] {
            let refusal = labels(bad).unwrap_err();
            assert!(refusal.contains("BASE_LABELS") && refusal.contains(bad), "{refusal}");
        }
    }

    #[test]
    fn metrics_are_asked_for_only_where_that_was_said() {
        let servers = |given: &str| {
            let given = format!("--plan-metric-servers={given}");
            settings(&["--enable-http-tunnel", &given]).map(|settings| settings.engine.metric_servers.len())
        };
        assert_eq!(servers("").unwrap(), 0);
        assert_eq!(
            servers("http://prometheus.monitoring:9090, https://metrics.example.com/tenant").unwrap(),
            2
        );
        for bad in ["prometheus:9090", "ftp://a", "http://user:secret@a", "http://a?x=1"] {
            let refusal = servers(bad).unwrap_err();
            assert!(refusal.contains("PLAN_METRIC_SERVERS"), "{refusal}");
        }
    }

    #[test]
    fn a_login_is_for_a_server_that_may_be_asked_and_is_there() {
        let file = std::env::temp_dir().join(format!("settings-login-{}", std::process::id()));
        std::fs::write(&file, "token").unwrap();
        let with = |logins: &str| {
            let logins = format!("--plan-metric-logins={logins}");
            let servers = "--plan-metric-servers=https://a,http://b";
            settings(&["--enable-http-tunnel", servers, &logins])
                .map(|settings| (settings.metric_logins.len(), settings.warnings.join("\n")))
        };
        let path = file.display();
        assert_eq!(with("").unwrap(), (0, String::new()));
        assert_eq!(with(&format!("https://a={path}")).unwrap(), (1, String::new()));
        let (logins, warned) = with(&format!("https://a={path}, http://b/={path}")).unwrap();
        assert!(logins == 2 && warned.contains("http://b has no TLS"), "{warned}");
        for (bad, why) in [
            ("https://a".to_owned(), "is no <URL>=<file>"),
            ("https://a=".to_owned(), "is no <URL>=<file>"),
            (format!("https://other={path}"), "PLAN_METRIC_SERVERS does not name https://other"),
            (format!("https://a={path},https://a={path}"), "two logins"),
            (format!("https://a={path}-not-there"), "-not-there"),
        ] {
            let refusal = with(&bad).unwrap_err();
            assert!(refusal.contains("PLAN_METRIC_LOGINS") && refusal.contains(why), "{refusal}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
