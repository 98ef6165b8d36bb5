//! Failures by the names of Java's exceptions.
//!
//! They are part of the protocol: clients know by them whether a package was not found, not reached or not good, and
//! whether the module's own start failed.

use lifecycle::{Failure, Refusal};
use serde_json::{Value, json};

/// What Java would throw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    class: &'static str,
    message: String,
    /// What is behind it, innermost last.
    causes: Vec<String>,
}

/// What Arklet wraps every failure in.
const ARKLET: &str = "com.alipay.sofa.koupleless.arklet.core.common.exception.ArkletRuntimeException";

/// What it calls a request that cannot be.
const INVALID: &str = "com.alipay.sofa.koupleless.arklet.core.common.exception.CommandValidationException";

/// What Java says where the main method of a module fails.
const STARTING: &str = "java.lang.reflect.InvocationTargetException";

/// Where everything is thrown.
const FRAME: &str = "\n\tat koupleless.base";

impl Exception {
    /// A request that cannot be carried out, whatever the base holds.
    pub(crate) fn invalid(message: &str) -> Self {
        Self { class: INVALID, message: message.to_owned(), causes: Vec::new() }
    }

    /// `class: message`, or what there is of them.
    fn line(&self) -> String {
        match (self.class, &*self.message) {
            (INVALID, message) => message.to_owned(),
            (class, "") => class.to_owned(),
            (class, message) => format!("{class}: {message}"),
        }
    }

    /// What it says in one line: of an answer's `message`.
    pub(crate) fn message(&self) -> String {
        self.line()
    }

    /// A stack trace. It has one frame, by which clients tell a trace from a message: there is no Java to have more.
    pub(crate) fn trace(&self) -> String {
        let mut trace = match self.class {
            INVALID => format!("{INVALID}: {}{FRAME}", self.message),
            _ => format!("{ARKLET}: {0}{FRAME}\nCaused by: {0}", self.line()),
        };
        for cause in &self.causes {
            trace.push_str("\nCaused by: ");
            trace.push_str(cause);
        }
        trace
    }

    /// As the record of an asynchronous operation has it.
    pub(crate) fn throwable(&self) -> Value {
        let inner = self.causes.iter().rev().fold(None, |inner: Option<Value>, cause| {
            let mut one = json!({"@type": "java.lang.IllegalStateException", "message": cause});
            if let (Some(map), Some(inner)) = (one.as_object_mut(), inner) {
                map.insert("cause".to_owned(), inner);
            }
            Some(one)
        });
        let mut own = json!({"@type": self.class});
        if let Some(map) = own.as_object_mut() {
            if !self.message.is_empty() {
                map.insert("message".to_owned(), self.message.clone().into());
            }
            if let Some(inner) = inner {
                map.insert("cause".to_owned(), inner);
            }
        }
        json!({"@type": ARKLET, "message": self.line(), "cause": own})
    }
}

impl From<&Failure> for Exception {
    fn from(failure: &Failure) -> Self {
        let (class, message, causes) = match failure {
            Failure::PackageMissing(what) => ("java.io.FileNotFoundException", what.clone(), vec![]),
            Failure::Scheme(what) => ("java.net.MalformedURLException", what.clone(), vec![]),
            Failure::Unreachable(what) => ("java.net.ConnectException", what.clone(), vec![]),
            Failure::TimedOut(what) => ("java.net.SocketTimeoutException", what.clone(), vec![]),
            Failure::BadPackage(what) => ("java.util.zip.ZipException", what.clone(), vec![]),
            Failure::PathTaken { path, owner } => {
                let taken = format!(
                    "java.lang.IllegalArgumentException: Child name [{path}] is not unique: {owner} has it"
                );
                (STARTING, String::new(), vec![taken])
            }
            Failure::StartUp(what) => (STARTING, String::new(), vec![what.clone()]),
            Failure::Full(_) | Failure::Internal(_) => {
                ("java.lang.IllegalStateException", failure.to_string(), vec![])
            }
        };
        Self { class, message, causes }
    }
}

/// A refusal that Java has an exception for.
pub(super) fn of_refusal(refusal: &Refusal) -> Option<Exception> {
    match refusal {
        Refusal::Failed(failure) => Some(failure.into()),
        Refusal::CannotServe(..) => Some(Exception {
            class: "java.lang.IllegalStateException",
            message: refusal.to_string(),
            causes: vec![],
        }),
        Refusal::Conflict { .. } | Refusal::Repeat(_) | Refusal::NotFound(..) => None,
    }
}
