//! Whoever reaches the tunnels can say anything. It is counted and costs nobody else anything.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Recording, Scene, Simulated, Stranger, Way,
    heartbeat::{Heart, LargeBase, SilentBase, heartbeat, raw, shout},
    manifest,
    scene::node_name,
    seen::{condition, text},
};
use serde_json::{Value, json};
use testkit::{java_base::JavaBase, wait::wait_for};

/// No name of an object can be made of it as it is.
const IDENTITY: &str = "Host_A ü";

/// Bases that say that they are there and answer nothing.
const SILENT: usize = 20;

#[test]
fn over_http() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let tunnel = scene.controller.http_tunnel();
    let silent = SilentBase::start()?;
    let lies = (0..SILENT).map(|n| heartbeat(&format!("silent-{n}"), &scene.base_version, silent.address()));
    let _lies = Heart::beat(&tunnel, lies.collect());
    let mut options = scene.base();
    options.http_tunnel = None;
    let base = JavaBase::start(options)?;
    let address = SocketAddr::from((base.ip(), base.arklet_port()));
    let _truth = Heart::beat(&tunnel, vec![heartbeat(IDENTITY, &scene.base_version, address)]);
    let node = encoded_node(&scene)?;
    let nodes = scene.record_nodes()?;

    bad_requests(&scene)?;
    wait_for("every silent base was asked more than once", Duration::from_secs(60), || {
        // Each is asked for its modules and for its health.
        ensure!(silent.taken() > 3 * SILENT, "{} connections", silent.taken());
        Ok(Some(()))
    })?;
    all_goes_on(&scene, &base, &node, &nodes)
}

