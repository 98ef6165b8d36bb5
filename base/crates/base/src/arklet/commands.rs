//! Arklet's commands, whichever way they come.

use std::{path::PathBuf, sync::Arc, time::Instant};

use jiff::Timestamp;
use lifecycle::{CommandKind, Done, Install, Outcome, Refusal, Strategy};
use serde_json::{Map, Value, json};

use super::{
    biz,
    exception::{self, Exception},
    health::{self, Machine},
    operations::Operations,
    reply::Reply,
    request::{self, Manner, Order},
};
use crate::modules::Modules;

/// The most packages of one batch.
const MAX_BATCH: usize = 256;

/// The commands of one base.
#[derive(Debug)]
pub(crate) struct Commands {
    modules: Arc<Modules>,
    operations: Operations,
    machine: Machine,
}

impl Commands {
    pub(crate) fn new(modules: Arc<Modules>, machine: Machine) -> Arc<Self> {
        Arc::new(Self { modules, operations: Operations::default(), machine })
    }

    /// Carries out a command with its body; null where there is none.
    pub(crate) async fn run(self: &Arc<Self>, command: &str, body: &Value) -> Reply {
        let result = match command {
            "help" => Ok(help()),
            "queryAllBiz" => {
                Ok(Reply::Success(self.modules.biz().iter().map(biz::listed).collect::<Vec<_>>().into()))
            }
            "health" => health::answer(body, &self.machine, &self.modules.biz()),
            "installBiz" => self.install(body).await,
            "uninstallBiz" => self.uninstall(body).await,
            "switchBiz" => self.switch(body).await,
            "batchInstallBiz" => self.install_batch(body).await,
            "queryBizOps" => self.query_operation(body),
            _ => Ok(Reply::UnknownCommand),
        };
        result.unwrap_or_else(Reply::Internal)
    }

    /// The list over MQTT.
    pub(crate) fn simple_biz(&self) -> Value {
        self.modules.biz().iter().map(biz::simple).collect::<Vec<_>>().into()
    }

    async fn install(self: &Arc<Self>, body: &Value) -> Result<Reply, Exception> {
        let body = request::object(body)?;
        let order = request::install_order(body)?;
        let manner = request::manner(body)?;
        let this = self.clone();
        Ok(self
            .in_manner(manner, meta(body, Some(&order)), async move { this.install_one(order).await })
            .await)
    }

    async fn install_one(&self, order: Order) -> Reply {
        let (began, at) = (Instant::now(), Timestamp::now());
        match self.modules.install(order.install, order.start).await {
            Err(refusal) => of_refusal("install", &refusal),
            Ok(done) => {
                let data = installed(&done, began, at);
                Reply::Success(data)
            }
        }
    }

    async fn uninstall(self: &Arc<Self>, body: &Value) -> Result<Reply, Exception> {
        let body = request::object(body)?;
        let id = request::biz_id(body)?;
        let manner = request::manner(body)?;
        let this = self.clone();
        let work = async move {
            let message = format!("Uninstall biz: {id} success.");
            done("uninstall", this.modules.uninstall(id).await, message)
        };
        Ok(self.in_manner(manner, meta(body, None), work).await)
    }

    async fn switch(&self, body: &Value) -> Result<Reply, Exception> {
        let id = request::biz_id(request::object(body)?)?;
        let message = format!("Switch biz: {id} is activated.");
        Ok(done("switch", self.modules.switch(id).await, message))
    }

    /// All at once, each with its own end: one that fails keeps none of the others back.
    async fn install_batch(&self, body: &Value) -> Result<Reply, Exception> {
        let body = request::object(body)?;
        let orders = batch(body)?;
        let mut at_work = tokio::task::JoinSet::new();
        for order in orders {
            let modules = self.modules.clone();
            at_work.spawn(async move {
                let (began, at) = (Instant::now(), Timestamp::now());
                let url = order.install.url.clone();
                let answer = match modules.install(order.install, order.start).await {
                    Ok(done) => Ok(installed(&done, began, at)),
                    Err(refusal) => Err(failed(&refusal)),
                };
                (url, answer)
            });
        }
        let mut answers = Map::new();
        let mut all = true;
        while let Some(ended) = at_work.join_next().await {
            let Ok((url, answer)) = ended else { continue };
            all &= answer.is_ok();
            answers.insert(url, answer.unwrap_or_else(|failed| failed));
        }
        let (code, message) =
            if all { ("SUCCESS", "batch install success") } else { ("FAILED", "batch install failed") };
        let data = json!({"bizUrlToResponse": answers, "code": code, "elapsedSpace": 0, "message": message});
        Ok(match all {
            true => Reply::Success(data),
            false => Reply::Failed { message: "install biz not success!".to_owned(), data: Some(data) },
        })
    }

    fn query_operation(&self, body: &Value) -> Result<Reply, Exception> {
        let id = request::word(request::object(body)?, "requestId");
        let id = id.ok_or_else(|| Exception::invalid("requestId is blank"))?;
        Ok(self.operations.find(&id).map_or_else(
            || Reply::Failed { message: "Not found the corresponding ops record.".to_owned(), data: None },
            Reply::Success,
        ))
    }

