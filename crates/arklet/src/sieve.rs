//! What is kept of a large JSON text while it comes in: enough to read it, and never more than so much.
//!
//! The text is looked at once, byte by byte. Long strings (stack traces, nearly always) are cut, blanks between values go,
//! and a text with too many values, or of which too much is left, is refused before the rest of it is read.

/// What is kept of a string at the beginning: the innermost cause of a failure is at the end of its stack trace, and a
/// deep framework's has some tens of KiB.
const LONG_STRING: usize = 128 * 1024;

/// What is kept of a string once half of what may be kept is: names and versions are shorter.
const SHORT_STRING: usize = 512;

/// What a text may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SieveLimits {
    /// Bytes that are looked at.
    pub read: usize,
    /// Bytes that are kept.
    pub kept: usize,
    /// Values: entries of lists and fields of objects.
    pub values: usize,
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SieveError {
    /// It is longer than [`SieveLimits::read`].
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    /// It has more values than [`SieveLimits::values`].
    #[error("it holds more than {0} values")]
    TooManyValues(usize),
    /// More than [`SieveLimits::kept`] is left of it.
    #[error("more than {0} bytes of it would have to be kept")]
    TooMuch(usize),
}

/// Where in the text the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of strings.
    Between,
    /// In a string, before a character.
    String,
    /// In a string, behind a backslash.
    Escape,
    /// In a string, with so many digits of a `\u` to come.
    Digits(u8),
}

/// One text on its way.
#[derive(Debug)]
pub struct Sieve {
    limits: SieveLimits,
    read: usize,
    values: usize,
    kept: Vec<u8>,
    place: State,
    /// What was kept of the present string.
    string: usize,
    /// The rest of the present string is dropped.
    drops: bool,
    /// The digits of a `\u` so far.
    code: u16,
    /// The last character was the first half of a pair, which must not stand alone.
    half: bool,
    /// There was a blank, which may part two values.
    blank: bool,
}

impl Sieve {
    /// Nothing was read yet.
    pub fn new(limits: SieveLimits) -> Self {
        Self {
            limits,
            read: 0,
            values: 0,
            kept: Vec::new(),
            place: State::Between,
            string: 0,
            drops: false,
            code: 0,
            half: false,
            blank: false,
        }
    }

    /// Takes the next part of the text.
    ///
    /// # Errors
    /// Where the text is more than it may be: nothing more of it need be read.
    pub fn feed(&mut self, part: &[u8]) -> Result<(), SieveError> {
        self.read = self.read.saturating_add(part.len());
        if self.read > self.limits.read {
            return Err(SieveError::TooLong(self.limits.read));
        }
        part.iter().try_for_each(|&byte| self.take(byte))
    }

    /// How many bytes are kept at the moment.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// What is left of the text, as JSON where it was JSON.
    pub fn finish(self) -> Vec<u8> {
        self.kept
    }

    fn take(&mut self, byte: u8) -> Result<(), SieveError> {
        match self.place {
            State::Between => self.between(byte),
            State::String => self.character(byte),
            State::Escape => {
                (self.place, self.code) = (if byte == b'u' { State::Digits(4) } else { State::String }, 0);
                self.half &= byte == b'u';
                self.put(byte)
            }
            State::Digits(left) => {
                let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
                self.code = self.code.wrapping_mul(16).wrapping_add(digit.unwrap_or(0));
                self.place = State::Digits(left.saturating_sub(1));
                if left <= 1 {
                    (self.place, self.half) = (State::String, (0xd800..0xdc00).contains(&self.code));
                }
                self.put(byte)
            }
        }
    }

    fn between(&mut self, byte: u8) -> Result<(), SieveError> {
        if byte.is_ascii_whitespace() {
            self.blank = true;
            return Ok(());
        }
        let parts = std::mem::take(&mut self.blank) && self.kept.last().is_some_and(|last| is_of_word(*last));
        if parts && is_of_word(byte) {
            self.put(b' ')?;
        }
        match byte {
            b'"' => (self.place, self.string, self.half) = (State::String, 0, false),
            b'{' | b'[' | b',' => {
                self.values += 1;
                if self.values > self.limits.values {
                    return Err(SieveError::TooManyValues(self.limits.values));
                }
            }
            _ => {}
        }
        self.put(byte)
    }

    /// The first byte of a character in a string, or a further one.
    fn character(&mut self, byte: u8) -> Result<(), SieveError> {
        if byte == b'"' {
            (self.place, self.drops) = (State::Between, false);
            return self.put(byte);
        }
        let begins = byte & 0b1100_0000 != 0b1000_0000;
        let long = if self.kept.len() < self.limits.kept / 2 { LONG_STRING } else { SHORT_STRING };
        let whole = begins && !self.half;
        self.drops |= whole && self.string >= long.min(self.limits.kept / 4);
        if byte == b'\\' {
            self.place = State::Escape;
        } else {
            self.half = false;
        }
        self.put(byte)
    }

