//! Leases, slim: those of VNodes, which say who acts for them, and those of the replicas, which
//! say who lives.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;

/// The Lease of a VNode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseView {
    /// Its name, which is the Node's.
    pub node: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: u64,
    /// `spec.holderIdentity`: an incarnation of a replica; empty where nobody holds it.
    pub holder: Arc<str>,
    /// `spec.renewTime`: never decided by, but it must not go back.
    pub renewed: Option<Timestamp>,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
}

/// Whether a replica lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberState {
    /// It renews, or nobody has found out yet that it does not.
    #[default]
    Living,
    /// It left and acts no more.
    Released,
    /// Another has ended it: it may not act, whether it knows or not.
    Killed,
}

impl MemberState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Living, Self::Released, Self::Killed];

    /// As the Lease has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Living => "living",
            Self::Released => "released",
            Self::Killed => "killed",
        }
    }
}

/// Where a replica takes heartbeats that others heard in its stead, and how it signs those that it sends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Its address, for the other replicas only.
    pub address: SocketAddr,
    /// Its public key. Only who may write the Lease can publish one.
    pub key: Arc<str>,
}

/// The membership Lease of a replica: one for each incarnation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberView {
    /// The Lease's name.
    pub name: Arc<str>,
    /// Its UID; empty for one that is to be created.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: u64,
    /// Which incarnation it is of: the holder of the VNodes' Leases.
    pub incarnation: Arc<str>,
    /// `CLIENT_ID`.
    pub client_id: Arc<str>,
    /// `POD_UID`; empty where it is not told.
    pub pod_uid: Arc<str>,
    /// The workload level that it published last: 0 has the least to do.
    pub level: u32,
    /// It does not reach its bases, as it says: others are to have them.
    pub cut_off: bool,
    /// It knows operation plans: what none has released it does not install.
    pub knows_plans: bool,
    /// Whether it lives.
    pub state: MemberState,
    /// Where heartbeats of its bases are sent on to; none where it takes none.
    pub door: Option<Door>,
}
