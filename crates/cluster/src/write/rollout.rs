//! Writes to the status of Deployments and DaemonSets: the condition that says what was rolled out last.

use engine::{
    WriteError,
    view::{RolledOut, WorkloadRef},
};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{
    api::{Api, Collection, How},
    pod::seconds,
};
use crate::slim::workload::{ROLLED_OUT, record};

/// The longest message, in bytes: a Pod of a dozen modules with long URLs has some kilobytes, and the object has room for
/// a megabyte that is not ours.
const MOST_BYTES: usize = 64 * 1024;

impl Api {
    /// Writes down what was rolled out. It is true of this very object (UID), whatever changed since.
    pub(crate) async fn record_rollout(
        &self,
        workload: &WorkloadRef,
        rolled_out: &RolledOut,
        at: Timestamp,
    ) -> Result<(), WriteError> {
        let message = record::write(rolled_out);
        if message.len() > MOST_BYTES {
            let why = format!("it would have {} bytes; at most {MOST_BYTES} are written", message.len());
            return Err(WriteError::Refused(why));
        }
        let (place, patch) = (Collection::workload_statuses(workload), patch(workload, &message, at));
        self.patch_status::<IgnoredAny>(&place, &workload.name, How::Strategic, &patch).await.map(drop)
    }
}

/// A strategic merge patch: the other conditions stay as they are.
fn patch(workload: &WorkloadRef, message: &str, at: Timestamp) -> Value {
    let condition = json!({
        "type": ROLLED_OUT,
        "status": "True",
        "reason": "Recorded",
        "message": message,
        "lastTransitionTime": seconds(at),
    });
    json!({ "metadata": { "uid": workload.uid }, "status": { "conditions": [condition] } })
}
