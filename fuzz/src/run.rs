//! A run: so many messages of one seed.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::flood::Flood;
pub use crate::flood::Tally;

/// What must not be, and how to see it again.
#[derive(Debug)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// Which message it was, the first being 1.
    pub number: u64,
    /// The message, as the corpus keeps it; none where it came to light after the last.
    pub message: Option<String>,
    /// What was wrong.
    pub why: String,
}

/// Sends so many messages, and lets `progress` see every one counted.
///
/// # Errors
/// The outer one where the run cannot begin; the inner one is what must not be.
pub fn run(seed: u64, messages: u64, mut progress: impl FnMut(&Tally)) -> io::Result<Result<Tally, Broken>> {
    let mut flood = Flood::begin(seed)?;
    for number in 1..=messages {
        let made = flood.next_message();
        if let Err(why) = unpanicked(|| flood.take(&made)) {
            return Ok(Err(Broken { seed, number, message: Some(format!("{:?}", made.message)), why }));
        }
        progress(&flood.tally());
    }
    let ended = unpanicked(|| flood.end());
    let tally = flood.tally();
    Ok(ended.map(|()| tally).map_err(|why| Broken { seed, number: messages, message: None, why }))
}

/// A panic is an error like others.
fn unpanicked(act: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(format!("panicked: {}", said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)")
}
