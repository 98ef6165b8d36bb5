//! KouplelessBoard: who sees what, who may do what, and the page in a browser, on a real control plane.

mod browser;
mod rights;
mod stream;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Shell, Simulated, Way,
    seen::text,
    shell::{commands, read},
};
use serde_json::{Value, json};
use testkit::{
    account, artifacts,
    board::Board,
    cluster::{Cluster, ClusterOptions},
    http::{self, Answer},
    names,
    wait::wait_for,
};

use crate::plans::{plan, release, serving, wait_phase};

const LIMIT: Duration = Duration::from_secs(10);
/// Rights are believed for a quarter of a minute; this allows for a busy machine.
const SOON: Duration = Duration::from_secs(60);
const OWN_PAGE: (&str, &str) = ("x-koupleless-board", "1");

/// Somebody with a token, and the board as that person has it.
struct Person {
    /// Where the board is.
    url: String,
    cookie: String,
    token: String,
}

impl Person {
    /// A ServiceAccount of the scene's namespace, logged in.
    fn log_in(scene: &Scene, board: &Board, name: &str) -> Result<Self> {
        Self::at(scene, &board.url(), name)
    }

    fn at(scene: &Scene, board: &str, name: &str) -> Result<Self> {
        let token = token(scene, name)?;
        let url = format!("{board}/api/v1/session");
        let login = json!({ "token": token });
        let (answer, headers) = http::request("POST", &url, &[OWN_PAGE, JSON], Some(&login), LIMIT)?;
        ensure!(answer.status == 204, "{answer:?}");
        let cookie = headers.iter().find(|(name, _)| name == "set-cookie").context("no cookie")?.1.clone();
        ensure!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { url: board.to_owned(), cookie, token })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}/api/v1{path}", self.url);
        let headers = [OWN_PAGE, JSON, ("cookie", &self.cookie)];
        let (answer, headers) = http::request(method, &url, &headers, body, LIMIT)?;
        let of = |name: &str| headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
        ensure!(of("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
        ensure!(of("cache-control") == Some("no-store"), "{headers:?}");
        ensure!(!answer.body.contains(&self.token), "the token is in an answer");
        Ok(answer)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer = self.ask("GET", path, None)?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Does something with a plan; the status, and the error's code.
    fn steer(&self, path: &str, wish: &Value) -> Result<(u16, String)> {
        let answer = self.ask("POST", path, Some(wish))?;
        Ok((answer.status, text(&answer.json()?, "/code").to_owned()))
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// The names of the items of a list that are in a namespace.
fn items_of(list: &Value, namespace: &str) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let is_within = |item: &&Value| {
        item["namespace"] == namespace
            || item["namespaces"].as_array().is_some_and(|all| all.contains(&json!(namespace)))
    };
    items.iter().filter(is_within).map(|item| text(item, "/name").to_owned()).collect()
}

fn token(scene: &Scene, name: &str) -> Result<String> {
    Ok(scene.kubectl(&["create", "token", name])?.trim().to_owned())
}

/// A ServiceAccount with these ClusterRoles in the scene's namespace.
fn person(scene: &Scene, name: &str, roles: &[&str]) -> Result<()> {
    scene.kubectl(&["create", "serviceaccount", name])?;
    let account = format!("--serviceaccount={}:{name}", scene.namespace);
    for role in roles {
        let binding = format!("{name}-{role}");
        scene.kubectl(&["create", "rolebinding", &binding, &format!("--clusterrole={role}"), &account])?;
    }
    Ok(())
}

/// One that sees the whole cluster.
fn sees_all(scene: &Scene, name: &str) -> Result<()> {
    let account = format!("--serviceaccount={}:{name}", scene.namespace);
    let binding = format!("{}-{name}", scene.namespace);
    let args = ["create", "clusterrolebinding", &binding, "--clusterrole=koupleless-board-viewer", &account];
    scene.cluster.kubectl(&args)?;
    account::may(&scene.cluster, &scene.namespace, name, &["list", "nodes"])
}

/// Those who may change plans, whatever of them.
fn plan_roles(scene: &Scene) -> Result<()> {
    let roles = artifacts::repository().join("deploy/policies/plans/roles.yaml");
    scene.cluster.kubectl(&["apply", "--server-side", "-f", &roles.to_string_lossy()]).map(drop)
}

#[test]
fn while_the_api_server_is_away_the_board_shows_what_it_saw_last_and_says_since_when() -> Result<()> {
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let board = Board::start(&scene.cluster, &[])?;
    person(&scene, "admin", &[])?;
    sees_all(&scene, "admin")?;
    let admin = Person::log_in(&scene, &board, "admin")?;
    let shown = |is_stale: bool| {
        let bases = admin.get("/bases")?;
        let nodes = bases["items"].as_array().cloned().unwrap_or_default();
        ensure!(nodes.iter().any(|one| one["node"] == base.node().as_str()), "{bases}");
        ensure!(bases["staleSince"].is_string() == is_stale, "staleSince is {}", bases["staleSince"]);
        Ok(Some(()))
    };
    wait_for("the base is shown", SOON, || shown(false))?;
    scene.cluster.take_api_server_away()?;
    wait_for("it is said to be stale, and still shown", SOON, || shown(true))?;
    // Whoever comes now cannot be let in, and is told why.
    let stranger = Person {
        url: board.url(),
        cookie: "koupleless-board=another.to.ken".to_owned(),
        token: "another.to.ken".to_owned(),
    };
    let answer = stranger.ask("GET", "/bases", None)?;
    ensure!(answer.status == 502 && text(&answer.json()?, "/code") == "Away", "{answer:?}");
    scene.cluster.bring_api_server_back()?;
    wait_for("it is fresh again", SOON, || shown(false))?;
    Ok(())
}

#[test]
fn the_commands_of_the_page_work() -> Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    cluster.kubectl(&["create", "namespace", "shop"])?;
    let shell = Shell::new(&cluster, "shop")?;
    let mut board = 0;
    for command in commands(&read("docs/guide/board.md")?) {
        match command.as_str() {
            // It serves until it is told to end.
            "module-controller board" => {
                board += 1;
                drop(Board::start(&cluster, &[])?);
            }
            command => shell.run(command)?,
        }
    }
    ensure!(board == 1, "the page does not say how the board is started");
    account::may(&cluster, "koupleless-board", "koupleless-board", &["watch", "pods", "--all-namespaces"])
}

#[test]
fn within_the_controller_it_is_served_too() -> Result<()> {
    let address = format!("127.0.0.1:{}", names::free_port()?);
    let scene = Scene::start(Way::Http, &[("BOARD_LISTEN", &address)])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let viewer = artifacts::repository().join("deploy/board/role.yaml");
    scene.cluster.kubectl(&["apply", "--server-side", "-f", &viewer.to_string_lossy()])?;
    person(&scene, "admin", &[])?;
    sees_all(&scene, "admin")?;
    let admin = Person::at(&scene, &format!("http://{address}"), "admin")?;
    wait_for("the base is shown", SOON, || {
        let bases = admin.get("/bases")?;
        let nodes = bases["items"].as_array().cloned().unwrap_or_default();
        ensure!(nodes.iter().any(|one| one["node"] == base.node().as_str()), "{bases}");
        Ok(Some(()))
    })
}
