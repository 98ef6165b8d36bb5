//! What changed, to each tab, at most once a second. A tab that was away is told what it missed.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ask::read::Failure;
use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use crate::{
    refusal::{Refusal, Why},
    rights::Sight,
    routes::App,
    session::Asking,
    store::{News, Topic, Versions},
    viewer::Viewer,
};

/// Streams of one viewer, and of all.
const MOST_OF_ONE: usize = 20;
const MOST: usize = 1_000;
/// How often the API server is asked whether it still knows the viewer, and a tab hears that the board is there.
const BREATH: Duration = Duration::from_secs(15);

/// The places of a stream; given back when it ends.
struct Places {
    app: Arc<App>,
    viewer: Arc<Viewer>,
}

impl Places {
    fn take(app: &Arc<App>, viewer: &Arc<Viewer>) -> Option<Self> {
        let take = |of: &AtomicUsize, most: usize| {
            of.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1))
                .is_ok()
        };
        if !take(&app.streams, MOST) {
            return None;
        }
        if !take(&viewer.streams, MOST_OF_ONE) {
            app.streams.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { app: app.clone(), viewer: viewer.clone() })
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.app.streams.fetch_sub(1, Ordering::Relaxed);
        self.viewer.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a tab was told last.
struct Told {
    places: Places,
    news: watch::Receiver<News>,
    stop: watch::Receiver<bool>,
    versions: Option<Versions>,
    stale: Option<Timestamp>,
    sight: Sight,
    due: VecDeque<Event>,
    over: bool,
}

/// Events: `change` with the kinds that changed, `stale`, `fresh` and `expired`.
#[utoipa::path(get, path = "/stream", responses((status = 200, content_type = "text/event-stream",
    description = "Events `change` (data: `{\"kinds\": [\"bases\", \"modules\", \"plans\", \"replicas\"]}`), `stale`, `fresh`, `expired`")))]
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let refused = |why: Why| why.within(asking.language);
    // Of a store that is not whole nobody can tell in which namespaces there is something.
    if !app.store.latest().complete {
        return Err(refused(Why::Starting));
    }
    let sight = app.viewers.sight(&asking.viewer, &app.api, &app.store).await;
    let (viewer, sight) = sight.map_err(|failure| refused(Why::of(failure)))?;
    let places = Places::take(&app, &viewer).ok_or_else(|| refused(Why::Busy))?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut news = app.store.news();
    news.mark_changed();
    let told = Told {
        versions: seen.and_then(|id| versions_of(id, app.born)),
        news,
        stop: app.stop.clone(),
        stale: None,
        sight,
        due: VecDeque::new(),
        over: false,
        places,
    };
    let events = stream::unfold(told, |mut told| async {
        loop {
            if let Some(event) = told.due.pop_front() {
                return Some((Ok(event), told));
            }
            if told.over {
                return None;
            }
            told.listen().await;
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(BREATH)))
}

impl Told {
    /// Waits until there is something to tell, or a breath has passed.
    async fn listen(&mut self) {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => {
                self.over = true;
                return;
            }
            changed = timeout(BREATH, self.news.changed()) => self.over = matches!(changed, Ok(Err(_))),
        }
        self.look().await;
    }

    async fn look(&mut self) {
        let Places { app, viewer } = &self.places;
        match app.viewers.sight(viewer, &app.api, &app.store).await.map(|(_, sight)| sight) {
            Ok(sight) if sight == self.sight => {}
            // Another sight, another page.
            Ok(sight) => {
                self.sight = sight;
                self.versions = None;
            }
            Err(Failure::Unauthorized(_)) => {
                self.due.push_back(event("expired", &json!({})));
                self.over = true;
                return;
            }
            // That it is away is told by the watches.
            Err(_) => {}
        }
        let news = *self.news.borrow_and_update();
        let topics = match self.versions {
            Some(then) => news.versions.since(then),
            None => Topic::ALL.to_vec(),
        };
        if news.complete && !topics.is_empty() {
            self.versions = Some(news.versions);
            let id = id_of(news.versions, self.places.app.born);
            self.due.push_back(event("change", &json!({ "kinds": topics })).id(id));
        }
        if news.stale_since != self.stale {
            self.stale = news.stale_since;
            self.due.push_back(match news.stale_since {
                Some(since) => event("stale", &json!({ "since": since.to_string() })),
                None => event("fresh", &json!({})),
            });
        }
    }
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// Versions mean something to the process only that counts them.
fn id_of(versions: Versions, born: i64) -> String {
    let numbers = versions.0.map(|version| version.to_string());
    format!("{born}-{}", numbers.join("."))
}

fn versions_of(id: &str, born: i64) -> Option<Versions> {
    let (of, numbers) = id.split_once('-')?;
    if of.parse() != Ok(born) {
        return None;
    }
    let mut versions = Versions::default();
    let mut numbers = numbers.split('.');
    for version in &mut versions.0 {
        *version = numbers.next()?.parse().ok()?;
    }
    Some(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_that_comes_back_is_told_what_it_missed() {
        let (then, now) = (Versions([1, 2, 3, 4]), Versions([1, 5, 3, 5]));
        assert_eq!(versions_of(&id_of(then, 7), 7), Some(then));
        assert_eq!(now.since(then), [Topic::Modules, Topic::Replicas]);
        assert_eq!(versions_of(&id_of(then, 7), 8), None, "of a process before this one");
        for id in ["", "7", "7-1.2.3", "x-1.2.3.4", "7-1.2.3.x"] {
            assert_eq!(versions_of(id, 7), None, "{id}");
        }
    }
}
