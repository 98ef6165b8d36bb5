//! Why a file is no package.

/// What is wrong with a package. None is of the kind that goes away when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// Not WebAssembly at all, or cut short.
    #[error("it is no WebAssembly component: {0}")]
    NotWasm(String),
    /// A core module: what compilers make before it becomes a component.
    #[error(
        "it is a WebAssembly core module, and no component; make one of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// A component without the section.
    #[error("it has no section koupleless:biz; add one with `base stamp`")]
    NoSection,
    /// More than one section: which of them is meant is not known.
    #[error("it has {0} sections koupleless:biz; one is allowed")]
    ManySections(usize),
    /// A file that is stamped is stamped again.
    #[error(
        "it is a package already, of {0}: a section koupleless:biz is there; stamp the component that the compiler wrote, or \
         take the section out first (`wasm-tools strip --delete koupleless:biz`)"
    )]
    Stamped(String),
    /// The section is longer than any that says what it should.
    #[error("its section koupleless:biz has {bytes} bytes; at most {limit} are read")]
    LongSection {
        /// As many as it has.
        bytes: usize,
        /// As many as are read.
        limit: usize,
    },
    /// The section is no JSON, or says what it cannot.
    #[error("its section koupleless:biz cannot be read: {0}")]
    BadSection(String),
}
