//! What the parts are made of: found, or built once and kept in a cache outside the clone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::{cache, cargo, tools};

/// The root of this repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Which release of Kubernetes the dev cluster is of, where it is not the usual one: `1.34` for `devcluster/releases/1.34.mod`.
pub const KUBERNETES: &str = "DEVCLUSTER_KUBERNETES";

/// The dev cluster's binary, which is kubectl too (`devcluster kubectl ...`). Built with Go on first use: some minutes
/// when Go's own cache is cold.
pub fn devcluster() -> Result<PathBuf> {
    const NAME: &str = "devcluster";
    let program =
        GoProgram { name: NAME, folder: NAME, package: ".", entry: NAME.to_owned(), flags: Vec::new() };
    let what = "building the dev cluster (minutes, the first time)";
    match env::var(KUBERNETES).ok().filter(|release| !release.is_empty()) {
        None => program.build(what),
        Some(release) => {
            let module = module_of(&release)?;
            let flags =
                vec!["-tags".to_owned(), format!("kubernetes{release}"), "-modfile".to_owned(), module];
            GoProgram { entry: format!("{NAME}-{release}"), flags, ..program }.build(what)
        }
    }
}

/// The go.mod of another release of Kubernetes, relative to the dev cluster's folder.
fn module_of(release: &str) -> Result<String> {
    let folder = repository().join("devcluster/releases");
    let module = format!("releases/{release}.mod");
    if !folder.with_file_name(&module).is_file() {
        let files = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut known: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".mod").map(str::to_owned)).collect();
        known.sort();
        bail!(
            "there is no Kubernetes {release:?} to run on. Beside the usual release there are: {}",
            known.join(", ")
        );
    }
    Ok(module)
}

/// Helm, for the tests of its chart. Built with Go on first use, of the version in `tests/helm/go.mod`.
pub fn helm() -> Result<PathBuf> {
    const NAME: &str = "helm";
    let package = "helm.sh/helm/v3/cmd/helm";
    let program =
        GoProgram { name: NAME, folder: "tests/helm", package, entry: NAME.to_owned(), flags: Vec::new() };
    program.build("building Helm (minutes, the first time)")
}

/// The program that makes and unpacks images. Built with Go on first use.
pub fn image_maker() -> Result<PathBuf> {
    const NAME: &str = "image";
    let program =
        GoProgram { name: NAME, folder: NAME, package: ".", entry: NAME.to_owned(), flags: Vec::new() };
    program.build("building what makes images")
}

/// `go vet` and the tests of the program that makes images: once per state of its sources.
pub fn test_image_maker() -> Result<()> {
    let sources = repository().join("image");
    let tested = cache::entry("tested-image", &sources, |new| {
        for (what, verb) in [("vetting what makes images", "vet"), ("testing what makes images", "test")] {
            let mut command = Command::new(go()?);
            command.args([verb, "-trimpath", NO_DEBUG_INFORMATION, "./..."]).current_dir(&sources);
            cache::run(what, command, &new.join(verb).with_extension("log"))?;
        }
        Ok(())
    });
    tested.map(drop)
}

/// The linker strips it, and the compiler needs a tenth of its time for it. Programs with the same flags and the same versions of
/// Kubernetes share what Go has compiled.
const NO_DEBUG_INFORMATION: &str = "-gcflags=all=-dwarf=false";

/// A program that a package makes, of a Go module in this repository.
struct GoProgram {
    name: &'static str,
    /// Where the module is.
    folder: &'static str,
    package: &'static str,
    /// As what it is kept in the cache.
    entry: String,
    /// What `go build` is told beside.
    flags: Vec<String>,
}

impl GoProgram {
    fn build(&self, what: &str) -> Result<PathBuf> {
        let sources = repository().join(self.folder);
        let dir = cache::entry(&self.entry, &sources, |new| {
            let mut command = Command::new(go()?);
            command
                .args([
                    "build",
                    "-trimpath",
                    "-buildvcs=false",
                    NO_DEBUG_INFORMATION,
                    "-ldflags",
                    "-s -w",
                    "-o",
                ])
                .arg(new.join(self.name));
            command.args(&self.flags).arg(self.package).current_dir(&sources);
            cache::run(what, command, &new.join("build.log"))
        })?;
        Ok(dir.join(self.name))
    }
}

