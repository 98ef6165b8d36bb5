//! `report`: one file for whoever is asked for help.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::Timestamp;
use model::Language;
use serde_json::json;

use super::{Program, say_not_shown};
use crate::{
    check::{self, Evidence},
    client::{Connection, Unreachable, complain},
    output::{NOT_WELL, print},
    picture::Picture,
    screen::{Filter, bases, modules, status::Standing, table::Style, tree},
    support::{Entry, archive, gathered},
};

/// Writes a zip file for whoever is asked for help: what the other commands show, the objects behind it, and the logs of the
/// controller.
///
/// It asks no controller, and so works while that is down. What may be a secret is taken out: values of variables, arguments,
/// credentials and queries of URLs, tokens. Secrets are not read at all. The file is for you alone (mode 600) until you have looked
/// through it.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The file, which must not be there yet. [default: module-controller-report-<time>.zip]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only bases of this environment. [default: all]
    #[arg(long, help_heading = "Cluster")]
    env: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Report {
    pub(super) async fn run(&self, program: &Program) -> Result<ExitCode, Unreachable> {
        let cluster = self.connection.open().await?;
        let env = self.env.as_deref();
        let mut evidence = Evidence::of_cluster(&cluster, &self.connection, env).await?;
        check::permissions::check(&cluster.client, &(program.roles)(), &mut evidence).await;
        let now = Timestamp::now();
        let mut picture = evidence.picture().clone();
        let objects = gathered(&cluster.client, &mut picture).await;
        let found = check::Report::of(&evidence, &(program.definitions)(), &[]);
        let mut entries = screens(&picture, now);
        entries.push(Entry::json("check.json", &found.json(Language::English)));
        entries.push(Entry::json("not-shown.json", &json!(picture.not_shown)));
        let version = (program.command)().get_version().unwrap_or_default().to_owned();
        entries.push(Entry::json("about.json", &json!({"version": version, "at": now, "env": env})));
        entries.extend(objects);
        say_not_shown(&picture.not_shown);
        let file = self
            .file
            .clone()
            .unwrap_or_else(|| format!("module-controller-report-{}.zip", now.as_second()).into());
        Ok(match archive(&entries).map_err(std::io::Error::from).and_then(|bytes| write(&file, &bytes)) {
            Ok(()) => print(&format!(
                "{} has {} files. Secrets were taken out as far as they could be told; look through it before you send it.\n",
                file.display(),
                entries.len()
            )),
            Err(error) => {
                complain(&format!("the report cannot be written to {}: {error}", file.display()));
                ExitCode::from(NOT_WELL)
            }
        })
    }
}

/// What the other commands show.
fn screens(picture: &Picture, now: Timestamp) -> Vec<Entry> {
    let (all, style) = (Filter::default(), Style { colour: false, wide: true, now });
    vec![
        Entry::text("tree.txt", tree::text(picture, &all, style)),
        Entry::text("bases.txt", bases::text(picture, &all, style)),
        Entry::text("modules.txt", modules::text(picture, &all, style)),
        Entry::text("status.txt", Standing::of(picture, &all).text(style)),
        Entry::json("tree.json", &tree::json(picture, &all)),
    ]
}

/// For nobody else to read, and over nothing that is there.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(bytes)
}
