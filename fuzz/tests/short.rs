//! The short run: every kept message, then a few ten thousand new ones. `cargo xtask fuzz` is the long one.

use fuzz::{corpus::Corpus, run};

/// As many as take some seconds of a machine that builds other things beside.
const MESSAGES: u64 = 25_000;
/// Each run of the tests sends the same messages: what fails, fails again.
const SEED: u64 = 1;

/// No panic, no error that says nothing or too much, nothing left of it when it is over, and the honest bases as before.
#[test]
fn hostile_messages_break_nothing_and_honest_bases_do_not_notice() {
    let tally = run(SEED, MESSAGES, |_| {}).unwrap().unwrap();
    assert_eq!(tally.messages, MESSAGES);
    assert!(tally.told > MESSAGES / 4, "hardly anything of it was ever read: {tally:?}");
    assert!(tally.most_strangers > 1_000 && tally.turned_away > 0, "{tally:?}");
}

#[test]
fn the_same_seed_sends_the_same_messages() {
    let sent = |seed| run(seed, 1_500, |_| {}).unwrap().unwrap();
    assert_eq!(sent(7), sent(7));
    assert_ne!(sent(7), sent(8));
}

#[test]
fn there_are_samples_of_everything() {
    let corpus = Corpus::load().unwrap();
    let counts = [corpus.heartbeats.len(), corpus.answers.len(), corpus.published.len()];
    assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
    assert!(!corpus.pods.is_empty() && !corpus.queries.is_empty());
    for folder in ["answer/", "heartbeat/", "pod/", "published/", "query/"] {
        assert!(corpus.kept.iter().any(|(name, _)| name.starts_with(folder)), "{folder}");
    }
}
