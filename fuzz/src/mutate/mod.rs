//! How a good message becomes a bad one.

mod bytes;
mod json;
mod topics;

use fastrand::Rng;

pub(crate) use json::SECRET;
pub(crate) use topics::topic;

/// The largest message that is made, in bytes: what the HTTP tunnel takes of a heartbeat. The tunnels refuse larger ones
/// before they are read, which their own tests show.
const LARGEST: usize = 64 * 1024;

/// A text, changed in its structure, in its bytes, in both or not at all; and whether no byte was damaged.
pub(crate) fn text(sample: &str, rng: &mut Rng) -> (Vec<u8>, bool) {
    let mut bytes = match (rng.u8(0..8), serde_json::from_str(sample)) {
        (0, _) | (_, Err(_)) => sample.as_bytes().to_vec(),
        (_, Ok(value)) => json::changed(value, rng).into_bytes(),
    };
    let damaged = rng.u8(0..3) == 0;
    if damaged {
        for _ in 0..rng.u8(1..4) {
            bytes::damage(&mut bytes, rng);
        }
    }
    let whole = !damaged && bytes.len() <= LARGEST;
    bytes.truncate(LARGEST);
    (bytes, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_text_and_another_makes_another() {
        let sample = r#"{"a":[1,{"b":"c"}],"d":null}"#;
        let made = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..50).map(|_| text(sample, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(3).iter().all(|(bytes, _)| bytes.len() <= LARGEST));
    }
}
