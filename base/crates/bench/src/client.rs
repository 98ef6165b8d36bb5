//! HTTP as a caller speaks it: a connection, and requests one after the other.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The longest that a request may take, and a loop of a module among them.
const LIMIT: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How it ends is told to whoever sends.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host: address.to_string() })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, Bytes::new()).await
    }

    /// A command to Arklet, which has to succeed.
    pub(crate) async fn command(&mut self, name: &str, body: &Value) -> Result<Value> {
        let answer = self.send("POST", &format!("/{name}"), body.to_string().into()).await?;
        let value: Value = serde_json::from_slice(&answer.body).context("an answer of Arklet")?;
        if value.get("code").and_then(Value::as_str) != Some("SUCCESS") {
            bail!("{name} {body}: {value}");
        }
        Ok(value)
    }

    async fn send(&mut self, method: &str, path: &str, body: Bytes) -> Result<Answer> {
        let request = Request::builder().method(method).uri(path).header(http::header::HOST, &self.host);
        let request = request.body(Full::new(body))?;
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer { status, body })
        };
        let answered = tokio::time::timeout(LIMIT, exchange).await;
        answered.with_context(|| format!("{path}: not within {LIMIT:?}"))?.with_context(|| path.to_owned())
    }
}

/// `GET` over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    Connection::open(address).await?.get(path).await
}
