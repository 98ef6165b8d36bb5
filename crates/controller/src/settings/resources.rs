//! `VNODE_RESOURCES`: what VNodes offer beside Pods and metaspace.

use std::{collections::BTreeMap, sync::Arc};

use model::{Quantity, bilingual};

use super::{Refusals, set};
use crate::args::Args;

/// More than the most Pods of a VNode request together where a LimitRange gives each a few of them: what a module really
/// takes is the base's, which is where it is limited.
const DEFAULT: &str = "cpu=10k,ephemeral-storage=100Ti";
/// What may be offered: Pods have a setting of their own.
const NAMES: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// What is offered, by name.
pub(super) fn offers(args: &Args, refused: &mut Refusals) -> BTreeMap<Arc<str>, Quantity> {
    let given = set(&args.vnode_resources).unwrap_or(DEFAULT);
    if given.eq_ignore_ascii_case("none") {
        return BTreeMap::new();
    }
    read(given).unwrap_or_else(|| {
        let allowed = bilingual!(
            "allowed is none, or name=quantity with commas between them, each of {names} once at most, as {DEFAULT}",
            "可以写 none，或用逗号分隔的 名称=数量，名称为 {names}，每个最多一次，例如 {DEFAULT}",
            names = NAMES.join(", ")
        );
        refused.add("VNODE_RESOURCES", Some(given), allowed);
        BTreeMap::new()
    })
}

fn read(given: &str) -> Option<BTreeMap<Arc<str>, Quantity>> {
    let mut offers = BTreeMap::new();
    for part in given.split(',') {
        let (name, quantity) = part.split_once('=')?;
        let name = NAMES.into_iter().find(|known| *known == name.trim())?;
        let quantity: Quantity = quantity.parse().ok()?;
        if quantity.is_negative() || offers.insert(Arc::from(name), quantity).is_some() {
            return None;
        }
    }
    Some(offers)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;

    fn offers(given: &str) -> Result<Vec<String>, String> {
        let settings = settings(&["--enable-http-tunnel", &format!("--vnode-resources={given}")])?;
        Ok(settings.engine.offers.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect())
    }

    #[test]
    fn vnodes_offer_much_unless_it_is_said_otherwise() {
        assert_eq!(offers("").unwrap(), ["cpu=10k", "ephemeral-storage=100Ti"]);
        assert_eq!(offers("none").unwrap(), [] as [&str; 0]);
        assert_eq!(offers("memory=64Gi, cpu = 4").unwrap(), ["cpu=4", "memory=64Gi"]);
    }

    #[test]
    fn what_is_no_list_of_resources_is_refused() {
        for given in ["cpu", "cpu=", "cpu=many", "cpu=-1", "cpu=1,cpu=2", "pods=3", "example.com/gpu=1", ","]
        {
            let refusal = offers(given).unwrap_err();
            assert!(
                refusal.contains(&format!("VNODE_RESOURCES is {given:?}; allowed is none, or")),
                "{refusal}"
            );
        }
    }
}
