//! The embedded broker's users (`BROKER_USERS_FILE`), and what each may say and hear: a base speaks as
//! itself and hears what is said to it.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{Mutex, PoisonError},
};

use model::{BaseIdentity, Secret};
use mqtt5::{
    broker::auth::{AuthProvider, AuthResult},
    packet::connect::ConnectPacket,
    protocol::v5::reason_codes::ReasonCode,
};
use subtle::ConstantTimeEq as _;

use super::{Decision, MAX_CLIENTS, wrong_password};
use crate::{
    application::Application,
    files::{FileError, NamedFile, Reloaded, content},
};

/// The variable that names the file.
pub const USERS_VARIABLE: &str = "BROKER_USERS_FILE";

/// The largest file, in bytes: a hundred for each of 10,000 bases.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The shortest password, in bytes: less can be found out by trying.
const MIN_PASSWORD_BYTES: usize = 16;

/// The users of a file, one a line: name, password, the identity that it may speak as, the name of such a base and its
/// cluster, with blanks between them. Where there is no identity, or `-`, it is the user's name; `prefix*` means all that
/// begin so. Where there is no base's name or cluster, or `-`, it may be any. Empty
/// lines and lines that begin with `#` do not count. The file is read again when it changes.
#[derive(Debug, Clone)]
pub struct UsersFile(pub(crate) Reloaded<Users>);

/// The users of now. It has no `Debug`.
pub(crate) struct Users(HashMap<String, User>);

struct User {
    password: Secret,
    speaks_as: SpeaksAs,
    application: Application,
}

impl Users {
    /// Which applications a base of this identity may be: those of the users who may speak as it. None where there is no such
    /// user.
    pub(crate) fn applications<'a>(&'a self, identity: &'a str) -> impl Iterator<Item = &'a Application> {
        self.0.values().filter(move |user| user.speaks_as.admits(identity)).map(|user| &user.application)
    }
}

/// As whom a user may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SpeaksAs {
    One(BaseIdentity),
    Prefix(String),
}

impl UsersFile {
    /// Reads it.
    ///
    /// # Errors
    /// Where the file cannot be read, or a line of it is no user. The line is named and not shown.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let file = NamedFile { variable: USERS_VARIABLE, path: path.to_owned(), max_bytes: MAX_FILE_BYTES };
        let make = |files: &[NamedFile], contents: &[Vec<u8>]| {
            let ([file], [text]) = (files, contents) else {
                return Err(content(USERS_VARIABLE, Path::new(""), "is missing"));
            };
            users(&String::from_utf8_lossy(text)).map_err(|what| content(USERS_VARIABLE, &file.path, what))
        };
        Reloaded::load(vec![file], Box::new(make)).map(Self)
    }
}

fn users(text: &str) -> Result<Users, String> {
    let mut users = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, user) = user(line).map_err(|what| format!("line {}: {what}", index + 1))?;
        if users.insert(name, user).is_some() {
            return Err(format!("line {}: this user is there already", index + 1));
        }
    }
    if users.is_empty() { Err("holds no user".to_owned()) } else { Ok(Users(users)) }
}

fn user(line: &str) -> Result<(String, User), String> {
    let mut words = line.split_whitespace();
    let expected = "expected are a name, a password and perhaps an identity, a base's name and its cluster, with blanks between";
    let (Some(name), Some(password)) = (words.next(), words.next()) else { return Err(expected.to_owned()) };
    let identity = words.next().filter(|identity| *identity != "-");
    let application = Application::of(words.next(), words.next());
    if words.next().is_some() {
        return Err(expected.to_owned());
    }
    if password.len() < MIN_PASSWORD_BYTES {
        return Err(format!(
            "the password has {} bytes; at least {MIN_PASSWORD_BYTES} are one",
            password.len()
        ));
    }
    let identity = identity.unwrap_or(name);
    let speaks_as = match identity.strip_suffix('*') {
        Some("") => return Err("the identity * is everybody's; give a prefix".to_owned()),
        Some(prefix) => SpeaksAs::Prefix(prefix.to_owned()),
        None => SpeaksAs::One(identity.parse().map_err(|cause| format!("{cause}"))?),
    };
    Ok((name.to_owned(), User { password: Secret::new(password), speaks_as, application }))
}

