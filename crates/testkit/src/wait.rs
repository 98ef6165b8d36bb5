//! Waiting for something to become so.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks. Long enough to leave the two cores of a small machine to the parts under test.
const PAUSE: Duration = Duration::from_millis(50);

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
        if start.elapsed() >= limit {
            bail!("{what}: not within {limit:?}; last seen: {seen}");
        }
        sleep(PAUSE);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_seen_last() {
        let e = wait_for::<()>("a door", Duration::from_millis(60), || bail!("still shut")).unwrap_err();
        assert_eq!(e.to_string(), "a door: not within 60ms; last seen: still shut");
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
