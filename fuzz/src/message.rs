//! One message from outside, and how the next one is made.

use std::fmt;

use arklet::CommandKind;
use fastrand::Rng;
use serde_json::Value;

use crate::{corpus::Corpus, mutate};

/// The environment of every run: bases of another one are not listened to.
pub const ENV: &str = "sim";

/// What comes from outside, before anything of it was read.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A body that was posted to `/heartbeat`.
    Heartbeat(Vec<u8>),
    /// A body that was posted to `/queryBaseline`.
    BaselineQuery(Vec<u8>),
    /// The body of an answer to a command over HTTP.
    Answer(CommandKind, Vec<u8>),
    /// A message of the broker.
    Published {
        /// On which topic.
        topic: String,
        /// What.
        payload: Vec<u8>,
    },
    /// A Pod of a watch.
    Pod(String),
}

/// As a reader can keep it as a file of the corpus.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, bytes) = match self {
            Self::Heartbeat(body) => ("heartbeat".to_owned(), body),
            Self::BaselineQuery(body) => ("query".to_owned(), body),
            Self::Answer(command, body) => (format!("answer {command}"), body),
            Self::Published { topic, payload } => (format!("published {topic:?}"), payload),
            Self::Pod(json) => return write!(f, "pod\n{json}"),
        };
        write!(f, "{what}\n{}", bytes.escape_ascii())
    }
}

/// Makes messages out of samples.
#[derive(Debug)]
pub struct Source {
    corpus: Corpus,
    /// Bases that are really there, answer what they like, and publish under their own names.
    hostile: Vec<String>,
    /// Names that others' Nodes bear, which are not those others' identities.
    borrowed: Vec<String>,
    strangers: u64,
}

/// A message, and whether it is still the JSON that it was made as.
pub struct Made {
    /// The message.
    pub message: Message,
    /// No byte of it was damaged, so that a URL in it can be known for one.
    pub whole: bool,
}

impl Source {
    /// Out of these samples; answers come from `hostile` bases, and some strangers are called as the Nodes of others.
    pub fn new(corpus: Corpus, hostile: Vec<String>, borrowed: Vec<String>) -> Self {
        Self { corpus, hostile, borrowed, strangers: 0 }
    }

    /// The kept messages.
    pub fn kept(&self) -> &[(String, Message)] {
        &self.corpus.kept
    }

    /// The next message.
    pub fn next(&mut self, rng: &mut Rng) -> Made {
        match rng.u8(0..20) {
            0..=4 => {
                let body = pick(rng, &self.corpus.heartbeats);
                let (bytes, whole) = self.of_a_stranger(&body, rng);
                Made { message: Message::Heartbeat(bytes), whole }
            }
            5 => {
                let body = pick(rng, &self.corpus.queries);
                let (bytes, whole) = self.of_a_stranger(&body, rng);
                Made { message: Message::BaselineQuery(bytes), whole }
            }
            6..=9 => self.any_answer(rng),
            10..=16 => self.published(rng),
            _ => {
                let json = pick(rng, &self.corpus.pods);
                let (bytes, whole) = mutate::text(&json, rng);
                Made { message: Message::Pod(String::from_utf8_lossy(&bytes).into_owned()), whole }
            }
        }
    }

    /// What a hostile base answers to a command.
    pub fn answer(&self, command: CommandKind, rng: &mut Rng) -> Vec<u8> {
        let fitting: Vec<&String> =
            self.corpus.answers.iter().filter(|(kind, _)| *kind == command).map(|(_, body)| body).collect();
        let body = rng.choice(fitting).cloned().unwrap_or_default();
        mutate::text(&body, rng).0
    }

    fn any_answer(&self, rng: &mut Rng) -> Made {
        let recorded = rng.choice(&self.corpus.answers);
        let (mut command, body) = recorded.cloned().unwrap_or((CommandKind::Help, String::new()));
        // Now and then the answer is to something else than was asked.
        if let (Some(other), 0) = (rng.choice(CommandKind::ALL), rng.u8(0..8)) {
            command = other;
        }
        let (bytes, whole) = mutate::text(&body, rng);
        Made { message: Message::Answer(command, bytes), whole }
    }

    fn published(&mut self, rng: &mut Rng) -> Made {
        let (channel, payload) = pick(rng, &self.corpus.published);
        let tells_identity = matches!(&*channel, "heart" | "queryBaseline");
        let name = if tells_identity { self.stranger(rng) } else { pick(rng, &self.hostile) };
        let payload = if tells_identity { named(&payload, &name) } else { payload };
        let mut topic = format!("koupleless_{ENV}/{name}/base/{channel}");
        if rng.u8(0..12) == 0 {
            topic = mutate::topic(&topic, rng);
        }
        let (payload, whole) = mutate::text(&payload, rng);
        Made { message: Message::Published { topic, payload }, whole }
    }

    fn of_a_stranger(&mut self, body: &str, rng: &mut Rng) -> (Vec<u8>, bool) {
        let name = self.stranger(rng);
        mutate::text(&named(body, &name), rng)
    }

    /// A name that was never heard before, mostly, else one of before, and rarely the name of another's Node.
    fn stranger(&mut self, rng: &mut Rng) -> String {
        let number = match rng.u8(..) {
            0 => return pick(rng, &self.borrowed),
            1..64 => rng.u64(0..=self.strangers),
            _ => {
                self.strangers += 1;
                self.strangers
            }
        };
        format!("stranger-{number}")
    }
}

fn pick<T: Clone + Default>(rng: &mut Rng, from: &[T]) -> T {
    rng.choice(from).cloned().unwrap_or_default()
}

/// The same, said by somebody else.
fn named(body: &str, name: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    for path in ["/identity", "/baseMetadata/identity", "/data/identity", "/data/baseMetadata/identity"] {
        if let Some(identity) = value.pointer_mut(path) {
            *identity = name.into();
        }
    }
    value.to_string()
}
