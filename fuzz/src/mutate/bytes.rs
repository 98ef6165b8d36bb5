//! Damage that knows nothing of what the bytes mean.

use fastrand::Rng;

/// The longest piece that is cut out, put in twice or moved.
const PIECE: usize = 256;

/// What a parser may take for something else.
const ODD: [&[u8]; 8] =
    [b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\\ud800", b"\xef\xbb\xbf", b"\r\n\r\n", b"\"}]"];

/// One bit turned over, one piece cut out, doubled, moved or overwritten, or the rest cut off.
pub(super) fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(0..=bytes.len());
    let end = (at + rng.usize(1..PIECE)).min(bytes.len());
    match rng.u8(0..7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes.get(at..end).unwrap_or_default().to_vec();
            bytes.splice(at..at, piece);
        }
        3 => {
            let piece: Vec<u8> = bytes.drain(at..end).collect();
            let to = rng.usize(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        4 => drop(bytes.splice(at..at, rng.choice(ODD).unwrap_or_default().iter().copied())),
        5 => bytes.splice(at..end, std::iter::repeat_with(|| rng.u8(..)).take(8)).for_each(drop),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.u8(0..8);
            }
        }
    }
}
