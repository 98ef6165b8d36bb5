//! The replicas' own Leases. They are written past the fence, because the fence hangs on them, and
//! with a deadline of their own, because one that is not renewed in time is lost.

use std::time::Duration;

use engine::{
    Event, ReplicaEvent, Request, WriteError,
    view::{MemberState, MemberView},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use serde::de::IgnoredAny;

use super::{
    Shared,
    api::{Api, Collection},
};
use crate::{
    modules::ENV,
    slim::lease::{
        ADDRESS, CUT_OFF, INCARNATION, KEY, KNOWS, KNOWS_PLANS, LEVEL, MEMBER, POD_UID, STATE, member,
    },
};

/// A renewal that has no answer by then leaves time for another before the fence shuts.
const DEADLINE: Duration = Duration::from_secs(3);
/// What the Lease says it holds for; nobody decides by it.
const LASTS_SECONDS: i32 = 10;

impl Shared {
    /// Writes or reads the Lease of a replica. What there is is told before the end.
    pub(super) async fn keep_membership(&self, api: &Api, request: Request) -> Option<Event> {
        let free = Api { pass: None, deadline: DEADLINE, ..api.clone() };
        let write = request.write()?;
        let result = match request {
            Request::WriteMember(desired) => {
                // Another's is not written past the fence: only who may act may end another.
                let own = desired.state == MemberState::Living;
                let api = if own { free } else { Api { deadline: DEADLINE, ..api.clone() } };
                let result = self.write_member(&api, &desired).await;
                if let Err(error) = &result {
                    tracing::warn!(member = %desired.name, %error, "the Lease of a replica was not written");
                }
                result
            }
            Request::ReadMember { name } => self.read_member(&free, &name).await,
            _ => return None,
        };
        Some(Event::Written { write, result })
    }

    async fn write_member(&self, api: &Api, desired: &MemberView) -> Result<(), WriteError> {
        let place = Collection::members(&self.config.namespace);
        let lease = self.member_lease(desired);
        match api.put_lease(&place, &lease).await {
            Ok(lease) => {
                tell(api, &lease).await;
                Ok(())
            }
            Err(error @ WriteError::Conflict(_)) => {
                self.read_member(api, &desired.name).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn read_member(&self, api: &Api, name: &str) -> Result<(), WriteError> {
        match api.get::<Lease>(&Collection::members(&self.config.namespace), name).await {
            Ok(lease) => {
                tell(api, &lease).await;
                Ok(())
            }
            Err(error) => {
                if matches!(error, WriteError::NotFound(_)) {
                    // Closed: the engine is gone, and so is the one who would care.
                    drop(
                        api.events
                            .send(Event::Replica(ReplicaEvent::MemberGone {
                                name: name.into(),
                                uid: "".into(),
                            }))
                            .await,
                    );
                }
                Err(error)
            }
        }
    }

    /// Says that this replica left, whatever it renewed last; unless another has ended it.
    pub(super) async fn release_member(&self, desired: &MemberView) -> Result<(), WriteError> {
        let api = Api { pass: None, deadline: DEADLINE, ..self.api.clone() };
        let place = Collection::members(&self.config.namespace);
        let now = member(&api.get::<Lease>(&place, &desired.name).await?);
        if now.uid != desired.uid || now.state != MemberState::Living {
            return Ok(());
        }
        let lease =
            self.member_lease(&MemberView { resource_version: now.resource_version, ..desired.clone() });
        api.put_lease::<IgnoredAny>(&place, &lease).await.map(drop)
    }

    fn member_lease(&self, desired: &MemberView) -> Lease {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let knows = desired.knows_plans.then(|| pair(KNOWS, KNOWS_PLANS));
        let door = desired.door.iter();
        let door = door.flat_map(|door| [pair(ADDRESS, &door.address.to_string()), pair(KEY, &door.key)]);
        let annotations = [
            pair(INCARNATION, &desired.incarnation),
            pair(POD_UID, &desired.pod_uid),
            pair(LEVEL, &desired.level.to_string()),
            pair(CUT_OFF, &desired.cut_off.to_string()),
            pair(STATE, desired.state.as_str()),
        ];
        Lease {
            metadata: ObjectMeta {
                name: text(&desired.name),
                namespace: text(&self.config.namespace),
                uid: text(&desired.uid),
                resource_version: (desired.resource_version != 0)
                    .then(|| desired.resource_version.to_string()),
                labels: Some([pair(MEMBER.0, MEMBER.1), pair(ENV, &self.config.env)].into()),
                annotations: Some(annotations.into_iter().chain(knows).chain(door).collect()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: text(&desired.client_id),
                lease_duration_seconds: Some(LASTS_SECONDS),
                // For people: no replica compares it with anything.
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        }
    }
}

async fn tell(api: &Api, lease: &Lease) {
    // Closed: the engine is gone, and so is the one who would care.
    drop(api.events.send(Event::Replica(ReplicaEvent::Member(Box::new(member(lease))))).await);
}
