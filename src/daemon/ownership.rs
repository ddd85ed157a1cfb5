//! Checks who owns the store. The service could not read what a command writes as root, so root is
//! refused where the store belongs to another user, with the command that works.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use super::failure::Failure;

/// How many bytes of the list of users are searched for the owner's name.
const MAX_PASSWD: usize = 1024 * 1024;

/// Refuses to let root write into another user's store, or create a store in another user's folder.
///
/// # Errors
/// Fails with [`Failure::Permission`], which names the command to use.
pub fn check_owner(store: &Path) -> Result<(), Failure> {
    // A store that does not exist yet is created in the nearest folder that exists.
    let owner_metadata = store.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        folder.metadata().ok()
    });
    let Some(owner) = owner_metadata.map(|metadata| metadata.uid()) else {
        return Ok(());
    };
    if !is_refused(geteuid().as_raw(), owner) {
        return Ok(());
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = user_name(&users, owner);
    let args = std::env::args_os().skip(1);
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let config = std::env::var("MAITRED_CONFIG").ok();
    Err(Failure::Permission(format!(
        "the store {} belongs to user {name}, and what root writes there the service cannot use; run \
         `sudo -u {} maitred {}`",
        store.display(),
        shell_quote(&name),
        shell_arguments(args, config)
    )))
}

/// Returns the arguments quoted for a shell. A configuration path from the environment is added to
/// them, because sudo does not pass the environment on.
fn shell_arguments(args: Vec<String>, config: Option<String>) -> String {
    let names_config = args
        .iter()
        .any(|arg| arg.split('=').next() == Some("--config"));
    let config = config.filter(|path| !path.is_empty() && !names_config);
    let config = config.map(|path| ["--config".to_owned(), path]);
    let words = config.into_iter().flatten().chain(args);
    words
        .map(|word| shell_quote(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_refused(me: u32, owner: u32) -> bool {
    me == 0 && owner != 0
}

/// Returns the user's name, or `#` and the number, which `sudo -u` accepts as well.
fn user_name(users: &str, uid: u32) -> String {
    let users = users.get(..MAX_PASSWD.min(users.len())).unwrap_or_default();
    let entry = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    entry.unwrap_or_else(|| format!("#{uid}"))
}

/// Quotes a word for a shell.
fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_refused_where_the_store_is_anothers() {
        let rows = [
            (0, 0, false),
            (0, 998, true),
            (998, 998, false),
            (998, 0, false),
        ];
        for (me, owner, refused) in rows {
            assert_eq!(is_refused(me, owner), refused, "{me} {owner}");
        }
    }

    #[test]
    fn the_command_to_use_names_the_owner_and_quotes_what_must_be() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nmaitred:x:998:998::/var/lib/maitred:/bin/false\n";
        assert_eq!(user_name(users, 998), "maitred");
        assert_eq!(user_name(users, 997), "#997");
        assert_eq!(user_name("", 0), "#0");
        let rows = [
            ("grant", "grant"),
            ("bo@example.com", "bo@example.com"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", "'it'\\''s'"),
            ("#997", "'#997'"),
        ];
        for (word, expect) in rows {
            assert_eq!(shell_quote(word), expect);
        }
        let rows = [
            (&["run", "--once"][..], None, "run --once"),
            (
                &["run"],
                Some("my club.toml"),
                "--config 'my club.toml' run",
            ),
            (&["run", "--config", "b"], Some("a"), "run --config b"),
            (&["run", "--config=b"], Some("a"), "run --config=b"),
        ];
        for (args, config, expect) in rows {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(shell_arguments(args, config.map(str::to_owned)), expect);
        }
    }
}
