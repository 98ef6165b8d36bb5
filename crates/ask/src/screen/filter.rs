//! What of the picture was asked for.

use crate::{
    picture::Line,
    read::{Base, Pod},
    text::Text,
};

/// By name, and whether only what is not well is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of a base, a module, a Pod or an owner; all where there is none.
    pub(crate) names: Vec<String>,
    pub(crate) problems: bool,
}

impl Filter {
    #[cfg(test)]
    pub(crate) fn of(names: &[&str]) -> Self {
        Self { names: names.iter().map(ToString::to_string).collect(), problems: false }
    }

    /// A base is wanted, whatever is on it.
    pub(crate) fn base(&self, base: &Base) -> bool {
        self.names_base(base) && !(self.problems && (base.is_ready() || base.ready.is_none()))
    }

    /// A module on a base is wanted.
    pub(crate) fn line(&self, line: &Line, base: Option<&Base>) -> bool {
        let owner = line.owner.as_ref();
        let named = self.names.is_empty()
            || base.is_some_and(|base| self.names_base(base))
            || self.has(&[
                &line.module,
                &line.id(),
                &line.node,
                &line.pod,
                &line.pod_path(),
                &line.owner_path(),
            ])
            || owner.is_some_and(|owner| self.has(&[&owner.name]));
        named && !(self.problems && line.is_well())
    }

    /// A Pod that is on no base yet is wanted; it is never well.
    pub(crate) fn pod(&self, pod: &Pod) -> bool {
        let owner = pod.owner.as_ref();
        self.names.is_empty()
            || self.has(&[&pod.name, &format!("{}/{}", pod.namespace, pod.name)])
            || owner.is_some_and(|owner| self.has(&[&owner.name, &format!("{}/{}", owner.kind, owner.name)]))
            || pod.containers.iter().any(|container| {
                self.has(&[&container.name, &format!("{}:{}", container.name, container.version)])
            })
    }

    /// What is said where nothing is left.
    pub(crate) fn nothing(&self) -> String {
        match (self.problems, self.names.is_empty()) {
            (true, true) => "All is well: no base, module or Pod has a problem.\n".to_owned(),
            (true, false) => format!("All is well with {}.\n", Text::from(self.names.join(", "))),
            (false, true) => {
                "No bases, and no Pods of modules. `module-controller check` says what may be missing.\n"
                    .to_owned()
            }
            (false, false) => format!(
                "Nothing here is called {}: no base, module, Pod or owner.\n",
                Text::from(self.names.join(", "))
            ),
        }
    }

    fn names_base(&self, base: &Base) -> bool {
        self.names.is_empty() || self.has(&[&base.node, &base.identity, &base.host_name, &base.address])
    }

    fn has(&self, any: &[&str]) -> bool {
        self.names.iter().any(|name| any.contains(&name.as_str()))
    }
}
