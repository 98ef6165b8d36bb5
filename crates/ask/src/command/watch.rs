//! A screen that follows: read again and again, never so often that the API server would feel it.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{View, say_not_shown};
use crate::{
    client::{Unreachable, complain},
    output::print,
    picture::Picture,
    screen::table::Style,
};

/// From one look to the next at least.
const PAUSE: Duration = Duration::from_secs(2);
/// And so many times as long as the look took: of the lists of a large cluster the server has work.
const SHARE: u32 = 10;
/// To the top of an empty screen.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

/// How long to wait after a look that took so long.
pub(super) fn pause(took: Duration) -> Duration {
    PAUSE.max(took * SHARE)
}

/// Shows a screen of the cluster whenever it changes.
pub(super) async fn watch(
    view: &View,
    screen: impl Fn(&Picture, Style) -> String,
) -> Result<ExitCode, Unreachable> {
    let cluster = view.open().await?;
    let mut is_first = true;
    let look = async || {
        let picture = view.picture(&cluster).await?;
        if std::mem::take(&mut is_first) {
            say_not_shown(&picture.not_shown);
        }
        Ok::<_, Unreachable>(Ok::<_, ExitCode>(picture))
    };
    follow(look, || view.style(), screen, |_| false).await
}

/// Shows what each look brings whenever it changes, until the last of it, or until a look ends it. On a terminal it takes the place
/// of the one before; else it follows that, under the time.
pub(super) async fn follow<T>(
    mut look: impl AsyncFnMut() -> Result<Result<T, ExitCode>, Unreachable>,
    style: impl Fn() -> Style,
    screen: impl Fn(&T, Style) -> String,
    is_last: impl Fn(&T) -> bool,
) -> Result<ExitCode, Unreachable> {
    let (mut shown, mut away) = (String::new(), false);
    loop {
        let start = Instant::now();
        match look().await {
            Ok(Ok(seen)) => {
                let style = style();
                // Ages grow, and are no news.
                let ageless = screen(&seen, Style { now: Timestamp::UNIX_EPOCH, colour: false, ..style });
                let text = screen(&seen, style);
                let mut printed = ExitCode::SUCCESS;
                if stdout().is_terminal() {
                    printed = print(&format!("{CLEAR}{text}"));
                } else if ageless != shown {
                    let between = if shown.is_empty() { "" } else { "\n" };
                    printed = print(&format!("{between}{:.0}\n{text}", style.now));
                }
                if is_last(&seen) {
                    return Ok(printed);
                }
                (shown, away) = (ageless, false);
            }
            Ok(Err(ended)) => return Ok(ended),
            // One that was never there is not waited for.
            Err(unreachable) if shown.is_empty() => return Err(unreachable),
            Err(unreachable) => {
                if !away {
                    complain(&unreachable);
                }
                away = true;
            }
        }
        sleep(pause(start.elapsed())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_costs_much_is_rare() {
        assert_eq!(pause(Duration::from_millis(20)), Duration::from_secs(2));
        assert_eq!(pause(Duration::from_secs(3)), Duration::from_secs(30));
    }
}
