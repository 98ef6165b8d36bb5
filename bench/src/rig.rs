//! The parts that run, and what they count.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use testkit::broker::{Broker, BrokerOptions};
use testkit::cluster::{Cluster, ClusterOptions};
use testkit::controller::{Controller, ControllerOptions};
use tokio::runtime::Runtime;

use crate::api::Server;
use crate::fleet::{Fleet, FleetOptions, Link};
use crate::metrics::{self, Counts};
use crate::plan::Plan;
use crate::report::Cost;
use crate::settings::{Settings, Way};
use crate::usage::{Mark, Processes};

/// The environment of controller and bases.
const ENV: &str = "bench";

/// The version that the bases report.
pub const BASE_VERSION: &str = "bench-1";

/// How many lines of the controller's log a failure shows.
const TOLD: usize = 20;

/// Writes that nobody waits for (Events, the last Lease) have come by then.
const TRAILING: Duration = Duration::from_millis(500);

/// How long the controller may go on writing after the Pods are as wanted.
const UNTIL_WRITTEN: Duration = Duration::from_secs(300);

/// How often it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A control plane, and a connection to it.
pub struct Plane {
    /// Where the tasks run.
    pub runtime: Runtime,
    /// The control plane.
    pub cluster: Cluster,
    /// The connection.
    pub server: Server,
}

impl Plane {
    /// Starts a fresh one.
    pub fn start(plan: &Plan) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?;
        // As the floor was first measured: the collector of the control plane is given room, and fairness between
        // users is off, because one user is all there is. Where there is no floor, and more modules, the room is for them.
        let room = if plan.total() <= 10_000 { "400" } else { "100" };
        let options = ClusterOptions {
            args: vec!["--apiserver-arg=--enable-priority-and-fairness=false".to_owned()],
            env: vec![("GOGC".to_owned(), room.to_owned())],
            ..ClusterOptions::default()
        };
        let cluster = Cluster::start(&options)?;
        let server = runtime.block_on(Server::connect(cluster.kubeconfig()))?;
        Ok(Self { runtime, cluster, server })
    }
}

/// The controller with all that it needs, and the bases once they are started.
pub struct Rig<'a> {
    plane: &'a Plane,
    /// The controller.
    pub controller: Controller,
    link: Link,
    /// The bases.
    pub fleet: Option<Fleet>,
    _broker: Option<Broker>,
}

impl<'a> Rig<'a> {
    /// Starts the controller, and the broker where one is needed.
    pub fn start(plane: &'a Plane, plan: &Plan) -> Result<Self> {
        let mut options = ControllerOptions::new(&plane.cluster)?.env("ENV", ENV);
        if plan.planned().is_some() {
            options = options.env("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");
        }
        let mut broker = None;
        match plan.way {
            Way::Http => options = options.env("ENABLE_HTTP_TUNNEL", "true"),
            Way::Mqtt => {
                let started = Broker::start(&BrokerOptions::default())?;
                options = options
                    .env("ENABLE_MQTT_TUNNEL", "true")
                    .env("MQTT_BROKER", "127.0.0.1")
                    .env("MQTT_PORT", started.port());
                broker = Some(started);
            }
        }
        let controller = Controller::start(options)?;
        let link = match &broker {
            Some(broker) => Link::Mqtt(broker.port()),
            None => Link::Http(controller.http_tunnel().trim_start_matches("http://").to_owned()),
        };
        Ok(Self { plane, controller, link, fleet: None, _broker: broker })
    }

    /// Starts the bases of a scenario and says when.
    pub fn start_fleet(&mut self, plan: &Plan, settings: &Settings) -> Result<Instant> {
        let options = FleetOptions {
            bases: usize::try_from(plan.bases).context("the number of bases")?,
            link: self.link.clone(),
            env: ENV.to_owned(),
            version: BASE_VERSION.to_owned(),
            install: settings.install(),
            holds_one: plan.planned().is_some_and(|fleet| fleet.holds_one),
        };
        let began = Instant::now();
        self.fleet = Some(self.plane.runtime.block_on(Fleet::start(&options))?);
        Ok(began)
    }

