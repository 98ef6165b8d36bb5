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
;;   /print... /error...  prints the path as a line, to stdout or stderr, and answers who it is
;;   /instance         how many requests its instance has had, this one included, in three digits
;;   /call/HOST/REST   asks http://HOST/REST and answers its status and the first 16 KiB of what comes; 502 with the
;;                     number of the error code of wasi:http in two digits where nothing comes, and with 99 where it ends early
;;   /calls/HOST/REST  the same of https://HOST/REST
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
  (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
    (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
    (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $send (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
    (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.status" (func $status_of (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-body.stream" (func $body_stream (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))

  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 65536))
  (global $requests (mut i32) (i32.const 0))
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

  ;; Answers with a number in so many digits.
  (func $answer_number (param $out i32) (param $code i32) (param $number i32) (param $digits i32) (local $at i32)
    (local.set $at (local.get $digits))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (i32.add (i32.const 4096) (local.get $at))
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (local.get $at)))
    (call $answer (local.get $out) (local.get $code) (i32.const 4096) (local.get $digits) (i32.const 1)))

  ;; Prints so many bytes from there, and an end of the line in the byte after them.
  (func $print (param $stream i32) (param $from i32) (param $length i32)
    (i32.store8 (i32.add (local.get $from) (local.get $length)) (i32.const 10))
    (call $write (local.get $stream) (local.get $from) (i32.add (local.get $length) (i32.const 1)) (i32.const 16))
    (call $drop_stream (local.get $stream)))

  ;; Asks another host. The path is /call/HOST/REST, or /calls/HOST/REST for https; memory from 128 on is for what is returned.
  (func $call (param $out i32) (param $path i32) (param $length i32)
    (local $end i32) (local $slash i32) (local $request i32) (local $future i32) (local $response i32)
    (local $stream i32) (local $from i32) (local $got i32) (local $top i32) (local $https i32)
    (local.set $end (i32.add (local.get $path) (local.get $length)))
    (local.set $https (i32.eq (i32.load8_u (i32.add (local.get $path) (i32.const 5))) (i32.const 115)))
    (local.set $path (i32.add (local.get $path) (i32.add (i32.const 6) (local.get $https))))
    (local.set $slash (local.get $path))
    (block $found
      (loop $look
        (br_if $found (i32.ge_u (local.get $slash) (local.get $end)))
        (br_if $found (i32.eq (i32.load8_u (local.get $slash)) (i32.const 47)))
        (local.set $slash (i32.add (local.get $slash) (i32.const 1)))
        (br $look)))
    (local.set $request (call $request (call $fields)))
    (drop (call $set_scheme (local.get $request) (i32.const 1) (local.get $https) (i32.const 0) (i32.const 0)))
    (if (call $set_authority (local.get $request) (i32.const 1) (local.get $path)
          (i32.sub (local.get $slash) (local.get $path)))
      (then (call $answer_number (local.get $out) (i32.const 502) (i32.const 98) (i32.const 2)) return))
    (drop (call $set_path (local.get $request) (i32.const 1) (local.get $slash)
      (i32.sub (local.get $end) (local.get $slash))))
    (call $send (local.get $request) (i32.const 0) (i32.const 0) (i32.const 128))
    (if (i32.load8_u (i32.const 128))
      (then
        (call $answer_number (local.get $out) (i32.const 502) (i32.load8_u (i32.const 136)) (i32.const 2))
        return))
    (local.set $future (i32.load (i32.const 136)))
    (call $block (call $subscribe (local.get $future)))
    (call $get (local.get $future) (i32.const 128))
    (if (i32.load8_u (i32.const 144))
      (then
        (call $answer_number (local.get $out) (i32.const 502) (i32.load8_u (i32.const 152)) (i32.const 2))
        return))
    (local.set $response (i32.load (i32.const 152)))
    (call $consume (local.get $response) (i32.const 128))
    (call $body_stream (i32.load (i32.const 132)) (i32.const 128))
    (local.set $stream (i32.load (i32.const 132)))
    ;; What comes after the first piece is read over one another.
    (block $ended
      (loop $more
        (call $read (local.get $stream) (i64.const 16384) (i32.const 128))
        (br_if $ended (i32.load8_u (i32.const 128)))
        (if (i32.eqz (local.get $got))
          (then
            (local.set $from (i32.load (i32.const 132)))
            (local.set $got (i32.load (i32.const 136)))
            (local.set $top (global.get $top))))
        (global.set $top (local.get $top))
        (br $more)))
    ;; Closed is the end of the body; anything else is none.
    (if (i32.ne (i32.load8_u (i32.const 132)) (i32.const 1))
      (then (call $answer_number (local.get $out) (i32.const 502) (i32.const 99) (i32.const 2)) return))
    (call $answer (local.get $out) (call $status_of (local.get $response)) (local.get $from) (local.get $got)
      (i32.const 1)))

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
    (global.set $top (i32.const 65536))
    (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
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
    (if (i32.eq (local.get $letter) (i32.const 99))
      (then (call $call (local.get $out) (local.get $path) (i32.load (i32.const 72))) return))
    (if (i32.eq (local.get $letter) (i32.const 105))
      (then
        (call $answer_number (local.get $out) (i32.const 200) (global.get $requests) (i32.const 3))
        return))
    (if (i32.eq (local.get $letter) (i32.const 112))
      (then (call $print (call $stdout) (local.get $path) (i32.load (i32.const 72)))))
    (if (i32.eq (local.get $letter) (i32.const 101))
      (then (call $print (call $stderr) (local.get $path) (i32.load (i32.const 72)))))
    ;; /actuator/health, and of /actuator/info nothing.
    (if (i32.eq (local.get $letter) (i32.const 97))
      (then
        (if (i32.eq (i32.load8_u (i32.add (local.get $path) (i32.const 10))) (i32.const 104))
          (then (call $health (local.get $out)) return))))
    (if (i32.eq (local.get $letter) (i32.const 115)) (then (call $wait (i64.const 500000000))))
    ;; w, s, d, p and e
    (if (i32.or
          (i32.or
            (i32.or (i32.eq (local.get $letter) (i32.const 119)) (i32.eq (local.get $letter) (i32.const 115)))
            (i32.eq (local.get $letter) (i32.const 100)))
          (i32.or (i32.eq (local.get $letter) (i32.const 112)) (i32.eq (local.get $letter) (i32.const 101))))
      (then
        (call $answer (local.get $out) (i32.const 200) (i32.const 1024) (i32.const $WHO_LENGTH$)
          (select (i32.const 2) (i32.const 1) (i32.eq (local.get $letter) (i32.const 100))))
        return))
    (call $answer (local.get $out) (i32.const 404) (i32.const 2080) (i32.const 10) (i32.const 1)))
)
