//! Whether this replica reaches its bases: one that is cut off from them, and from nothing else, gives them to a
//! replica that is not, before they are taken for silent. Where no replica reaches them it is the bases' or the broker's
//! fault, and each keeps what it has.

use std::time::Duration;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From this share of bases that it does not reach on, it is this replica that is at fault, or what lies before it (as
/// with the blast radius).
const PERCENT: usize = 55;
/// Fewer than these may well fall silent together.
const LEAST: usize = 3;
/// A tunnel that is down is given so long to come back: a broker that is started anew takes a second or two.
const TUNNEL_COMES_BACK: Duration = Duration::from_secs(3);
/// Others that fell silent at the same time have said so by then: they look every second and publish at once.
const OTHERS_SAY_SO: Duration = Duration::from_secs(2);
/// One that has heard any base within this is not cut off, however many others are silent.
const HEARD_NOTHING: Duration = Duration::from_secs(10);
/// One that heard nothing since, because it owns no base and is sent no heartbeats, tries again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(300);

/// What is seen of the bases of one replica at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its VNodes.
    pub(crate) all: usize,
    /// Those of them whose bases were asked because they are silent, or answer nothing.
    pub(crate) unreached: usize,
    /// Those of them that are reached by a tunnel that is down.
    pub(crate) without_tunnel: usize,
}

/// What this replica knows of its own reach.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    cut_off: Option<Duration>,
    look_at: Duration,
    heard_at: Duration,
    tunnel_down: Option<Duration>,
    /// Since when others reach bases that this one does not.
    others: Option<Duration>,
}

impl Reach {
    /// It is time to look.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.look_at
    }

    /// It reaches no bases, or too few to say that it is the bases' fault.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.is_some()
    }

    /// A base was heard by this replica itself, or has answered it.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
        if self.tunnel_down.is_none() {
            self.cut_off = None;
        }
    }

    /// Looks. `others_reach`: a replica that lives says nothing of being cut off.
    pub(crate) fn look(&mut self, seen: Seen, others_reach: bool, now: Duration) {
        self.look_at = now + LOOK_EVERY;
        match seen.without_tunnel {
            0 if seen.all > 0 => self.tunnel_down = None,
            0 => {}
            _ => drop(self.tunnel_down.get_or_insert(now)),
        }
        let tunnel = self.tunnel_down.is_some_and(|since| now >= since + TUNNEL_COMES_BACK);
        let many = seen.unreached >= LEAST && seen.unreached * 100 >= seen.all * PERCENT;
        let silent = many && now >= self.heard_at + HEARD_NOTHING;
        if tunnel || silent {
            self.cut_off.get_or_insert(now);
        } else if self.cut_off.is_some_and(|since| now >= since + TRY_AGAIN) {
            (self.cut_off, self.tunnel_down) = (None, None);
        }
        if self.is_cut_off() && others_reach {
            self.others.get_or_insert(now);
        } else {
            self.others = None;
        }
    }

    /// Others are to have what it owns.
    pub(crate) fn gives_up(&self, now: Duration) -> bool {
        self.others.is_some_and(|since| now >= since + OTHERS_SAY_SO)
    }

    /// The tunnel is up again.
    pub(crate) fn tunnel_up(&mut self) {
        self.tunnel_down = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    const SILENT: Seen = Seen { all: 5, unreached: 3, without_tunnel: 0 };
    const WELL: Seen = Seen { all: 5, unreached: 2, without_tunnel: 0 };
    const NO_TUNNEL: Seen = Seen { all: 1, unreached: 0, without_tunnel: 1 };

    #[test]
    fn most_bases_silent_while_others_reach_theirs_is_this_replicas_fault() {
        let mut reach = Reach::default();
        reach.heard(s(1));
        reach.look(WELL, true, s(20));
        assert!(!reach.is_cut_off());
        reach.look(SILENT, true, s(21));
        assert!(reach.is_cut_off() && !reach.gives_up(s(22)) && reach.gives_up(s(23)));
        // All is given away: that says nothing of the network.
        reach.look(Seen::default(), true, s(24));
        assert!(reach.is_cut_off());
        reach.heard(s(25));
        assert!(!reach.is_cut_off());
    }

    #[test]
    fn one_that_hears_some_bases_is_not_at_fault_that_others_are_silent() {
        let mut reach = Reach::default();
        reach.heard(s(20));
        reach.look(SILENT, true, s(29));
        assert!(!reach.is_cut_off());
    }

    #[test]
    fn where_nobody_reaches_them_everybody_keeps_what_it_has() {
        let mut reach = Reach::default();
        reach.look(NO_TUNNEL, true, s(1));
        assert!(!reach.is_cut_off(), "it may be a restart of the broker");
        reach.look(NO_TUNNEL, true, s(4));
        assert!(reach.is_cut_off());
        for second in 5..100 {
            reach.look(NO_TUNNEL, false, s(second));
            assert!(!reach.gives_up(s(second)), "after {second} s");
        }
        reach.heard(s(100));
        assert!(reach.is_cut_off(), "what arrives of before the tunnel went down says nothing");
        reach.tunnel_up();
        reach.heard(s(101));
        assert!(!reach.is_cut_off());
    }

    #[test]
    fn one_that_has_nothing_to_hear_by_tries_again_after_five_minutes() {
        let mut reach = Reach::default();
        reach.look(SILENT, true, s(11));
        reach.look(Seen::default(), true, s(310));
        assert!(reach.is_cut_off());
        reach.look(Seen::default(), true, s(311));
        assert!(!reach.is_cut_off());
    }
}
