//! A disk as a power cut leaves it: a model that follows a trace and knows, for every file and
//! directory, what it contains, which of this is durable, and what is not yet written.
//! `crash_image` describes what is kept.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::crash_image::{
    DirChange, DirState, Entries, FileChange, FileState, KEEP_POLICIES, KeepPolicy, SurvivingFile,
};
use super::trace::{FileTime, TraceOp};
use crate::rng::Rng;

/// The state of the disk while the trace is followed.
pub struct SimulatedDisk {
    root: PathBuf,
    nodes: Vec<Node>,
    open: BTreeMap<i32, usize>,
}

enum Node {
    File(FileState),
    Dir(DirState),
}

/// Every file and directory below the root, by relative path; `None` is a directory.
pub type FileTree = BTreeMap<PathBuf, Option<SurvivingFile>>;

impl SimulatedDisk {
    /// Returns a disk on which everything below the folder is durable.
    pub fn new(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            nodes: vec![Node::Dir(DirState::default())],
            open: BTreeMap::new(),
        };
        disk.load_folder(root, 0);
        disk
    }

    fn load_folder(&mut self, folder: &Path, at: usize) {
        for entry in fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("it reads").path();
            let number = self.nodes.len();
            if path.is_dir() {
                self.nodes.push(Node::Dir(DirState::default()));
                self.load_folder(&path, number);
            } else {
                let (bytes, time) = (fs::read(&path).expect("it reads"), modified_time(&path));
                self.nodes.push(Node::File(FileState {
                    durable: bytes.clone(),
                    durable_time: time,
                    synced_time: time,
                    current: bytes,
                    time,
                    pending: Vec::new(),
                }));
            }
            let name = file_name(&path);
            let names = self.dir_state(at);
            names.durable.insert(name.clone(), number);
            names.current.insert(name, number);
        }
    }

    /// Follows one step of the trace.
    pub fn apply(&mut self, op: &TraceOp) {
        match op {
            TraceOp::Begin => self.open.clear(),
            TraceOp::Open {
                fd,
                path,
                created: made,
                truncated: emptied,
                time,
            } => {
                if *made {
                    let number = self.add_node(path, Node::File(FileState::default()));
                    let contents = self.file_state(number);
                    contents.time = *time;
                    contents.sync(false);
                }
                let number = self.find_node(path);
                self.open.insert(*fd, number);
                if *emptied {
                    self.file_state(number)
                        .change(FileChange::SetLength(0), *time);
                }
            }
            TraceOp::Copy { fd, to } => {
                let number = self.open[fd];
                self.open.insert(*to, number);
            }
            TraceOp::Close { fd } => {
                self.open.remove(fd);
            }
            TraceOp::Write {
                fd,
                offset,
                data,
                time,
            } => {
                let change = FileChange::Write(to_index(*offset), Arc::clone(data));
                self.open_file(*fd).change(change, *time);
            }
            TraceOp::SetLength { fd, length, time } => {
                let change = FileChange::SetLength(to_index(*length));
                self.open_file(*fd).change(change, *time);
            }
            TraceOp::Sync { fd, data_only } => match &mut self.nodes[self.open[fd]] {
                Node::File(contents) => contents.sync(*data_only),
                Node::Dir(names) => {
                    names.durable.clone_from(&names.current);
                    names.pending.clear();
                }
            },
            TraceOp::MakeDir { path } => {
                self.add_node(path, Node::Dir(DirState::default()));
            }
            TraceOp::Remove { path } => {
                let dir = self.parent(path);
                self.dir_state(dir)
                    .change(DirChange::Removed(file_name(path)));
            }
            TraceOp::Rename { from, to } => {
                let (number, dir) = (self.find_node(from), self.parent(to));
                assert_eq!(dir, self.parent(from), "only within a directory: {from:?}");
                let renaming = DirChange::Renamed(file_name(from), file_name(to), number);
                self.dir_state(dir).change(renaming);
            }
            TraceOp::Range | TraceOp::Note(_) => {}
        }
    }

    /// Returns what a running system sees.
    pub fn current_tree(&self) -> FileTree {
        let mut tree = FileTree::new();
        self.collect(0, Path::new(""), &mut KeepChoice::Everything, &mut tree);
        tree
    }

    /// Returns what is left when the power is cut now.
    pub fn cut_power(&self, rng: &mut Rng) -> FileTree {
        let one_for_all = rng.chance(400).then(|| *rng.pick(&KEEP_POLICIES));
        self.cut_power_with(one_for_all, rng)
    }

    /// Does the same, with this policy for every file and directory.
    pub fn cut_power_with(&self, policy: Option<KeepPolicy>, rng: &mut Rng) -> FileTree {
        let mut tree = FileTree::new();
        let mut choose = KeepChoice::Random(rng, policy);
        self.collect(0, Path::new(""), &mut choose, &mut tree);
        tree
    }

    fn collect(&self, at: usize, path: &Path, choose: &mut KeepChoice<'_>, tree: &mut FileTree) {
        match &self.nodes[at] {
            Node::File(contents) => {
                tree.insert(path.to_owned(), Some(choose.surviving_contents(contents)));
            }
            Node::Dir(names) => {
                if at != 0 {
                    tree.insert(path.to_owned(), None);
                }
                for (name, number) in choose.surviving_names(names) {
                    self.collect(number, &path.join(name), choose, tree);
                }
            }
        }
    }

    fn add_node(&mut self, path: &Path, node: Node) -> usize {
        let number = self.nodes.len();
        self.nodes.push(node);
        let dir = self.parent(path);
        self.dir_state(dir)
            .change(DirChange::Added(file_name(path), number));
        number
    }

    fn parent(&self, path: &Path) -> usize {
        self.find_node(path.parent().expect("below the root"))
    }

    fn find_node(&self, path: &Path) -> usize {
        let below = path.strip_prefix(&self.root).expect("below the root");
        below
            .components()
            .fold(0, |at, name| match &self.nodes[at] {
                Node::Dir(names) => names.current[name.as_os_str().to_str().expect("our names")],
                Node::File(_) => panic!("{path:?} goes through a file"),
            })
    }

    fn dir_state(&mut self, at: usize) -> &mut DirState {
        match &mut self.nodes[at] {
            Node::Dir(names) => names,
            Node::File(_) => panic!("not a directory"),
        }
    }

    fn file_state(&mut self, at: usize) -> &mut FileState {
        match &mut self.nodes[at] {
            Node::File(contents) => contents,
            Node::Dir(_) => panic!("not a file"),
        }
    }

    fn open_file(&mut self, fd: i32) -> &mut FileState {
        let at = self.open[&fd];
        self.file_state(at)
    }
}

