//! Arklet's HTTP port, one for each simulated base.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use super::arklet::Arklet;

/// How long a request may take to come.
const LIMIT: Duration = Duration::from_secs(10);

/// Begins to serve on a port of its own, until the process ends.
pub(super) fn serve(arklet: Arc<Arklet>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
    let address = listener.local_addr().context("listening")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let arklet = arklet.clone();
            // Whoever hangs up early has its reason.
            thread::spawn(move || drop(answer(stream, &arklet)));
        }
    });
    Ok(address)
}

/// One request; the end of the answer is the end of the connection, as with Arklet.
fn answer(mut stream: TcpStream, arklet: &Arklet) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let command = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    if let Some(answer) = arklet.answer(command, &serde_json::from_slice(&body).unwrap_or_default()) {
        write!(stream, "HTTP/1.1 200 OK\r\n\r\n{answer}")?;
    }
    Ok(())
}
