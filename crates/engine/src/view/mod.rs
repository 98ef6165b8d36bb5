//! Kubernetes objects as the engine sees them: what it needs of them, and nothing else.

pub mod baseline;
pub mod common;
pub mod lease;
pub mod module;
pub mod node;
pub mod permits;
pub mod plan;
pub mod pod;
pub mod service;
pub mod unplaced;
pub mod workload;

pub use baseline::{BaselineRef, BaselineStatus, BaselineView, Counts, Sample};
pub use common::Common;
pub use lease::{Door, LeaseView, MemberState, MemberView};
pub use module::{ModuleKey, ModuleRef, ModuleState, ModuleStatus, ModuleView};
pub use node::{Address, AddressKind, NodeView, OFFERED, Taint};
pub use permits::PermitsView;
pub use plan::{PlanRef, PlanTarget, PlanView};
pub use pod::{
    Condition, ConditionStatus, ContainerState, ContainerStatus, ContainerView, EnvValue, EnvVar, Owner,
    Phase, PodRef, PodStatus, PodView, RestartPolicy,
};
pub use service::ServiceView;
pub use unplaced::UnplacedView;
pub use workload::{
    CountOrPercent, RolledOut, Rollout, TemplateView, WorkloadKind, WorkloadRef, WorkloadView,
};