impl SpeaksAs {
    fn admits(&self, identity: &str) -> bool {
        match self {
            Self::One(one) => one.as_str() == identity,
            // A filter's wildcards are no identity: `web-+` would be everybody's that begins so.
            Self::Prefix(prefix) => identity.starts_with(prefix) && identity.parse::<BaseIdentity>().is_ok(),
        }
    }
}

/// A topic or filter of an environment: the identity and what comes after it.
fn parts<'a>(env: &str, topic: &'a str) -> Option<(&'a str, &'a str)> {
    topic.strip_prefix("koupleless_")?.strip_prefix(env)?.strip_prefix('/')?.split_once('/')
}

/// Lets in the controller, who may do everything, and the users of a file, who may not.
pub(super) struct Doorman {
    pub(super) env: String,
    pub(super) controller: (String, Secret),
    pub(super) users: Reloaded<Users>,
    /// Which user has which client id: a broker cuts off whoever had it before, so nobody may take
    /// that of another.
    client_ids: Mutex<HashMap<String, String>>,
}

impl fmt::Debug for Doorman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorman").field("users", &self.users).finish_non_exhaustive()
    }
}

impl Doorman {
    pub(super) fn new(env: String, controller: (String, Secret), users: Reloaded<Users>) -> Self {
        Self { env, controller, users, client_ids: Mutex::default() }
    }

    fn knows(&self, user: &str, password: &[u8]) -> bool {
        let (controller, secret) = &self.controller;
        if user == controller {
            return password.ct_eq(secret.expose().as_bytes()).into();
        }
        let users = self.users.current();
        users.0.get(user).is_some_and(|user| password.ct_eq(user.password.expose().as_bytes()).into())
    }

    /// Takes a client id for a user; false where another has it.
    fn takes(&self, client_id: &str, user: &str) -> bool {
        // None was given: the broker makes one up.
        if client_id.is_empty() {
            return true;
        }
        let mut taken = self.client_ids.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get(client_id) {
            Some(other) => other == user,
            // As many as can be connected; whoever disconnects gives his back.
            None if taken.len() >= MAX_CLIENTS => false,
            None => {
                taken.insert(client_id.to_owned(), user.to_owned());
                true
            }
        }
    }

    fn may(&self, user: Option<&str>, topic: &str, rest_allowed: impl FnOnce(&str) -> bool) -> bool {
        let Some(user) = user else { return false };
        if user == self.controller.0 {
            return true;
        }
        let users = self.users.current();
        let (Some(user), Some((identity, rest))) = (users.0.get(user), parts(&self.env, topic)) else {
            return false;
        };
        user.speaks_as.admits(identity) && rest_allowed(rest)
    }
}

/// What a base publishes: `base/<channel>`, but not the baseline, which is the controller's to say.
fn is_said_by_a_base(rest: &str) -> bool {
    rest.strip_prefix("base/").is_some_and(|channel| !channel.contains('/') && channel != "baseline")
}

