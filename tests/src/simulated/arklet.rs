//! What a simulated base has, and what it answers: no sockets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::seen::text;

/// Arklet as a Java base has it, as far as a test needs it: a second version of what serves is refused, unless it is
/// to replace that; what is there already is refused, and so is what is not there or is being worked at.
#[derive(Debug, Default)]
pub(super) struct Arklet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `name:version` to its state.
    biz: BTreeMap<String, String>,
    busy: BTreeSet<String>,
    commands: Vec<Told>,
    /// How many other requests came.
    questions: usize,
    /// What fails when it starts, and is gone then.
    broken: BTreeSet<String>,
    /// So many uninstalls are refused before one is done.
    refuses: usize,
    takes: Duration,
    /// It takes a second version of a module beside the first.
    holds_two: bool,
    silent: bool,
    /// How often it was started anew.
    life: usize,
    /// It answers as the bases of the Go controller's own tests do.
    as_go_has_it: bool,
    release: Release,
}

/// What a base does otherwise than a present Java one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// Nothing.
    #[default]
    Present,
    /// It says that it has installed something, and not what, as the Go controller's own simulated bases do.
    NamesNothing,
    /// It knows no `installStrategy`, as those of koupleless before 1.3.
    Old,
}

#[derive(Debug)]
struct Told {
    /// `installBiz biz1:1.0.0`.
    command: String,
    done: bool,
}

impl Arklet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a command; none where it says nothing. It waits as long as that takes.
    pub(super) fn answer(&self, command: &str, body: &Value) -> Option<Value> {
        if self.is_silent() {
            return None;
        }
        let id = format!("{}:{}", text(body, "/bizName"), text(body, "/bizVersion"));
        if !matches!(command, "installBiz" | "uninstallBiz") {
            self.state().questions += 1;
        }
        let answer = match command {
            "queryAllBiz" if self.is_as_go_has_it() => {
                success(self.state().biz.iter().map(go_entry).collect())
            }
            "queryAllBiz" => success(self.state().biz.iter().map(entry).collect()),
            "health" => success(json!({"healthData": {
                "jvm": {"java max metaspace": -1, "java committed metaspace": 1},
                "masterBizInfo": {"bizName": "base", "bizState": "activated", "bizVersion": "1", "webContextPath": "/"},
            }})),
            "installBiz" => self.install(&id, text(body, "/installStrategy") == "uninstallThenInstall"),
            "uninstallBiz" => self.uninstall(&id),
            _ => json!({"code": "CMD_NOT_FOUND"}),
        };
        (!self.is_silent()).then_some(answer)
    }

    fn install(&self, id: &str, replaces: bool) -> Value {
        let mut state = self.state();
        if let Some(refusal) = state.conflict("installBiz", id) {
            return refusal;
        }
        if state.biz.contains_key(id) && (!replaces || state.release == Release::Old) {
            state.told("installBiz", id, false);
            let message = format!("Biz: {id} has been installed or registered.");
            return refused("REPEAT_BIZ", &message, "install biz not success!");
        }
        let (name, _) = id.split_once(':').unwrap_or((id, ""));
        let older: Vec<String> = state
            .biz
            .keys()
            .filter(|key| key.split_once(':').is_some_and(|(older, _)| older == name))
            .cloned()
            .collect();
        if !older.is_empty() && !state.holds_two && (!replaces || state.release == Release::Old) {
            state.told("installBiz", id, false);
            let cause = format!("java.lang.IllegalArgumentException: Child name [{name}] is not unique");
            return json!({
                "code": "CMD_PROCESS_INTERNAL_ERROR",
                "errorStackTrace": cause,
                "message": "Internal Error: java.lang.reflect.InvocationTargetException",
            });
        }
        for older in older.into_iter().filter(|_| !state.holds_two).collect::<Vec<_>>() {
            state.biz.remove(&older);
            state.told("uninstallBiz", &older, true);
        }
        state.told("installBiz", id, true);
        state.biz.insert(id.to_owned(), "resolved".to_owned());
        if !self.work(state, id) {
            return json!({"code": "FAILED", "message": "it was started anew"});
        }
        if self.state().broken.contains(id) {
            self.state().biz.remove(id);
            return json!({
                "code": "CMD_PROCESS_INTERNAL_ERROR",
                "errorStackTrace": "org.springframework.beans.factory.BeanCreationException: it was told to fail",
                "message": "Internal Error: java.lang.reflect.InvocationTargetException",
            });
        }
        let activated = "activated".to_owned();
        self.state().biz.insert(id.to_owned(), activated.clone());
        if self.is_as_go_has_it() {
            return go_success();
        }
        let came = match self.state().release {
            Release::NamesNothing => Value::Null,
            Release::Present | Release::Old => json!([entry((&id.to_owned(), &activated))]),
        };
        success(json!({"bizInfos": came, "code": "SUCCESS", "message": "done"}))
    }

    fn uninstall(&self, id: &str) -> Value {
        let mut state = self.state();
        if let Some(refusal) = state.conflict("uninstallBiz", id) {
            return refusal;
        }
        if state.refuses > 0 {
            state.refuses -= 1;
            state.told("uninstallBiz", id, false);
            return json!({"code": "FAILED", "message": "the module does not let go"});
        }
        if !state.biz.contains_key(id) {
            state.told("uninstallBiz", id, false);
            let message = format!("Uninstall biz: {id} not found.");
            return refused("NOT_FOUND_BIZ", &message, "uninstall biz not success!");
        }
        state.told("uninstallBiz", id, true);
        if self.work(state, id) {
            self.state().biz.remove(id);
        }
        if self.is_as_go_has_it() {
            return go_success();
        }
        success(json!({"code": "SUCCESS", "message": "done"}))
    }

    /// Lets an operation take its time; false where the base did not live to see its end.
    fn work(&self, mut state: MutexGuard<'_, State>, id: &str) -> bool {
        let (life, takes) = (state.life, state.takes);
        state.busy.insert(id.to_owned());
        drop(state);
        thread::sleep(takes);
        let mut state = self.state();
        state.busy.remove(id);
        state.life == life
    }

    pub(super) fn commands(&self) -> Vec<String> {
        self.state().commands.iter().map(|told| told.command.clone()).collect()
    }

    pub(super) fn done(&self) -> Vec<String> {
        let state = self.state();
        state.commands.iter().filter(|told| told.done).map(|told| told.command.clone()).collect()
    }

    pub(super) fn questions(&self) -> usize {
        self.state().questions
    }

    pub(super) fn biz(&self) -> BTreeMap<String, String> {
        self.state().biz.clone()
    }

    pub(super) fn hold_two_versions(&self) {
        self.state().holds_two = true;
    }

    pub(super) fn put(&self, id: &str, state: &str) {
        self.state().biz.insert(id.to_owned(), state.to_owned());
    }

    pub(super) fn fail_at_start(&self, id: &str) {
        self.state().broken.insert(id.to_owned());
    }

    pub(super) fn mend(&self, id: &str) {
        self.state().broken.remove(id);
    }

    pub(super) fn refuse_uninstalls(&self, count: usize) {
        self.state().refuses = count;
    }

    pub(super) fn be(&self, release: Release) {
        self.state().release = release;
    }

    pub(super) fn take(&self, time: Duration) {
        self.state().takes = time;
    }

    pub(super) fn is_silent(&self) -> bool {
        self.state().silent
    }

    pub(super) fn be_silent(&self, silent: bool) {
        self.state().silent = silent;
    }

    pub(super) fn is_as_go_has_it(&self) -> bool {
        self.state().as_go_has_it
    }

    pub(super) fn be_as_go_has_it(&self) {
        self.state().as_go_has_it = true;
    }

    pub(super) fn start_anew(&self) {
        let mut state = self.state();
        state.life += 1;
        state.biz.clear();
        state.busy.clear();
    }
}

