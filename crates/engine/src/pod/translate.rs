//! From a Pod to modules: what each container asks for, or what is wrong with it.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Bilingual, BizId, BizName, ErrorCode, ErrorSource, ErrorType, Fault, InstallStrategy, Language,
    ModuleSpec, bilingual,
};
use serde_json::error::Category;

use crate::view::{Common, ContainerView, EnvValue, PodRef, PodStatus, PodView, RestartPolicy, WorkloadView};

/// Says what a Pod is; both label families.
const COMPONENT_LABELS: [&str; 2] =
    ["module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component"];
/// The environment variable that names the version.
const VERSION_VARIABLE: &str = "BIZ_VERSION";
/// What the annotations of a module Pod begin with.
const PREFIX: &str = "module-controller.koupleless.io";

/// The Pod stands for modules, whoever made it.
pub(crate) fn is_module(pod: &PodView) -> bool {
    COMPONENT_LABELS.iter().any(|label| pod.labels.get(*label).is_some_and(|value| value == "module"))
}

/// The container stands for a module: it names a package or a version. Any other was put there by somebody else, as webhooks
/// do with sidecars.
pub(crate) fn is_biz(pod: &PodView, container: &ContainerView) -> bool {
    let names_version = || container.env.iter().any(|variable| variable.name == VERSION_VARIABLE);
    model::is_of_package(&container.image)
        || names_version()
        || pod.annotations.contains_key(&version_annotation(container))
}

/// The module that a container of a Pod stands for; none where it stands for none, or there is no such container.
///
/// # Errors
/// What of it cannot be read.
pub fn biz_of(pod: &PodView, container: &str) -> Option<Result<BizId, Fault>> {
    let named = pod.containers.iter().find(|there| *there.name == *container);
    let container = named.filter(|container| is_module(pod) && is_biz(pod, container))?;
    Some(module(pod, container).map(|spec| spec.id))
}

/// What a Pod asks for, as far as it can be.
pub(crate) fn specs(pod: &PodView) -> Vec<ModuleSpec> {
    pod.containers.iter().filter_map(|container| module(pod, container).ok()).collect()
}

/// What the Pods of a workload's template ask for, as far as it can be read.
pub(crate) fn of_template(view: &WorkloadView) -> Vec<ModuleSpec> {
    let pod = PodView {
        pod: PodRef { namespace: view.workload.namespace.clone(), name: Arc::default(), uid: Arc::default() },
        resource_version: 0,
        node: Arc::default(),
        labels: view.template.labels.clone().into(),
        annotations: view.template.annotations.clone().into(),
        created: view.created,
        deletion: None,
        held: false,
        owner: None,
        controller: None,
        restart_policy: RestartPolicy::Always,
        containers: view.template.containers.clone().into(),
        aside: Common::default(),
        readiness_gates: Common::default(),
        status: PodStatus::default(),
    };
    if is_module(&pod) { specs(&pod) } else { Vec::new() }
}

/// The most characters of a cause and of what was being done, both of which repeat what the user wrote: one line of an Event
/// or a condition.
const MAX_CAUSE_CHARS: usize = 300;

/// What one container asks for.
pub(crate) fn module(pod: &PodView, container: &ContainerView) -> Result<ModuleSpec, Fault> {
    let short = |text: &str| arklet::error::cut(text, MAX_CAUSE_CHARS);
    spec(pod, container).map_err(|fault| Fault {
        doing: fault.doing.map(short),
        cause: fault.cause.map(short),
        ..fault
    })
}

fn spec(pod: &PodView, container: &ContainerView) -> Result<ModuleSpec, Fault> {
    let doing = || {
        bilingual!("reading container {name:?} of the Pod", "读取 Pod 的容器 {name:?}", name = container.name)
    };
    let invalid = |cause: Bilingual| {
        Fault::new(ErrorCode::new(ErrorSource::OtherUpstream, ErrorType::InvalidParameter), doing(), cause)
    };
    let name: BizName = container.name.parse().map_err(|error| invalid(format!("{error}").into()))?;
    let version = version(pod, container).map_err(&invalid)?;
    let version = version.parse().map_err(|error| invalid(format!("{VERSION_VARIABLE}: {error}").into()))?;
    let url = container.image.parse().map_err(|error: model::package::UrlError| {
        let kind = match error {
            model::package::UrlError::Blank => ErrorType::InvalidParameter,
            _ => ErrorType::DecodeURLFailed,
        };
        Fault::new(ErrorCode::new(ErrorSource::OtherUpstream, kind), doing(), error.to_string())
    })?;
    let strategy = match annotation(pod, container, "install-strategy") {
        Some((key, text)) => text
            .parse()
            .map_err(|error| invalid(bilingual!("annotation {key}: {error}", "注解 {key}：{error}")))?,
        None => InstallStrategy::default(),
    };
    let args = parsed::<Vec<String>>(pod, container, "args", Shape::Strings).map_err(&invalid)?;
    let envs = parsed::<BTreeMap<String, String>>(pod, container, "envs", Shape::Texts).map_err(&invalid)?;
    Ok(ModuleSpec {
        id: BizId { name, version },
        url,
        strategy,
        args: shared(args),
        envs: shared(envs.into_iter().collect()),
    })
}

