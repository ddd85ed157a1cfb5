//! Makes packages of the built program from `[package.metadata.deb]` in Cargo.toml: with `dpkg-deb`,
//! because cargo-deb takes minutes to build, and with cargo-deb where it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use toml::{Table, Value};

use super::machine::text_of;

/// How Cargo.toml names the program; cargo-deb takes it from the folder of the profile.
const PROGRAM: &str = "target/release/maitred";

/// The scripts of a package.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command that must succeed.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = text_of(&output);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Returns a copy of the built program without its symbols, which are most of its size. It is made
/// together with the other files of packages that the program writes.
pub fn stripped_program() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let program = env!("CARGO_BIN_EXE_maitred");
        succeed(Command::new(root().join("packaging/assets.sh")).arg(program));
        let stripped = root().join("target/packaging/maitred");
        succeed(
            Command::new("strip")
                .arg("-o")
                .args([&stripped, Path::new(program)]),
        );
        stripped
    })
}

fn metadata() -> Table {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Table = toml::from_str(&manifest).unwrap();
    manifest["package"]["metadata"]["deb"]
        .as_table()
        .unwrap()
        .clone()
}

/// A file of the package.
pub struct Asset {
    pub source: PathBuf,
    /// Without the leading slash.
    pub target: String,
    mode: u32,
}

/// Returns the files of the package, in which patterns are resolved.
pub fn assets() -> Vec<Asset> {
    let mut found = Vec::new();
    let program = stripped_program();
    for row in metadata()["assets"].as_array().unwrap() {
        let row: Vec<&str> = row
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let [source, target, mode] = row[..] else {
            panic!("{row:?} is not a source, a target and a mode");
        };
        let sources = match source {
            PROGRAM => vec![program.to_path_buf()],
            _ => files_of(source),
        };
        assert!(!sources.is_empty(), "{source} is not there");
        for source in sources {
            let name = source.file_name().unwrap().to_string_lossy().into_owned();
            let target = match target.ends_with('/') {
                true => format!("{target}{name}"),
                false => target.to_owned(),
            };
            let mode = u32::from_str_radix(mode, 8).unwrap();
            found.push(Asset {
                source,
                target,
                mode,
            });
        }
    }
    found
}

/// Returns the file, or the files of a folder for `FOLDER/*`.
fn files_of(source: &str) -> Vec<PathBuf> {
    let Some(folder) = source.strip_suffix("/*") else {
        let path = root().join(source);
        return path.is_file().then_some(path).into_iter().collect();
    };
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Makes a package of this version in the folder with `dpkg-deb`.
pub fn pack(version: &str, folder: &Path) -> PathBuf {
    let stage = tempfile::tempdir().unwrap();
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut configuration = String::new();
    for asset in assets() {
        let target = stage.path().join(&asset.target);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&asset.source, &target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(asset.mode)).unwrap();
        if asset.target.starts_with("etc/") {
            configuration += &format!("/{}\n", asset.target);
        }
    }
    let control = stage.path().join("DEBIAN");
    fs::create_dir(&control).unwrap();
    for name in SCRIPTS {
        let script = control.join(name);
        fs::copy(root().join("packaging/deb").join(name), &script).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(control.join("conffiles"), configuration).unwrap();
    fs::write(control.join("control"), control_text(version)).unwrap();
    let package = folder.join(format!("maitred_{version}_{}.deb", architecture()));
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zgzip", "-z1", "--build"]);
    succeed(dpkg.args([stage.path(), &package]));
    package
}

fn architecture() -> String {
    let printed = succeed(Command::new("dpkg").arg("--print-architecture"));
    printed.trim().to_owned()
}

fn control_text(version: &str) -> String {
    let metadata = metadata();
    let text = |name: &str| metadata[name].as_str().unwrap();
    // What cargo-deb finds out with dpkg-shlibdeps.
    let depends = text("depends").replace("$auto", "libc6, libgcc-s1");
    let description = text("extended-description").trim().replace('\n', "\n ");
    format!(
        "Package: maitred\nVersion: {version}\nArchitecture: {}\nMaintainer: {}\nSection: {}\n\
         Priority: {}\nDepends: {depends}\nSuggests: {}\nDescription: {}\n {description}\n",
        architecture(),
        text("maintainer"),
        text("section"),
        text("priority"),
        text("suggests"),
        env!("CARGO_PKG_DESCRIPTION"),
    )
}

/// Makes the package with cargo-deb.
pub fn pack_with_cargo_deb(version: &str, folder: &Path) -> PathBuf {
    // cargo-deb takes the program from the folder of the profile.
    let target = tempfile::tempdir().unwrap();
    let profile = target.path().join("dist");
    fs::create_dir(&profile).unwrap();
    fs::copy(stripped_program(), profile.join("maitred")).unwrap();
    let package = folder.join("cargo-deb.deb");
    let mut cargo = Command::new("cargo");
    cargo.args([
        "deb",
        "--locked",
        "--offline",
        "--no-build",
        "--no-strip",
        "--fast",
    ]);
    cargo.args(["--profile", "dist", "--deb-version", version, "--output"]);
    cargo.arg(&package).current_dir(root());
    succeed(cargo.env("CARGO_TARGET_DIR", target.path()));
    package
}

/// Returns the files of a package with their modes and hashes, its scripts and its list of
/// configuration files.
pub fn content(package: &Path) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    let list = "dpkg-deb --extract \"$0\" \"$1\" && cd \"$1\" && \
        find . -type f -printf '%m %P ' -exec sh -c 'sha256sum < \"$0\"' {} \\;";
    let listed = succeed(shell.args(["-c", list]).arg(package).arg(folder.path()));
    let mut content: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    for name in SCRIPTS.iter().chain(&["conffiles"]) {
        let mut dpkg = Command::new("dpkg-deb");
        content.insert(succeed(dpkg.arg("--info").arg(package).arg(name)));
    }
    content
}