impl AuthProvider for Doorman {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _client: SocketAddr,
    ) -> Decision<'a, mqtt5::error::Result<AuthResult>> {
        let user = connect.username.as_deref().unwrap_or_default();
        let known = self.knows(user, connect.password.as_deref().unwrap_or_default());
        Box::pin(async move {
            Ok(if !known {
                wrong_password().await
            } else if !self.takes(&connect.client_id, user) {
                AuthResult::fail(ReasonCode::ClientIdentifierNotValid)
            } else {
                AuthResult::success_with_user(user)
            })
        })
    }

    fn authorize_publish<'a>(&'a self, _: &str, user: Option<&'a str>, topic: &'a str) -> Decision<'a, bool> {
        let may = self.may(user, topic, is_said_by_a_base);
        Box::pin(async move { may })
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> Decision<'a, bool> {
        // All below its own identity is said to it, or by it.
        let may = self.may(user, filter, |_| true);
        Box::pin(async move { may })
    }

    fn cleanup_session<'a>(&'a self, user: &'a str) -> Decision<'a, ()> {
        self.client_ids.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, other| other != user);
        Box::pin(async {})
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    const FILE: &str =
        "# bases\n\nb1 0123456789abcdef\nweb  0123456789abcdef  web-*\nnode 0123456789abcdef 10.0.0.1\n";

    fn doorman() -> Doorman {
        // Tests run side by side.
        static FILES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = FILES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tunnel-users-{}-{number}", std::process::id()));
        std::fs::write(&path, FILE).unwrap();
        let users = UsersFile::load(&path).unwrap();
        Doorman::new("dev".into(), ("controller".into(), Secret::new("secret")), users.0)
    }

    #[test]
    fn a_base_speaks_as_itself_only_and_hears_what_is_said_to_it_only() {
        let doorman = doorman();
        let publish = |user: &str, topic: &str| doorman.may(Some(user), topic, is_said_by_a_base);
        let subscribe = |user: &str, filter: &str| doorman.may(Some(user), filter, |_| true);
        for (user, identity) in [("b1", "b1"), ("web", "web-7"), ("node", "10.0.0.1")] {
            for channel in ["heart", "health", "simpleBiz", "bizOperation", "queryBaseline"] {
                assert!(
                    publish(user, &format!("koupleless_dev/{identity}/base/{channel}")),
                    "{user} {channel}"
                );
            }
            for rest in ["+", "installBiz", "base/baseline", "#"] {
                assert!(subscribe(user, &format!("koupleless_dev/{identity}/{rest}")), "{user} {rest}");
            }
        }
        for topic in [
            "koupleless_dev/b2/base/heart",
            "koupleless_prod/b1/base/heart",
            "koupleless_dev/b1/installBiz",
            "koupleless_dev/b1/base/baseline",
            "koupleless_dev/b1/base/heart/more",
            "elsewhere",
            "$SYS/x",
        ] {
            assert!(!publish("b1", topic), "{topic}");
        }
        for filter in [
            "#",
            "+/+/+",
            "koupleless_dev/#",
            "koupleless_dev/+/base/+",
            "koupleless_dev/b2/+",
            "$share/g/koupleless_dev/b1/+",
        ] {
            assert!(!subscribe("b1", filter), "{filter}");
        }
        assert!(
            !subscribe("web", "koupleless_dev/web-+/base/+") && !subscribe("web", "koupleless_dev/web/+")
        );
        assert!(!publish("stranger", "koupleless_dev/stranger/base/heart"));
        assert!(!doorman.may(None, "koupleless_dev/b1/base/heart", is_said_by_a_base));
        assert!(
            publish("controller", "koupleless_dev/b1/installBiz")
                && subscribe("controller", "koupleless_dev/+/base/+")
        );
    }

    #[test]
    fn a_client_id_is_one_users_while_it_is_there() {
        let doorman = doorman();
        assert!(
            doorman.takes("controller@@@1", "controller") && doorman.takes("controller@@@1", "controller")
        );
        assert!(!doorman.takes("controller@@@1", "b1") && doorman.takes("", "b1"));
        drop(doorman.cleanup_session("controller"));
        assert!(doorman.takes("controller@@@1", "b1"));
    }

    #[test]
    fn a_user_may_say_which_application_its_bases_are() {
        let text =
            "web 0123456789abcdef web-* web blue\nany 0123456789abcdef web-7\npay 0123456789abcdef - pay";
        let users = users(text).unwrap();
        let of = |identity: &str| {
            let mut all: Vec<String> = users.applications(identity).map(|a| format!("{a:?}")).collect();
            all.sort();
            all
        };
        let said = |name, cluster| format!("{:?}", Application::of(name, cluster));
        assert_eq!(of("web-1"), [said(Some("web"), Some("blue"))]);
        assert_eq!(of("web-7").len(), 2);
        assert_eq!(of("pay"), [said(Some("pay"), None)]);
        assert!(of("nobody").is_empty());
    }

    #[test]
    fn a_line_that_is_no_user_is_named_and_not_shown() {
        for (text, said) in [
            ("", "holds no user"),
            ("b1\n", "line 1: expected are a name, a password"),
            ("# x\nb1 hunter2\n", "line 2: the password has 7 bytes; at least 16"),
            ("b1 hunter2-hunter2-hunter2 a/b\n", "holds the character '/'"),
            ("b1 hunter2-hunter2-hunter2 *\n", "the identity * is everybody's"),
            ("b1 hunter2-hunter2-hunter2 b1 web blue x\n", "line 1: expected are"),
            (
                "b1 hunter2-hunter2-hunter2\nb1 hunter2-hunter2-hunter2\n",
                "line 2: this user is there already",
            ),
        ] {
            let Err(what) = users(text) else { panic!("{text:?}") };
            assert!(what.contains(said) && !what.contains("hunter"), "{what}");
        }
    }
}
