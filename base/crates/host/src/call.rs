//! One request in one instance.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinHandle,
};
use wasmtime_wasi_http::{
    Error, WasiHttpView as _,
    p2::{
        bindings::http::types::{ErrorCode, Scheme},
        body::HyperOutgoingBody,
    },
};

use crate::{
    answer::Body,
    error::{CallError, EnterError},
    instance::Instance,
    module::Module,
};

/// A request that was let in: it ends on this module, whatever serves meanwhile.
#[derive(Debug)]
pub struct Entry {
    module: Arc<Module>,
    place: OwnedSemaphorePermit,
    /// How it ends says something of the module's health: the base's own questions do not.
    is_counted: bool,
}

/// Ends a task when its answer is not wanted any more.
#[derive(Debug)]
pub(crate) struct Task(Option<JoinHandle<Result<(), CallError>>>);

impl Task {
    /// It may go on without anybody: its deadline ends it.
    pub(crate) fn leave_alone(&mut self) {
        self.0 = None;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

type Told = oneshot::Receiver<Result<Response<HyperOutgoingBody>, ErrorCode>>;

impl Module {
    /// Lets a request in.
    ///
    /// # Errors
    /// [`EnterError::Busy`] where as many are at work as may be, [`EnterError::Leaving`] where another version serves by now.
    pub fn enter(self: &Arc<Self>) -> Result<Entry, EnterError> {
        match self.places.clone().try_acquire_owned() {
            Ok(place) if !self.is_leaving.load(Ordering::SeqCst) => {
                Ok(Entry { module: self.clone(), place, is_counted: true })
            }
            Err(_) if !self.is_leaving.load(Ordering::SeqCst) => Err(EnterError::Busy),
            _ => Err(EnterError::Leaving),
        }
    }

    /// Lets a question of the base itself in, one at a time, whether the module serves or not.
    ///
    /// # Errors
    /// [`EnterError::Busy`] where one is at work.
    pub fn enter_for_base(self: &Arc<Self>) -> Result<Entry, EnterError> {
        let place = self.own_place.clone().try_acquire_owned().map_err(|_| EnterError::Busy)?;
        Ok(Entry { module: self.clone(), place, is_counted: false })
    }
}

impl Entry {
    /// Answers the request. The answer's body may be cut short: by the deadline, or where it is larger than it may be.
    ///
    /// # Errors
    /// Where the module gives no answer.
    pub async fn call<B>(self, request: Request<B>) -> Result<Response<Body>, CallError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let Self { module, place, is_counted } = self;
        let place = Arc::new(place);
        let (answer, told) = oneshot::channel();
        let runtime = module.runtime().map_err(|error| CallError::NoRoom(error.to_string()))?;
        let ended = run(module.clone(), place.clone(), request, answer);
        let noting = module.clone();
        let task = runtime.spawn(async move {
            let ended = ended.await;
            if is_counted {
                noting.faults.note(ended.as_ref().map(|&()| ()));
            }
            // Among what it prints, and within the same limit: a module that fails at every request fills no disk.
            if let Err(error) = &ended {
                noting.output.print(format!("a request got no answer: {error}").as_bytes());
            }
            ended
        });
        let (response, task) = wait(told, task).await?;
        let limit = module.quota.response_bytes;
        Ok(response.map(|body| Body::new(body, limit, task, module, place)))
    }
}

/// The answer's head, or how the task ended without one.
async fn wait(
    told: Told,
    task: JoinHandle<Result<(), CallError>>,
) -> Result<(Response<HyperOutgoingBody>, Task), CallError> {
    let mut task = Task(Some(task));
    match told.await {
        Ok(Ok(response)) => Ok((response, task)),
        Ok(Err(code)) => {
            task.leave_alone();
            Err(CallError::NoAnswer(format!("{code:?}")))
        }
        Err(_) => {
            let Some(handle) = task.0.take() else {
                return Err(CallError::NoAnswer("it was left alone".to_owned()));
            };
            match handle.await {
                Ok(Ok(())) => Err(CallError::NoAnswer("it returned without one".to_owned())),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(CallError::Trap(error.to_string())),
            }
        }
    }
}

/// Runs an instance to its end, its deadline, or the end of the module.
async fn run<B>(
    module: Arc<Module>,
    place: Arc<OwnedSemaphorePermit>,
    request: Request<B>,
    answer: oneshot::Sender<Result<Response<HyperOutgoingBody>, ErrorCode>>,
) -> Result<(), CallError>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Error>,
{
    let _running = module.host.turns.running();
    let mut end = module.end.subscribe();
    let limit = module.quota.request;
    let ended = tokio::select! {
        ended = tokio::time::timeout(limit, instance(&module, request, answer)) => {
            ended.unwrap_or(Err(CallError::Deadline(limit)))
        }
        _ = end.wait_for(|end| *end) => Err(CallError::Ended),
    };
    drop(place);
    ended
}

async fn instance<B>(
    module: &Module,
    request: Request<B>,
    answer: oneshot::Sender<Result<Response<HyperOutgoingBody>, ErrorCode>>,
) -> Result<(), CallError>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Error>,
{
    let mut instance = Instance::get(module).await?;
    let Instance { store, proxy, .. } = &mut instance;
    let called = async {
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let answer = store.data_mut().http().new_response_outparam(answer)?;
        proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, answer).await
    }
    .await;
    match called {
        Ok(()) => {
            instance.give_back(module);
            Ok(())
        }
        Err(error) => Err(of_error(&error, instance.store.data().memory.refused())),
    }
}

pub(crate) fn of_error(error: &wasmtime::Error, refused: Option<&'static str>) -> CallError {
    if let Some(limit) = error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::NoRoom(limit.to_string());
    }
    let cause = error.root_cause().to_string();
    CallError::Trap(refused.map_or_else(|| cause.clone(), |why| format!("{cause} ({why})")))
}
