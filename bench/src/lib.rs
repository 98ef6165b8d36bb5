//! What the controller costs: a fleet of simulated bases over real sockets, the real control plane, the real
//! controller, and in the same run a bare client of the same API server as the floor that every figure is held
//! against. Figures are told, never judged: a machine that is busy makes them worse, and the report says how busy it
//! was.
#![warn(missing_docs)]

pub mod api;
pub mod fleet;
pub mod floor;
pub mod html;
pub mod metrics;
pub mod objects;
pub mod phase;
pub mod plan;
pub mod plan_watch;
pub mod report;
pub mod rig;
pub mod run;
mod scenario;
pub mod settings;
pub mod stage;
pub mod stats;
mod table;
pub mod usage;
pub mod watch;
pub mod writes;
