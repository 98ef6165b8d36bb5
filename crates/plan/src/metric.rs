//! Metrics that a batch has to pass: what is asked, of whom, and what the answer must be.

use model::{Bilingual, bilingual};
use std::{fmt, str::FromStr, sync::Arc};

use url::Url;

use crate::spec::{Invalid, own_name};

/// A longer query nobody reads.
const LONGEST_QUERY: usize = 4_096;

/// A server with Prometheus' HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricServer(Arc<str>);

impl MetricServer {
    /// Its URL, without a `/` at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MetricServer {
    type Err = Invalid;

    /// Reads `http://prometheus.monitoring:9090`, or what is behind a path of a host.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: Bilingual| {
            let what = bilingual!("{text:?} is no server of metrics", "{text:?} 不是指标服务器的地址");
            Err(Invalid::new(
                what.with(&why),
                bilingual!(
                    "write it as http://prometheus.monitoring:9090",
                    "请写成 http://prometheus.monitoring:9090 的形式"
                ),
            ))
        };
        let Ok(url) = Url::parse(text.trim()) else {
            return refuse(bilingual!("it is no URL", "它不是 URL"));
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return refuse(bilingual!(
                "it begins with neither http:// nor https:// and a host",
                "它不是以 http:// 或 https:// 加主机名开头"
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(bilingual!(
                "whoever may read plans would read its password",
                "能读取工单的人都会看到其中的密码"
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse(bilingual!("it has a query or a fragment", "它带有查询串或片段"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }
}

impl fmt::Display for MetricServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a value must be: `< 0.01`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    operator: Operator,
    /// Finite.
    bound: f64,
}

/// The bound is finite, and so equal to itself.
impl Eq for Comparison {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

impl Operator {
    /// The longer first: `<` also begins `<=`.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];
}

impl Comparison {
    /// Whether a value is as it must be.
    #[expect(clippy::float_cmp, reason = "whoever writes == or != asks for that, as of Prometheus")]
    pub fn holds(self, value: f64) -> bool {
        match self.operator {
            Operator::Less => value < self.bound,
            Operator::AtMost => value <= self.bound,
            Operator::Greater => value > self.bound,
            Operator::AtLeast => value >= self.bound,
            Operator::Equal => value == self.bound,
            Operator::Unequal => value != self.bound,
        }
    }
}

impl FromStr for Comparison {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = || {
            Invalid::new(
                bilingual!("{text:?} is no condition", "{text:?} 不是条件"),
                bilingual!(
                    "write one of < <= > >= == != and a number, as < 0.01",
                    "请写 < <= > >= == != 之一加一个数，例如 < 0.01"
                ),
            )
        };
        let found = Operator::ALL.into_iter().find_map(|(sign, operator)| {
            Some((operator, text.trim().strip_prefix(sign)?.trim().parse::<f64>().ok()?))
        });
        let (operator, bound) = found.filter(|(_, bound)| bound.is_finite()).ok_or_else(refused)?;
        Ok(Self { operator, bound })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Operator::ALL.iter().find(|(_, operator)| *operator == self.operator);
        write!(f, "{} {}", sign.map(|(sign, _)| *sign).unwrap_or_default(), self.bound)
    }
}

/// What somebody wrote for a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftMetric {
    /// `name`.
    pub name: String,
    /// `server`.
    pub server: String,
    /// `query`.
    pub query: String,
    /// `condition`.
    pub condition: String,
}

/// A metric that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: Arc<str>,
    /// Who is asked.
    pub server: MetricServer,
    /// What is asked, in PromQL.
    pub query: Arc<str>,
    /// What every value of the answer must be.
    pub condition: Comparison,
}

impl Metric {
    /// Checks what somebody wrote.
    ///
    /// # Errors
    /// The first thing that makes no sense, with how to mend it.
    pub fn of(draft: DraftMetric) -> Result<Self, Invalid> {
        let DraftMetric { name, server, query, condition } = draft;
        if name.is_empty() {
            return Err(Invalid::new(bilingual!("a metric has no name", "有一个指标没有名字"), own_name()));
        }
        let about = |invalid: Invalid| invalid.about(&bilingual!("metric {name}", "指标 {name}"));
        let query = query.trim();
        if query.is_empty() || query.len() > LONGEST_QUERY {
            let bytes = query.len();
            return Err(about(Invalid::new(
                bilingual!("its query has {bytes} bytes", "它的查询有 {bytes} 个字节"),
                bilingual!(
                    "write PromQL of 1 to {LONGEST_QUERY} bytes",
                    "请写 1 到 {LONGEST_QUERY} 个字节的 PromQL"
                ),
            )));
        }
        Ok(Self {
            server: server.parse().map_err(about)?,
            condition: condition.parse().map_err(about)?,
            query: query.into(),
            name: name.as_str().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_sign_and_a_number() {
        for (condition, holds, fails) in [
            ("< 0.01", 0.0, 0.01),
            ("<=1", 1.0, 1.1),
            (" > -2 ", 0.0, -2.0),
            (">= 99.9", 99.9, 99.8),
            ("== 0", 0.0, 1.0),
            ("!= 0", 1.0, 0.0),
        ] {
            let comparison: Comparison = condition.parse().unwrap();
            assert!(comparison.holds(holds) && !comparison.holds(fails), "{condition}");
            assert_eq!(comparison.to_string().parse(), Ok(comparison));
        }
        for bad in ["", "0.01", "=> 1", "< NaN", "< inf", "< 1 2", "= 1"] {
            assert!(bad.parse::<Comparison>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_never_as_it_must_be_but_unequal() {
        for condition in ["< 1", "<= 1", "> 1", ">= 1", "== 1"] {
            assert!(!condition.parse::<Comparison>().unwrap().holds(f64::NAN), "{condition}");
        }
    }

    #[test]
    fn a_server_is_told_by_its_url_without_secrets() {
        let server: MetricServer = " http://Prometheus.monitoring:9090/ ".parse().unwrap();
        assert_eq!(server.as_str(), "http://prometheus.monitoring:9090");
        assert_eq!(server, "http://prometheus.monitoring:9090".parse().unwrap());
        assert_eq!(
            "https://m.example.com/tenant/".parse::<MetricServer>().unwrap().as_str(),
            "https://m.example.com/tenant"
        );
        for bad in [
            "",
            "prometheus:9090",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://u@a",
            "http://a?b=c",
            "http://a#b",
        ] {
            assert!(bad.parse::<MetricServer>().is_err(), "{bad}");
        }
    }
}
