//! A module: it answers requests, and says how it is.

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, kind, text) = match path.split('?').next() {
            Some("/who") => (200, "application/json", r#"{"name":"hello-rust","version":"1.0.0"}"#),
            Some("/actuator/health") => (200, "application/json", r#"{"status":"UP"}"#),
            _ => (404, "text/plain", "not found\n"),
        };
        let headers = Fields::new();
        headers.set("content-type", &[kind.into()]).expect("the name and the value are legal");
        let response = OutgoingResponse::new(headers);
        response.set_status_code(status).expect("the status is legal");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(response_out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // A caller that has gone reads no answer.
        let _ = stream.blocking_write_and_flush(text.as_bytes());
        // A stream is closed before its body is finished.
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
