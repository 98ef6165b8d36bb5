//! Objects as they are, for the report.

use kube::Client;
use serde_json::Value;

use super::{
    Object,
    list::{Failure, Found, selected},
};
use crate::client::chain;

/// An object, whatever it is.
pub(crate) struct Raw(pub(crate) Value);

impl Object for Raw {
    const NAME: &'static str = "objects";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }
}

/// Whole objects are large; of so many one sees what there is to be seen.
const MOST: usize = 2_000;

/// Objects, whatever they are.
pub(crate) async fn objects(client: &Client, path: &str, labels: &str) -> Result<Found<Raw>, Failure> {
    selected(client, path, &[("labelSelector", labels)], MOST).await
}

/// What a path says that is no object, as a log.
pub(crate) async fn text(client: &Client, path: &str) -> Result<String, Failure> {
    let request =
        http::Request::get(path).body(Vec::new()).map_err(|error| Failure::Refused(chain(&error)))?;
    client.request_text(request).await.map_err(Failure::of)
}