/// `go vet` over the dev cluster, which looks through Kubernetes too: once per state of its sources.
pub fn vet_devcluster() -> Result<()> {
    let sources = repository().join("devcluster");
    let vetted = cache::entry("vetted-devcluster", &sources, |new| {
        let mut command = Command::new(go()?);
        // The flags are those of the build, whose compiled packages vet then finds in Go's cache.
        command.args(["vet", "-trimpath", NO_DEBUG_INFORMATION, "./..."]).current_dir(&sources);
        cache::run("vetting the dev cluster (minutes, the first time)", command, &new.join("vet.log"))
    });
    vetted.map(drop)
}

/// Go's own program.
fn go() -> Result<PathBuf> {
    tools::require(
        "go",
        "build the dev cluster, Helm and what makes images",
        "install Go 1.26 or newer, for example with `sudo apt-get install golang`",
    )
}

/// The Java base and the module packages.
#[derive(Clone, Debug)]
pub struct Java {
    dir: PathBuf,
}

impl Java {
    /// The class path that the base starts from: its own jar first, because its classes take the place of others.
    pub fn class_path(&self) -> String {
        format!("{0}/base/base.jar:{0}/base/lib/*", self.packages().display())
    }

    /// The directory of the module packages `<name>-<version>-ark-biz.jar`.
    pub fn packages(&self) -> PathBuf {
        self.dir.join("dist")
    }

    /// The package of one module; an error names those that there are.
    pub fn package(&self, name: &str, version: &str) -> Result<PathBuf> {
        let file = self.packages().join(package_file(name, version));
        ensure!(
            file.is_file(),
            "no module package {}: see java/README.md for those there are",
            file.display()
        );
        Ok(file)
    }

    /// Where the JVM's archive of the base's loaded classes is kept (class data sharing: a quicker start).
    pub(crate) fn class_archive(&self) -> PathBuf {
        self.dir.join("base.jsa")
    }
}

/// The file name of a module's package.
pub fn package_file(name: &str, version: &str) -> String {
    format!("{name}-{version}-ark-biz.jar")
}

/// The Java base and the module packages, built with Maven on first use (about a minute).
pub fn java() -> Result<Java> {
    let sources = repository().join("java");
    let dir = cache::entry("java", &sources, |new| {
        tools::require(
            "java",
            "build and run the Java base",
            "sudo apt-get install openjdk-17-jdk-headless",
        )?;
        let maven = tools::require("mvn", "build the Java base", "sudo apt-get install maven")?;
        // Maven writes beside its sources: into a copy, to leave the clone as it is.
        let copy = new.join("src");
        cache::copy(&sources, &copy)?;
        let mut command = Command::new(maven);
        command
            .args(["-B", "-q", "package"])
            .arg(format!("-Ddist={}", new.join("dist").display()))
            .current_dir(&copy);
        cache::run("building the Java base and modules (a minute)", command, &new.join("build.log"))?;
        fs::remove_dir_all(&copy).context("removing the copy of the Java sources")
    })?;
    Ok(Java { dir })
}

/// The WebAssembly base and its packages.
#[derive(Clone, Debug)]
pub struct WasmBase {
    dir: PathBuf,
}

impl WasmBase {
    /// The program.
    pub fn program(&self) -> PathBuf {
        self.dir.join("base")
    }

    /// The package of one module, of those that `base/crates/samples` writes; an error where there is none.
    pub fn package(&self, name: &str, version: &str) -> Result<PathBuf> {
        let file = self.dir.join("packages").join(format!("{name}-{version}.wasm"));
        ensure!(file.is_file(), "no package {}: see base/crates/samples/src/main.rs", file.display());
        Ok(file)
    }
}

