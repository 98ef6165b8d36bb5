//! Who looks at the board: a token, and what the API server says of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ask::read::Failure;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::{
    api::{Api, Token},
    rights::{Asker, Sight},
    store::Store,
};

/// How long rights are believed: a right that is taken away is gone from the page by then.
const BELIEVED: Duration = Duration::from_secs(15);
/// How long rights are believed of which the API server cannot be asked: what is shown is as old.
const BELIEVED_AWAY: Duration = Duration::from_secs(600);
/// How long after the API server could not be asked it is asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// Viewers that are remembered; one that is forgotten is asked for again.
const MOST: usize = 1_000;
/// Questions at once for tokens that anybody may have made up.
const MOST_UNVERIFIED: usize = 16;

/// Who somebody is, as the API server says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
}

/// One viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) token: Token,
    known: AsyncMutex<Known>,
    /// Streams of events that are open.
    pub(crate) streams: AtomicUsize,
    used: Mutex<Instant>,
}

/// What is known of what a viewer may see.
#[derive(Debug, Default)]
struct Known {
    sight: Option<(Instant, Sight)>,
    /// When the API server could not be asked, and why: whoever waited meanwhile does not ask it again.
    failed: Option<(Instant, Failure)>,
}

impl Known {
    /// What is believed without asking.
    fn believed(&self) -> Option<Result<Sight, Failure>> {
        if let Some((at, sight)) = &self.sight
            && at.elapsed() < BELIEVED
        {
            return Some(Ok(sight.clone()));
        }
        let (at, failure) = self.failed.as_ref()?;
        (at.elapsed() < ASKED_AGAIN).then(|| self.without_an_answer(failure.clone()))
    }

    /// What was seen last is better than nothing, and what is shown is as old.
    fn without_an_answer(&self, failure: Failure) -> Result<Sight, Failure> {
        match &self.sight {
            Some((at, sight)) if at.elapsed() < BELIEVED_AWAY => Ok(sight.clone()),
            _ => Err(failure),
        }
    }
}

impl Viewer {
    fn new(token: Token) -> Self {
        Self {
            token,
            known: AsyncMutex::default(),
            streams: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
        }
    }

    /// What this viewer may see.
    async fn sight(&self, api: &Api, store: &Store) -> Result<Sight, Failure> {
        let mut known = self.known.lock().await;
        if let Some(believed) = known.believed() {
            return believed;
        }
        let asker = Asker { api, token: &self.token };
        match asker.sight(|| store.namespaces()).await {
            Ok(sight) => {
                *known = Known { sight: Some((Instant::now(), sight.clone())), failed: None };
                Ok(sight)
            }
            Err(Failure::Unauthorized(why)) => {
                *known = Known::default();
                Err(Failure::Unauthorized(why))
            }
            Err(failure) => {
                known.failed = Some((Instant::now(), failure.clone()));
                known.without_an_answer(failure)
            }
        }
    }

    /// Who it is.
    pub(crate) async fn identity(&self, api: &Api) -> Result<Identity, Failure> {
        identity(api, &self.token).await
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who has this token.
pub(crate) async fn identity(api: &Api, token: &Token) -> Result<Identity, Failure> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: Identity,
    }
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    match api.post::<Review>(token, path, &body).await {
        Ok(review) => Ok(review.status.user_info),
        // An API server before 1.28 does not say who somebody is; it still knows whether it knows the token.
        Err(Failure::Unknown(_)) => Ok(Identity::default()),
        Err(failure) => Err(failure),
    }
}

/// Those who were here lately, and tokens that the API server did not know.
#[derive(Debug)]
pub(crate) struct Viewers {
    known: Mutex<HashMap<[u8; 32], Arc<Viewer>>>,
    rejected: Mutex<HashMap<[u8; 32], Instant>>,
    /// Questions at once for those whom the API server has not vouched for yet.
    unverified: Semaphore,
}

impl Default for Viewers {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            rejected: Mutex::default(),
            unverified: Semaphore::new(MOST_UNVERIFIED),
        }
    }
}

impl Viewers {
    /// The viewer with this token. One that the API server has not vouched for yet is remembered by nobody.
    pub(crate) fn of(&self, token: Token) -> Arc<Viewer> {
        match self.locked().get(&token.digest()) {
            Some(viewer) => {
                viewer.touch();
                viewer.clone()
            }
            None => Arc::new(Viewer::new(token)),
        }
    }

