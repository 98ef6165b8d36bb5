//! One version gives way to another one, under load.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use samples::Sample;
use serde_json::json;

use crate::support::{Base, wait_for};

/// Callers at one time.
const CALLERS: usize = 4;

/// Requests between two switches.
const BETWEEN: usize = 200;

/// Asks for one path on connections of their own until it is dropped.
struct Load {
    end: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    callers: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(base: &Base) -> Self {
        let (end, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let url = format!("http://{}/biz1/who", base.web());
        let callers = (0..CALLERS).map(|_| {
            let (end, asked, url) = (end.clone(), asked.clone(), url.clone());
            thread::spawn(move || {
                let agent: ureq::Agent =
                    ureq::Agent::config_builder().http_status_as_error(false).build().into();
                let mut wrong = Vec::new();
                while !end.load(Ordering::Relaxed) {
                    match agent.get(&url).call() {
                        Ok(mut response) => {
                            let status = response.status();
                            let body = response.body_mut().read_to_string();
                            if status != 200 || body.is_err() {
                                wrong.push(format!("{status} {body:?}"));
                            }
                        }
                        Err(error) => wrong.push(error.to_string()),
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                wrong
            })
        });
        Self { callers: callers.collect(), end, asked }
    }

    fn wait_for(&self, more: usize) {
        let until = self.asked.load(Ordering::Relaxed) + more;
        wait_for("requests", || {
            let asked = self.asked.load(Ordering::Relaxed);
            if asked >= until { Ok(()) } else { Err(format!("{asked} of {until}")) }
        });
    }

    fn end(self) -> (usize, Vec<String>) {
        self.end.store(true, Ordering::Relaxed);
        let wrong = self.callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
        (self.asked.load(Ordering::Relaxed), wrong)
    }
}

#[test]
fn no_request_fails_while_versions_change_in_every_way() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    let load = Load::start(&base);
    let id = |version: &str| json!({"bizName": "biz1", "bizVersion": version});
    for round in 0..5 {
        let (old, new) = (format!("{}.0.0", round + 1), format!("{}.0.0", round + 2));
        load.wait_for(BETWEEN);
        if round % 2 == 0 {
            // As a controller does it where a base can hold two.
            base.installed(&Sample::new("biz1", &new));
            assert_eq!(base.serving("biz1").as_deref(), Some(&*old));
            assert_eq!(base.arklet("switchBiz", &id(&new))["code"], "SUCCESS");
            // Whatever begins after the switch is the new one's.
            assert_eq!(base.serving("biz1").as_deref(), Some(&*new));
            assert_eq!(base.arklet("uninstallBiz", &id(&old))["code"], "SUCCESS");
        } else {
            let answer = base.install(&Sample::new("biz1", &new), "uninstallThenInstall");
            assert_eq!(answer["code"], "SUCCESS", "{answer}");
        }
        assert_eq!(base.serving("biz1").as_deref(), Some(&*new));
    }
    load.wait_for(BETWEEN);
    let (asked, wrong) = load.end();
    assert!(wrong.is_empty(), "{} of {asked} failed: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    assert_eq!(base.biz(), ["biz1:6.0.0 activated"]);
}

#[test]
fn a_request_ends_on_the_version_that_it_began_on() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    let url = format!("http://{}/biz1/slow", base.web());
    let slow = thread::spawn(move || crate::support::get(&url));
    // Its own answer takes half a second; it has begun when it keeps an uninstallation waiting.
    thread::sleep(Duration::from_millis(150));
    let start = Instant::now();
    let answer = base.arklet("uninstallBiz", &json!({"bizName": "biz1", "bizVersion": "1.0.0"}));
    assert_eq!(answer["code"], "SUCCESS", "{answer}");
    assert!(start.elapsed() > Duration::from_millis(100), "{:?}", start.elapsed());
    let answer = slow.join().unwrap();
    assert_eq!((answer.status, &answer.json()["version"]), (200, &json!("1.0.0")));
}

#[test]
fn the_body_of_an_answer_is_of_the_version_that_began_it() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0").limits(r#"{"responseMiB":16}"#));
    base.installed(&Sample::new("biz1", "2.0.0"));
    let mut stream = TcpStream::connect(base.web()).unwrap();
    write!(stream, "GET /biz1/flood HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut begun = [0; 64 * 1024];
    stream.read_exact(&mut begun).unwrap();
    let id = json!({"bizName": "biz1", "bizVersion": "2.0.0"});
    assert_eq!(base.arklet("switchBiz", &id)["code"], "SUCCESS");
    assert_eq!(base.serving("biz1").as_deref(), Some("2.0.0"));
    // More than any socket holds: it is made after the switch.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() > 12 << 20, "only {} bytes came", rest.len());
    let last = String::from_utf8_lossy(&rest[rest.len() - (64 << 10)..]);
    assert!(last.contains(r#""version":"1.0.0""#) && !last.contains("2.0.0"), "it ends on another version");
}

#[test]
fn what_does_not_end_is_ended_with_its_module() {
    let base = Base::start(&["--base.drain-seconds=1"]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    let url = format!("http://{}/biz1/loop", base.web());
    let endless = thread::spawn(move || crate::support::get(&url));
    thread::sleep(Duration::from_millis(150));
    let answer = base.arklet("uninstallBiz", &json!({"bizName": "biz1", "bizVersion": "1.0.0"}));
    assert_eq!(answer["code"], "SUCCESS", "{answer}");
    assert_eq!(endless.join().unwrap().status, 503);
}
