//! `plan new`: makes a plan for a workload, and the workload that names it.

use std::process::ExitCode;

use plan::DraftHealth;

use crate::{
    client::complain,
    manifest,
    output::{NOT_SEEN, USAGE, print},
    planning::{self, Wishes},
    text::Text,
};

/// The most parts that the others follow in: the first base is a batch too.
const MOST_PARTS: i64 = plan::MOST_BATCHES as i64 - 1;

/// Prints an operation plan for the workload of a manifest, and the manifest with that workload changed so that the plan can
/// release it
///
/// Nothing is sent to the cluster: apply what it prints, `kubectl koupleless plan new … | kubectl apply -f -`. The names
/// of the options that the first module controller had are taken too.
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// The manifest with the Deployment or DaemonSet, of `-` what comes on standard input
    #[arg(long, short, value_name = "FILE")]
    filename: String,
    /// The plan's name [default: the workload's and the version]
    #[arg(long)]
    name: Option<String>,
    /// One base comes first
    #[arg(long, alias = "use-beta", alias = "useBeta")]
    beta: bool,
    /// Choose that base by this label of its VNode; as often as there are any
    #[arg(long, value_name = "LABEL=VALUE", requires = "beta", value_parser = label)]
    beta_selector: Vec<(String, String)>,
    /// In how many equal parts the others follow
    #[arg(long, alias = "batch-count", alias = "batchCount", value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=MOST_PARTS))]
    batches: u32,
    /// A person confirms each batch
    #[arg(long, alias = "need-confirm", alias = "needConfirm")]
    confirm: bool,
    /// How long each batch is watched before it goes on: 90s, 10m, 2h, or a number of seconds
    #[arg(long, alias = "gray-time", alias = "grayTime", alias = "grayTimeBetweenBatchSeconds", value_name = "TIME", value_parser = seconds)]
    soak: Option<u64>,
    /// How many bases of a batch may be without the module at once: a number, or a share such as 10% [default: 1]
    #[arg(long, alias = "maxUnavailable", value_name = "AMOUNT", value_parser = amount)]
    max_unavailable: Option<String>,
    /// Ask each base of a batch, at this port, for the health of the module before the batch is done
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    health_port: Option<u16>,
    /// The module's webContextPath there [default: its name]
    #[arg(long, value_name = "PATH", requires = "health_port")]
    web_context_path: Option<String>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as label=value")?;
    match model::name::is_label_key(key) && model::name::is_label_value(value) {
        true => Ok((key.to_owned(), value.to_owned())),
        false => Err("no label has such a key or value".to_owned()),
    }
}

fn amount(text: &str) -> Result<String, String> {
    text.parse::<plan::Amount>().map(|_| text.to_owned()).map_err(|invalid| invalid.to_string())
}

fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let unit = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let time = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    time.filter(|time| *time <= plan::LONGEST.as_secs())
        .ok_or_else(|| "write it as 90s, 10m or 2h, at most 30d".to_owned())
}

impl New {
    pub(super) fn run(&self) -> ExitCode {
        let wishes = Wishes {
            name: self.name.clone(),
            beta: self.beta,
            beta_labels: self.beta_selector.clone(),
            batches: self.batches,
            confirm: self.confirm,
            soak_seconds: self.soak.unwrap_or_default(),
            max_unavailable: self.max_unavailable.clone(),
            health: self.health_port.map(|port| DraftHealth {
                port: port.into(),
                web_context_path: self.web_context_path.clone(),
            }),
        };
        let made = manifest::read(&self.filename)
            .map_err(Text::from)
            .and_then(|text| planning::planned(manifest::objects(&text)?, &wishes));
        let objects = match made {
            Ok(objects) => objects,
            Err(why) => {
                complain(&format!("no plan for {}: {why}", Text::from(self.filename.as_str())));
                return ExitCode::from(USAGE);
            }
        };
        let documents: Result<Vec<String>, _> = objects.iter().map(serde_saphyr::to_string).collect();
        match documents {
            Ok(documents) => print(&documents.join("---\n")),
            Err(error) => {
                complain(&format!("the plan cannot be written as YAML: {error}"));
                ExitCode::from(NOT_SEEN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        new: New,
    }

    #[test]
    fn the_names_of_the_first_module_controller_are_taken_too() {
        let of = |line: &str| {
            let new = Command::try_parse_from(line.split(' ')).unwrap().new;
            (new.beta, new.batches, new.confirm, new.soak)
        };
        let ours = of("new --beta --batches 5 --confirm --soak 10m -f d.yaml");
        assert_eq!(ours, (true, 5, true, Some(600)));
        for soak in ["--grayTime 600", "--grayTimeBetweenBatchSeconds 600"] {
            let theirs = format!("new --useBeta --batchCount 5 --needConfirm {soak} -f d.yaml");
            assert_eq!(of(&theirs), ours, "{theirs}");
        }
    }

    #[test]
    fn times_are_written_with_their_unit() {
        for (text, time) in [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(seconds(text), Ok(time), "{text}");
        }
        for bad in ["", "m", "-1s", "1.5h", "31d", "99999999999999999999d", "10 m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_and_amounts_are_checked_before_anything_is_written() {
        assert_eq!(label("example.com/ring=beta"), Ok(("example.com/ring".to_owned(), "beta".to_owned())));
        assert!(label("ring").is_err() && label("a b=c").is_err());
        assert_eq!(amount("10%"), Ok("10%".to_owned()));
        assert!(amount("0").is_err());
    }
}
