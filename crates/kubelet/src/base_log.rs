//! The log of a module as its base keeps it: `GET /bizLog` of Arklet's port, for stacks whose bases have that.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use model::BizId;
use tokio::{net::TcpStream, time::timeout};
use url::form_urlencoded::Serializer;

use crate::{asked::Asked, body::Body, refusal::Refusal};

/// How long a base may take to accept a connection: two lost SYNs still fit.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may take to answer: it reads memory.
const HEAD: Duration = Duration::from_secs(5);
/// The most of a refusal that is read, in bytes.
const MOST_WORDS: usize = 4 * 1024;
/// The buffer of a connection, in bytes: what a slow reader costs here.
const BUFFER: usize = 64 * 1024;

/// What a base has of a module's log, as it comes. Nothing is kept of it: a reader that is slow makes the base wait, which
/// drops lines and says so.
pub(crate) async fn open(base: SocketAddr, biz: &BizId, asked: &Asked) -> Result<Body, Refusal> {
    let silent = |why: String| {
        Refusal::unavailable(format!(
            "the base at {base}, which keeps the log of {biz}, does not answer: {why}"
        ))
    };
    let late = |of: Duration| format!("nothing came within {} s", of.as_secs());
    let stream = timeout(CONNECT, TcpStream::connect(base)).await.map_err(|_| silent(late(CONNECT)))?;
    let stream = stream.map_err(|error| silent(error.to_string()))?;
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder
        .max_buf_size(BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| silent(error.to_string()))?;
    // It ends with the body, which the answer to our caller holds.
    tokio::spawn(connection);
    let request = Request::get(format!("/bizLog?{}", query(biz, asked)))
        .header(header::HOST, base.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|error| Refusal::bad(format!("no request can be made of this: {error}")))?;
    let response = timeout(HEAD, sender.send_request(request)).await.map_err(|_| silent(late(HEAD)))?;
    let response = response.map_err(|error| silent(error.to_string()))?;
    if response.status() == StatusCode::OK {
        return Ok(response.into_body().map_err(Into::into).boxed_unsync());
    }
    Err(refused(biz, response).await)
}

/// What the base says against it.
async fn refused(biz: &BizId, response: Response<Incoming>) -> Refusal {
    let status = response.status();
    let words = timeout(HEAD, Limited::new(response.into_body(), MOST_WORDS).collect()).await;
    let words = words.ok().and_then(Result::ok).map(|words| words.to_bytes()).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    let message = format!("the base gives no log of {biz}: {status}: {words}");
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Refusal::too_many(message),
        _ => Refusal::bad(message),
    }
}

fn query(biz: &BizId, asked: &Asked) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("bizName", biz.name.as_str()).append_pair("bizVersion", biz.version.as_str());
    asked.add_to(&mut query);
    query.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn biz() -> BizId {
        BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() }
    }

    /// What comes of a base that answers this, and what it was asked.
    async fn opened(answer: &'static [u8]) -> (Result<String, Refusal>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let asked = Asked::read("follow=true&tailLines=5&sinceSeconds=60").unwrap();
        let text = match open(base, &biz(), &asked).await {
            Ok(body) => Ok(String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap()),
            Err(refusal) => Err(refusal),
        };
        (text, serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_base_is_asked_with_the_same_options_and_its_answer_is_passed_on() {
        let (text, request) = opened(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\na\nb\n").await;
        assert_eq!(text.unwrap(), "a\nb\n");
        let query =
            "GET /bizLog?bizName=biz1&bizVersion=1.0.0&follow=true&tailLines=5&sinceSeconds=60 HTTP/1.1\r\n";
        assert!(request.starts_with(query), "{request}");
    }

    #[tokio::test]
    async fn what_a_base_says_against_it_is_told_and_one_that_is_away_too() {
        let (refused, _) =
            opened(b"HTTP/1.1 404 Not Found\r\ncontent-length: 14\r\n\r\nnot installed\n").await;
        let said = "the base gives no log of biz1:1.0.0: 404 Not Found: not installed";
        assert_eq!(refused.unwrap_err(), Refusal::bad(said));
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let Err(away) = open(nobody, &biz(), &Asked::default()).await else {
            unreachable!("nobody is there")
        };
        assert!(
            away.status == StatusCode::INTERNAL_SERVER_ERROR && away.message.contains("does not answer"),
            "{away}"
        );
    }
}
