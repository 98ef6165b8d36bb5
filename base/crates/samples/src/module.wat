;; A module for tests. What it does is told by the first letter of the path:
;;
;;   /who              who it is, as the Java modules of the tests say it
;;   /actuator/health  what $HEALTH$ says: 0 not known (404), 1 up, 2 down, 3 a trap, 4 up after $WAIT$ nanoseconds,
;;                     5 a loop without end, 6 up, and before the second $UNTIL$ since 1970 nothing
;;   /slow             who it is, after half a second
;;   /double           who it is, in two pieces
;;   /trap /loop       what they say
;;   /bomb             takes memory until it gets no more, and traps
;;   /flood            an answer without end
;;   /output           prints without end
(module
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.set-status-code"
    (func $status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]incoming-request" (func $drop_request (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.12" "now" (func $now (param i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))

  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 65536))
  (data (i32.const 1024) "$WHO$")
  (data (i32.const 2048) "{\"status\":\"UP\"}{\"status\":\"DOWN\"}not found\0a")
  (data (i32.const 3072) "a line of a flood\0a")

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
    (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func $wait (param $nanos i64) (local $timer i32)
    (local.set $timer (call $timer (local.get $nanos)))
    (call $block (local.get $timer))
    (call $drop_pollable (local.get $timer)))

  ;; Takes memory until there is no more.
  (func $bomb (local $page i32)
    (loop $more
      (local.set $page (memory.grow (i32.const 16)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then unreachable))
      (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
      (br $more)))

  ;; Answers with so many bytes from there, in so many pieces; 0 pieces are without end.
  (func $answer (param $out i32) (param $code i32) (param $from i32) (param $length i32) (param $pieces i32)
    (local $response i32) (local $body i32) (local $stream i32)
    (local.set $response (call $response (call $fields)))
    (drop (call $status (local.get $response) (local.get $code)))
    (call $body (local.get $response) (i32.const 16))
    (local.set $body (i32.load (i32.const 20)))
    (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0))
    (call $stream (local.get $body) (i32.const 16))
    (local.set $stream (i32.load (i32.const 20)))
    (loop $piece
      (call $write (local.get $stream) (local.get $from) (local.get $length) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then unreachable))
      (local.set $pieces (i32.sub (local.get $pieces) (i32.const 1)))
      (br_if $piece (i32.ne (local.get $pieces) (i32.const 0))))
    (call $drop_stream (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 16)))

  (func $health (param $out i32)
    (if (i32.eq (i32.const $HEALTH$) (i32.const 3)) (then unreachable))
    (if (i32.eq (i32.const $HEALTH$) (i32.const 5)) (then (loop $forever (br $forever))))
    (if (i32.eq (i32.const $HEALTH$) (i32.const 4)) (then (call $wait (i64.const $WAIT$))))
    (if (i32.eq (i32.const $HEALTH$) (i32.const 6))
      (then
        (call $now (i32.const 32))
        (if (i64.lt_u (i64.load (i32.const 32)) (i64.const $UNTIL$))
          (then
            (call $wait
              (i64.mul (i64.const 1000000000) (i64.sub (i64.const $UNTIL$) (i64.load (i32.const 32)))))))))
    (if (i32.eq (i32.const $HEALTH$) (i32.const 0))
      (then (call $answer (local.get $out) (i32.const 404) (i32.const 2080) (i32.const 10) (i32.const 1)) return))
    (if (i32.eq (i32.const $HEALTH$) (i32.const 2))
      (then (call $answer (local.get $out) (i32.const 503) (i32.const 2063) (i32.const 17) (i32.const 1)) return))
    (call $answer (local.get $out) (i32.const 200) (i32.const 2048) (i32.const 15) (i32.const 1)))

  (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)
    (local $path i32) (local $letter i32) (local $who i32) (local $stdout i32)
    (call $path (local.get $request) (i32.const 64))
    (call $drop_request (local.get $request))
    (local.set $path (i32.load (i32.const 68)))
    (local.set $letter (i32.load8_u (i32.add (local.get $path) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
    (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then (call $bomb)))
    (if (i32.eq (local.get $letter) (i32.const 102))
      (then (call $answer (local.get $out) (i32.const 200) (i32.const 0) (i32.const 4096) (i32.const 0)) return))
    (if (i32.eq (local.get $letter) (i32.const 111))
      (then
        (local.set $stdout (call $stdout))
        (loop $line
          (call $write (local.get $stdout) (i32.const 3072) (i32.const 18) (i32.const 16))
          (br $line))))
    ;; /actuator/health, and of /actuator/info nothing.
    (if (i32.eq (local.get $letter) (i32.const 97))
      (then
        (if (i32.eq (i32.load8_u (i32.add (local.get $path) (i32.const 10))) (i32.const 104))
          (then (call $health (local.get $out)) return))))
    (if (i32.eq (local.get $letter) (i32.const 115)) (then (call $wait (i64.const 500000000))))
    (if (i32.or
          (i32.or (i32.eq (local.get $letter) (i32.const 119)) (i32.eq (local.get $letter) (i32.const 115)))
          (i32.eq (local.get $letter) (i32.const 100)))
      (then
        (call $answer (local.get $out) (i32.const 200) (i32.const 1024) (i32.const $WHO_LENGTH$)
          (select (i32.const 2) (i32.const 1) (i32.eq (local.get $letter) (i32.const 100))))
        return))
    (call $answer (local.get $out) (i32.const 404) (i32.const 2080) (i32.const 10) (i32.const 1)))
)
