//! The health of a plan's module: where it is asked for, and what the bases of a batch answered (rule P14).

use std::{net::IpAddr, sync::Arc};

use model::{BizName, Health, Language, bilingual};

use crate::spec::Invalid;

/// Longer paths nobody writes by hand.
const LONGEST_PATH: usize = 253;

/// What somebody wrote of where a module tells its health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftHealth {
    /// `port`.
    pub port: i64,
    /// `webContextPath`; the module's name where it is absent.
    pub web_context_path: Option<String>,
}

/// Where a module tells its health, on each of its bases: Spring Boot's actuator under the module's own path, so that whoever
/// writes plans can have nothing else called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthEndpoint {
    /// The port of the base that its modules serve on.
    pub port: u16,
    /// The path, from the first `/`.
    pub path: Arc<str>,
}

impl HealthEndpoint {
    /// Checks what somebody wrote.
    ///
    /// # Errors
    /// What makes no sense, with how to mend it.
    pub fn of(draft: DraftHealth, module: &BizName) -> Result<Self, Invalid> {
        let DraftHealth { port, web_context_path } = draft;
        let Some(port) = u16::try_from(port).ok().filter(|port| *port > 0) else {
            return Err(Invalid::new(
                bilingual!("health.port is {port}", "health.port 为 {port}"),
                bilingual!(
                    "write the port that the base's modules serve on, such as 8080",
                    "请写基座上模块提供服务的端口，例如 8080"
                ),
            ));
        };
        let context = web_context_path.as_deref().map_or(module.as_str(), |path| path.trim_matches('/'));
        let is_plain = |part: &str| {
            let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-');
            !part.is_empty() && part != "." && part != ".." && part.chars().all(is_usual)
        };
        if context.len() > LONGEST_PATH || !context.split('/').all(is_plain) {
            return Err(Invalid::new(
                bilingual!(
                    "health.webContextPath {context:?} is no path of a module",
                    "health.webContextPath {context:?} 不是模块的路径"
                ),
                bilingual!(
                    "write it as the module has it, such as biz1: letters, digits, and . _ ~ - /",
                    "请与模块自身的写法一致，例如 biz1：由字母、数字和 . _ ~ - / 组成"
                ),
            ));
        }
        Ok(Self { port, path: format!("/{context}/actuator/health").into() })
    }
}

/// Ask the module on each of these bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthQuestion {
    /// To be given with the answers: those of earlier rounds are not counted.
    pub round: u64,
    /// Where.
    pub endpoint: HealthEndpoint,
    /// Each base by its key, and its address.
    pub bases: Vec<(Arc<str>, IpAddr)>,
}

/// What each base said, by its key.
pub type HealthAnswers = Vec<(Arc<str>, Health)>;

/// What the bases of the batch at work said last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthStatus {
    /// On how many of them the module is UP.
    pub up: u32,
    /// On how many it is not.
    pub down: u32,
    /// Of how many nobody knows.
    pub unknown: u32,
    /// One that is DOWN, else one that is not known, and why; empty where all are UP.
    pub message: String,
}

impl HealthStatus {
    /// Of these bases, with what each said. One that said nothing is not known.
    pub(crate) fn of(said: &[(&Arc<str>, Option<&Health>)], language: Language) -> Self {
        let mut status = Self::default();
        let (mut down, mut unknown) = (None, None);
        for (base, health) in said {
            match health {
                Some(Health::Up) => status.up += 1,
                Some(Health::Down(why)) => {
                    status.down += 1;
                    let told = || bilingual!("on {base} it is DOWN: {why}", "在 {base} 上为 DOWN：{why}");
                    down = down.or_else(|| Some(told()));
                }
                other => {
                    let told = || match other {
                        Some(Health::Unknown(why)) => {
                            bilingual!("on {base} it is not known: {why}", "在 {base} 上状态未知：{why}")
                        }
                        _ => bilingual!(
                            "on {base} it is not known: it was not asked",
                            "在 {base} 上状态未知：没有问过它"
                        ),
                    };
                    status.unknown += 1;
                    unknown = unknown.or_else(|| Some(told()));
                }
            }
        }
        status.message = down.or(unknown).unwrap_or_default().of(language).to_owned();
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: i64, path: Option<&str>) -> Result<String, String> {
        let draft = DraftHealth { port, web_context_path: path.map(ToOwned::to_owned) };
        let endpoint = HealthEndpoint::of(draft, &"biz1".parse().unwrap());
        endpoint.map(|of| format!("{}{}", of.port, of.path)).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn nothing_but_the_actuator_of_a_module_can_be_asked() {
        assert_eq!(endpoint(8080, None).unwrap(), "8080/biz1/actuator/health");
        assert_eq!(endpoint(65_535, Some("/shop/cart/")).unwrap(), "65535/shop/cart/actuator/health");
        for port in [0, -1, 65_536, i64::MAX] {
            assert!(endpoint(port, None).unwrap_err().starts_with("health.port is"), "{port}");
        }
        for path in
            ["", "/", "a//b", "..", "a/../b", ".", "a?b=", "a#b", "a b", "a%2e", "支付", "a\r\nb", "a@b:1"]
        {
            let told = endpoint(8080, Some(path)).unwrap_err();
            assert!(told.contains("is no path of a module"), "{path}: {told}");
        }
        assert!(endpoint(8080, Some(&"a".repeat(254))).is_err());
    }

    #[test]
    fn one_that_is_down_is_told_before_one_that_is_not_known() {
        let [a, b, c, d]: [Arc<str>; 4] = ["a", "b", "c", "d"].map(Into::into);
        let (unknown, down) = (Health::Unknown("HTTP 404".to_owned()), Health::Down("db".to_owned()));
        let said = [(&a, Some(&Health::Up)), (&b, Some(&unknown)), (&c, Some(&down)), (&d, None)];
        let all = HealthStatus::of(&said, Language::English);
        assert_eq!((all.up, all.down, all.unknown), (1, 1, 2));
        assert_eq!(all.message, "on c it is DOWN: db");
        let others = HealthStatus::of(&[said[0], said[3]], Language::English);
        assert_eq!((others.up, others.unknown), (1, 1));
        assert_eq!(others.message, "on d it is not known: it was not asked");
        assert_eq!(HealthStatus::of(&said[..1], Language::English).message, "");
    }
}
