//! What a plan says, checked once.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use model::{Bilingual, BizId, bilingual};

use crate::{
    health::{DraftHealth, HealthEndpoint},
    metric::{DraftMetric, Metric},
    selector::Selector,
};

/// More batches nobody confirms, and each is an entry in the status.
pub const MOST_BATCHES: u32 = 100;
/// More metrics than these nobody looks at for one module.
const MOST_METRICS: usize = 10;
/// Longer than any release takes; a number of seconds beyond it is a mistake.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// So many bases, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl Amount {
    /// Of so many, rounded up: a share of a few bases is one of them at least. Never more than there are.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).min(all),
            Self::Percent(percent) => {
                let percent = usize::try_from(percent.min(100)).unwrap_or(100);
                all.saturating_mul(percent).div_ceil(100)
            }
        }
    }
}

impl std::str::FromStr for Amount {
    type Err = Invalid;

    /// Reads `3` or `25%`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = |text: &str| text.parse::<u32>().ok();
        match text.strip_suffix('%') {
            Some(percent) => number(percent).filter(|percent| (1..=100).contains(percent)).map(Self::Percent),
            None => number(text).filter(|count| *count > 0).map(Self::Count),
        }
        .ok_or_else(|| {
            Invalid::new(
                bilingual!("{text:?} is no number of bases", "{text:?} 不是基座数量"),
                bilingual!(
                    "write a number from 1, or a share from 1% to 100%",
                    "请写不小于 1 的数，或 1% 到 100% 的比例"
                ),
            )
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Which part of what is left a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many of the bases that its selector selects.
    Fixed(Amount),
    /// One of so many equal parts of what is left; where it is the only one, all of it.
    OneOf(NonZeroU32),
}

/// What somebody wrote for a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftBatch {
    /// `name`.
    pub name: String,
    /// `selector`.
    pub selector: Selector,
    /// `size`: how many bases; all that are left where it is absent.
    pub size: Option<String>,
    /// `count`: in so many equal parts, one after the other.
    pub count: Option<u32>,
    /// `soakSeconds`.
    pub soak_seconds: u64,
    /// `confirm`.
    pub confirm: bool,
    /// `maxUnavailable`.
    pub max_unavailable: Option<String>,
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// `module`.
    pub module: BizId,
    /// `batches`.
    pub batches: Vec<DraftBatch>,
    /// `readyTimeoutSeconds`.
    pub ready_timeout_seconds: u64,
    /// `maxFailed`.
    pub max_failed: u32,
    /// `metrics`.
    pub metrics: Vec<DraftMetric>,
    /// `health`.
    pub health: Option<DraftHealth>,
}

/// One batch, or one part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its name, with its number where there are several parts: `rest-2`.
    pub name: Arc<str>,
    /// It is one part of several and not the first of them.
    pub continues: bool,
    /// It is the last, or a part of the last: it takes what is left, whatever its selector.
    pub is_last: bool,
    /// Which bases may be in it.
    pub selector: Selector,
    /// How many of them.
    pub share: Share,
    /// How long they must serve without a break.
    pub soak: Duration,
    /// Somebody confirms before it goes on.
    pub confirm: bool,
    /// How many of them may be without the module at once.
    pub max_unavailable: Amount,
}

/// A plan that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What is installed.
    pub module: BizId,
    /// One after the other; the last takes what is left, whatever its selector.
    pub batches: Vec<Batch>,
    /// How long a base may take from when it begins.
    pub ready_timeout: Duration,
    /// On so many bases it may fail.
    pub max_failed: u32,
    /// What every batch has to pass.
    pub metrics: Vec<Metric>,
    /// Where the module tells its health; none where nobody asks for it.
    pub health: Option<HealthEndpoint>,
}

/// What people set while the plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steering {
    /// `confirmed`: the number that was confirmed last.
    pub confirmed: u64,
    /// `attempt`: one more goes on after a failure.
    pub attempt: u64,
    /// `paused`: nothing more is released.
    pub paused: bool,
    /// `stop: Abort`.
    pub abort: bool,
}

/// Why a plan makes no sense, and how it would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub what: Bilingual,
    /// How to mend it.
    pub mend: Bilingual,
}

