//! The manual's Deployment, filled in for what this repository builds.

use anyhow::{Context, Result};

use super::bases::Stack;

/// The sample that the guide shows.
const SAMPLE: &str = include_str!("../../../docs/samples/module-deployment.yaml");
const IMAGE: &str = "https://example.com/biz1-1.0.0-ark-biz.jar";
const STACK: &str = "values: [java]";
const VERSION: &str = "value: \"1.0.0\"";

/// The Deployment's name in it.
pub(crate) const NAME: &str = "test-module-deployment";
/// The base version that it selects.
pub(crate) const BASE_VERSION: &str = "2.0.0";

/// The Deployment of `biz1` in this version, from a package that this repository builds.
pub(crate) fn deployment(stack: Stack, version: &str, replicas: u32) -> Result<String> {
    fill(stack, &stack.package(version)?, version, replicas)
}

fn fill(stack: Stack, image: &str, version: &str, replicas: u32) -> Result<String> {
    let mut filled = SAMPLE.to_owned();
    for (of, by) in [
        (IMAGE, image),
        (STACK, &format!("values: [{}]", stack.label())),
        (VERSION, &format!("value: \"{version}\"")),
        ("replicas: 1", &format!("replicas: {replicas}")),
    ] {
        filled =
            filled.split_once(of).map(|(before, after)| [before, by, after].concat()).with_context(|| {
                format!("docs/samples/module-deployment.yaml has no {of:?} that could be replaced")
            })?;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_can_be_filled_in() {
        let filled = fill(Stack::Wasm, "file:///p.wasm", "3.0.0", 2).unwrap();
        for line in ["replicas: 2", "image: file:///p.wasm #", "values: [wasm]", "value: \"3.0.0\""] {
            assert!(filled.contains(line), "{line} is not in\n{filled}");
        }
        assert!(filled.contains(&format!("name: {NAME}\n")) && filled.contains(BASE_VERSION));
    }
}
