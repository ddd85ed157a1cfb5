//! Checks this machine: whether the current user can use the store, whether the daemon answers, how
//! much disk space is left, and whether what lookups need is there. It leaves no trace except that
//! it opens the store.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access, statvfs};
use rustix::process::geteuid;

use super::check_result::{error, error_with_exit, ok, warning};
use crate::config::model::{Config, StoreConfig};
use crate::control::client::{self, ClientError};
use crate::control::exit;
use crate::control::protocol::check::CheckResultView;
use crate::control::protocol::{Command, CommandResult};
use crate::daemon::metrics::text_file::folder_problem;
use crate::daemon::store_access;
use crate::domain::lookup::{LookupConfig, LookupSource};
use crate::domain::member_source::{MemberSource, MemberSourceKind};
use crate::domain::secret_path::SecretPath;
use crate::store::lock::holder_of;

/// Free space below which an operator should act: the log of a busy year takes less.
const LOW_DISK_SPACE: u64 = 1024 * 1024 * 1024;

/// Free space below which writing the log may soon fail: one full segment and its projection.
const CRITICAL_DISK_SPACE: u64 = 100 * 1024 * 1024;

/// The mode bits with which a socket admits users other than its owner and its owner's group.
const OPEN_SOCKET: u32 = 0o007;

/// The mode bits with which other users can read a credential.
const OPEN_SECRET: u32 = 0o044;

/// The longest credential, in bytes.
const MAX_CREDENTIAL: u64 = 64 * 1024;

/// Makes every check. A check that fails does not prevent the others.
pub fn examine(config: &Config) -> Vec<CheckResultView> {
    let mut findings = vec![check_store(&config.store)];
    let path = store_access::local_path(&config.store);
    findings.push(check_disk_space(path, &free_bytes));
    findings.push(check_socket(config.control.socket.as_deref()));
    findings.extend(config.lookups.iter().map(check_lookup));
    findings.extend(config.sources.iter().map(check_source));
    findings
}

/// Checks that the folder of the metrics file is there. That it is missing stops nothing, and the
/// folder may be made when the service starts, so it is a warning.
pub fn check_metrics_file(config: &Config) -> Option<CheckResultView> {
    let problem = folder_problem(config.metrics.file.as_deref()?)?;
    let help = "create the folder, or change metrics.file; systemd makes a folder of \
        RuntimeDirectory= when it starts the service";
    Some(warning("metrics", problem, help))
}

fn check_store(store: &StoreConfig) -> CheckResultView {
    let path = store_access::local_path(store);
    let subject = "store";
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let text = format!("there is no ledger in {shown} yet");
            return warning(subject, text, "`maitred init` creates it");
        }
        Err(why) => {
            let help = "see store.path, and run as the user of the service";
            return error_with_exit(exit::FAILED, subject, format!("{shown}: {why}"), help);
        }
    };
    // Files that another user's process creates there could not be used by the service.
    if let Some(finding) = check_owner(path, &metadata, geteuid().as_raw()) {
        return finding;
    }
    let commits = match store_access::read(store, &mut |_| {}) {
        Ok(Some(store)) => store.head().seq,
        Ok(None) => {
            let text = format!("{shown} holds no ledger yet");
            return warning(subject, text, "`maitred init` creates it");
        }
        Err(failed) => {
            let help = "`maitred ledger verify` shows more";
            return error_with_exit(failed.exit(), subject, failed.to_string(), help);
        }
    };
    if let Some(pid) = holder_of(path) {
        let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
        return ok(subject, format!("{shown} is in use{who}"));
    }
    // Opening the store for writing would leave traces, so only the access rights are checked.
    match access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => ok(
            subject,
            format!("{shown} can be opened ({commits} commits)"),
        ),
        Err(why) => {
            let text = format!("{shown} cannot be written: {}", io::Error::from(why));
            let help = "it must belong to the user that maitred runs as";
            error_with_exit(exit::CREDENTIAL, subject, text, help)
        }
    }
}

fn check_owner(path: &Path, metadata: &Metadata, me: u32) -> Option<CheckResultView> {
    let owner = metadata.uid();
    (owner != me).then(|| {
        let text = format!(
            "{} belongs to user {owner}, and this is user {me}: it was not opened",
            path.display()
        );
        let help = "run maitred as the user of the service (sudo -u …), or what it makes there \
                    cannot be used by the service";
        warning("store", text, help)
    })
}

/// Returns how many bytes users other than root may still write below the path.
fn free_bytes(path: &Path) -> io::Result<u64> {
    let stats = statvfs(path)?;
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}

