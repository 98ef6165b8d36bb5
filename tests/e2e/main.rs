//! End to end: what this project promises, on real parts. One binary, so that all tests share one
//! control plane; each has an environment, a namespace and bases of its own.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null, and a test may panic")]

/// Three tests of one story: over HTTP, over MQTT with the embedded broker and, with `cargo xtask test --long`, over MQTT with
/// mosquitto.
macro_rules! over_every_way {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[test]
            fn over_http() -> anyhow::Result<()> {
                super::$story(e2e::Way::Http)
            }

            #[test]
            #[ignore = "one broker is enough: `cargo xtask test --long` runs it"]
            fn over_mqtt_with_mosquitto() -> anyhow::Result<()> {
                super::$story(e2e::Way::Mosquitto)
            }

            #[test]
            fn over_mqtt_with_the_embedded_broker() -> anyhow::Result<()> {
                super::$story(e2e::Way::Embedded)
            }
        }
    )+};
}

mod absence;
mod ask;
mod bad_input;
mod baseline;
mod board;
mod brokers;
mod chart;
mod checking;
mod cut_off;
mod deploy;
mod docs;
mod doors;
mod drain;
mod ending;
mod foreign;
mod hostile;
mod install;
mod kills;
mod kubelet;
mod language;
mod leaving;
mod liveness;
mod main_job;
mod module_objects;
mod modules;
mod monitoring;
mod old_bases;
mod partitions;
mod peers;
mod permits;
mod plans;
mod pod_spec;
mod policies;
mod prometheus;
mod releases;
mod replacing;
mod replicas;
mod reports;
mod restart;
mod rivals;
mod rolling;
mod rollouts;
mod scheduling;
mod services;
mod three_hundred;
mod upstream;
mod wasm_base;
mod workloads;
