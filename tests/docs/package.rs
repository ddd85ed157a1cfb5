//! The package of Debian, installed, run, upgraded and removed on a machine of the test's own under a
//! real systemd ([`machine`]), against a sandbox. The page `docs/first-decision.md` is performed on
//! such a machine too ([`first_decision`]).

pub mod deb;
mod first_decision;
pub mod machine;

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use maitred::daemon::clock;
use maitred::sandbox::scenario::book_club::book_club;
use maitred::sandbox::server::Sandbox;
use tokio::runtime::Runtime;

use crate::tool::require_tool;
use deb::{assets, content, pack, pack_with_cargo_deb, root, stripped_program};
use machine::{Machine, can_make_machines};

const OLD: &str = "0.0.9-1";
const NEW: &str = "0.1.0-1";

/// How often the sandbox is looked at until a request is decided, and the pause between.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// A request in the sandbox, of a member with credit.
pub const REQUEST: &str = "HwAgiy47ueD8VKJ6RJ1ynN";

/// The sandbox that machines call.
pub struct CalCom {
    pub sandbox: Sandbox,
    _runtime: Runtime,
}

impl CalCom {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let world = book_club(clock::now()).world;
        let listen = "127.0.0.1:0".parse().unwrap();
        let started = Sandbox::start(world, clock::system_clock(), listen);
        Self {
            sandbox: runtime.block_on(started).unwrap(),
            _runtime: runtime,
        }
    }

    fn wait_until_decided(&self, uid: &str) {
        let decided = || {
            let world = self.sandbox.lock();
            let status = world.status(uid).unwrap().as_v2();
            status == "accepted"
        };
        assert!(
            (0..TRIES).any(|_| decided() || {
                thread::sleep(PAUSE);
                false
            }),
            "{uid} is not decided"
        );
    }
}

/// Makes the packages of two versions on the machine.
fn put_packages(machine: &Machine) {
    for version in [OLD, NEW] {
        let package = pack(version, &machine.path("/root"));
        fs::rename(package, machine.path(&format!("/root/{version}.deb"))).unwrap();
    }
}

fn configuration(calcom: &CalCom) -> String {
    format!(
        "[calcom]\nbase-url = \"{}\"\n\n[metrics]\nfile = \"/run/maitred/maitred.prom\"\n\n\
         [[gate]]\nevent-types = [\"book-club\"]\ncost = 1\n",
        calcom.sandbox.base_url()
    )
}

#[test]
fn a_debian_installs_runs_upgrades_and_removes_the_package() {
    if !can_make_machines() {
        return;
    }
    let calcom = CalCom::start();
    let mut machine = Machine::make("packages");
    put_packages(&machine);

    // Without a running systemd, as in a build of an image.
    let installed = machine.run_switched_off("dpkg --install /root/0.0.9-1.deb && id maitred");
    let text = machine::text_of(&installed);
    assert!(installed.status.success(), "{text}");
    let looked = "stat --format '%U %a' /var/lib/maitred; stat --format '%U %a' /etc/maitred; \
                  ls /etc/systemd/system/*.wants; maitred --version";
    let text = machine::text_of(&machine.run_switched_off(looked));
    assert!(text.starts_with("maitred 700\nroot 755\n"), "{text}");
    assert!(!text.contains("maitred.service"), "{text}");
    assert!(!text.contains("maitred-once.timer"), "{text}");
    assert!(
        text.ends_with(concat!("maitred ", env!("CARGO_PKG_VERSION"), "\n")),
        "{text}"
    );

    machine.boot();
    assert_eq!(
        machine.fail("systemctl is-enabled maitred maitred-once.timer"),
        "disabled\ndisabled\n"
    );
    machine.succeed("maitred check --config /etc/maitred/config.toml || [ $? = 78 ]");
    machine.write("/etc/maitred/config.toml", &configuration(&calcom));
    machine.succeed(
        "printf cal_sandbox_key > key && install -m 600 -o maitred -g maitred key \
         /etc/maitred/calcom-api-key",
    );

    // The service makes no ledger, and is not started again for want of one.
    machine.fail("systemctl start maitred");
    let state = machine.succeed("systemctl show --property=ExecMainStatus,NRestarts maitred");
    assert_eq!(state, "NRestarts=0\nExecMainStatus=78\n");
    machine.succeed("systemctl reset-failed maitred");
    machine.succeed("sudo -u maitred maitred init");
    machine.succeed("sudo -u maitred maitred credits grant bo@example.com 9");
    machine.succeed("systemctl enable --now maitred");
    calcom.wait_until_decided(REQUEST);
    machine.succeed("sudo -u maitred maitred pass");
    let metrics = machine.succeed("sudo -u daemon cat /run/maitred/maitred.prom");
    assert!(
        metrics.contains("maitred_passes_total{outcome=\"success\"}"),
        "{metrics}"
    );
    journal_has_fields_and_priorities(&machine);
    machine.succeed("systemctl reload maitred");
    machine.write("/etc/maitred/config.toml", "[[gate]]\ncost = \"much\"\n");
    machine.fail("systemctl reload maitred");
    machine.write("/etc/maitred/config.toml", &configuration(&calcom));
    assert_eq!(machine.succeed("systemctl is-active maitred"), "active\n");

    upgrades(&machine);
    runs_from_the_timer(&machine);
    removes(&machine);
}

