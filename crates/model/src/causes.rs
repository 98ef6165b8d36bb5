//! What an error says with all of its causes.

use std::error::Error;

/// An error with its causes, in one line. What a message says already is not said again.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{told}")]
    struct Wrapped {
        told: &'static str,
        source: io::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let of = |told| causes(&Wrapped { told, source: io::Error::other("no route") });
        assert_eq!(of("it is away"), "it is away: no route");
        assert_eq!(of("it is away: no route"), "it is away: no route");
    }
}
