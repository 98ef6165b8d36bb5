//! Streams of events: what viewers cost, and how soon they hear.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Instant,
};

use super::*;

#[test]
fn fifty_viewers_add_no_watch_and_each_hears_of_a_change() -> Result<()> {
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[])?;
    let board = Board::start(&scene.cluster, &[])?;
    person(&scene, "admin", &[])?;
    sees_all(&scene, "admin")?;
    // Each a person with a token of the own: what is known of one serves no other.
    let mut people = Vec::new();
    for _ in 0..50 {
        people.push(Person::log_in(&scene, &board, "admin")?);
    }
    let before = scene.cluster.open_watches()?;
    let mut streams = Vec::new();
    for person in &people {
        streams.push(Stream::open(&person.url, &person.cookie)?);
    }
    for stream in &mut streams {
        stream.wait_for("change", LIMIT)?;
    }
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    wait_for("the base's Node", SOON, || {
        Ok(scene.cluster.kubectl(&["get", "node", &base.node()]).is_ok().then_some(()))
    })?;
    let start = Instant::now();
    for stream in &mut streams {
        stream.wait_for("bases", LIMIT)?;
    }
    println!("50 viewers heard of it within {} ms", start.elapsed().as_millis());
    for person in &people {
        ensure!(person.get("/bases")?.to_string().contains(&base.node()), "one does not see the base");
    }
    // The new base's Node is watched by nobody else; a component of Kubernetes may have begun a watch of its own meanwhile.
    let after = scene.cluster.open_watches()?;
    ensure!(after <= before + 5, "{before} watches before, {after} with 50 viewers");
    Ok(())
}

/// A stream of events, as a tab has it.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(url: &str, cookie: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").context("no http:// in it")?;
        let mut stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n")?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Reads until a line has this in it.
    fn wait_for(&mut self, what: &str, limit: Duration) -> Result<()> {
        self.0.get_ref().set_read_timeout(Some(limit))?;
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.0.read_line(&mut line).with_context(|| format!("waiting for {what}"))?;
            ensure!(length > 0, "the stream ended before {what}");
            if line.contains(what) {
                return Ok(());
            }
        }
    }
}
