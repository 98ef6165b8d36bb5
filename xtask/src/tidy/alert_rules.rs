//! The alert rules for the Prometheus operator: the rule file's groups in an object.

use anyhow::{Context, Result};

/// The rule file.
pub(super) const RULES: &str = "deploy/monitoring/rules.yaml";

const HEAD: &str = "\
# Made from rules.yaml by `cargo xtask tidy --write`: the same groups for the Prometheus operator. Where your Prometheus selects
# rules by labels (`ruleSelector`), add them here.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: module-controller
  labels:
    app: module-controller
spec:
";

/// The object that has the groups of a rule file.
pub(super) fn object(rules: &str) -> Result<String> {
    let start = rules.find("\ngroups:").with_context(|| format!("{RULES} has no groups"))?;
    let groups = rules.get(start + 1..).unwrap_or_default();
    let indented = groups.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    Ok(HEAD.to_owned() + &indented.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_are_put_under_the_spec() {
        let made = object("# About it.\ngroups:\n  - name: a\n\n    rules: []\n").unwrap();
        assert_eq!(made.strip_prefix(HEAD), Some("  groups:\n    - name: a\n\n      rules: []\n"));
        assert!(object("nothing\n").is_err());
    }
}
