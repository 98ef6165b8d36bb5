//! Ring 2: KouplelessBoard, the page where modules, bases and operation plans are seen and steered.
//!
//! ```text
//! API server --one watch for each kind--> Store --once a second--> Snapshot of what a viewer may see --> answer --> JSON
//!       \<--what a viewer writes, with the viewer's own token-- steer, draft <-- POST
//! ```
//!
//! What keeps this crate honest:
//! - Viewers add no watch: all read the same `Store`.
//! - What a viewer sees is what the API server says that this viewer may list (`Sight`). It is asked anew every few seconds.
//! - The board writes nothing with its own rights. A token is kept by the browser only, in a cookie that no script reads.
//! - Answers are pure functions of a snapshot.

mod answer;
mod api;
mod command;
mod draft;
mod guard;
mod happened;
mod page;
mod refusal;
mod rights;
mod routes;
mod serve;
mod serving;
mod session;
mod shell;
mod snapshot;
mod steering;
mod store;
mod stream;
mod viewer;
mod watched;

pub use command::Board;
pub use serving::{Serving, Trouble};