/// Of those that are empty there is one for all.
fn shared<T>(list: Vec<T>) -> Arc<[T]> {
    if list.is_empty() { Arc::default() } else { list.into() }
}

fn version_annotation(container: &ContainerView) -> String {
    format!("{PREFIX}/biz-version.{}", container.name)
}

/// The version: annotation `…/biz-version.<container>` where set, else `BIZ_VERSION`.
fn version(pod: &PodView, container: &ContainerView) -> Result<String, Bilingual> {
    if let Some(version) = pod.annotations.get(&version_annotation(container)) {
        return Ok(version.clone());
    }
    let variable = container.env.iter().find(|variable| variable.name == VERSION_VARIABLE);
    match variable.map(|variable| &variable.value) {
        None => Err(bilingual!(
            "the environment variable {VERSION_VARIABLE}, which names the module's version, is missing",
            "缺少环境变量 {VERSION_VARIABLE}，它是模块的版本"
        )),
        Some(EnvValue::Literal(version)) => Ok(version.clone()),
        Some(EnvValue::FieldRef(path)) => field(pod, path).ok_or_else(|| {
            bilingual!(
                "{VERSION_VARIABLE} refers to the field {path:?}, which the Pod does not have",
                "{VERSION_VARIABLE} 引用的字段 {path:?} 在 Pod 中不存在"
            )
        }),
        Some(EnvValue::Unsupported(kind)) => Err(bilingual!(
            "{VERSION_VARIABLE} comes from {kind}; give it as a value or as fieldRef to a label or an annotation",
            "{VERSION_VARIABLE} 来自 {kind}；请直接写值，或用 fieldRef 引用标签或注解"
        )),
    }
}

/// A field by the path of the downward API.
fn field(pod: &PodView, path: &str) -> Option<String> {
    let key = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    match path {
        "metadata.name" => Some(pod.pod.name.to_string()),
        "metadata.namespace" => Some(pod.pod.namespace.to_string()),
        "metadata.uid" => Some(pod.pod.uid.to_string()),
        _ => key("metadata.labels['")
            .and_then(|key| pod.labels.get(key))
            .or_else(|| key("metadata.annotations['").and_then(|key| pod.annotations.get(key)))
            .cloned(),
    }
}

/// An annotation for one container (`…/<what>.<container>`), else for the whole Pod (`…/<what>`).
fn annotation<'a>(pod: &'a PodView, container: &ContainerView, what: &str) -> Option<(Arc<str>, &'a str)> {
    [format!("{PREFIX}/{what}.{}", container.name), format!("{PREFIX}/{what}")]
        .into_iter()
        .find_map(|key| pod.annotations.get(&key).map(|value| (key.into(), value.as_str())))
}

/// What an annotation has to be.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A list.
    Strings,
    /// By name.
    Texts,
}

impl Shape {
    /// It is none.
    fn lacking(self, key: &str, why: &Bilingual) -> Bilingual {
        let shape = match self {
            Self::Strings => bilingual!("a JSON array of strings", "字符串的 JSON 数组"),
            Self::Texts => bilingual!("a JSON object of strings", "值为字符串的 JSON 对象"),
        };
        Bilingual::each(|language| {
            let (shape, why) = (shape.of(language), why.of(language));
            match language {
                Language::English => format!("annotation {key} is not {shape}: {why}"),
                Language::Chinese => format!("注解 {key} 不是{shape}：{why}"),
            }
        })
    }
}

