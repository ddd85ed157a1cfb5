//! Formats the manual pages with groff, which warns about what it does not understand.

use std::fs;
use std::process::Command;

use crate::tool::{require_tool, run_tool};

#[test]
fn groff_finds_nothing_wrong_with_the_pages() {
    let Some(groff) = require_tool("groff") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_maitred"))
        .arg("man")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut count = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        let args = ["-man", "-ww", "-Tutf8", "-Kutf8", "-z"];
        let checked = run_tool(&groff, &args, &page);
        let found = String::from_utf8_lossy(&checked.stderr).into_owned();
        let printed = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(
            (found, printed),
            (String::new(), String::new()),
            "{}",
            path.display()
        );
        assert!(checked.status.success(), "{}", path.display());
        count += 1;
    }
    assert!(count > 40, "{count} pages");
}