fn check_disk_space(path: &Path, free_bytes: &dyn Fn(&Path) -> io::Result<u64>) -> CheckResultView {
    let subject = "disk";
    // A store that does not exist yet will be created in the nearest folder that exists.
    let existing_folder = path.ancestors().find(|folder| folder.is_dir());
    let existing_folder = existing_folder.unwrap_or(Path::new("/"));
    let help = "free space: maitred does not act on a commit that it cannot write, and the \
     daemon stops";
    match free_bytes(existing_folder) {
        Ok(bytes) => {
            let text = format!(
                "{} MiB are free for {}",
                bytes / 1024 / 1024,
                path.display()
            );
            match bytes {
                0..CRITICAL_DISK_SPACE => error_with_exit(exit::FAILED, subject, text, help),
                CRITICAL_DISK_SPACE..LOW_DISK_SPACE => warning(subject, text, help),
                _ => ok(subject, text),
            }
        }
        Err(why) => {
            let text = format!(
                "the free space for {} cannot be determined: {why}",
                path.display()
            );
            warning(subject, text, "see store.path")
        }
    }
}

fn check_socket(path: Option<&Path>) -> CheckResultView {
    let subject = "socket";
    let Some(path) = path else {
        let text = "control.socket is turned off: no command reaches the daemon while it runs";
        return warning(
            subject,
            text,
            "omit control.socket, and the socket is at its default place",
        );
    };
    let shown = path.display();
    let mode = fs::symlink_metadata(path).map(|of| of.permissions().mode() & 0o777);
    if let Ok(mode) = mode
        && mode & OPEN_SOCKET != 0
    {
        let text = format!(
            "{shown} has mode {mode:o}: every user of this machine can give \
         commands"
        );
        return warning(
            subject,
            text,
            "run chmod 600 on it; the daemon does so at its next start",
        );
    }
    match client::send_command(path, Command::Status {}, None) {
        Ok(CommandResult::Status(_)) => ok(subject, format!("a daemon answers on {shown}")),
        Ok(_) => {
            let text = format!("the process that listens on {shown} gives an unexpected answer");
            error_with_exit(
                exit::FAILED,
                subject,
                text,
                "use the same version of maitred for both",
            )
        }
        Err(ClientError::NotRunning(_)) => {
            let text = format!("no daemon listens on {shown}: commands open the store themselves");
            ok(subject, text)
        }
        Err(why @ (ClientError::Denied { .. } | ClientError::DirectoryDenied { .. })) => {
            let help = "run this command as the user of the service";
            warning(subject, why.to_string(), help)
        }
        Err(why) => {
            let refusal = why.into_refusal();
            let help = "see the daemon's log";
            error_with_exit(refusal.exit, subject, refusal.text, help)
        }
    }
}

fn check_lookup(lookup: &LookupConfig) -> CheckResultView {
    let subject = format!("lookup {}", lookup.name);
    match &lookup.source {
        LookupSource::Command { program, .. } => check_command(&subject, program),
        LookupSource::Url {
            credential_file: Some(file),
            ..
        } => check_credential(&subject, file),
        LookupSource::Url {
            credential_file: None,
            ..
        } => ok(&subject, "it needs no credential; its server was not asked"),
    }
}

fn check_source(source: &MemberSource) -> CheckResultView {
    let subject = format!("source {}", source.name);
    match &source.kind {
        MemberSourceKind::Command { program, .. } => check_command(&subject, program),
        MemberSourceKind::Http(http) => match &http.credential_file {
            Some(file) => check_credential(&subject, file),
            None => ok(&subject, "it needs no credential; its server was not asked"),
        },
        MemberSourceKind::Csv { path } => match access(path, Access::READ_OK) {
            Ok(()) => ok(&subject, format!("{} can be read", path.display())),
            Err(why) => {
                let text = format!("{}: {}", path.display(), io::Error::from(why));
                error(&subject, text, "correct `csv`, or the rights of the file")
            }
        },
        MemberSourceKind::Sql { .. } if !cfg!(feature = "sql") => {
            let text = "this maitred was built without databases";
            let help = "build it with `cargo build --release --features sql`, or use another kind";
            error_with_exit(exit::CONFIGURATION, &subject, text.to_owned(), help)
        }
        MemberSourceKind::Sql { url_file, .. } => check_credential(&subject, url_file),
    }
}