impl State {
    fn told(&mut self, command: &str, id: &str, done: bool) {
        self.commands.push(Told { command: format!("{command} {id}"), done });
    }

    /// Two operations on one biz at once.
    fn conflict(&mut self, command: &str, id: &str) -> Option<Value> {
        let running = self.busy.contains(id);
        running.then(|| {
            self.told(command, id, false);
            json!({"code": "FAILED", "message": format!(
                "FAILED:{id} {command} conflict, exist unfinished command({command}) for this biz"
            )})
        })
    }
}

fn success(data: Value) -> Value {
    json!({"code": "SUCCESS", "data": data})
}

fn refused(code: &str, message: &str, outer: &str) -> Value {
    json!({"code": "FAILED", "data": {"code": code, "message": message}, "message": outer})
}

fn entry((id, state): (&String, &String)) -> Value {
    let (name, version) = id.split_once(':').unwrap_or((id, ""));
    json!({"bizName": name, "bizVersion": version, "bizState": state, "webContextPath": name})
}

/// That a command is done, with every field that there is and no list.
fn go_success() -> Value {
    json!({
        "code": "SUCCESS",
        "data": {"code": "SUCCESS", "message": "", "elapsedSpace": 0, "bizInfos": null},
        "message": "",
        "errorStackTrace": "",
        "baseIdentity": "",
    })
}

/// States in capitals, and a time that is text.
fn go_entry((id, state): (&String, &String)) -> Value {
    let (name, version) = id.split_once(':').unwrap_or((id, ""));
    let state = state.to_uppercase();
    let record =
        json!({"changeTime": "2024-01-01 00:00:00.000", "state": state, "reason": "", "message": ""});
    json!({"bizName": name, "bizVersion": version, "bizState": state, "bizStateRecords": [record]})
}