    /// The bases; an error before they are started.
    pub fn fleet(&self) -> Result<&Fleet> {
        self.fleet.as_ref().context("the bases are not started")
    }

    /// Begins to measure what a phase costs.
    pub fn meter(&self) -> Result<Meter> {
        let counted = self.count()?;
        let processes = Processes { controller: self.controller.id(), server: self.plane.cluster.id() };
        Ok(Meter { processes, counted, mark: processes.mark()? })
    }

    /// What a failure of a phase is told with.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let log = self.controller.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TOLD)..).unwrap_or_default().join("\n");
        let bases = self.fleet.as_ref().map_or_else(String::new, |fleet| {
            format!(
                "\nthe bases: {:?}, {} biz activated; last failure: {}",
                fleet.counts(),
                fleet.activated(),
                fleet.last_failure().unwrap_or_else(|| "none".to_owned())
            )
        });
        let asked = self.controller.admin("/metrics").map(|page| metrics::of_controller(&page.body));
        let asked = asked.map_or_else(|error| format!("{error:#}"), |asked| format!("{asked:?}"));
        anyhow!("{error:#}{bases}\nthe controller asked the API server: {asked}\nthe end of its log:\n{tail}")
    }

    /// What the API server took from anybody so far, by its own count.
    pub fn server_counts(&self) -> Result<Counts> {
        let page = self.plane.runtime.block_on(self.plane.server.metrics())?;
        Ok(metrics::of_server(&page))
    }

    /// Waits until the controller has written all that it means to: what nothing waits for comes last.
    pub fn until_written(&self) -> Result<()> {
        let until = Instant::now() + UNTIL_WRITTEN;
        loop {
            let page = self.controller.admin("/metrics").context("the controller's /metrics")?.body;
            let open = metrics::open_writes(&page);
            if open == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{open} writes are still open after {UNTIL_WRITTEN:?}");
            std::thread::sleep(LOOK);
        }
    }

    fn count(&self) -> Result<Counted> {
        let page = self.controller.admin("/metrics").context("the controller's /metrics")?.body;
        Ok(Counted {
            controller: metrics::of_controller(&page),
            server: self.server_counts()?,
            bases: self.fleet.as_ref().map_or_else(BTreeMap::new, Fleet::counts),
        })
    }
}

struct Counted {
    controller: Counts,
    server: Counts,
    bases: Counts,
}

/// What had been used and counted when a phase began.
pub struct Meter {
    processes: Processes,
    counted: Counted,
    mark: Mark,
}

impl Meter {
    /// What the phase used and wrote where the controller was started anew in it: its counters began at 0.
    pub fn restarted(mut self, rig: &Rig<'_>, phase: &str) -> Result<Cost> {
        self.processes.controller = rig.controller.id();
        self.mark.controller_began_anew();
        self.counted.controller.clear();
        self.end(rig, phase, 0)
    }

    /// What the phase used and wrote; `modules` went online or offline in it.
    pub fn end(self, rig: &Rig<'_>, phase: &str, modules: usize) -> Result<Cost> {
        let usage = self.processes.since(&self.mark)?;
        if modules > 0 {
            std::thread::sleep(TRAILING);
        }
        let now = rig.count()?;
        Ok(Cost {
            phase: phase.to_owned(),
            modules: u64::try_from(modules).context("the number of modules")?,
            bases_there: u64::try_from(rig.fleet.as_ref().map_or(0, |fleet| fleet.members().len()))?,
            usage,
            controller: metrics::since(&self.counted.controller, &now.controller),
            server: metrics::since(&self.counted.server, &now.server),
            bases: metrics::since(&self.counted.bases, &now.bases),
        })
    }
}