    /// Waits for the work, or has it go on by itself.
    async fn in_manner(
        self: &Arc<Self>,
        manner: Manner,
        meta: Value,
        work: impl Future<Output = Reply> + Send + 'static,
    ) -> Reply {
        let Manner::Async(id) = manner else { return work.await };
        let Some(record) = self.operations.begin(&id, meta) else {
            let message = format!("The request corresponding to the requestId({id}) has been executed.");
            return Reply::Failed { message, data: None };
        };
        let this = self.clone();
        tokio::spawn(async move {
            let reply = work.await;
            this.operations.end(&id, &reply);
        });
        Reply::Success(record)
    }
}

fn help() -> Reply {
    Reply::Success(json!([
        {"desc": "get all health info", "id": "health"},
        {"desc": "install many modules", "id": "batchInstallBiz"},
        {"desc": "query all modules", "id": "queryAllBiz"},
        {"desc": "list all supported commands", "id": "help"},
        {"desc": "uninstall one module", "id": "uninstallBiz"},
        {"desc": "switch to one module", "id": "switchBiz"},
        {"desc": "install one module", "id": "installBiz"},
        {"desc": "query what became of an asynchronous command", "id": "queryBizOps"},
    ]))
}

/// What an asynchronous command was asked to do, as its record shows it.
fn meta(body: &Map<String, Value>, order: Option<&Order>) -> Value {
    let keys = ["async", "bizName", "bizUrl", "bizVersion", "requestId"];
    let mut meta: Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), body.get(*key)?.clone()))).collect();
    if let Some(order) = order {
        let strategy = match order.install.strategy {
            Strategy::InstallOnly => "installOnly",
            Strategy::UninstallThenInstall => "uninstallThenInstall",
        };
        meta.insert("installStrategy".to_owned(), strategy.into());
    }
    Value::Object(meta)
}

/// `{bizInfos, code, elapsedSpace, message}`.
fn installed(done: &Done, began: Instant, at: Timestamp) -> Value {
    let infos: Vec<Value> = done.iter().map(biz::installed).collect();
    let id = done.as_ref().map(|biz| biz.id.to_string()).unwrap_or_default();
    let (cost, at) = (began.elapsed().as_millis(), at.strftime("%H:%M:%S,%3f"));
    let message = format!("Install Biz: {id} success, cost: {cost} ms, started at: {at}");
    json!({"bizInfos": infos, "code": "SUCCESS", "elapsedSpace": 0, "message": message})
}

fn done(command: &str, outcome: Outcome, message: String) -> Reply {
    match outcome {
        Ok(_) => Reply::Success(json!({"code": "SUCCESS", "message": message})),
        Err(refusal) => of_refusal(command, &refusal),
    }
}

fn of_refusal(command: &str, refusal: &Refusal) -> Reply {
    if let Some(exception) = exception::of_refusal(refusal) {
        return Reply::Internal(exception);
    }
    match refusal {
        Refusal::Conflict { id, command, running } => Reply::Failed {
            message: format!(
                "FAILED:{id} {} conflict, exist unfinished command({}) for this biz",
                command.name(),
                running.name()
            ),
            data: None,
        },
        _ => {
            let (code, message) = code(refusal);
            Reply::refused(command, code, message)
        }
    }
}

/// One package of a batch that failed.
fn failed(refusal: &Refusal) -> Value {
    let (code, message) = match exception::of_refusal(refusal) {
        Some(exception) => ("FAILED", exception.trace()),
        None => code(refusal),
    };
    json!({"code": code, "message": message})
}

fn code(refusal: &Refusal) -> (&'static str, String) {
    match refusal {
        Refusal::Repeat(id) => ("REPEAT_BIZ", format!("Biz: {id} has been installed or registered.")),
        Refusal::NotFound(CommandKind::SwitchBiz, id) => {
            ("NOT_FOUND_BIZ", format!("Switch biz: {id} not found."))
        }
        Refusal::NotFound(_, id) => ("NOT_FOUND_BIZ", format!("Uninstall biz: {id} not found.")),
        other => ("FAILED", other.to_string()),
    }
}

/// `{bizList: [order, …]}`, or `{bizDirAbsolutePath}`: every package in that folder.
fn batch(body: &Map<String, Value>) -> Result<Vec<Order>, Exception> {
    let too_many =
        || Exception::invalid(&format!("a batch has at most {MAX_BATCH} packages, and this one has more"));
    if let Some(list) = body.get("bizList").and_then(Value::as_array) {
        if list.len() > MAX_BATCH {
            return Err(too_many());
        }
        return list.iter().map(|one| request::install_order(request::object(one)?)).collect();
    }
    let Some(folder) = request::word(body, "bizDirAbsolutePath").map(PathBuf::from) else {
        return Err(Exception::invalid("bizList is null"));
    };
    let packages = crate::fetch::packages_in(&folder)
        .map_err(|error| Exception::invalid(&format!("bizDirAbsolutePath: {error}")))?;
    if packages.len() > MAX_BATCH {
        return Err(too_many());
    }
    let order = |url: String| Order {
        install: Install { id: None, url, strategy: Strategy::InstallOnly },
        start: host::Start::default(),
    };
    Ok(packages.into_iter().map(order).collect())
}