/// The WebAssembly base, built on first use (some fifteen minutes of one core, most of it for wasmtime), and the packages that
/// the tests install. It is optimised, because it compiles modules while tests wait.
pub fn wasm_base() -> Result<WasmBase> {
    let root = repository();
    let sources = [root.join("base"), root.join("crates/model")];
    let dir = cache::entry_of("wasm-base", &sources, |new| {
        let base = root.join("base");
        let command = cargo::command(&base, &["build", "--workspace", "--bins", "--locked"]);
        cache::run(
            "building the WebAssembly base (minutes, the first time)",
            command,
            &new.join("build.log"),
        )?;
        let built = base.join("target/debug");
        fs::copy(built.join("base"), new.join("base")).context("copying the base")?;
        let packages = new.join("packages");
        fs::create_dir_all(&packages).context("the folder of packages")?;
        let mut command = Command::new(built.join("write-samples"));
        command.arg(&packages);
        cache::run("writing the packages", command, &new.join("packages.log"))
    })?;
    Ok(WasmBase { dir })
}

/// The page of the board.
#[derive(Clone, Debug)]
pub struct Page {
    dir: PathBuf,
}

impl Page {
    /// The folder `board` with the packages of its lock file: where its tests run.
    pub fn folder(&self) -> PathBuf {
        self.dir.join("board")
    }
}

/// The page of the board, made on first use (a minute) and put where the program takes it from: `board/dist`.
pub fn page() -> Result<Page> {
    let sources = repository().join("board");
    let dir = cache::entry("board", &sources, |new| {
        let npm = npm()?;
        // npm writes beside its sources: into a copy, to leave the clone as it is.
        let copy = new.join("board");
        cache::copy(&sources, &copy)?;
        for (what, args) in [
            ("installing the packages of the page", &["ci", "--no-audit", "--no-fund"][..]),
            ("building the page", &["run", "build"]),
        ] {
            let mut command = Command::new(&npm);
            command.args(args).current_dir(&copy);
            cache::run(what, command, &new.join(args.join("-")).with_extension("log"))?;
        }
        Ok(())
    })?;
    let page = Page { dir };
    // Tests come here at the same time.
    let _lock = cache::lock(&cache::root()?, "board-dist")?;
    put(&page.folder().join("dist"), &sources.join("dist"))
        .context("putting the page where it is served from")?;
    Ok(page)
}

/// Makes `to` what `from` is. Names of assets tell their content, so a file that is there is right; the page itself is not.
fn put(from: &Path, to: &Path) -> Result<()> {
    let (new, old) = (cache::files(from)?, if to.is_dir() { cache::files(to)? } else { Vec::new() });
    for file in &new {
        let (source, place) = (from.join(file), to.join(file));
        if fs::read(&place).ok() != Some(fs::read(&source)?) {
            fs::create_dir_all(place.parent().unwrap_or(to))?;
            fs::copy(source, place)?;
        }
    }
    for file in old.iter().filter(|file| !new.contains(file)) {
        fs::remove_file(to.join(file))?;
    }
    Ok(())
}

fn npm() -> Result<PathBuf> {
    tools::require("npm", "build the page of the board", "install Node.js 20 or newer, with npm")
}

/// The version of mdBook that makes the book.
const MDBOOK: &str = "0.5.4";

/// mdBook, without its server. Built by cargo on first use (a minute or two); it is no part of the product and of its lock file.
pub fn mdbook() -> Result<PathBuf> {
    let dir = cache::entry_of(&format!("mdbook-{MDBOOK}"), &[], |new| {
        let mut command = cargo::command(&repository(), &["install", "mdbook", "--locked", "--debug"]);
        command
            .args(["--version", MDBOOK, "--no-default-features", "--features", "search", "--root"])
            .arg(new);
        cache::run("building mdBook (a minute or two, the first time)", command, &new.join("build.log"))
    })?;
    Ok(dir.join("bin/mdbook"))
}

/// Node.js, for the page's tests.
pub fn node() -> Result<PathBuf> {
    tools::require("node", "test the page of the board", "install Node.js 20 or newer")
}

/// The browser; installed from its Debian package when it is missing and we are root.
pub fn chromium() -> Result<PathBuf> {
    tools::require_debian("chromium", "chromium", "look at the page of the board")
}

