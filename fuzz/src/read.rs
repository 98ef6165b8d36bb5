//! Reads a message as the controller does, and holds what is said of it against what may be said.

use arklet::{CallError, CommandKind, Outcome};
use engine::{Event, TunnelEvent, view::PodView};
use model::{BaseIdentity, TunnelKind};

use crate::{
    message::{ENV, Made, Message},
    mutate::SECRET,
};

/// The most that an error says, in characters: 200 of the text, and what is said about it.
const MAX_ERROR_CHARS: usize = 700;
/// The most of a base's own story that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 32 * 1024;

/// What a message comes to.
#[derive(Debug)]
pub enum Read {
    /// A base spoke of itself, or said how a command ended.
    Event(Event),
    /// The body of an answer: whose is for the caller to say.
    Answer(CommandKind, Outcome),
    /// A Pod.
    Pod(Box<PodView>),
    /// It was refused, or is not for us.
    Nothing,
}

/// Reads a message.
///
/// # Errors
/// Where what is said of a bad one is empty, endless, more than one line, or shows a secret.
pub fn read(made: &Made) -> Result<Read, String> {
    let refused = |why: String| said(&why, made.whole).map(|()| Read::Nothing);
    match &made.message {
        Message::Heartbeat(body) => match arklet::parse_heartbeat(body) {
            Ok(report) => {
                Ok(Read::Event(Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Http, report })))
            }
            Err(error) => refused(error.to_string()),
        },
        Message::BaselineQuery(body) => match arklet::parse_baseline_query(body) {
            Ok(query) => Ok(Read::Event(Event::Tunnel(TunnelEvent::BaselineQuery {
                tunnel: TunnelKind::Http,
                query,
                ask: 0,
            }))),
            Err(error) => refused(error.to_string()),
        },
        Message::Answer(command, body) => {
            let outcome = arklet::parse_answer(*command, body);
            told(*command, &outcome, made.whole)?;
            Ok(Read::Answer(*command, outcome))
        }
        Message::Published { topic, payload } => match arklet::parse_message(ENV, topic, payload) {
            Ok(None) => Ok(Read::Nothing),
            Ok(Some(message)) => published(message, made.whole),
            Err(error) => refused(error.to_string()),
        },
        Message::Pod(json) => match cluster::read_pod(json) {
            Ok(view) => Ok(Read::Pod(Box::new(view))),
            // An API server's own object: what is wrong with it is shown as the parser says it.
            Err(error) => said(&error.to_string(), false).map(|()| Read::Nothing),
        },
    }
}

fn published(message: arklet::Message, whole: bool) -> Result<Read, String> {
    let tunnel = TunnelKind::Mqtt;
    Ok(Read::Event(match message {
        arklet::Message::Heartbeat(report) => Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report }),
        arklet::Message::BaselineQuery(query) => {
            Event::Tunnel(TunnelEvent::BaselineQuery { tunnel, query, ask: 0 })
        }
        arklet::Message::Answer { base, key, outcome } => {
            told(key.command, &outcome, whole)?;
            Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome })
        }
    }))
}

/// Whose an event is.
pub fn speaker(event: &Event) -> Option<&BaseIdentity> {
    match event {
        Event::Tunnel(TunnelEvent::Heartbeat { report, .. }) => Some(&report.identity),
        Event::Tunnel(TunnelEvent::BaselineQuery { query, .. }) => Some(&query.identity),
        Event::Tunnel(TunnelEvent::Answer { base, .. }) => Some(base),
        _ => None,
    }
}

/// Holds what people are told of a failed command against what they may be told.
fn told(command: CommandKind, outcome: &Outcome, whole: bool) -> Result<(), String> {
    let Err(error) = outcome else { return Ok(()) };
    said(&error.to_string(), whole)?;
    let fault = error.to_fault(command, "testing".to_owned());
    said(fault.cause.english(), whole)?;
    if let CallError::Refused(failure) = error {
        let detail = &failure.detail;
        if detail.chars().count() > MAX_DETAIL_CHARS || whole && detail.contains(SECRET) {
            return Err(format!("{} characters of detail: {:.300}", detail.chars().count(), detail));
        }
    }
    Ok(())
}

fn said(text: &str, whole: bool) -> Result<(), String> {
    let chars = text.chars().count();
    let wrong = if text.trim().is_empty() {
        "an error says nothing"
    } else if chars > MAX_ERROR_CHARS {
        "an error has no end"
    } else if text.contains('\n') {
        "an error has more than one line"
    } else if whole && text.contains(SECRET) {
        "an error shows a secret"
    } else {
        return Ok(());
    };
    Err(format!("{wrong}: {text:.800}"))
}
