//! `cargo xtask release`.

mod krew;
mod notes;
mod places;
mod sbom;
mod sums;
mod trust;
mod version;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::{artifacts, static_program};

/// The program, and everything here that is named for it.
const NAME: &str = "module-controller";
/// The same program as a plugin of kubectl.
const PLUGIN: &str = "kubectl-koupleless";
/// The same program as what completes it.
const COMPLETER: &str = "kubectl_complete-koupleless";

/// Makes what a release is made of, of the version in Cargo.toml, for this machine's kind.
///
/// The program as one static file, in an archive, as a plugin of kubectl and as an image; the Helm chart; what is in the
/// program (SBOM); a manifest for krew; the notes; and the checksums of all. It is the same, to the byte, of the same
/// sources with the same toolchains. SOURCE_DATE_EPOCH is the time of what is in archives, in seconds; without it, 1970.
#[derive(Debug, clap::Args)]
pub(crate) struct Release {
    /// Where it is put: a folder that is empty or not there [default: target/dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the files will be downloaded from, for the manifest of krew
    #[arg(long, value_name = "URL", default_value = "https://example.com/module-controller", value_parser = krew::url)]
    url: String,
    /// A static program to take, instead of building one with the release profile: for tests
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Also push the image to a registry, as the user that a login left in the Docker configuration
    #[arg(long, value_name = "REFERENCE")]
    push: Option<String>,
}

impl Release {
    pub(crate) fn run(&self) -> Result<()> {
        let version = version::of_workspace()?;
        version::is_the_one_everywhere(&version)?;
        let out = self.out.clone().unwrap_or_else(|| artifacts::repository().join("target/dist"));
        let out = std::path::absolute(&out).context("the folder of the release")?;
        is_free(&out)?;
        // Before anything that takes long.
        let notes = notes::of(&version)?;
        let program = match &self.program {
            Some(program) => std::path::absolute(program).context("the program")?,
            None => static_program::release()?,
        };
        let made = Made { out, version, program, maker: artifacts::image_maker()? };
        made.all(&notes, &self.url, self.push.as_deref())?;
        println!("{}", made.out.display());
        Ok(())
    }
}

/// What is there is not ours to remove.
fn is_free(out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let mut there = fs::read_dir(out).with_context(|| format!("reading {}", out.display()))?;
    ensure!(there.next().is_none(), "{} is not empty: remove it, or say another --out", out.display());
    Ok(())
}

/// A release that is being made.
struct Made {
    out: PathBuf,
    version: String,
    /// The static program.
    program: PathBuf,
    /// What makes images and archives.
    maker: PathBuf,
}

impl Made {
    fn all(&self, notes: &str, url: &str, push: Option<&str>) -> Result<()> {
        // Archives have their folder in them: each is put together first, beside what is released.
        let parts = self.out.join(".parts");
        self.program_archive(&parts)?;
        let plugin = self.plugin_archive(&parts)?;
        self.chart(&parts)?;
        self.image(&parts, push)?;
        fs::remove_dir_all(&parts).context("removing what archives were made of")?;
        self.write(&format!("{NAME}-{}.cdx.json", self.version), &sbom::of(&self.version)?)?;
        let manifest = krew::manifest(&self.version, url, &plugin, &sums::of_file(&self.out.join(&plugin))?)?;
        self.write("koupleless.yaml", &manifest)?;
        self.write("NOTES.md", notes)?;
        self.write(sums::FILE, &sums::of_folder(&self.out)?)
    }

    /// The program with its links, what is applied to a cluster, and the licence.
    fn program_archive(&self, parts: &Path) -> Result<()> {
        let name = self.named(NAME)?;
        let folder = parts.join(&name);
        places::copy(&self.program, &folder.join(NAME))?;
        for link in [PLUGIN, COMPLETER] {
            std::os::unix::fs::symlink(NAME, folder.join(link)).with_context(|| format!("linking {link}"))?;
        }
        places::copy_repository("deploy", &folder.join("deploy"))?;
        places::copy(&artifacts::repository().join("LICENSE"), &folder.join("LICENSE"))?;
        self.pack(&folder, &format!("{name}.tar.gz"))
    }

    /// The program under the plugin's name alone: krew takes no archive with links in it.
    fn plugin_archive(&self, parts: &Path) -> Result<String> {
        let name = self.named(PLUGIN)?;
        let folder = parts.join(&name);
        places::copy(&self.program, &folder.join(PLUGIN))?;
        places::copy(&artifacts::repository().join("LICENSE"), &folder.join("LICENSE"))?;
        let archive = format!("{name}.tar.gz");
        self.pack(&folder, &archive)?;
        Ok(archive)
    }

    /// As `helm package` has it, but with no time of the packing in it.
    fn chart(&self, parts: &Path) -> Result<()> {
        let folder = parts.join(NAME);
        places::copy_repository("deploy/chart", &folder)?;
        self.pack(&folder, &format!("{NAME}-{}.tgz", self.version))
    }

    /// An OCI layout in one file, as it is loaded and copied; and in a registry, where one was said.
    fn image(&self, parts: &Path, push: Option<&str>) -> Result<()> {
        let layout = parts.join("image").display().to_string();
        self.write_layout(parts, &layout)?;
        let archive = self.out.join(format!("{}-image.tar", self.named(NAME)?)).display().to_string();
        self.maker(&["pack", "--folder", &layout, "--bare", &archive])?;
        push.map_or(Ok(()), |reference| self.maker(&["push", "--layout", &layout, reference]))
    }

    fn write_layout(&self, parts: &Path, layout: &str) -> Result<()> {
        let bundle = parts.join("ca-certificates.crt");
        fs::write(&bundle, trust::bundle()).context("writing the CA bundle")?;
        let mut args = vec!["layout".to_owned()];
        for (option, value) in [("--program", &self.program), ("--ca-bundle", &bundle)] {
            args.extend([option.to_owned(), value.display().to_string()]);
        }
        for (name, value) in [
            ("title", NAME),
            ("version", &self.version),
            ("licenses", "Apache-2.0"),
            ("description", "Every base a Node, every module a Pod"),
        ] {
            args.extend(["--label".to_owned(), format!("org.opencontainers.image.{name}={value}")]);
        }
        args.extend(["--name".to_owned(), format!("{NAME}:{}", self.version), layout.to_owned()]);
        self.maker(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// With the version and the kind of machine.
    fn named(&self, name: &str) -> Result<String> {
        Ok(format!("{name}-{}-linux-{}", self.version, static_program::architecture()?))
    }

    fn pack(&self, folder: &Path, archive: &str) -> Result<()> {
        let (folder, archive) = (folder.display().to_string(), self.out.join(archive).display().to_string());
        self.maker(&["pack", "--folder", &folder, &archive])
    }

    fn maker(&self, args: &[&str]) -> Result<()> {
        let output = Command::new(&self.maker).args(args).output().context("starting what makes images")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", said.trim());
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.out.join(name), text).with_context(|| format!("writing {name}"))
    }
}

/// The time of everything, where one was said, as what makes archives reads it.
fn source_date() -> Result<Option<i64>> {
    let Some(text) = env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let seconds =
        text.parse().with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, which is no number"))?;
    Ok(Some(seconds))
}
