//! What watches tell processes: a list, then what happens, in order, until they are closed.

use std::time::Duration;

use engine::{ClusterEvent, Event, Watched};

use crate::{
    replica::{Inside, Process, Stream, place},
    told::Source,
    world::{Happening, World},
};

impl World {
    /// What a watch tells all processes: in order, some time after it happened.
    pub fn inform(&mut self, event: Event) {
        let Some(kind) = crate::told::kind(&event) else { return };
        for process in self.processes() {
            // A revision was on its way before anything else that happens now.
            let transit = if kind == Watched::ReplicaSets { Duration::ZERO } else { self.way_back() };
            let now = self.now;
            let Some(running) = self.running_mut(process) else { continue };
            let stream = running.streams.get_mut(&place(kind));
            let Some(stream) = stream.filter(|stream| stream.open) else { continue };
            let at = (now + transit).max(stream.told_until);
            stream.told_until = at;
            let what = Inside::Watch { kind, stream: stream.number, event: event.clone() };
            self.inside(at - now, process, what);
        }
    }

    /// A watch begins with a list of what there is.
    pub(crate) fn relist(&mut self, to: Process, kind: Watched, number: u32) {
        let reaches = self.replicas.get(to.replica).is_some_and(|replica| !replica.without_api);
        let place = place(kind);
        let same = |stream: &Stream| stream.number == number && !stream.open;
        let Some(running) = self.running_mut(to) else { return };
        if !running.streams.get(&place).is_some_and(same) {
            return;
        }
        if self.api_away || !reaches {
            let pause = Duration::from_millis(500) + self.up_to_ms(4_500);
            return self.inside(pause, to, Inside::Relist { kind, stream: number });
        }
        let (transit, objects, now) = (self.way_back(), self.api.list(kind), self.now);
        if let Some(stream) = self.running_mut(to).and_then(|running| running.streams.get_mut(&place)) {
            (stream.open, stream.told_until) = (true, now + transit);
        }
        self.inside(transit, to, Inside::Listed { kind, stream: number, objects });
    }

    pub(crate) fn listed(
        &mut self,
        to: Process,
        kind: Watched,
        number: u32,
        objects: Vec<Event>,
    ) -> Result<(), String> {
        let place = place(kind);
        let Some(running) = self.running_mut(to) else { return Ok(()) };
        if running.streams.get(&place).is_none_or(|stream| stream.number != number) {
            return Ok(());
        }
        let mut told = Vec::new();
        for event in &objects {
            if running.hears(event, Source::List) {
                told.push(event.clone());
            }
        }
        told.extend(running.told.vanished(kind, &objects));
        told.push(Event::Cluster(ClusterEvent::Synced(kind)));
        for event in told {
            self.step(to.replica, event)?;
        }
        Ok(())
    }

    /// A watch is closed: what it had on its way is lost, and it begins anew after a while.
    pub(crate) fn close_watch(&mut self, to: Process, kind: Watched, pause: Duration) {
        let stream = self.running_mut(to).and_then(|running| running.streams.get_mut(&place(kind)));
        if let Some(stream) = stream {
            stream.number += 1;
            stream.open = false;
            let number = stream.number;
            self.later(pause, Happening::Inside(to, Inside::Relist { kind, stream: number }));
        }
    }
}