/// The Node of the base with the strange identity.
fn encoded_node(scene: &Scene) -> Result<String> {
    let node = wait_for("the Node of the base with the strange identity", Duration::from_secs(60), || {
        Ok(scene.nodes()?.pop())
    })?;
    let name = text(&node, "/metadata/name").to_owned();
    let hash = name.strip_prefix("virtual-node-host-a-").with_context(|| name.clone())?;
    ensure!(hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    let annotations = &node["metadata"]["annotations"];
    ensure!(annotations["base.koupleless.io/identity"] == IDENTITY, "{annotations}");
    Ok(name)
}

fn bad_requests(scene: &Scene) -> Result<()> {
    let post = |body: &str| {
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let heart = |field: &str| post(&format!(r#"{{"baseMetadata":{{"identity":"b"}},{field}}}"#));
    let identity = |identity: &str| post(&json!({"baseMetadata": {"identity": identity}}).to_string());
    let large = vec![b' '; 10 << 20];
    let declared =
        [&b"POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-length: 10485760\r\n\r\n"[..], &large].concat();
    let chunked = [
        &b"POST /heartbeat HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\na00000\r\n"[..],
        &large,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for (reason, status, said, requests) in [
        ("malformed", 400, "JSON", vec![post(""), post("{"), post("\u{1}\u{2}"), post(&"[".repeat(10_000))]),
        ("malformed", 400, "baseMetadata", vec![post("{}"), post(r#"{"baseMetadata":7}"#)]),
        ("malformed", 400, "identity is empty", vec![identity(""), identity(" ")]),
        ("malformed", 400, "identity has 10000 bytes; at most 253", vec![identity(&"x".repeat(10_000))]),
        ("malformed", 400, "identity holds the character", vec![identity("a/b"), identity("a\u{7}b")]),
        ("malformed", 400, "field port", vec![heart(r#""port":70000"#), heart(r#""port":"x""#)]),
        ("malformed", 400, "field localIP", vec![heart(r#""localIP":"here""#)]),
        (
            "address",
            403,
            "is in none of the networks",
            vec![heart(r#""localIP":"169.254.7.7""#), heart(r#""localIP":"fe80::1%eth0""#)],
        ),
        (
            "address",
            403,
            "a cloud's metadata service",
            vec![heart(r#""localIP":"169.254.169.254""#), heart(r#""localIP":"168.63.129.16""#)],
        ),
        ("address", 403, "no address of one host", vec![heart(r#""localIP":"224.0.0.1""#)]),
        ("too_large", 413, "at most 16384 bytes", vec![declared, chunked]),
        ("method", 405, "POST only", vec![b"GET /heartbeat HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()]),
        ("path", 404, "only /heartbeat", vec![b"GET /../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()]),
        ("protocol", 400, "", vec![b"\x16\x03\x01 no HTTP at all\r\n\r\n".to_vec()]),
    ] {
        let labels = format!("tunnel=\"http\",reason=\"{reason}\"");
        let counted = || scene.metric("module_controller_messages_refused_total", &labels);
        let before = counted()?;
        for request in &requests {
            refused(scene, request, status, said)?;
        }
        let wanted = before + u64::try_from(requests.len())?;
        ensure!(counted()? == wanted, "{labels}: {} instead of {wanted}", counted()?);
    }
    Ok(())
}

/// The request is answered with this status and one line that says why.
fn refused(scene: &Scene, request: &[u8], status: u16, said: &str) -> Result<()> {
    let start = String::from_utf8_lossy(request).chars().take(100).collect::<String>();
    let answer = raw(&scene.controller.http_tunnel(), request).with_context(|| start.clone())?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{start:?}: {answer:?}"))?;
    ensure!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{start:?}: {head}");
    if said.is_empty() {
        return Ok(());
    }
    let told: Value = serde_json::from_str(body).with_context(|| format!("{start:?}: {body:?}"))?;
    let message = text(&told, "/message");
    ensure!(body.trim_end().lines().count() == 1 && body.len() < 1_000, "{start:?}: {body}");
    ensure!(
        message.contains(said) && text(&told, "/code").starts_with("OtherUpstream."),
        "{start:?}: {body}"
    );
    ensure!(!text(&told, "/suggestion").is_empty(), "{start:?}: {body}");
    Ok(())
}

/// The honest base is the only one that has a Node, was Ready all the time, and takes a module.
fn all_goes_on(scene: &Scene, base: &JavaBase, node: &str, recorded: &Recording) -> Result<()> {
    let pod = manifest::pod(scene, "module", Some(node), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "it serves nothing");
    for change in recorded.changes()? {
        let name = text(&change.object, "/metadata/name");
        let ready = condition(&change.object, "Ready");
        ensure!(name == node && ready["status"] == "True", "{} {name}: {ready}", change.kind);
    }
    for page in ["/healthz", "/readyz"] {
        let answer = scene.controller.admin(page)?;
        ensure!(answer.status == 200, "{page}: {answer:?}");
    }
    Ok(())
}

#[test]
fn over_mqtt_with_mosquitto() -> Result<()> {
    let (mut scene, _bases) = over_mqtt(Way::Mosquitto)?;
    // Retained by the broker, the ghost's heartbeat comes again whenever somebody subscribes.
    scene.controller.stop()?;
    scene.controller.start_again()?;
    let retained =
        || scene.metric("module_controller_messages_refused_total", "tunnel=\"mqtt\",reason=\"retained\"");
    wait_for("the retained heartbeat is refused", Duration::from_secs(10), || {
        Ok((retained()? == 1).then_some(()))
    })?;
    wait_for("the base is heard again", Duration::from_secs(20), || {
        Ok((scene.metric("module_controller_heartbeats_total", "mqtt")? > 2).then_some(()))
    })?;
    let nodes = scene.nodes()?;
    ensure!(nodes.len() == 1, "{nodes:?}");
    Ok(())
}

#[test]
fn over_mqtt_with_the_embedded_broker() -> Result<()> {
    over_mqtt(Way::Embedded).map(drop)
}

fn over_mqtt(way: Way) -> Result<(Scene, Vec<JavaBase>)> {
    let scene = Scene::start(way, &[])?;
    let bases = scene.bases(1)?;
    let base = &bases[0];
    let nodes = scene.record_nodes()?;
    let port = scene.broker_port().context("a broker")?;
    let mut stranger = Stranger::connect(port)?;
    junk(&scene, base, &mut stranger)?;
    ghost(&scene, &mut stranger)?;
    noise(&scene, port, stranger)?;
    all_goes_on(&scene, base, &node_name(base), &nodes)?;
    Ok((scene, bases))
}

/// Messages that no base sends, in the name of one that does not exist and of one that does.
fn junk(scene: &Scene, base: &JavaBase, stranger: &mut Stranger) -> Result<()> {
    let env = &scene.env;
    let deep = "[".repeat(100_000);
    let no_envelope: [&[u8]; 5] = [b"", b"no json", b"{}", b"null", b"\xff\xfe\0\x01"];
    let no_sense: [&[u8]; 2] = [br#"{"publishTimestamp":"x","data":7}"#, br#"{"data":{}}"#];
    let (mut malformed, mut too_large) = (0, 0);
    for identity in ["ghost", base.identity()] {
        for channel in ["heart", "health", "simpleBiz", "bizOperation", "queryBaseline"] {
            let topic = format!("koupleless_{env}/{identity}/base/{channel}");
            for payload in no_envelope {
                stranger.publish(&topic, payload, false)?;
                malformed += 1;
            }
            stranger.publish(&topic, deep.as_bytes(), false)?;
            too_large += 1;
            for payload in no_sense {
                stranger.publish(&topic, payload, false)?;
                let is_understood = match channel {
                    // It is an answer, if a bad one, to a question that may have been asked.
                    "health" | "simpleBiz" => true,
                    // As bases before koupleless 2 ask: the topic names them.
                    "queryBaseline" => payload == br#"{"data":{}}"#,
                    _ => false,
                };
                malformed += u64::from(!is_understood);
            }
        }
    }
    let long = "x".repeat(300);
    for identity in ["", long.as_str()] {
        stranger.publish(&format!("koupleless_{env}/{identity}/base/heart"), "{}", false)?;
        malformed += 1;
    }
    for topic in [format!("koupleless_{env}/ghost/base/nonsense"), format!("koupleless_{env}/ghost/base/")] {
        stranger.publish(&topic, "{}", false)?;
    }
    for (reason, wanted) in [("malformed", malformed), ("too_large", too_large), ("foreign", 2)] {
        let labels = format!("tunnel=\"mqtt\",reason=\"{reason}\"");
        wait_for(&format!("{wanted} messages counted as {reason}"), Duration::from_secs(10), || {
            let counted = scene.metric("module_controller_messages_refused_total", &labels)?;
            ensure!(counted == wanted, "{counted}");
            Ok(Some(()))
        })?;
    }
    Ok(())
}

/// A heartbeat as it should be, of a base that does not exist; retained, as a careless client leaves it.
fn ghost(scene: &Scene, stranger: &mut Stranger) -> Result<()> {
    let data = heartbeat("ghost", &scene.base_version, SocketAddr::from(([127, 0, 0, 1], 0)));
    let message = json!({"publishTimestamp": 1, "data": data}).to_string();
    let heard = || scene.metric("module_controller_commands_total", "mqtt");
    let before = heard()?;
    stranger.publish(&format!("koupleless_{}/ghost/base/heart", scene.env), message, true)?;
    wait_for(
        "the ghost is asked, and asked again after the first question's 8 s",
        Duration::from_secs(30),
        || {
            let asked = heard()? - before;
            ensure!(asked >= 4, "{asked} commands");
            Ok(Some(()))
        },
    )
}

/// What is no MQTT at all, and a message that is larger than any base's.
fn noise(scene: &Scene, port: u16, mut stranger: Stranger) -> Result<()> {
    let connections = || scene.metric("module_controller_heartbeats_total", "mqtt");
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0x10, 0xff, 0xff, 0xff, 0x7f]] {
        // Whether the broker answers is its own affair; it closes, or waits for more until it does.
        let _ = shout(port, bytes);
    }
    // A broker without a limit of its own passes it on, and it costs the controller its connection.
    let _ =
        stranger.publish(&format!("koupleless_{}/ghost/base/heart", scene.env), vec![b' '; 9 << 20], false);
    let before = connections()?;
    wait_for("heartbeats go on", Duration::from_secs(45), || {
        let after = connections()?;
        ensure!(after > before + 2, "{before} before, {after} now");
        Ok(Some(()))
    })
}

/// How long somebody goes on about the base, and how often.
const ABOUT: Duration = Duration::from_secs(12);
const SAYS_EVERY: Duration = Duration::from_millis(100);

/// A base that is reached over MQTT installs something that takes long; meanwhile somebody who reaches the HTTP tunnel
/// asks for its baseline, and says goodbye, in its name.
#[test]
fn over_http_nobody_speaks_for_a_base_of_the_broker() -> Result<()> {
    let scene = Scene::start(Way::Both, &[("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true")])?;
    let port = scene.broker_port().context("a broker")?;
    let base = Simulated::over_mqtt(port, &scene.env, &scene.base_version);
    wait_for("its Node", Duration::from_secs(30), || Ok((scene.nodes()?.len() == 1).then_some(())))?;
    base.take(ABOUT / 2);
    let pod = manifest::pod(&scene, "module", Some(&base.node()), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    wait_for("the install is under way", Duration::from_secs(30), || {
        Ok((!base.commands().is_empty()).then_some(()))
    })?;
    let nodes = scene.record_nodes()?;
    let tunnel = scene.controller.http_tunnel();
    let query = json!({"identity": base.identity(), "name": "base", "version": scene.base_version});
    let mut goodbye =
        heartbeat(base.identity(), &scene.base_version, SocketAddr::from(([127, 0, 0, 1], 1238)));
    goodbye["state"] = json!("deactivated");
    let since = Instant::now();
    let mut asked = 0;
    while since.elapsed() < ABOUT {
        let answer = testkit::http::post(&format!("{tunnel}/queryBaseline"), &query, ABOUT)?;
        ensure!(answer.status == 200, "whoever asks is answered: {answer:?}");
        testkit::http::post(&format!("{tunnel}/heartbeat"), &goodbye, ABOUT)?;
        asked += 1;
        std::thread::sleep(SAYS_EVERY);
    }
    scene.wait_pods_ready(1)?;
    ensure!(base.commands() == ["installBiz biz1:1.0.0"], "asked {asked} times: {:?}", base.commands());
    for change in nodes.changes()? {
        let ready = condition(&change.object, "Ready");
        ensure!(change.kind != "DELETED" && ready["status"] == "True", "{} {ready}", change.kind);
    }
    Ok(())
}

/// Bases whose answers are large, and how long they are watched.
const LARGE: usize = 16;
const WATCHED: Duration = Duration::from_secs(30);

#[test]
fn sixteen_bases_with_large_answers_cost_little_and_are_asked_seldom() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let honest = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    wait_for("the honest base's Node", Duration::from_secs(30), || {
        Ok((scene.nodes()?.len() == 1).then_some(()))
    })?;
    let (memory, cpu) = (memory_mib(scene.controller.id())?, cpu_ticks(scene.controller.id())?);
    let large = LargeBase::start(8 << 20)?;
    let lies = (0..LARGE).map(|n| heartbeat(&format!("large-{n}"), &scene.base_version, large.address()));
    let _lies = Heart::beat(&scene.controller.http_tunnel(), lies.collect());
    wait_for("each was asked both questions", Duration::from_secs(30), || {
        ensure!(large.asked() >= 2 * LARGE, "{} questions", large.asked());
        Ok(Some(()))
    })?;
    // What is watched is what comes of the rest of this time.
    std::thread::sleep(WATCHED);
    let more = memory_mib(scene.controller.id())?.saturating_sub(memory);
    // A hundred ticks are a second.
    let busy = (cpu_ticks(scene.controller.id())? - cpu) as f64 / WATCHED.as_secs_f64();
    println!("{} questions, {more} MiB more, {busy:.1}% of a processor", large.asked());
    // At once, after 10 s and after 30 s, two questions each.
    ensure!(large.asked() <= 3 * 2 * LARGE, "{} questions", large.asked());
    ensure!(more <= 64, "{more} MiB more");
    let nodes = scene.nodes()?;
    ensure!(nodes.len() == 1 && text(&nodes[0], "/metadata/name") == honest.node(), "{nodes:?}");
    ensure!(scene.controller.log().contains("cannot be read"), "nobody is told");
    Ok(())
}

/// What a process has in memory.
fn memory_mib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? / 1024)
}

/// How long a process has run so far.
fn cpu_ticks(process: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a name")?;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(times.sum::<Result<u64, _>>()?)
}

#[test]
fn an_identity_that_can_be_no_name_is_told_once_at_warn() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let body = json!({"baseMetadata": {"identity": "a/b"}}).to_string();
    let request =
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for _ in 0..20 {
        refused(&scene, request.as_bytes(), 400, "identity holds the character")?;
    }
    let log = scene.controller.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("no Node can be named by")).collect();
    ensure!(said.len() == 1 && said[0].contains("WARN") && said[0].contains("'/'"), "{said:?}");
    Ok(())
}
