//! How a module says that it is.

/// What a module answers to who asks for its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can do its work.
    Up,
    /// It cannot, and why, one line.
    Down(String),
    /// It did not say, and why, one line.
    Unknown(String),
}