/// The unit tests of the page: once per state of its sources.
pub fn test_page() -> Result<()> {
    let page = page()?;
    let tested = cache::entry("tested-board", &repository().join("board"), |new| {
        let mut command = Command::new(npm()?);
        command.args(["run", "unit"]).current_dir(page.folder());
        cache::run("testing the page", command, &new.join("unit.log"))
    });
    tested.map(drop)
}

/// The tests of the page in a browser, against answers that are canned: once per state of its sources.
pub fn browse_page() -> Result<()> {
    let (page, browser) = (page()?, chromium()?);
    let tested = cache::entry("browsed-board", &repository().join("board"), |new| {
        let mut command = Command::new(npm()?);
        command.args(["run", "browser"]).env("CHROMIUM", browser).current_dir(page.folder());
        cache::run("testing the page in a browser", command, &new.join("browser.log"))
    });
    tested.map(drop)
}

/// The `java` to run bases with: that of `JAVA_HOME`, or the one on the PATH.
pub fn java_program() -> Result<PathBuf> {
    if let Some(home) = env::var_os("JAVA_HOME") {
        let program = Path::new(&home).join("bin/java");
        if program.is_file() {
            return Ok(program);
        }
    }
    tools::require("java", "run the Java base", "sudo apt-get install openjdk-17-jre-headless")
}

/// The mosquitto broker; installed from its Debian package when it is missing and we are root.
pub fn mosquitto() -> Result<PathBuf> {
    tools::require_debian("mosquitto", "mosquitto", "run an MQTT broker")
}

/// mosquitto's own tool to write its password file; it comes with the broker.
pub(crate) fn mosquitto_passwd() -> Result<PathBuf> {
    mosquitto()?;
    tools::require("mosquitto_passwd", "give broker users a password", "sudo apt-get install mosquitto")
}

/// The Prometheus server; installed from its Debian package when it is missing and we are root.
pub fn prometheus() -> Result<PathBuf> {
    tools::require_debian("prometheus", "prometheus", "scrape the controller")
}

/// Prometheus' own tool that checks rules and runs their tests; it comes with the server.
pub(crate) fn promtool() -> Result<PathBuf> {
    tools::require_debian("promtool", "prometheus", "test the alert rules")
}

/// Builds or installs all of the above, so that no test waits for it, and says where each is.
pub fn all() -> Result<()> {
    eprintln!("mosquitto    {}", mosquitto()?.display());
    eprintln!("prometheus   {}", prometheus()?.display());
    eprintln!("java         {}", java_program()?.display());
    eprintln!("dev cluster  {}", devcluster()?.display());
    eprintln!("helm         {}", helm()?.display());
    eprintln!("image maker  {}", image_maker()?.display());
    eprintln!("page         {}", page()?.folder().display());
    eprintln!("mdbook       {}", mdbook()?.display());
    eprintln!("chromium     {}", chromium()?.display());
    eprintln!("packages     {}", java()?.packages().display());
    eprintln!("wasm base    {}", wasm_base()?.program().display());
    crate::java_base::class_archive()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each module of a go.mod with its version, that of a replacement where it has one.
    fn versions(folder: &str) -> BTreeMap<String, String> {
        let text = fs::read_to_string(repository().join(folder).join("go.mod")).unwrap();
        let mut versions = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split("//").next().unwrap_or_default().split_whitespace().collect();
            if let [module, "=>", _, version] | [module, version] = words[..]
                && version.starts_with('v')
            {
                versions.insert(module.to_owned(), version.to_owned());
            }
        }
        versions
    }

    #[test]
    fn helm_and_the_dev_cluster_are_made_of_the_same_and_go_compiles_it_once() {
        let (helm, devcluster) = (versions("tests/helm"), versions("devcluster"));
        let shared =
            || helm.iter().filter_map(|(module, version)| Some((module, version, devcluster.get(module)?)));
        let different: Vec<_> = shared().filter(|(_, one, other)| one != other).collect();
        assert!(different.is_empty(), "{different:?}");
        assert!(shared().any(|(module, ..)| module == "k8s.io/client-go"), "{helm:?}");
    }
}
