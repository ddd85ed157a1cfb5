//! Checks the files of `systemd/` with the tools of systemd, where they are installed.

#![expect(clippy::print_stdout, reason = "what is skipped is printed")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The highest exposure that `systemd-analyze security` may find.
const HIGHEST_EXPOSURE: f64 = 1.3;

const SERVICES: [&str; 2] = ["maitred.service", "maitred-once.service"];

const TIMER: &str = "maitred-once.timer";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// Runs a tool of systemd. `None` if it is not installed; with `MAITRED_REQUIRE_ALL` that is a
/// failure.
fn run(tool: &str, args: &[&str]) -> Option<Output> {
    match Command::new(tool).args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            let skipped = format!("{tool} cannot be run ({error}): install the package systemd");
            assert!(
                std::env::var_os("MAITRED_REQUIRE_ALL").is_none(),
                "{skipped}"
            );
            println!("skipped: {skipped}");
            None
        }
    }
}

/// Returns a folder with the units, in which the program is the built one.
fn units() -> tempfile::TempDir {
    let units = tempfile::tempdir().unwrap();
    for name in SERVICES.iter().chain(&[TIMER]) {
        let text = read(name).replace("/usr/bin/maitred", env!("CARGO_BIN_EXE_maitred"));
        fs::write(units.path().join(name), text).unwrap();
    }
    units
}

fn text_of(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr];
    parts
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let units = units();
    for name in SERVICES.iter().chain(&[TIMER]) {
        let path = units.path().join(name).display().to_string();
        let Some(output) = run("systemd-analyze", &["verify", "--man=no", &path]) else {
            return;
        };
        let found = (text_of(&output), output.status.code());
        assert_eq!(found, (String::new(), Some(0)), "{name}");
    }
}

#[test]
fn the_services_are_closed_to_everything_that_they_do_not_need() {
    let units = units();
    for name in SERVICES {
        let path = units.path().join(name).display().to_string();
        let args = ["security", "--offline=true", "--no-pager", &path];
        let Some(output) = run("systemd-analyze", &args) else {
            return;
        };
        let text = text_of(&output);
        let level = text
            .lines()
            .find_map(|line| line.split_once("Overall exposure level for "))
            .and_then(|(_, rest)| rest.split_once(": "))
            .and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
        let level = level.unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(level <= HIGHEST_EXPOSURE, "{name}: {level}\n{text}");
    }
}

#[test]
fn the_user_and_the_directory_are_made() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc", "var/lib"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let rooted = format!("--root={}", root.path().display());
    let file = folder().join("maitred.sysusers").display().to_string();
    let Some(made) = run("systemd-sysusers", &[&rooted, &file]) else {
        return;
    };
    assert!(made.status.success(), "{}", text_of(&made));
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("maitred:"));
    let user = user.unwrap();
    assert!(
        user.ends_with(":/var/lib/maitred:/usr/sbin/nologin"),
        "{user}"
    );
    // Only root can give a directory to another user.
    if !rustix::process::getuid().is_root() {
        return;
    }
    let file = folder().join("maitred.tmpfiles").display().to_string();
    let Some(made) = run("systemd-tmpfiles", &[&rooted, "--create", &file]) else {
        return;
    };
    assert!(made.status.success(), "{}", text_of(&made));
    let directory = fs::metadata(root.path().join("var/lib/maitred")).unwrap();
    assert_eq!(directory.mode() & 0o777, 0o700);
    assert_ne!(directory.uid(), 0);
}

#[test]
fn both_services_are_closed_in_the_same_way() {
    let hardening = |name: &str| {
        let text = read(name);
        let begin = text.find("# It uses the network").unwrap();
        let end = text[begin..].find("MemoryMax=").unwrap();
        text[begin..begin + end].to_owned()
    };
    let [daemon, once] = SERVICES;
    assert_eq!(hardening(daemon), hardening(once));
    for name in SERVICES {
        for line in [
            "LimitCORE=0",
            "RuntimeDirectory=maitred",
            "RuntimeDirectoryMode=0755",
            "RuntimeDirectoryPreserve=yes",
        ] {
            assert!(
                read(name).lines().any(|found| found == line),
                "{name}: {line}"
            );
        }
    }
    let reload = "ExecReload=/usr/bin/maitred reload --config /etc/maitred/config.toml";
    for line in ["Type=notify", reload, "WatchdogSec=10min"] {
        assert!(read(daemon).lines().any(|found| found == line), "{line}");
    }
}
