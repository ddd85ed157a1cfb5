//! Runs the commands of pages in an empty folder, each page against its own sandbox.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use maitred::daemon::clock;
use maitred::sandbox::scenario::book_club::book_club;
use maitred::sandbox::server::Sandbox;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::output::compare;
use super::page::{Block, ShownCommand, blocks};

/// The address of the sandbox in the pages, and of a second sandbox with another scenario.
const LISTEN: &str = "127.0.0.1:5555";
const SECOND_LISTEN: &str = "127.0.0.1:5556";

/// The address of the daemon's web page in the pages.
const PAGE_LISTEN: &str = "127.0.0.1:8471";

/// Ends the process that was started last.
const STOP_COMMAND: &str = "kill $!";

/// With this variable in the environment, a missing tool is a failure.
const REQUIRE_VARIABLE: &str = "MAITRED_REQUIRE_ALL";

/// How often a background process is checked until it answers, and the pause between the checks.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// A folder, a sandbox, and what the commands exported so far.
pub struct PageShell {
    folder: TempDir,
    sandbox: Sandbox,
    second_port: u16,
    page_port: u16,
    exports: String,
    background: Vec<Child>,
    _runtime: Runtime,
}

impl PageShell {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let world = book_club(clock::now()).world;
        let listen = "127.0.0.1:0".parse().unwrap();
        let sandbox = runtime
            .block_on(Sandbox::start(world, clock::system_clock(), listen))
            .unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (second, page) = (free(), free());
        Self {
            folder: tempfile::tempdir().unwrap(),
            sandbox,
            second_port: second.local_addr().unwrap().port(),
            page_port: page.local_addr().unwrap().port(),
            exports: String::new(),
            background: Vec::new(),
            _runtime: runtime,
        }
    }

    /// Runs every block of a page that is not marked. Returns how many commands ran; a failure
    /// names the page and the line.
    pub fn run_page(&mut self, page: &str, text: &str) -> Result<usize, String> {
        let blocks = blocks(text);
        for block in blocks.iter().filter(|block| block.file.is_some()) {
            self.write_block_file(block);
        }
        let mut ran = 0;
        let console = blocks.iter().filter(|block| block.language == "console");
        for block in console.filter(|block| block.not_run.is_none()) {
            for shown in block.commands() {
                let place = |why: String| format!("{page}:{}: {why}", block.line);
                ran += usize::from(self.run(&shown).map_err(place)?);
            }
        }
        Ok(ran)
    }

    fn write_block_file(&self, block: &Block) {
        self.write_file(block.file.as_ref().unwrap(), &block.text);
    }

    /// Writes a file into the folder.
    pub fn write_file(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.with_ports(text)).unwrap();
    }

    /// Runs one command and returns its standard output, whatever it ends with.
    pub fn output_of(&self, command: &str) -> String {
        let output = self.bash(command).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.stdout.is_empty(),
            "{command} printed nothing: {errors}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn with_ports(&self, text: &str) -> String {
        text.replace(LISTEN, &self.sandbox.addr().to_string())
            .replace(SECOND_LISTEN, &format!("127.0.0.1:{}", self.second_port))
            .replace(PAGE_LISTEN, &format!("127.0.0.1:{}", self.page_port))
    }

    /// Runs a command. Returns false for commands that are skipped: the tests do not run
    /// themselves, and curl may be missing.
    fn run(&mut self, shown: &ShownCommand) -> Result<bool, String> {
        let command = shown.command.as_str();
        if command == "cargo test" {
            return Ok(false);
        }
        if command.starts_with("curl ") && !self.has_curl() {
            assert!(
                std::env::var_os(REQUIRE_VARIABLE).is_none(),
                "install curl: {REQUIRE_VARIABLE} is set"
            );
            return Ok(false);
        }
        if command.starts_with("export ") {
            self.exports.push_str(command);
            self.exports.push('\n');
            return Ok(true);
        }
        if let Some(command) = command.strip_suffix(" &") {
            if !command.starts_with("maitred sandbox") || command.contains("--scenario") {
                self.spawn(command)?;
            }
            return Ok(true);
        }
        if command == STOP_COMMAND {
            stop(&mut self.background.pop().unwrap());
            return Ok(true);
        }
        let built = command.replace("cargo run -- ", "maitred ");
        let output = self.bash(&built).output().unwrap();
        check(command, &output, shown)?;
        Ok(true)
    }

    fn has_curl(&self) -> bool {
        let output = self.bash("curl --version").output().unwrap();
        output.status.success()
    }

    fn bash(&self, command: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_maitred"));
        let programs = binary.parent().unwrap().to_string_lossy().into_owned();
        let mut bash = Command::new("bash");
        bash.args([
            "-c",
            &self.with_ports(&format!("{}{command}", self.exports)),
        ])
        .current_dir(self.folder.path())
        .env_clear()
        .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
        bash
    }

    /// Starts a process in the background and waits until it answers.
    fn spawn(&mut self, command: &str) -> Result<(), String> {
        let mut process = self.bash(&format!("exec {command}"));
        process.stdout(Stdio::null()).stderr(Stdio::null());
        self.background.push(process.spawn().unwrap());
        let second = format!("127.0.0.1:{}", self.second_port);
        let answers = |shell: &Self| match command.contains("sandbox") {
            true => std::net::TcpStream::connect(&second).is_ok(),
            false => shell
                .bash("maitred status")
                .output()
                .unwrap()
                .status
                .success(),
        };
        for _ in 0..TRIES {
            if answers(self) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(format!("{command}: does not answer"))
    }
}

impl Drop for PageShell {
    fn drop(&mut self) {
        self.background.iter_mut().for_each(stop);
    }
}

fn stop(process: &mut Child) {
    let id = process.id().to_string();
    let _ = Command::new("kill").arg(id).status();
    let _ = process.wait();
}

fn check(command: &str, output: &Output, shown: &ShownCommand) -> Result<(), String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed = printed + &String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    if code != Some(shown.exit) {
        let expected = shown.exit;
        return Err(format!(
            "{command}: ended with {code:?}, not {expected}\n{printed}"
        ));
    }
    compare(&printed, &shown.lines)
        .map_err(|why| format!("{command}: {why}\n--- printed:\n{printed}"))
}

/// Checks the syntax of commands that are not run.
pub fn check_syntax(block: &Block) -> Result<(), String> {
    for shown in block.commands() {
        let mut bash = Command::new("bash");
        let output = bash.args(["-n", "-c", &shown.command]).output().unwrap();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {errors}", shown.command));
        }
    }
    Ok(())
}