    /// What this viewer may see, and the viewer as it is remembered.
    ///
    /// # Errors
    /// The API server does not know the token, or cannot be asked.
    pub(crate) async fn sight(
        &self,
        viewer: &Arc<Viewer>,
        api: &Api,
        store: &Store,
    ) -> Result<(Arc<Viewer>, Sight), Failure> {
        let digest = viewer.token.digest();
        if self.locked().contains_key(&digest) {
            let sight = viewer.sight(api, store).await;
            if matches!(sight, Err(Failure::Unauthorized(_))) {
                self.reject(digest);
            }
            return sight.map(|sight| (viewer.clone(), sight));
        }
        if self.is_rejected(digest) {
            return Err(Failure::Unauthorized("the API server does not know the token".into()));
        }
        let Ok(_place) = self.unverified.acquire().await else {
            return Err(Failure::Away("the board ends".into()));
        };
        match viewer.sight(api, store).await {
            Ok(sight) => Ok((self.keep(digest, viewer), sight)),
            Err(failure) => {
                if matches!(failure, Failure::Unauthorized(_)) {
                    self.reject(digest);
                }
                Err(failure)
            }
        }
    }

    /// One whose streams are open is never forgotten: they count.
    fn keep(&self, digest: [u8; 32], viewer: &Arc<Viewer>) -> Arc<Viewer> {
        let mut known = self.locked();
        if known.len() >= MOST && !known.contains_key(&digest) {
            let idle = known.iter().filter(|(_, viewer)| viewer.streams.load(Ordering::Relaxed) == 0);
            let oldest = idle.min_by_key(|(_, viewer)| viewer.used()).map(|(digest, _)| *digest);
            oldest.map(|digest| known.remove(&digest));
        }
        known.entry(digest).or_insert_with(|| viewer.clone()).clone()
    }

    /// What is believed of this token is believed no more.
    pub(crate) async fn forget(&self, token: &Token) {
        let viewer = self.locked().get(&token.digest()).cloned();
        if let Some(viewer) = viewer {
            *viewer.known.lock().await = Known::default();
        }
    }

    fn reject(&self, digest: [u8; 32]) {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        if rejected.len() >= MOST {
            rejected.retain(|_, at| at.elapsed() < BELIEVED);
        }
        if rejected.len() < MOST {
            rejected.insert(digest, Instant::now());
        }
    }

    fn is_rejected(&self, digest: [u8; 32]) -> bool {
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.get(&digest).is_some_and(|at| at.elapsed() < BELIEVED)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Viewer>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure::Busy("etcd has no leader".into())
    }

    #[test]
    fn what_was_seen_last_is_believed_while_the_api_server_cannot_be_asked() {
        let now = Instant::now();
        let nothing = Known { sight: None, failed: Some((now, failure())) };
        assert_eq!(nothing.believed(), Some(Err(failure())), "whoever waited does not ask again");
        let Some(before) = now.checked_sub(2 * BELIEVED) else { return };
        let old = Known { sight: Some((before, Sight::default())), failed: None };
        assert_eq!(old.believed(), None, "it is asked again");
        let old = Known { failed: Some((now, failure())), ..old };
        assert_eq!(old.believed(), Some(Ok(Sight::default())));
    }

    #[test]
    fn only_whom_the_api_server_vouched_for_is_remembered_and_open_streams_count() {
        let viewers = Viewers::default();
        let of = |name: &str| viewers.of(Token::new(name).unwrap());
        let (one, same) = (of("one"), of("one"));
        assert!(!Arc::ptr_eq(&one, &same));
        let kept = viewers.keep(one.token.digest(), &one);
        assert!(Arc::ptr_eq(&viewers.keep(same.token.digest(), &same), &kept), "who came first stays");
        assert!(Arc::ptr_eq(&of("one"), &kept));
        kept.streams.store(1, Ordering::Relaxed);
        for number in 0..2 * MOST {
            let other = of(&format!("other-{number}"));
            viewers.keep(other.token.digest(), &other);
        }
        assert_eq!(viewers.locked().len(), MOST);
        assert!(Arc::ptr_eq(&of("one"), &kept), "its streams are open");
    }

    #[test]
    fn a_token_that_was_refused_is_not_asked_for_again_at_once() {
        let viewers = Viewers::default();
        let digest = Token::new("wrong").unwrap().digest();
        assert!(!viewers.is_rejected(digest));
        viewers.reject(digest);
        assert!(viewers.is_rejected(digest));
    }
}
