//! Brings a definition into the cluster, as far as that is allowed.

use std::time::Duration;

use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{DIGEST, REVISION};

/// How long a new definition may take to be served: the API server needs a second or two.
const SERVED_WITHIN: Duration = Duration::from_secs(15);
/// How long between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A kind of ours.
#[derive(Debug)]
pub struct Own {
    /// Its definition.
    pub definition: CustomResourceDefinition,
    /// What is needed of its objects: verbs, each with its subresource.
    pub verbs: &'static [(&'static str, &'static str)],
}

impl Own {
    fn name(&self) -> String {
        self.definition.metadata.name.clone().unwrap_or_default()
    }

    fn objects(&self, client: &Client) -> Api<DynamicObject> {
        let spec = &self.definition.spec;
        let version = spec.versions.first().map(|version| version.name.clone()).unwrap_or_default();
        let resource = ApiResource {
            group: spec.group.clone(),
            api_version: format!("{}/{version}", spec.group),
            version,
            kind: spec.names.kind.clone(),
            plural: spec.names.plural.clone(),
        };
        Api::all_with(client.clone(), &resource)
    }
}

/// Whether objects of a kind of ours can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// They can.
    Available,
    /// They cannot; why, and what would change that, in one sentence.
    Missing(String),
}

/// Installs the definition where it is missing, brings it up to date where it is another one (that
/// of the V1 controller too, whose Module objects stay), leaves that of a later version alone, and says whether its
/// objects can be had.
///
/// # Errors
/// The API server could not be asked.
pub async fn install(client: Client, own: &Own) -> Result<Availability, kube::Error> {
    let (wanted, name) = (&own.definition, own.name());
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let outcome = match api.get_opt(&name).await {
        Ok(None) => api.create(&PostParams::default(), wanted).await.map(drop),
        Ok(Some(found)) if digest(&found) == digest(wanted) => Ok(()),
        // While replicas are updated, the older ones would take away what the newer ones write.
        Ok(Some(found)) if revision(&found) > revision(wanted) => {
            tracing::info!(
                definition = name,
                revision = revision(&found),
                "the definition is of a later version and stays"
            );
            Ok(())
        }
        Ok(Some(found)) => {
            tracing::info!(
                definition = name,
                ours = digest(&found).is_some(),
                "the definition is brought up to date"
            );
            let patch = json!({
                "metadata": {
                    "resourceVersion": found.metadata.resource_version,
                    "annotations": wanted.metadata.annotations,
                },
                "spec": wanted.spec,
            });
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match outcome {
        // 403: somebody else installs it, or nobody. 409: another replica was faster.
        Ok(()) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 409) => {
            tracing::info!(definition = name, reason = status.message, "the definition is left to others");
        }
        Err(error) => return Err(error),
    }
    if let Some(reason) = not_served(&client, own).await? {
        return Ok(Availability::Missing(format!(
            "{name} cannot be read ({reason}); install the definition and the role of the module controller"
        )));
    }
    let denied = denied(&client, own).await?;
    Ok(match denied.is_empty() {
        true => Availability::Available,
        false => Availability::Missing(format!(
            "{name} may not be used ({} is denied); add these verbs to the role of the module controller",
            denied.join(", ")
        )),
    })
}

fn digest(definition: &CustomResourceDefinition) -> Option<&String> {
    definition.metadata.annotations.as_ref()?.get(DIGEST)
}

/// Which definition of ours it is; 0 for one that is not ours, or of before they were counted.
fn revision(definition: &CustomResourceDefinition) -> u32 {
    let annotations = definition.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(REVISION)?.parse().ok()).unwrap_or_default()
}

/// Waits until the API server lists the objects; why it does not, where it does not.
async fn not_served(client: &Client, own: &Own) -> Result<Option<String>, kube::Error> {
    let api = own.objects(client);
    let until = Instant::now() + SERVED_WITHIN;
    loop {
        match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 403 => return Ok(Some(status.message.clone())),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                if Instant::now() >= until {
                    return Ok(Some("it is not there".to_owned()));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The verbs that we may not use on the objects.
async fn denied(client: &Client, own: &Own) -> Result<Vec<String>, kube::Error> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut denied = Vec::new();
    for (verb, subresource) in own.verbs {
        let attributes = ResourceAttributes {
            group: Some(own.definition.spec.group.clone()),
            resource: Some(own.definition.spec.names.plural.clone()),
            subresource: (!subresource.is_empty()).then(|| (*subresource).to_owned()),
            verb: Some((*verb).to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = api.create(&PostParams::default(), &review).await?;
        if !answer.status.is_some_and(|status| status.allowed) {
            denied.push(if subresource.is_empty() {
                (*verb).to_owned()
            } else {
                format!("{verb} {subresource}")
            });
        }
    }
    Ok(denied)
}