fn check_command(subject: &str, program: &Path) -> CheckResultView {
    let shown = program.display();
    match fs::metadata(program) {
        Ok(metadata) if !metadata.is_file() => {
            let text = format!("{shown} is not a file");
            error(subject, text, "name the program by its whole path")
        }
        Ok(_) => match access(program, Access::EXEC_OK) {
            Ok(()) => ok(subject, format!("{shown} can be run")),
            Err(why) => {
                let text = format!("{shown} cannot be run: {}", io::Error::from(why));
                error(subject, text, "run chmod 755 on it, or check its owner")
            }
        },
        Err(why) => {
            let help = "correct `command`: the program is named by its whole path";
            error(subject, format!("{shown}: {why}"), help)
        }
    }
}

fn check_credential(subject: &str, file: &SecretPath) -> CheckResultView {
    let shown = file.shown_if(fs::symlink_metadata(file.path()).is_ok());
    let read = || -> io::Result<(u32, u64)> {
        let opened = File::open(file.path())?;
        let mode = opened.metadata()?.permissions().mode();
        let length = io::copy(&mut opened.take(MAX_CREDENTIAL), &mut io::sink())?;
        Ok((mode, length))
    };
    match read() {
        Ok((_, 0)) => error(
            subject,
            format!("{shown} is empty"),
            "put the credential into it",
        ),
        Ok((mode, _)) if mode & OPEN_SECRET != 0 => {
            let text = format!("other users than its owner can read {shown}");
            warning(subject, text, "chmod 600 it")
        }
        Ok(_) => ok(
            subject,
            format!("{shown} can be read; its server was not asked"),
        ),
        Err(why) => {
            let help = "correct `credential-file`, and let the user of the service read it";
            error(subject, format!("{shown}: {why}"), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn level_and_text(finding: &CheckResultView) -> (&str, &str) {
        (&finding.level, &finding.text)
    }

    #[test]
    fn low_disk_space_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let missing_path = folder.path().join("not/yet/there");
        let rows = [
            (CRITICAL_DISK_SPACE - 1, "error", exit::FAILED),
            (CRITICAL_DISK_SPACE, "warning", exit::DONE),
            (LOW_DISK_SPACE - 1, "warning", exit::DONE),
            (LOW_DISK_SPACE, "ok", exit::DONE),
        ];
        for (bytes, expect, code) in rows {
            let asked_parent = std::cell::Cell::new(false);
            let finding = check_disk_space(&missing_path, &|path| {
                asked_parent.set(path == folder.path());
                Ok(bytes)
            });
            assert_eq!(
                (finding.level.as_str(), finding.exit),
                (expect, code),
                "{bytes}"
            );
            assert!(
                asked_parent.get(),
                "the nearest folder that is there is asked"
            );
        }
        let broken = check_disk_space(&missing_path, &|_| Err(io::Error::other("no such thing")));
        assert_eq!(broken.level, "warning");
        assert!(free_bytes(folder.path()).unwrap() > 0);
    }

    #[test]
    fn a_store_of_another_user_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(folder.path()).unwrap();
        let owner = metadata.uid();
        assert_eq!(check_owner(folder.path(), &metadata, owner), None);
        let finding = check_owner(folder.path(), &metadata, owner + 1).unwrap();
        assert_eq!(finding.level, "warning");
        assert!(finding.text.contains("it was not opened"), "{finding:?}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn lookup_programs_and_credentials_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let write_file = |name: &str, text: &str, mode: u32| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let linked = folder.path().join("linked");
        symlink(write_file("run", "#!/bin/sh\n", 0o755), &linked).unwrap();
        let commands = [
            (linked, "ok", "can be run"),
            (write_file("plain", "", 0o644), "error", "cannot be run"),
            (folder.path().to_owned(), "error", "is not a file"),
            (folder.path().join("none"), "error", "No such file"),
        ];
        for (program, expect, text) in commands {
            let finding = check_command("lookup x", &program);
            let (actual_level, actual_text) = level_and_text(&finding);
            assert!(
                actual_level == expect && actual_text.contains(text),
                "{finding:?}"
            );
        }
        let files = [
            (write_file("token", "secret", 0o600), "ok", "can be read"),
            (
                write_file("open", "secret", 0o644),
                "warning",
                "other users than its owner",
            ),
            (write_file("empty", "", 0o600), "error", "is empty"),
            (folder.path().join("none"), "error", "No such file"),
        ];
        for (file, expect, text) in files {
            let finding = check_credential("lookup x", &file.clone().into());
            let (actual_level, actual_text) = level_and_text(&finding);
            assert!(
                actual_level == expect && actual_text.contains(text),
                "{finding:?}"
            );
        }
    }
}
