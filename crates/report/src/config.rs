//! What the reporter is set to.

use std::time::Duration;

use model::Language;

/// Settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENV`: groups often get the reports of several environments.
    pub env: String,
    /// In which language what happened is told; the rest of a report is in both.
    pub language: Language,
    /// Time limits.
    pub times: Times,
}

impl Config {
    /// For this environment.
    pub fn new(env: impl Into<String>) -> Self {
        Self { env: env.into(), language: Language::default(), times: Times::default() }
    }
}

/// Time limits.
#[derive(Debug, Clone)]
pub struct Times {
    /// The same fault is reported again only after this long. The longest pause between two
    /// attempts to install is five minutes: what fails for ever is told twice an hour, not twelve
    /// times.
    pub window: Duration,
    /// The most that one request may take, connection included. DingTalk answers within a second.
    pub deadline: Duration,
    /// The pauses before the second attempt and the following ones; with the deadlines they bridge
    /// an outage of a minute and a half. After the last one the message is given up.
    pub retries: Vec<Duration>,
    /// The pauses where the robot says that it gets too much: DingTalk then refuses everything for
    /// ten minutes.
    pub throttled_retries: Vec<Duration>,
}

impl Default for Times {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            window: s(30 * 60),
            deadline: s(5),
            retries: vec![s(1), s(4), s(16), s(64)],
            throttled_retries: vec![s(150), s(150), s(150), s(150)],
        }
    }
}