/// How to choose what is kept.
enum KeepChoice<'a> {
    /// Nothing is lost.
    Everything,
    Random(&'a mut Rng, Option<KeepPolicy>),
}

impl KeepChoice<'_> {
    fn surviving_contents(&mut self, contents: &FileState) -> SurvivingFile {
        match self {
            Self::Everything => SurvivingFile {
                bytes: contents.current.clone(),
                time: contents.time,
            },
            Self::Random(rng, all) => {
                let keep = all.unwrap_or_else(|| *rng.pick(&KEEP_POLICIES));
                contents.survive(keep, rng)
            }
        }
    }

    fn surviving_names(&mut self, names: &DirState) -> Entries {
        match self {
            Self::Everything => names.current.clone(),
            Self::Random(rng, all) => {
                let keep = all.unwrap_or_else(|| *rng.pick(&KEEP_POLICIES));
                names.survive(keep, rng)
            }
        }
    }
}

/// Writes the files to a folder where they can be opened, with their modification times.
pub fn write_tree(tree: &FileTree, root: &Path) {
    for (path, survivor) in tree {
        let path = root.join(path);
        match survivor {
            None => fs::create_dir_all(&path).expect("it is made"),
            Some(kept) => {
                fs::write(&path, &kept.bytes).expect("it is written");
                let (seconds, nanos) = kept.time;
                let since = Duration::new(u64::try_from(seconds).expect("after 1970"), nanos);
                let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + since);
                let file = File::options().write(true).open(&path);
                let set = file.and_then(|file| file.set_times(times));
                set.expect("its time is set");
            }
        }
    }
}

/// Reads the real folder as a tree.
pub fn read_tree(root: &Path) -> FileTree {
    SimulatedDisk::new(root).current_tree()
}

fn modified_time(path: &Path) -> FileTime {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    let since = modified.expect("it has a time");
    let since = since.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.expect("after 1970");
    let seconds = i64::try_from(since.as_secs()).expect("not for ever");
    (seconds, since.subsec_nanos())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_str().expect("our names").to_owned()
}

fn to_index(offset: u64) -> usize {
    usize::try_from(offset).expect("files are small")
}
