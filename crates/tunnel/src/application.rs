//! Which application a base may be: what the file that lets it in says beside its token or its user.
//!
//! The name and the cluster of a base decide which modules it is given, and are what the base says. Whoever lets in the
//! bases of several teams can hold each to its own.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use model::{BaseIdentity, TunnelKind};

/// Any name, or any cluster.
const ANY: &str = "-";

/// What bases may be called that come in by one entry; where the entry does not say, whatever they like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Application {
    name: Option<Arc<str>>,
    cluster: Option<Arc<str>>,
}

/// A base says that it is another application than the one that it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it says that its {what} is {said:?}, and by what it bears it is {allowed:?}")]
pub(crate) struct OtherApplication {
    what: &'static str,
    said: Arc<str>,
    allowed: Arc<str>,
}

impl Application {
    /// The columns of an entry.
    pub(crate) fn of(name: Option<&str>, cluster: Option<&str>) -> Self {
        let given = |word: Option<&str>| word.filter(|word| *word != ANY).map(Into::into);
        Self { name: given(name), cluster: given(cluster) }
    }

    /// Whether a base may say this of itself. What it does not say is what the entry says: the stock Java agent tells
    /// no name, and would be asked for it otherwise.
    pub(crate) fn admit(
        &self,
        name: &mut Option<Arc<str>>,
        cluster: &mut Arc<str>,
    ) -> Result<(), OtherApplication> {
        if let Some(allowed) = &self.name {
            let said = name.get_or_insert_with(|| allowed.clone());
            same("name", said, allowed)?;
        }
        if let Some(allowed) = &self.cluster {
            if cluster.is_empty() {
                cluster.clone_from(allowed);
            }
            same("cluster", cluster, allowed)?;
        }
        Ok(())
    }
}

fn same(what: &'static str, said: &Arc<str>, allowed: &Arc<str>) -> Result<(), OtherApplication> {
    // A base makes up what it says.
    let shown = || said.chars().take(100).collect::<String>().into();
    if said == allowed {
        Ok(())
    } else {
        Err(OtherApplication { what, said: shown(), allowed: allowed.clone() })
    }
}

/// Of which bases it was said that they were refused for this: of each once.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<HashSet<BaseIdentity>>);

impl Refused {
    /// The most that are spoken of: whoever has a token may make up identities without end.
    const MOST: usize = 200;

    /// Says it, where it was not said of this base yet.
    pub(crate) fn tell(&self, tunnel: TunnelKind, base: &BaseIdentity, cause: &OtherApplication) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < Self::MOST && told.insert(base.clone()) {
            let code = "OtherUpstream.SecretAKError";
            tracing::warn!(code, %base, %tunnel, %cause, "a base calls itself another application, and is not heard");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_base_says_is_what_its_entry_says_and_what_it_does_not_say_too() {
        let admit = |entry: (Option<&str>, Option<&str>), name: Option<&str>, cluster: &str| {
            let (mut name, mut cluster) = (name.map(Into::into), Arc::from(cluster));
            let admitted = Application::of(entry.0, entry.1).admit(&mut name, &mut cluster);
            admitted.map(|()| (name, cluster)).map_err(|cause| cause.to_string())
        };
        let taken = |name: Option<&str>, cluster: &str| Ok((name.map(Into::into), Arc::from(cluster)));
        for any in [(None, None), (Some("-"), None), (Some("-"), Some("-"))] {
            assert_eq!(admit(any, Some("web"), "blue"), taken(Some("web"), "blue"));
            assert_eq!(admit(any, None, ""), taken(None, ""));
        }
        let web = (Some("web"), Some("blue"));
        assert_eq!(admit(web, Some("web"), "blue"), taken(Some("web"), "blue"));
        assert_eq!(admit(web, None, ""), taken(Some("web"), "blue"));
        let refused = admit(web, Some("pay"), "blue").unwrap_err();
        assert_eq!(refused, "it says that its name is \"pay\", and by what it bears it is \"web\"");
        assert!(admit(web, Some("web"), "red").unwrap_err().contains("cluster is \"red\""));
        assert!(admit((Some("-"), Some("blue")), Some("pay"), "red").is_err());
        assert!(admit((Some("-"), Some("blue")), Some("pay"), "blue").is_ok());
    }
}