impl Invalid {
    /// What is wrong, and how to mend it.
    pub fn new(what: impl Into<Bilingual>, mend: impl Into<Bilingual>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    /// The same, and of which part it is said.
    pub(crate) fn about(self, part: &Bilingual) -> Self {
        Self { what: part.with(&self.what), ..self }
    }

    /// Both in one sentence.
    pub fn told(&self) -> Bilingual {
        self.what.with(&self.mend)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl Spec {
    /// Checks what somebody wrote.
    ///
    /// # Errors
    /// The first thing that makes no sense, with how to mend it.
    pub fn of(draft: Draft) -> Result<Self, Invalid> {
        let Draft { module, batches, ready_timeout_seconds, max_failed, metrics, health } = draft;
        let ready_timeout = seconds("readyTimeoutSeconds", ready_timeout_seconds)?;
        if ready_timeout.is_zero() {
            return Err(Invalid::new(
                bilingual!("readyTimeoutSeconds is 0", "readyTimeoutSeconds 为 0"),
                bilingual!(
                    "give a base time to become ready, such as 600",
                    "请给基座留出就绪的时间，例如 600"
                ),
            ));
        }
        let parts: u32 = batches.iter().map(|batch| batch.count.unwrap_or(1)).fold(0, u32::saturating_add);
        if batches.is_empty() || parts > MOST_BATCHES {
            return Err(Invalid::new(
                bilingual!("there are {parts} batches", "共有 {parts} 个批次"),
                bilingual!(
                    "write 1 to {MOST_BATCHES}, the parts of each counted",
                    "请写 1 到 {MOST_BATCHES} 个，每个批次的各等份都计算在内"
                ),
            ));
        }
        let last = batches.len() - 1;
        let mut all: Vec<Batch> = Vec::new();
        for (place, batch) in batches.into_iter().enumerate() {
            for batch in parts_of(batch, place == last)? {
                if all.iter().any(|other| other.name == batch.name) {
                    let name = &batch.name;
                    let what = bilingual!("two batches are named {name}", "有两个批次都叫 {name}");
                    return Err(Invalid::new(what, own_name()));
                }
                all.push(batch);
            }
        }
        let health = health.map(|health| HealthEndpoint::of(health, &module.name)).transpose()?;
        Ok(Self { module, batches: all, ready_timeout, max_failed, metrics: self::metrics(metrics)?, health })
    }
}

/// How a name that is missing or is there twice is mended.
pub(crate) fn own_name() -> Bilingual {
    bilingual!("give each a name of its own", "请给每一个取不同的名字")
}

fn metrics(drafts: Vec<DraftMetric>) -> Result<Vec<Metric>, Invalid> {
    if drafts.len() > MOST_METRICS {
        let count = drafts.len();
        return Err(Invalid::new(
            bilingual!("there are {count} metrics", "共有 {count} 个指标"),
            bilingual!("write at most {MOST_METRICS}", "最多写 {MOST_METRICS} 个"),
        ));
    }
    let mut all: Vec<Metric> = Vec::new();
    for draft in drafts {
        let metric = Metric::of(draft)?;
        if all.iter().any(|other| other.name == metric.name) {
            let name = &metric.name;
            let what = bilingual!("two metrics are named {name}", "有两个指标都叫 {name}");
            return Err(Invalid::new(what, own_name()));
        }
        all.push(metric);
    }
    Ok(all)
}

fn parts_of(draft: DraftBatch, is_last: bool) -> Result<Vec<Batch>, Invalid> {
    let DraftBatch { name, selector, size, count, soak_seconds, confirm, max_unavailable } = draft;
    if name.is_empty() {
        return Err(Invalid::new(bilingual!("a batch has no name", "有一个批次没有名字"), own_name()));
    }
    let about = |invalid: Invalid| invalid.about(&bilingual!("batch {name}", "批次 {name}"));
    let refuse = |what: Bilingual, mend: Bilingual| Err(about(Invalid::new(what, mend)));
    let Some(count) = NonZeroU32::new(count.unwrap_or(1)) else {
        return refuse(
            bilingual!("count is 0", "count 为 0"),
            bilingual!("write the number of equal parts, or leave it out", "请写等份的数量，或者不写"),
        );
    };
    if size.is_some() && count.get() > 1 {
        return refuse(
            bilingual!("it has both size and count", "同时写了 size 和 count"),
            bilingual!(
                "leave out one: size is a number of bases, count a number of equal parts",
                "请去掉一个：size 是基座数量，count 是等份的数量"
            ),
        );
    }
    if size.is_some() && is_last {
        return refuse(
            bilingual!("it is the last and has a size", "它是最后一个批次，却写了 size"),
            bilingual!(
                "leave the size out: the last batch takes all bases that are left",
                "请去掉 size：最后一个批次包含剩下的全部基座"
            ),
        );
    }
    let size = size.map(|size| size.parse()).transpose().map_err(about)?;
    let max_unavailable = max_unavailable.map(|most| most.parse()).transpose().map_err(about)?;
    let soak = seconds("soakSeconds", soak_seconds).map_err(about)?;
    let part = |number: u32| {
        // What is left is shared among the parts that are still to come, this one counted.
        let left = NonZeroU32::new(count.get() - number).unwrap_or(NonZeroU32::MIN);
        Batch {
            name: if count.get() == 1 {
                name.as_str().into()
            } else {
                format!("{name}-{}", number + 1).into()
            },
            continues: number > 0,
            is_last,
            selector: selector.clone(),
            share: size.map_or(Share::OneOf(left), Share::Fixed),
            soak,
            confirm,
            max_unavailable: max_unavailable.unwrap_or(Amount::Count(1)),
        }
    };
    Ok((0..count.get()).map(part).collect())
}

fn seconds(name: &str, seconds: u64) -> Result<Duration, Invalid> {
    let time = Duration::from_secs(seconds);
    if time > LONGEST {
        let longest = LONGEST.as_secs();
        return Err(Invalid::new(
            bilingual!("{name} is {seconds}", "{name} 为 {seconds}"),
            bilingual!("write at most {longest}, which is 30 days", "最多写 {longest}，即 30 天"),
        ));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(name: &str) -> DraftBatch {
        DraftBatch { name: name.into(), ..DraftBatch::default() }
    }

    fn draft(batches: Vec<DraftBatch>) -> Draft {
        Draft {
            module: BizId { name: "biz1".parse().unwrap(), version: "2".parse().unwrap() },
            batches,
            ready_timeout_seconds: 600,
            max_failed: 0,
            metrics: Vec::new(),
            health: None,
        }
    }

    fn refused(batches: Vec<DraftBatch>) -> String {
        Spec::of(draft(batches)).unwrap_err().to_string()
    }

    #[test]
    fn a_batch_of_several_parts_is_as_many_batches() {
        let beta = DraftBatch { size: Some("1".into()), confirm: true, ..batch("beta") };
        let rest = DraftBatch { count: Some(3), ..batch("rest") };
        let spec = Spec::of(draft(vec![beta, rest])).unwrap();
        let told: Vec<_> = spec.batches.iter().map(|batch| (&*batch.name, batch.share)).collect();
        let one_of = |parts| Share::OneOf(NonZeroU32::new(parts).unwrap());
        assert_eq!(
            told,
            [
                ("beta", Share::Fixed(Amount::Count(1))),
                ("rest-1", one_of(3)),
                ("rest-2", one_of(2)),
                ("rest-3", one_of(1))
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_mend() {
        for (batches, what) in [
            (vec![], "there are 0 batches"),
            (vec![batch("")], "a batch has no name"),
            (vec![batch("a"), batch("a")], "two batches are named a"),
            (vec![DraftBatch { count: Some(2), ..batch("a") }, batch("a-1")], "two batches are named a-1"),
            (vec![DraftBatch { count: Some(0), ..batch("a") }], "batch a: count is 0"),
            (vec![DraftBatch { count: Some(101), ..batch("a") }], "there are 101 batches"),
            (vec![DraftBatch { size: Some("1".into()), ..batch("a") }], "batch a: it is the last"),
            (
                vec![DraftBatch { size: Some("0%".into()), ..batch("a") }, batch("b")],
                "batch a: \"0%\" is no number",
            ),
            (
                vec![DraftBatch { size: Some("-1".into()), ..batch("a") }, batch("b")],
                "batch a: \"-1\" is no number",
            ),
            (vec![DraftBatch { soak_seconds: u64::MAX, ..batch("a") }], "batch a: soakSeconds is"),
        ] {
            let refused = refused(batches);
            assert!(refused.starts_with(what), "{refused}");
        }
        let draft = Draft { ready_timeout_seconds: 0, ..draft(vec![batch("a")]) };
        assert!(Spec::of(draft).is_err());
    }

    #[test]
    fn metrics_have_names_of_their_own_and_are_few() {
        let metric = |name: &str| DraftMetric {
            name: name.into(),
            server: "http://p:9090".into(),
            query: "up".into(),
            condition: "> 0".into(),
        };
        let of = |metrics| {
            Spec::of(Draft { metrics, ..draft(vec![batch("a")]) }).map_err(|invalid| invalid.to_string())
        };
        assert_eq!(of(vec![metric("a"), metric("b")]).unwrap().metrics.len(), 2);
        let bad = |change: fn(&mut DraftMetric)| {
            let mut metric = metric("errors");
            change(&mut metric);
            of(vec![metric]).unwrap_err()
        };
        assert!(of(vec![metric("a"), metric("a")]).unwrap_err().starts_with("two metrics are named a"));
        let many = (0..11).map(|n| metric(&n.to_string())).collect();
        assert!(of(many).unwrap_err().starts_with("there are 11 metrics"));
        assert!(bad(|metric| metric.query = " ".into()).starts_with("metric errors: its query has 0 bytes"));
        assert!(
            bad(|metric| metric.condition = "0".into()).starts_with("metric errors: \"0\" is no condition")
        );
        assert!(bad(|metric| metric.server = "p".into()).starts_with("metric errors: \"p\" is no server"));
        assert!(bad(|metric| metric.name = String::new()).starts_with("a metric has no name"));
    }

    #[test]
    fn a_share_is_rounded_up_and_never_more_than_there_are() {
        assert_eq!(
            ["25%", "1%", "100%", "7"].map(|text| text.parse::<Amount>().unwrap().of(5)),
            [2, 1, 5, 5]
        );
        assert_eq!(Amount::Percent(25).of(0), 0);
    }
}
