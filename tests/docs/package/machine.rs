//! A machine of the test's own: a Debian 12 in a folder, in which systemd runs as the first process
//! (systemd-nspawn). It shares the network with the test, and so reaches the test's sandbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::tool::require_tool;

/// Where `.ci/run` and the first test put the tree that every machine is a copy of.
const BASE: &str = "target/tools/debian-12";

/// The programs that a machine needs.
const PROGRAMS: [&str; 4] = ["mmdebstrap", "systemd-nspawn", "nsenter", "dpkg-deb"];

/// How often a machine is looked at until it has started, and the pause between.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// The code of a command that found itself on another machine.
const WRONG_MACHINE: i32 = 99;

/// A machine, which is switched off when it is dropped.
pub struct Machine {
    folder: TempDir,
    name: String,
    running: Option<Running>,
}

struct Running {
    nspawn: Child,
    /// The process that is the first one inside.
    leader: String,
}

/// Returns true for root. Other users skip the test, and with `MAITRED_REQUIRE_ALL` that is a failure.
pub fn is_root() -> bool {
    let is_root = rustix::process::getuid().is_root();
    if !is_root {
        let required = std::env::var_os("MAITRED_REQUIRE_ALL").is_some();
        assert!(
            !required,
            "only root can install packages and mount folders"
        );
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: only root can install packages and mount folders");
        }
    }
    is_root
}

/// Returns true where machines can be made. Elsewhere it says why not, and with
/// `MAITRED_REQUIRE_ALL` that is a failure, except for what no installation changes.
pub fn can_make_machines() -> bool {
    is_root() && PROGRAMS.iter().all(|name| require_tool(name).is_some()) && allows_namespaces()
}

/// Returns true where root may make namespaces. In many containers root may not, and no tool that
/// `.ci/run` could install changes that: there the test is skipped in every case.
fn allows_namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--uts", "--ipc", "--fork", "true"]);
    let allowed = unshare.status().is_ok_and(|status| status.success());
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    if !allowed {
        eprintln!("skipped: this machine does not let root make namespaces");
    }
    allowed
}

/// Returns the tree that machines are copied from.
fn base() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut script = Command::new(root.join("packaging/test-machine.sh"));
        let output = script.arg(root.join(BASE)).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        root.join(BASE)
    })
}

impl Machine {
    /// Makes a machine with nothing of maitred on it. It is switched off.
    pub fn make(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Two runs of the tests may have a machine of this name at the same time.
        let name = format!("{name}-{}", std::process::id());
        let machine = Self {
            folder,
            name,
            running: None,
        };
        let mut copy = Command::new("cp");
        copy.args(["-a", "--reflink=auto"]);
        copy.args([base(), &machine.root()]);
        assert!(copy.status().unwrap().success());
        let hosts = format!("127.0.0.1 localhost {}\n", machine.name);
        machine.write("/etc/hosts", &hosts);
        machine.write("/etc/hostname", &format!("{}\n", machine.name));
        machine
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Returns where a file of the machine is for the test.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root().join(inside.trim_start_matches('/'))
    }

    pub fn write(&self, inside: &str, text: &str) {
        fs::write(self.path(inside), text).unwrap();
    }

    /// Runs a command in the tree of the machine while it is switched off, as a build of an image does.
    pub fn run_switched_off(&self, command: &str) -> Output {
        assert!(self.running.is_none());
        let mut chroot = Command::new("chroot");
        chroot.arg(self.root()).args(["bash", "-c", command]);
        with_clean_environment(&mut chroot).output().unwrap()
    }

    /// Switches the machine on, and waits until systemd has started everything.
    pub fn boot(&mut self) {
        let mut nspawn = Command::new("systemd-nspawn");
        // Nothing of the host's systemd is needed: there may be none.
        nspawn.args([
            "--register=no",
            "--keep-unit",
            "--link-journal=no",
            "--quiet",
        ]);
        nspawn.args(["--boot", "--console=pipe", "--directory"]);
        nspawn.arg(self.root());
        let log = fs::File::create(self.folder.path().join("nspawn.log")).unwrap();
        nspawn.stdout(log.try_clone().unwrap()).stderr(log);
        let nspawn = nspawn.stdin(Stdio::null()).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        self.running = Some(Running {
            nspawn,
            leader: String::new(),
        });
        for _ in 0..TRIES {
            let children = fs::read_to_string(&children).unwrap_or_default();
            let leader = children.split_whitespace().next().unwrap_or_default();
            if !leader.is_empty() {
                self.running.as_mut().unwrap().leader = leader.to_owned();
                let state = self.run("systemctl is-system-running");
                if String::from_utf8_lossy(&state.stdout).trim() == "running" {
                    return;
                }
            }
            thread::sleep(PAUSE);
        }
        let log = fs::read_to_string(self.folder.path().join("nspawn.log")).unwrap();
        panic!("the machine did not start: {log}");
    }

    /// Runs a command of root inside, in the folder `/root`.
    pub fn run(&self, command: &str) -> Output {
        let leader = &self.running.as_ref().unwrap().leader;
        // While the machine starts, its first process may still be outside.
        let guarded = format!(
            "[ \"$(cat /etc/hostname)\" = {} ] || exit {WRONG_MACHINE}; cd /root\n{command}",
            self.name
        );
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", leader, "--all", "bash", "-c", &guarded]);
        with_clean_environment(&mut nsenter).output().unwrap()
    }

    /// Runs a command inside that must succeed, and returns what it printed.
    pub fn succeed(&self, command: &str) -> String {
        let output = self.run(command);
        let text = text_of(&output);
        assert!(
            output.status.success(),
            "{command}: {:?}\n{text}",
            output.status
        );
        text
    }

    /// Runs a command inside that must fail, and returns what it printed.
    pub fn fail(&self, command: &str) -> String {
        let output = self.run(command);
        let text = text_of(&output);
        let code = output.status.code().unwrap();
        assert!(code != 0 && code != WRONG_MACHINE, "{command}: {text}");
        text
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // The first process takes all others with it.
            if running.leader.is_empty() {
                let _ = running.nspawn.kill();
            } else {
                let mut kill = Command::new("kill");
                let _ = kill.args(["-KILL", &running.leader]).status();
            }
            let _ = running.nspawn.wait();
        }
    }
}

fn with_clean_environment(command: &mut Command) -> &mut Command {
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env("COLUMNS", "100")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
}

pub fn text_of(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr];
    parts
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}
