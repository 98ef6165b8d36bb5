//! The Leases of permits: who may displace what serves, over all replicas.

use engine::{Event, ReplicaEvent, WriteError, view::PermitsView};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use super::api::{Api, Collection};
use crate::{
    modules::ENV,
    slim::lease::{HOLDERS, OWNER_KIND, OWNER_NAME, OWNER_NAMESPACE, PERMITS, holders, permits},
};

impl Api {
    /// Creates the Lease, or replaces the version that was seen. What there is then is told before the end.
    pub(crate) async fn write_permits(
        &self,
        desired: &PermitsView,
        namespace: &str,
        env: &str,
    ) -> Result<(), WriteError> {
        let place = Collection::members(namespace);
        let result = match self.put_lease(&place, &lease(desired, namespace, env)).await {
            Ok(lease) => {
                self.tell_permits(&lease).await;
                Ok(())
            }
            Err(error @ (WriteError::Conflict(_) | WriteError::NotFound(_))) => {
                match self.get::<Lease>(&place, &desired.name).await {
                    Ok(lease) => self.tell_permits(&lease).await,
                    Err(WriteError::NotFound(_)) => {
                        let gone = Event::Replica(ReplicaEvent::PermitsGone {
                            name: desired.name.clone(),
                            uid: "".into(),
                        });
                        // Closed: the engine is gone, and so is the one who would care.
                        drop(self.events.send(gone).await);
                    }
                    Err(error) => return Err(error),
                }
                Err(error)
            }
            Err(error) => Err(error),
        };
        if let Err(error @ WriteError::Refused(_)) = &result {
            tracing::warn!(lease = %desired.name, %error, "no permit can be taken: what serves is not displaced");
        }
        result
    }

    async fn tell_permits(&self, lease: &Lease) {
        // Closed: the engine is gone, and so is the one who would care.
        drop(self.events.send(Event::Replica(ReplicaEvent::Permits(Box::new(permits(lease))))).await);
    }
}

fn lease(desired: &PermitsView, namespace: &str, env: &str) -> Lease {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let annotations = [
        pair(OWNER_NAMESPACE, &desired.owner.namespace),
        pair(OWNER_KIND, &desired.owner.kind),
        pair(OWNER_NAME, &desired.owner.name),
        pair(HOLDERS, &holders(desired)),
    ];
    Lease {
        metadata: ObjectMeta {
            name: Some(desired.name.to_string()),
            namespace: Some(namespace.to_owned()),
            uid: (!desired.uid.is_empty()).then(|| desired.uid.to_string()),
            resource_version: (!desired.uid.is_empty()).then(|| desired.resource_version.to_string()),
            labels: Some([pair(PERMITS.0, PERMITS.1), pair(ENV, env)].into()),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        },
        // For people: nobody decides by it.
        spec: Some(LeaseSpec { renew_time: Some(MicroTime(Timestamp::now())), ..LeaseSpec::default() }),
    }
}

#[cfg(test)]
mod tests {
    use engine::view::Owner;

    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let owner = Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "biz1".into() };
        let wanted = PermitsView {
            name: "permits-biz1-0".into(),
            uid: "u".into(),
            resource_version: 7,
            owner,
            holders: [("b".into(), 9), ("a".into(), 8)].into(),
        };
        let written = lease(&wanted, "default", "dev");
        assert_eq!(written.metadata.annotations.as_ref().unwrap()[HOLDERS], "a@8 b@9");
        assert_eq!(permits(&written), wanted);
        let new = lease(&PermitsView { uid: "".into(), resource_version: 0, ..wanted }, "default", "dev");
        assert_eq!((new.metadata.uid, new.metadata.resource_version), (None, None));
    }

    #[test]
    fn what_others_wrote_into_it_does_no_harm() {
        let mut lease = Lease::default();
        let odd = [(HOLDERS.to_owned(), "a@8 b c@x @ d@9".to_owned())];
        lease.metadata.annotations = Some(odd.into());
        assert_eq!(permits(&lease).holders, [("a".into(), 8), ("d".into(), 9)].into());
    }
}
