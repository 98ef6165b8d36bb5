//! Screens as they are to be: files in `testdata/screens`. `UPDATE_SCREENS=1` writes them anew, to be looked at.

use std::{env, fs, path::Path};

/// The screen is what the file has.
pub(crate) fn holds(file: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/screens").join(file);
    if env::var_os("UPDATE_SCREENS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, screen).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == screen, "{} has\n{kept}\nand the screen is\n{screen}", path.display());
}