/// The journal finds the entries of one request, and tells warnings from the rest.
fn journal_has_fields_and_priorities(machine: &Machine) {
    let journal = "journalctl --unit maitred --no-pager --output cat";
    let request = machine.succeed(&format!("{journal} MAITRED_REQUEST={REQUEST}"));
    assert!(request.contains("confirmed"), "{request}");
    let others = request.lines().filter(|line| !line.contains(REQUEST));
    assert_eq!(others.count(), 0, "{request}");
    let all = machine.succeed(journal);
    let warnings = machine.succeed(&format!("{journal} --priority warning"));
    assert!(all.contains("maitred is up"), "{all}");
    assert!(!warnings.contains("maitred is up"), "{warnings}");
    let named_no_account = "the ledger named no account";
    assert!(warnings.contains(named_no_account), "{warnings}");
}

/// Upgrades restart a service that runs, and leave a stopped one stopped.
fn upgrades(machine: &Machine) {
    let process = "systemctl show --property=MainPID --value maitred";
    let before = machine.succeed(process);
    let printed = machine.succeed("dpkg --install 0.1.0-1.deb");
    assert!(!printed.contains("conffile"), "{printed}");
    assert_eq!(machine.succeed("systemctl is-active maitred"), "active\n");
    let after = machine.succeed(process);
    assert_ne!(before, after);
    let account = machine.succeed("sudo -u maitred maitred account show bo@example.com");
    assert!(account.contains("9 granted"), "{account}");

    machine.succeed("systemctl stop maitred && dpkg --install 0.0.9-1.deb 0.1.0-1.deb");
    assert_eq!(machine.fail("systemctl is-active maitred"), "inactive\n");
    assert_eq!(machine.succeed("systemctl is-enabled maitred"), "enabled\n");
}

/// The daemon is stopped, and runs come from the timer.
fn runs_from_the_timer(machine: &Machine) {
    machine.succeed("systemctl disable maitred && systemctl enable --now maitred-once.timer");
    machine.succeed("systemctl start maitred-once.service");
    let result = machine.succeed("systemctl show --property=Result maitred-once.service");
    assert_eq!(result, "Result=success\n");
    // The folder of the metrics outlives the run.
    machine.succeed("test -s /run/maitred/maitred.prom");
    machine.succeed("dpkg --install 0.1.0-1.deb");
    assert_eq!(
        machine.succeed("systemctl is-active maitred-once.timer"),
        "active\n"
    );
    machine.succeed("systemctl disable --now maitred-once.timer");
}

/// Removing keeps configuration and ledger, purging the ledger and the key.
fn removes(machine: &Machine) {
    machine.succeed("systemctl enable --now maitred && dpkg --remove maitred");
    machine.succeed("test ! -e /usr/bin/maitred && test -s /etc/maitred/config.toml");
    machine.succeed("test -d /var/lib/maitred/log && test ! -e /run/maitred");
    assert_eq!(machine.fail("systemctl is-active maitred"), "inactive\n");
    let failed = machine.succeed("systemctl --failed --no-legend");
    assert_eq!(failed, "");
    // The links of an administrator come back with the package.
    machine.succeed("dpkg --install 0.1.0-1.deb");
    assert_eq!(machine.succeed("systemctl is-enabled maitred"), "enabled\n");

    let printed = machine.succeed("dpkg --purge maitred");
    assert!(
        printed.contains("the ledger in /var/lib/maitred is kept"),
        "{printed}"
    );
    assert!(printed.contains("such as the API key"), "{printed}");
    machine.succeed("test ! -e /etc/maitred/config.toml && test -s /etc/maitred/calcom-api-key");
    machine.succeed("test ! -L /etc/systemd/system/multi-user.target.wants/maitred.service");

    // A ledger that was kept can be used again.
    machine.succeed("dpkg --install 0.1.0-1.deb");
    assert_eq!(machine.fail("systemctl is-enabled maitred"), "disabled\n");
    let account = machine.succeed("sudo -u maitred maitred account show bo@example.com");
    assert!(account.contains("9 granted"), "{account}");
    machine.succeed("dpkg --purge maitred && rm -r /var/lib/maitred /etc/maitred");
    machine.succeed("dpkg --install 0.1.0-1.deb");
    let printed = machine.succeed("dpkg --purge maitred");
    assert!(
        !printed.contains("kept"),
        "nothing is left to keep: {printed}"
    );
    machine.succeed("test ! -e /var/lib/maitred && test ! -e /etc/maitred");
}

#[test]
fn the_package_has_every_page_that_the_program_writes_and_every_unit() {
    if require_tool("strip").is_none() {
        return;
    }
    stripped_program();
    let packed: BTreeSet<String> = assets().into_iter().map(|asset| asset.target).collect();
    let pages = root().join("target/packaging");
    let mut wanted = Vec::new();
    for entry in fs::read_dir(&pages).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.starts_with("man") {
            let pages = fs::read_dir(pages.join(&name)).unwrap();
            let file = |page: fs::DirEntry| page.file_name().to_string_lossy().into_owned();
            wanted
                .extend(pages.map(|page| format!("usr/share/man/{name}/{}", file(page.unwrap()))));
        }
    }
    assert!(wanted.len() > 40, "{wanted:?}");
    for entry in fs::read_dir(root().join("systemd")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".service") || name.ends_with(".timer") {
            wanted.push(format!("usr/lib/systemd/system/{name}"));
        }
    }
    for path in wanted {
        assert!(
            packed.contains(&path),
            "{path} is not in the list of assets in Cargo.toml"
        );
    }
}

/// `.ci/run` does not build cargo-deb, which takes three minutes.
#[test]
fn cargo_deb_makes_the_package_that_is_tested() {
    let found = std::process::Command::new("cargo")
        .args(["deb", "--version"])
        .output();
    if !found.unwrap().status.success() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: cargo-deb is not installed");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tested = content(&pack(NEW, folder.path()));
    let released = content(&pack_with_cargo_deb(NEW, folder.path()));
    let difference: Vec<&String> = tested.symmetric_difference(&released).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}
