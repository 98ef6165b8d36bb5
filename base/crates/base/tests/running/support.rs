//! A base of a test's own, and how it is talked to.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use samples::Sample;
use serde_json::{Value, json};

/// How long anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A folder of its own, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("base-test-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a package and gives its URL.
    pub(crate) fn package(&self, sample: &Sample) -> String {
        format!("file://{}", sample.write(&self.0).unwrap().display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A running base. Dropped, it is killed.
pub(crate) struct Base {
    child: Child,
    web: SocketAddr,
    arklet: SocketAddr,
    pub(crate) folder: Folder,
}

impl Base {
    /// Starts one with properties, and waits until it is ready.
    pub(crate) fn start(properties: &[&str]) -> Self {
        Self::begin(Folder::new(), properties, "the base is ready")
    }

    /// Starts one and waits until it says this.
    pub(crate) fn begin(folder: Folder, properties: &[&str], until: &str) -> Self {
        let data = folder.path().join("data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_base"))
            .args(["run", "--server.address=127.0.0.1", "--server.port=0", "--koupleless.arklet.http.port=0"])
            .arg(format!("--base.data={}", data.display()))
            .args(properties)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let (mut web, mut arklet, mut said) = (None, None, String::new());
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the base ended before {until:?}: {said}");
            let field = |name: &str| {
                let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
                value.map(|value| value.parse().unwrap())
            };
            (web, arklet) = (web.or(field("web=")), arklet.or(field("arklet=")));
            said.push_str(&line);
            if line.contains(until) {
                break;
            }
        }
        // What it says later is for whoever looks at a failed test.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                println!("base: {line}");
            }
        });
        Self { child, web: web.unwrap(), arklet: arklet.unwrap(), folder }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn web(&self) -> SocketAddr {
        self.web
    }

    /// Kills it, as a machine that fails does, and gives what it leaves.
    pub(crate) fn kill(mut self) -> Folder {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, Folder::new())
    }

    /// `GET path` of its web port.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&format!("http://{}{path}", self.web))
    }

    /// What serves at a path: its version.
    pub(crate) fn serving(&self, path: &str) -> Option<String> {
        let answer = self.get(&format!("/{path}/who"));
        (answer.status == 200).then(|| answer.json()["version"].as_str().unwrap().to_owned())
    }

    /// Where the log of a module is read, with further parameters.
    pub(crate) fn log_url(&self, biz: &str, parameters: &str) -> String {
        format!("http://{}/bizLog?bizName={biz}&bizVersion=1.0.0{parameters}", self.arklet)
    }

    /// A command to its Arklet, with whatever body.
    pub(crate) fn send(&self, method: &str, command: &str, body: &str) -> Answer {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}/{command}", self.arklet))
            .body(body.to_owned())
            .unwrap();
        answer(agent().run(request).unwrap())
    }

    /// A command to its Arklet.
    pub(crate) fn arklet(&self, command: &str, body: &Value) -> Value {
        self.send("POST", command, &body.to_string()).json()
    }

    /// Installs a package that was written into its folder.
    pub(crate) fn install(&self, sample: &Sample, strategy: &str) -> Value {
        let url = self.folder.package(sample);
        self.arklet("installBiz", &json!({"bizUrl": url, "installStrategy": strategy}))
    }

    /// The same, and it has to succeed.
    pub(crate) fn installed(&self, sample: &Sample) {
        let answer = self.install(sample, "installOnly");
        assert_eq!(answer["code"], "SUCCESS", "{answer}");
    }

    /// Its modules: `name:version state`.
    pub(crate) fn biz(&self) -> Vec<String> {
        let answer = self.arklet("queryAllBiz", &json!({}));
        let text = |biz: &Value, key: &str| biz[key].as_str().unwrap().to_owned();
        let all = answer["data"].as_array().unwrap().iter();
        all.map(|biz| {
            format!("{}:{} {}", text(biz, "bizName"), text(biz, "bizVersion"), text(biz, "bizState"))
        })
        .collect()
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT));
    config.max_redirects(0).allow_non_standard_methods(true).build().into()
}

fn answer(mut response: http::Response<ureq::Body>) -> Answer {
    let status = response.status().as_u16();
    Answer { status, body: response.body_mut().read_to_string().unwrap_or_default() }
}

/// `GET` of a URL.
pub(crate) fn get(url: &str) -> Answer {
    answer(agent().get(url).call().unwrap_or_else(|error| panic!("{url}: {error}")))
}

/// Looks until something is so.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > LIMIT => panic!("{what}: not within {LIMIT:?}; last seen: {seen}"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Serves the files of a folder over HTTP until the process ends, and as a broken server where it is asked to.
pub(crate) fn serve_files(folder: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header).unwrap_or_default() <= 2 {
                    break;
                }
            }
            let path = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let (status, body) = match fs::File::open(folder.join(&path)) {
                _ if path.is_empty() => ("200 OK", b"no package".to_vec()),
                Ok(mut file) => {
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes).unwrap();
                    ("200 OK", bytes)
                }
                // The first half of a package, as a connection that breaks leaves it.
                Err(_) if path.starts_with("half-") => {
                    let bytes = fs::read(folder.join(path.trim_start_matches("half-"))).unwrap();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
                    let _ = stream.write_all(head.as_bytes());
                    let _ = stream.write_all(&bytes[..bytes.len() / 2]);
                    continue;
                }
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    address
}