    fn put(&mut self, byte: u8) -> Result<(), SieveError> {
        if self.drops {
            return Ok(());
        }
        if self.kept.len() >= self.limits.kept {
            return Err(SieveError::TooMuch(self.limits.kept));
        }
        if self.kept.len() == self.kept.capacity() {
            // Doubled, it would be half empty.
            let more = (self.kept.len() / 4).max(4 * 1024).min(self.limits.kept - self.kept.len());
            self.kept.reserve_exact(more);
        }
        self.kept.push(byte);
        self.string += 1;
        Ok(())
    }
}

/// What is left of a text that is in memory already.
///
/// # Errors
/// Where it is more than it may be.
pub fn sieve(text: &[u8], limits: SieveLimits) -> Result<Vec<u8>, SieveError> {
    let mut sieve = Sieve::new(limits);
    sieve.feed(text)?;
    Ok(sieve.finish())
}

/// Two of these would become one word without a blank in between.
fn is_of_word(byte: u8) -> bool {
    !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const LIMITS: SieveLimits = SieveLimits { read: 8 << 20, kept: 1 << 20, values: 1_000 };

    fn value(text: &[u8]) -> Value {
        serde_json::from_slice(text)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
    }

    #[test]
    fn what_is_short_is_kept_as_it_was() {
        for text in [
            r#" { "a" : [ 1 , -2.5e3 , true , null , "x y\n\"\\" ] , "ü😀" : { } } "#,
            "[]",
            r#""\ud83d\ude00""#,
            "17",
        ] {
            let left = sieve(text.as_bytes(), LIMITS).unwrap();
            assert_eq!(value(&left), value(text.as_bytes()), "{text}");
        }
        assert_eq!(sieve(b"1 2", LIMITS).unwrap(), b"1 2", "what is no JSON does not become any");
    }

    #[test]
    fn a_long_string_is_cut_between_two_characters_wherever_the_parts_end() {
        for unit in ["x", "ü", "😀", r"\n", r"\u00e4", r"\ud83d\ude00", r"x\ud83d\ude00", "xü😀"] {
            let text =
                format!(r#"{{"long":"{}","after":"here"}}"#, unit.repeat(2 * LONG_STRING / unit.len()));
            for size in [1, 7, 4_096] {
                let mut sieve = Sieve::new(LIMITS);
                text.as_bytes().chunks(size).for_each(|part| sieve.feed(part).unwrap());
                let left = value(&sieve.finish());
                assert_eq!(left["after"], "here", "{unit}");
                let long = left["long"].as_str().unwrap();
                let whole = value(text.as_bytes());
                assert!(whole["long"].as_str().unwrap().starts_with(long) && !long.is_empty(), "{unit}");
            }
        }
    }

    #[test]
    fn of_a_list_with_a_thousand_stack_traces_every_entry_is_kept() {
        let trace = "x".repeat(8_000);
        let entry = |n: usize| format!(r#"{{"name":"biz{n}","message":"{trace}"}}"#);
        let text = format!("[{}]", (0..300).map(entry).collect::<Vec<_>>().join(","));
        let left = sieve(text.as_bytes(), LIMITS).unwrap();
        let left = value(&left);
        assert_eq!(left.as_array().unwrap().len(), 300);
        assert_eq!(left[299]["name"], "biz299");
    }

    #[test]
    fn nothing_makes_it_keep_more_than_it_may() {
        let limits = SieveLimits { read: 1 << 20, kept: 10_000, values: 100 };
        let endless = |part: &str| {
            let mut sieve = Sieve::new(limits);
            let mut most = 0;
            for _ in 0..2 << 20 {
                match sieve.feed(part.as_bytes()) {
                    Ok(()) => most = most.max(sieve.kept.capacity()),
                    Err(error) => {
                        assert!(most <= limits.kept, "{part}: {most}");
                        return error;
                    }
                }
            }
            panic!("{part} has no end");
        };
        assert_eq!(endless("[0,"), SieveError::TooManyValues(100));
        assert_eq!(endless("{}"), SieveError::TooManyValues(100));
        assert_eq!(endless("0"), SieveError::TooMuch(10_000));
        assert_eq!(endless("\"x\":"), SieveError::TooMuch(10_000));
        assert_eq!(endless(" "), SieveError::TooLong(1 << 20));
        assert_eq!(endless("\"\\"), SieveError::TooLong(1 << 20), "one string without an end");
    }
}
