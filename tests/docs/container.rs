//! The container: its image is built with buildah, and its tree is run as a container engine would run
//! it: read-only, as a user other than root, with a volume for the ledger.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::package::deb::{root, stripped_program, succeed};
use crate::package::machine::{is_root, text_of};
use crate::package::{CalCom, REQUEST};
use crate::tool::require_tool;

/// The user of the image.
const USER: u32 = 10001;

/// Mounts the tree `$0` read-only on itself, with the volume `$1` and the configuration `$2`, and runs
/// the program in it. There is nothing else: no `/proc` and no `/dev`.
const RUN: &str = "set -e; mount --bind \"$0\" \"$0\"; mount -o remount,ro,bind \"$0\"; \
    mount -t tmpfs tmpfs \"$0/tmp\"; mount --bind \"$1\" \"$0/var/lib/maitred\"; \
    mount --bind \"$2\" \"$0/etc/maitred/config.toml\"; tree=$0; shift 2; \
    exec chroot --userspec=10001:10001 \"$tree\" /usr/bin/maitred \"$@\"";

struct Container {
    folder: TempDir,
    tree: PathBuf,
}

impl Container {
    /// Builds the image and lays out its tree.
    fn build() -> Self {
        let written = root().join("target/container");
        let mut script = Command::new(root().join("packaging/container-root.sh"));
        succeed(script.arg(stripped_program()).arg(&written));
        let folder = tempfile::tempdir().unwrap();
        // Others enter the volume, which is below it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut container = Self {
            tree: PathBuf::new(),
            folder,
        };
        container.buildah(&["build", "--isolation=chroot", "--tag=maitred", "."]);
        let name = container.buildah(&["from", "--pull-never", "localhost/maitred"]);
        let tree = container.buildah(&["mount", name.trim()]);
        container.tree = PathBuf::from(tree.trim());
        container
    }

    fn buildah(&self, args: &[&str]) -> String {
        let mut buildah = Command::new("buildah");
        let folder = |name: &str| self.folder.path().join(name);
        buildah
            .arg("--storage-driver=vfs")
            .arg("--root")
            .arg(folder("images"));
        buildah.arg("--runroot").arg(folder("run")).args(args);
        let output = buildah.current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text_of(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes the volume of the ledger and the configuration.
    fn prepare(&self, configuration: &str) {
        let volume = self.folder.path().join("volume");
        fs::create_dir(&volume).unwrap();
        chown(&volume, Some(USER), Some(USER)).unwrap();
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(self.folder.path().join("config.toml"), configuration).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", RUN]);
        unshare
            .arg(&self.tree)
            .arg(self.folder.path().join("volume"));
        unshare
            .arg(self.folder.path().join("config.toml"))
            .args(args);
        unshare
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        unshare.env("MAITRED_API_KEY", "cal_sandbox_key");
        unshare.stdin(Stdio::null()).output().unwrap()
    }

    fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text_of(&output));
        text_of(&output)
    }
}

#[test]
fn the_container_runs_read_only_and_not_as_root() {
    let tools = ["buildah", "unshare", "strip"];
    if !is_root() || tools.iter().any(|name| require_tool(name).is_none()) {
        return;
    }
    let calcom = CalCom::start();
    let container = Container::build();
    let image = container.buildah(&["inspect", "--type=image", "localhost/maitred"]);
    let image: serde_json::Value = serde_json::from_str(&image).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "10001:10001");
    assert_eq!(
        config["Entrypoint"],
        serde_json::json!(["/usr/bin/maitred"])
    );
    assert!(
        config["Volumes"]["/var/lib/maitred"].is_object(),
        "{config}"
    );
    let state = fs::metadata(container.tree.join("var/lib/maitred")).unwrap();
    assert_eq!(state.permissions().mode() & 0o777, 0o700);
    for shell in ["bin/sh", "usr/bin/sh"] {
        assert!(!container.tree.join(shell).exists(), "{shell}");
    }
    let certificates = container.tree.join("etc/ssl/certs/ca-certificates.crt");
    let certificates = fs::read_to_string(certificates).unwrap();
    assert!(certificates.contains("BEGIN CERTIFICATE"));

    container.prepare(&format!(
        "[calcom]\nbase-url = \"{}\"\n\n[[gate]]\nevent-types = [\"book-club\"]\ncost = 1\n",
        calcom.sandbox.base_url()
    ));
    let version = container.succeed(&["--version"]);
    assert_eq!(
        version.trim(),
        concat!("maitred ", env!("CARGO_PKG_VERSION"))
    );
    container.succeed(&["check"]);
    container.succeed(&["init"]);
    container.succeed(&["credits", "grant", "bo@example.com", "3"]);
    container.succeed(&["check", "--live"]);
    container.run(&["run", "--once"]);
    assert_eq!(
        calcom.sandbox.lock().status(REQUEST).unwrap().as_v2(),
        "accepted"
    );
    let account = container.succeed(&["account", "show", "bo@example.com"]);
    assert!(account.contains("3 granted"), "{account}");
    container.succeed(&["demo"]);
    // Nothing but the volume and /tmp can be written.
    let refused = container.run(&["man", "/usr/share/man"]);
    assert!(
        text_of(&refused).contains("Read-only file system"),
        "{}",
        text_of(&refused)
    );
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
    assert_eq!(owner(&container.folder.path().join("volume/log")), USER);
}
