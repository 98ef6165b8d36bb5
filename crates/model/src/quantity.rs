//! Amounts of resources, as Kubernetes writes them (its API's `resource.Quantity`).

use std::{fmt, str::FromStr, sync::Arc};

/// The longest that is read: the API server writes at most 19 digits, a point and a suffix.
const MAX_BYTES: usize = 40;
/// How many of the smallest unit, a billionth, are one.
const ONE: i128 = 1_000_000_000;

/// How much there is of a resource: `10k`, `1.5Gi`, `500m`. The API server may write the same in other words (`1000`
/// becomes `1k`), so two are compared by what they are worth.
#[derive(Debug, Clone)]
pub struct Quantity {
    text: Arc<str>,
    billionths: i128,
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no amount as Kubernetes writes it (10k, 1.5Gi, 500m)")]
pub struct QuantityError;

impl Quantity {
    /// As it was written.
    pub fn as_str(&self) -> &Arc<str> {
        &self.text
    }

    /// It is less than nothing.
    pub fn is_negative(&self) -> bool {
        self.billionths < 0
    }

    /// Two texts say the same amount, in whatever words. What is no amount is only like itself.
    pub fn same(one: &str, other: &str) -> bool {
        one == other || matches!((one.parse::<Self>(), other.parse::<Self>()), (Ok(a), Ok(b)) if a == b)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

impl Eq for Quantity {}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let billionths = if text.len() > MAX_BYTES { None } else { billionths(text) };
        Ok(Self { text: text.into(), billionths: billionths.ok_or(QuantityError)? })
    }
}

/// What a text is worth; none where it is no amount. What is less than a billionth is cut off.
fn billionths(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && part.is_empty()) || part.contains('.') {
        return None;
    }
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    let (times, of) = factor(suffix)?;
    let tenths = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let worth = digits.checked_mul(ONE)?.checked_mul(times)?.checked_div(of.checked_mul(tenths)?)?;
    Some(if negative { -worth } else { worth })
}

/// What a suffix multiplies by, and what it divides by.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    let thousands = |n: u32| 1_000_i128.checked_pow(n);
    let kibi = |n: u32| 1_024_i128.checked_pow(n);
    let (times, of) = match suffix {
        "" => (Some(1), Some(1)),
        "n" => (Some(1), thousands(3)),
        "u" => (Some(1), thousands(2)),
        "m" => (Some(1), thousands(1)),
        "k" => (thousands(1), Some(1)),
        "M" => (thousands(2), Some(1)),
        "G" => (thousands(3), Some(1)),
        "T" => (thousands(4), Some(1)),
        "P" => (thousands(5), Some(1)),
        "E" => (thousands(6), Some(1)),
        "Ki" => (kibi(1), Some(1)),
        "Mi" => (kibi(2), Some(1)),
        "Gi" => (kibi(3), Some(1)),
        "Ti" => (kibi(4), Some(1)),
        "Pi" => (kibi(5), Some(1)),
        "Ei" => (kibi(6), Some(1)),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs());
            if exponent < 0 { (Some(1), power) } else { (power, Some(1)) }
        }
    };
    times.zip(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_may_be_spelt_in_other_words() {
        for (one, other) in [
            ("1000", "1k"),
            ("2000", "2k"),
            ("0.5", "500m"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("12E", "12e18"),
            ("100u", "0.0001"),
            ("+7", "7"),
        ] {
            assert!(Quantity::same(one, other), "{one} {other}");
        }
        assert!(!Quantity::same("1k", "1Ki") && !Quantity::same("1", "-1") && !Quantity::same("1", "x"));
        assert!(Quantity::same("x", "x"), "what is no amount is like itself");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "k", ".", "1.2.3", "1 k", "1kk", "0x10", "ten", "1e", "1e99", "-", "1KI"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
        assert!("9".repeat(41).parse::<Quantity>().is_err());
        assert!("-1".parse::<Quantity>().is_ok_and(|quantity| quantity.is_negative()));
    }
}