fn parsed<T: for<'de> serde::Deserialize<'de> + Default>(
    pod: &PodView,
    container: &ContainerView,
    what: &str,
    shape: Shape,
) -> Result<T, Bilingual> {
    match annotation(pod, container, what) {
        Some((key, text)) => serde_json::from_str(text).map_err(|error| match error.classify() {
            // The parser would quote the value, which may be a secret of the module's.
            Category::Data => {
                let (line, column) = (error.line(), error.column());
                shape.lacking(
                    &key,
                    &bilingual!("see line {line} column {column}", "见第 {line} 行第 {column} 列"),
                )
            }
            _ => shape.lacking(&key, &error.to_string().into()),
        }),
        None => Ok(T::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing, view::EnvVar};

    fn one(change: impl FnOnce(&mut PodView)) -> Result<ModuleSpec, Fault> {
        let mut pod = testing::pod("p", "biz1", "1.0.0");
        change(&mut pod);
        module(&pod, &pod.containers[0])
    }

    #[test]
    fn name_version_and_package_are_read() {
        let spec = one(|_| {}).unwrap();
        assert_eq!(spec.id.to_string(), "biz1:1.0.0");
        assert_eq!(spec.url.as_written(), "file:///packages/biz1-1.0.0.jar");
        assert_eq!(spec.strategy, InstallStrategy::Auto);
    }

    #[test]
    fn the_version_may_be_a_label_an_annotation_or_the_replacing_annotation() {
        let field_ref =
            |path: &str| EnvVar { name: "BIZ_VERSION".into(), value: EnvValue::FieldRef(path.into()) };
        let by_label = one(|pod| {
            pod.labels.insert("v".into(), "2".into());
            pod.containers[0].env = vec![field_ref("metadata.labels['v']")];
        });
        assert_eq!(by_label.unwrap().id.version.as_str(), "2");
        let by_annotation = one(|pod| {
            pod.annotations.insert("x/v".into(), "3".into());
            pod.containers[0].env = vec![field_ref("metadata.annotations['x/v']")];
        });
        assert_eq!(by_annotation.unwrap().id.version.as_str(), "3");
        let replaced = one(|pod| {
            pod.annotations.insert("module-controller.koupleless.io/biz-version.biz1".into(), "4".into());
        });
        assert_eq!(replaced.unwrap().id.version.as_str(), "4");
    }

    #[test]
    fn strategy_args_and_envs_come_from_annotations() {
        let spec = one(|pod| {
            for (key, value) in [
                ("install-strategy", "uninstallThenInstall"),
                ("args", r#"["--all=1"]"#),
                ("args.biz1", r#"["--one=1", "--two=2"]"#),
                ("envs", r#"{"A": "b"}"#),
            ] {
                pod.annotations.insert(format!("module-controller.koupleless.io/{key}"), value.into());
            }
        })
        .unwrap();
        assert_eq!(spec.strategy, InstallStrategy::UninstallThenInstall);
        assert_eq!(*spec.args, ["--one=1", "--two=2"], "the container's own comes first");
        assert_eq!(*spec.envs, [("A".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_shown_in_part_and_no_value_of_the_environment_at_all() {
        let cause = |key: &str, value: &str| {
            let change = |pod: &mut PodView| {
                pod.annotations.insert(format!("module-controller.koupleless.io/{key}"), value.into());
            };
            one(change).unwrap_err().cause.to_string()
        };
        let envs = cause("envs", r#"{"PASSWORD": ["secret"]}"#);
        assert!(envs.ends_with("is not a JSON object of strings: see line 1 column 13"), "{envs}");
        let envs = cause("envs", r#""secret""#);
        assert!(envs.contains("a JSON object of strings") && !envs.contains("secret"), "{envs}");
        let long = cause("install-strategy", &"x".repeat(100_000));
        assert!(long.chars().count() <= MAX_CAUSE_CHARS, "{long}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_its_code() {
        let code = |result: Result<ModuleSpec, Fault>| {
            let fault = result.unwrap_err();
            (fault.code.to_string(), fault.cause.to_string())
        };
        let (missing, cause) = code(one(|pod| pod.containers[0].env.clear()));
        assert_eq!(missing, "OtherUpstream.InvalidParameter");
        assert!(cause.contains("BIZ_VERSION"), "{cause}");
        let (blank, _) = code(one(|pod| pod.containers[0].image = " ".into()));
        assert_eq!(blank, "OtherUpstream.InvalidParameter");
        let (unparsable, _) = code(one(|pod| pod.containers[0].image = "biz1.jar".into()));
        assert_eq!(unparsable, "OtherUpstream.DecodeURLFailed");
        let (scheme, cause) = code(one(|pod| pod.containers[0].image = "sftp://h/biz1.jar".into()));
        assert_eq!(scheme, "OtherUpstream.DecodeURLFailed");
        assert!(cause.contains("\"sftp\""), "{cause}");
        let (args, cause) = code(one(|pod| {
            pod.annotations.insert("module-controller.koupleless.io/args".into(), "--x".into());
        }));
        assert_eq!(args, "OtherUpstream.InvalidParameter");
        assert!(cause.contains("annotation module-controller.koupleless.io/args"), "{cause}");
    }
}
