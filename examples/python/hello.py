"""A module: it answers requests, and says how it is."""

import json

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam

ANSWERS = {
    "/who": {"name": "hello-python", "version": "1.0.0"},
    "/actuator/health": {"status": "UP"},
}


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        path = (request.path_with_query() or "/").partition("?")[0]
        known = ANSWERS.get(path)
        kind = b"text/plain" if known is None else b"application/json"
        response = OutgoingResponse(Fields.from_list([("content-type", kind)]))
        response.set_status_code(404 if known is None else 200)
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        text = "not found\n" if known is None else json.dumps(known)
        # A stream is closed before its body is finished.
        with body.write() as stream:
            stream.blocking_write_and_flush(text.encode())
        OutgoingBody.finish(body, None)
