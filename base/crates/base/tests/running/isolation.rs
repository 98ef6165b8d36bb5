//! What keeps packages from doing harm before they run.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use samples::Sample;

use crate::support::{Base, Folder};

/// Compiles a sample with so much memory; whether it was done, and the code that came of it.
fn compile(memory_mib: u32) -> (bool, Vec<u8>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_base"))
        .args(["compile", "--cpu-seconds", "60", "--memory-mib", &memory_mib.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One that has ended already reads nothing.
    let _ = child.stdin.take().unwrap().write_all(&Sample::new("biz1", "1").package().unwrap());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), output.stdout)
}

#[test]
fn the_compiler_ends_at_its_limit_of_memory() {
    let (is_done, code) = compile(2048);
    assert!(is_done && !code.is_empty());
    assert_eq!(compile(8), (false, Vec::new()));
}

/// Code that somebody else compiled is machine code, which nothing keeps from doing harm.
#[test]
fn what_was_compiled_elsewhere_is_refused_with_and_without_a_stamp() {
    let base = Base::start(&[]);
    let (_, code) = compile(2048);
    let file = base.folder.path().join("compiled.wasm");
    fs::write(&file, &code).unwrap();
    let url = format!("file://{}", file.display());
    let refused = base.arklet("installBiz", &serde_json::json!({"bizUrl": url}));
    assert!(refused["message"].as_str().unwrap().contains("no WebAssembly component"), "{refused}");
    let stamped = Command::new(env!("CARGO_BIN_EXE_base"))
        .args(["stamp", "--name=biz1", "--module-version=1", "--output=/dev/null"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stamped.stderr);
    assert!(!stamped.status.success() && said.contains("no WebAssembly component"), "{said}");
    assert!(base.biz().is_empty());
}

#[test]
fn a_cache_that_others_may_write_to_is_refused() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let cache = data.join("compiled");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_base"))
        .args(["run", "--server.port=0", "--koupleless.arklet.http.port=0"])
        .arg(format!("--base.data={}", data.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("may be written by others"), "{said}");
}

/// A file of the cache that is no code, as a disk that fails leaves it, costs one install and not the base.
#[test]
fn a_broken_file_of_the_cache_is_made_anew() {
    let base = Base::start(&[]);
    let sample = Sample::new("biz1", "1.0.0");
    base.installed(&sample);
    let id = serde_json::json!({"bizName": "biz1", "bizVersion": "1.0.0"});
    assert_eq!(base.arklet("uninstallBiz", &id)["code"], "SUCCESS");
    let cache = base.folder.path().join("data/compiled");
    let file = fs::read_dir(cache).unwrap().next().unwrap().unwrap().path();
    // A new file, because the old one may still be mapped.
    fs::remove_file(&file).unwrap();
    fs::write(&file, b"no code").unwrap();
    assert_eq!(base.install(&sample, "installOnly")["code"], "CMD_PROCESS_INTERNAL_ERROR");
    base.installed(&sample);
    assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
}
