//! Performs every step of `docs/first-decision.md` on machines of the test's own, against a sandbox.

use std::collections::BTreeMap;
use std::fs;

use maitred::sandbox::account::SandboxKey;
use maitred::sandbox::rate_limiter::RateLimit;

use super::deb::pack;
use super::machine::{Machine, can_make_machines, text_of};
use super::{CalCom, REQUEST};
use crate::readme::output::compare;
use crate::readme::page::{Block, blocks, pages};

const PAGE: &str = "docs/first-decision.md";

/// The sections of the page, in their order.
const SECTIONS: [&str; 14] = [
    "Install the package",
    "Store the API key",
    "Write the gates",
    "Create the ledger",
    "Import the members",
    "Check everything",
    "Look at the plan",
    "Start the service",
    "Read the first decision",
    "Replace the API key",
    "Upgrade",
    "On the old machine",
    "On the new machine",
    "Uninstall",
];

/// The packages that the page installs.
const PACKAGES: [&str; 2] = ["0.1.0-1", "0.1.1-1"];

/// The host of the sandbox, and the number of calls a minute that its second key has.
const HOST: i64 = 12;
const CALLS_OF_SECOND_KEY: u32 = 77;

/// What a reader brings: the packages and the key.
fn prepare(machine: &Machine) {
    for version in PACKAGES {
        let package = pack(version, &machine.path("/root"));
        let name = format!("/root/maitred_{version}_amd64.deb");
        fs::rename(package, machine.path(&name)).unwrap();
    }
    machine.write("/root/calcom-api-key", "cal_sandbox_key\n");
}

/// The sections of the page that have steps.
struct Steps {
    sections: BTreeMap<String, Vec<Block>>,
    base_url: String,
}

impl Steps {
    fn read(calcom: &CalCom) -> Self {
        let page = pages().into_iter().find(|page| page.path == PAGE).unwrap();
        let mut sections: BTreeMap<String, Vec<Block>> = BTreeMap::new();
        let mut order = Vec::new();
        let lines: Vec<&str> = page.text.lines().collect();
        for block in blocks(&page.text) {
            let above = lines[..block.line].iter().rev();
            let mut headings = above.filter_map(|line| line.strip_prefix('#'));
            let heading = headings.next().unwrap().trim_start_matches('#').trim();
            if order.last() != Some(&heading.to_owned()) {
                order.push(heading.to_owned());
            }
            sections.entry(heading.to_owned()).or_default().push(block);
        }
        assert_eq!(order, SECTIONS);
        Self {
            sections,
            base_url: calcom.sandbox.base_url(),
        }
    }

    /// Writes the files of a section and runs its commands.
    fn perform(&self, machine: &Machine, section: &str) {
        for block in &self.sections[section] {
            let place = format!("{PAGE}:{}", block.line);
            if let Some(file) = &block.file {
                let mut text = block.text.clone();
                if file.ends_with("config.toml") {
                    text += &format!("\n[calcom]\nbase-url = \"{}\"\n", self.base_url);
                }
                let inside = match file.starts_with('/') {
                    true => file.clone(),
                    false => format!("/root/{file}"),
                };
                machine.write(&inside, &text);
                continue;
            }
            assert!(block.machine.is_some(), "{place}: the block is not run");
            for shown in block.commands() {
                let command = &shown.command;
                let output = machine.run(command);
                let printed = text_of(&output);
                let code = output.status.code();
                assert_eq!(code, Some(shown.exit), "{place}: {command}\n{printed}");
                let compared = compare(&printed, &shown.lines);
                compared.unwrap_or_else(|why| panic!("{place}: {command}: {why}\n{printed}"));
            }
        }
    }
}

#[test]
fn every_step_to_the_first_decision_and_after_it_is_performed() {
    if !can_make_machines() {
        return;
    }
    let calcom = CalCom::start();
    let steps = Steps::read(&calcom);
    let mut old = Machine::make("first-decision");
    prepare(&old);
    old.boot();
    for section in &SECTIONS[..9] {
        steps.perform(&old, section);
    }
    assert_eq!(
        calcom.sandbox.lock().status(REQUEST).unwrap().as_v2(),
        "accepted"
    );

    old.write("/root/new-api-key", "cal_second_key\n");
    let mut second = SandboxKey::new("cal_second_key", HOST);
    second.limit = Some(RateLimit::per_minute(CALLS_OF_SECOND_KEY));
    calcom.sandbox.lock().put_key(second);
    steps.perform(&old, "Replace the API key");
    let metrics = old.succeed("cat /run/maitred/maitred.prom");
    let limit = format!("maitred_rate_limit {CALLS_OF_SECOND_KEY}\n");
    assert!(metrics.contains(&limit), "{metrics}");

    steps.perform(&old, "Upgrade");
    steps.perform(&old, "On the old machine");
    let mut new = Machine::make("second-machine");
    prepare(&new);
    new.boot();
    // Copying between machines is the reader's choice.
    let moved = "/root/maitred-move";
    let mut copy = std::process::Command::new("cp");
    copy.arg("-a").args([old.path(moved), new.path("/root/")]);
    assert!(copy.status().unwrap().success());
    steps.perform(&new, "On the new machine");
    // The old machine no longer answers requests, and is cleaned up.
    assert_eq!(old.fail("systemctl is-active maitred"), "inactive\n");
    steps.perform(&old, "Uninstall");
    old.succeed(
        "test ! -e /var/lib/maitred && test ! -e /etc/maitred && test ! -e /usr/bin/maitred",
    );
}

/// Only this page is performed on a machine; on another one, such a mark would hide commands.
#[test]
fn no_other_page_has_steps_for_a_machine() {
    for page in pages().iter().filter(|page| page.path != PAGE) {
        for block in blocks(&page.text) {
            assert_eq!(block.machine, None, "{}:{}", page.path, block.line);
        }
    }
}
