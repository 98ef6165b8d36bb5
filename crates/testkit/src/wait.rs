//! Waiting for something to become so.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

/// Between two looks at first. Long enough to leave the two cores of a small machine to the parts under test.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two looks at what takes long.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How long to wait for the next look after this long: a tenth more is what nobody notices.
fn pause(waited: Duration) -> Duration {
    (waited / 10).clamp(PAUSE, LONGEST_PAUSE)
}

/// Looks until `look` gives a value, and fails after `limit`, saying what was seen last.
///
/// `Ok(None)` is "not yet". An error is "not yet" too (a server that does not listen yet, an object that is not there
/// yet), and the last one is told when time is up. Put what you see into the error to have it told:
///
/// ```
/// # use std::time::Duration;
/// # use testkit::wait::wait_for;
/// let answer = wait_for("the answer", Duration::from_secs(1), || {
///     let seen = 42;
///     anyhow::ensure!(seen == 42, "it is {seen}");
///     Ok(Some(seen))
/// });
/// assert_eq!(answer.ok(), Some(42));
/// ```
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        let seen = match look() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "nothing yet".to_owned(),
            Err(e) => format!("{e:#}"),
        };
        let waited = start.elapsed();
        if waited >= limit {
            bail!("{what}: not within {limit:?}; last seen: {seen}");
        }
        sleep(pause(waited));
    }
}

/// Looks for `span` and fails as soon as `look` gives anything but `expected`: "and it stays so".
pub fn stays<T: PartialEq + Debug>(
    what: &str,
    span: Duration,
    expected: &T,
    mut look: impl FnMut() -> Result<T>,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < span {
        let seen = look()?;
        if seen != *expected {
            bail!(
                "{what}: expected {expected:?} for {span:?}, but after {:?} it is {seen:?}",
                start.elapsed()
            );
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// Between the last change of what is looked at and its being settled: more than any step takes.
const SETTLED: Duration = Duration::from_secs(2);

/// Looks until the same has been seen for two seconds, and gives it: "and then nothing more comes".
pub fn settled<T: PartialEq + Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut last: Option<(T, Instant)> = None;
    wait_for(&format!("{what}: settled"), limit, || {
        let seen = look()?;
        match &last {
            Some((before, since)) if *before == seen => {
                ensure!(since.elapsed() >= SETTLED, "{seen:?} since {:?}", since.elapsed());
                Ok(Some(seen))
            }
            _ => {
                let told = format!("{seen:?} just now");
                last = Some((seen, Instant::now()));
                bail!(told)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_seen_last() {
        let e = wait_for::<()>("a door", Duration::from_millis(60), || bail!("still shut")).unwrap_err();
        assert_eq!(e.to_string(), "a door: not within 60ms; last seen: still shut");
    }

    #[test]
    fn what_changes_is_not_settled_and_then_it_is() {
        let mut looks = 0;
        let seen = settled("n", Duration::from_secs(30), || {
            looks += 1;
            Ok(looks.min(3))
        });
        assert_eq!(seen.unwrap(), 3);
        let never = settled("n", Duration::from_millis(60), || {
            looks += 1;
            Ok(looks)
        });
        assert!(never.unwrap_err().to_string().starts_with("n: settled: not within 60ms; last seen: "));
    }

    #[test]
    fn stays_fails_on_a_change() {
        let mut n = 0;
        let e = stays("n", Duration::from_secs(5), &1, || {
            n += 1;
            Ok(n)
        })
        .unwrap_err();
        assert!(e.to_string().contains("it is 2"), "{e}");
    }
}
