//! Topics that nobody should publish on.

use fastrand::Rng;

/// Parts that a topic may have in the wrong place.
const PARTS: [&str; 14] = [
    "",
    "+",
    "#",
    "base",
    "heart",
    "health",
    "baseline",
    "installBiz",
    "koupleless_sim",
    "koupleless_other",
    "$SYS",
    "\0",
    "基座",
    "..",
];

/// The topic with one of its parts left out, doubled, exchanged or stretched.
pub(crate) fn topic(topic: &str, rng: &mut Rng) -> String {
    let mut parts: Vec<String> = topic.split('/').map(str::to_owned).collect();
    let at = rng.usize(0..parts.len());
    let part = rng.choice(PARTS).unwrap_or_default().to_owned();
    match rng.u8(0..5) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, part),
        2 => rng.shuffle(&mut parts),
        3 => {
            if let Some(old) = parts.get_mut(at) {
                *old = old.repeat(rng.usize(2..40));
            }
        }
        _ => {
            if let Some(old) = parts.get_mut(at) {
                *old = part;
            }
        }
    }
    parts.join("/")
}
