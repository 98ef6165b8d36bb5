//! The release: made twice of one program, and checked as its page says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Shell, Way,
    shell::{commands, read},
};
use testkit::{artifacts, cargo, cluster::Cluster, image::Image, static_program, work_dir::WorkDir};

use crate::main_job;

/// The page that says how a release is made and checked.
const PAGE: &str = "docs/guide/releases.md";

#[test]
fn a_release_is_the_same_twice_and_the_page_says_how_it_is_checked() -> Result<()> {
    let dir = WorkDir::new("release")?;
    let (one, two) = (released()?, dir.join("two"));
    release(&two)?;
    let sums = |dir: &Path| fs::read_to_string(dir.join("SHA256SUMS")).context("reading SHA256SUMS");
    ensure!(sums(one)? == sums(&two)?, "one is\n{}and two is\n{}", sums(one)?, sums(&two)?);
    let shell = Shell::new(Cluster::shared()?, "default")?.with_helm()?;
    for entry in fs::read_dir(one)? {
        let name = entry?.file_name();
        let to = shell.path(&name.to_string_lossy());
        fs::copy(one.join(&name), to).with_context(|| format!("copying {}", name.display()))?;
    }
    let mut run = 0;
    for command in commands(&read(PAGE)?).iter().filter(|command| !command.starts_with("cargo ")) {
        // Elsewhere another kind of machine.
        let command = command.replace("amd64", static_program::architecture()?);
        shell.run(&command).with_context(|| PAGE.to_owned())?;
        run += 1;
    }
    ensure!(run >= 4, "{PAGE} has {run} commands");
    plugin_works(&shell)?;
    chart_is_that_of_the_repository(&shell)
}

/// One that the tests have in common.
fn released() -> Result<&'static Path> {
    static RELEASED: OnceLock<Result<(WorkDir, PathBuf), String>> = OnceLock::new();
    let make = || {
        let dir = WorkDir::new("release")?;
        let out = dir.join("out");
        release(&out)?;
        anyhow::Ok((dir, out))
    };
    let made = RELEASED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map(|(_, out)| &**out).map_err(|error| anyhow::anyhow!("{error}"))
}

/// As a Pod has it: the files of the image and no others, read-only, under the image's own user, names from `/etc/hosts`.
#[test]
fn the_main_job_runs_from_the_image() -> Result<()> {
    let archive = format!(
        "module-controller-{}-linux-{}-image.tar",
        env!("CARGO_PKG_VERSION"),
        static_program::architecture()?
    );
    let image = Image::unpack(&released()?.join(archive))?;
    let mut scene = Scene::start(Way::Mosquitto, &[])?;
    scene.controller.stop()?;
    scene.controller.run_from(image.program(&scene.cluster, "127.0.0.1 broker.example\n")?);
    let options = scene.controller.options_mut();
    options.env.retain(|(name, _)| name != "MQTT_BROKER");
    options.env.push(("MQTT_BROKER".to_owned(), "broker.example".to_owned()));
    scene.controller.start_again()?;
    is_confined(scene.controller.id(), &image.root())?;
    main_job::online_serving_scaled_offline(&scene)
}

/// What the kernel says of the process: whose it is, and where its files are.
fn is_confined(pid: u32, root: &Path) -> Result<()> {
    let of = |name: &str| {
        fs::read_to_string(format!("/proc/{pid}/{name}")).with_context(|| format!("{name} of {pid}"))
    };
    let status = of("status")?;
    for (field, id) in [("Uid:", "65532"), ("Gid:", "65532")] {
        let ids: Vec<&str> = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        ensure!(ids == [id; 4], "{field} {ids:?}");
    }
    ensure!(status.lines().any(|line| line == "CapEff:\t0000000000000000"), "{status}");
    let seen = fs::read_link(format!("/proc/{pid}/root")).context("its root")?;
    ensure!(seen == root, "its root is {}", seen.display());
    let mounts = of("mountinfo")?;
    let of_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    let options = mounts.lines().rfind(of_root).and_then(|line| line.split(' ').nth(5));
    ensure!(options.is_some_and(|options| options.split(',').any(|option| option == "ro")), "{mounts}");
    Ok(())
}

fn release(out: &Path) -> Result<()> {
    let mut command = cargo::command(&artifacts::repository(), &["xtask", "release", "--out"]);
    command.arg(out).arg("--program").arg(static_program::of_tests()?);
    output(&mut command).map(drop)
}

/// What krew would put on the path.
fn plugin_works(shell: &Shell) -> Result<()> {
    let archive =
        format!("kubectl-koupleless-{}-linux-{}", env!("CARGO_PKG_VERSION"), static_program::architecture()?);
    let manifest = fs::read_to_string(shell.path("koupleless.yaml"))?;
    let sums = fs::read_to_string(shell.path("SHA256SUMS"))?;
    let sum = sums.lines().find_map(|line| line.strip_suffix(&format!("  {archive}.tar.gz")));
    let sum = sum.context("no checksum of the plugin's archive")?;
    ensure!(manifest.contains(sum) && manifest.contains(&archive), "{manifest}");
    // krew takes files and folders, and refuses an archive that has anything else.
    let listed = shell.output(&format!("tar --list --verbose --file {archive}.tar.gz"))?;
    ensure!(listed.lines().all(|line| line.starts_with('-') || line.starts_with('d')), "{listed}");
    shell.run(&format!("tar --extract --file {archive}.tar.gz"))?;
    let help = shell.output(&format!("{archive}/kubectl-koupleless --help"))?;
    ensure!(help.contains("Usage: kubectl koupleless"), "{help}");
    Ok(())
}

fn chart_is_that_of_the_repository(shell: &Shell) -> Result<()> {
    let chart = format!("module-controller-{}.tgz", env!("CARGO_PKG_VERSION"));
    let rendered =
        |from: &str| shell.output(&format!("helm template module-controller {from} --set replicas=3"));
    ensure!(rendered(&chart)? == rendered("deploy/chart")?, "{chart} makes other objects");
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().context("starting a program")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
