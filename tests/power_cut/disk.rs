//! A disk as a power cut leaves it: a model that follows a trace and knows of every file and directory
//! what it holds, what of that is durable, and what is still on its way.
//!
//! Durable is what was in a file when it was synced, and what was in a directory when *that* was
//! synced; nothing else. Of the rest a crash keeps what chance says: nothing, all, what came first,
//! any whole pages or sectors of any age, or only the new length with zeros behind it. Names go the
//! same way, each change whole. No order is kept between files. Three things are not modelled: bytes
//! that nobody wrote (file systems that show old blocks of other files), a sector written by half,
//! and a disk that lies about its syncs.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::rng::Rng;
use super::trace::{Op, Stamp};

/// Sizes of the pieces that are written whole: a disk's sector, a page of memory.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// The disk while the trace is followed.
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    open: BTreeMap<i32, usize>,
}

enum Node {
    File(Contents),
    Dir(Names),
}

#[derive(Default)]
struct Contents {
    durable: Vec<u8>,
    /// Of the last whole sync, and of the last one of any kind.
    durable_time: Stamp,
    synced_time: Stamp,
    now: Vec<u8>,
    time: Stamp,
    /// Changes since the last sync, oldest first.
    pending: Vec<(Change, Stamp)>,
}

enum Change {
    Write(usize, Arc<[u8]>),
    Length(usize),
}

type Entries = BTreeMap<String, usize>;

#[derive(Default)]
struct Names {
    durable: Entries,
    now: Entries,
    pending: Vec<Renaming>,
}

enum Renaming {
    Put(String, usize),
    Gone(String),
    Moved(String, String, usize),
}

/// What is kept of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Everything,
    /// What came first, up to some change.
    First,
    /// Any changes, whole: of a file, as `Pages`.
    Some,
    /// Each page as old as it likes.
    Pages,
    Sectors,
    /// The new length, and zeros.
    Length,
}

const KEEPS: [Keep; 7] = [
    Keep::Nothing,
    Keep::Everything,
    Keep::First,
    Keep::Some,
    Keep::Pages,
    Keep::Sectors,
    Keep::Length,
];

/// A file as it stands after the crash.
pub struct Kept {
    pub bytes: Vec<u8>,
    pub time: Stamp,
}

/// Every file and directory below the root, by path from there; `None` is a directory.
pub type Tree = BTreeMap<PathBuf, Option<Kept>>;

impl Disk {
    /// A disk on which everything below the folder is durable.
    pub fn new(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            nodes: vec![Node::Dir(Names::default())],
            open: BTreeMap::new(),
        };
        disk.load(root, 0);
        disk
    }

    fn load(&mut self, folder: &Path, at: usize) {
        for entry in fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("it reads").path();
            let number = self.nodes.len();
            if path.is_dir() {
                self.nodes.push(Node::Dir(Names::default()));
                self.load(&path, number);
            } else {
                let (bytes, time) = (fs::read(&path).expect("it reads"), modified(&path));
                self.nodes.push(Node::File(Contents {
                    durable: bytes.clone(),
                    durable_time: time,
                    synced_time: time,
                    now: bytes,
                    time,
                    pending: Vec::new(),
                }));
            }
            let name = name(&path);
            let names = self.names(at);
            names.durable.insert(name.clone(), number);
            names.now.insert(name, number);
        }
    }

    /// Follows one step of the trace.
    pub fn follow(&mut self, op: &Op) {
        match op {
            Op::Begin => self.open.clear(),
            Op::Open {
                fd,
                path,
                made,
                emptied,
                time,
            } => {
                if *made {
                    let number = self.add(path, Node::File(Contents::default()));
                    let contents = self.contents(number);
                    contents.time = *time;
                    contents.sync(false);
                }
                let number = self.find(path);
                self.open.insert(*fd, number);
                if *emptied {
                    self.contents(number).change(Change::Length(0), *time);
                }
            }
            Op::Copy { fd, to } => {
                let number = self.open[fd];
                self.open.insert(*to, number);
            }
            Op::Close { fd } => {
                self.open.remove(fd);
            }
            Op::Write {
                fd,
                offset,
                data,
                time,
            } => {
                let change = Change::Write(index(*offset), Arc::clone(data));
                self.opened(*fd).change(change, *time);
            }
            Op::Length { fd, length, time } => {
                let change = Change::Length(index(*length));
                self.opened(*fd).change(change, *time);
            }
            Op::Sync { fd, data_only } => match &mut self.nodes[self.open[fd]] {
                Node::File(contents) => contents.sync(*data_only),
                Node::Dir(names) => {
                    names.durable.clone_from(&names.now);
                    names.pending.clear();
                }
            },
            Op::MakeDir { path } => {
                self.add(path, Node::Dir(Names::default()));
            }
            Op::Remove { path } => {
                let dir = self.parent(path);
                self.names(dir).change(Renaming::Gone(name(path)));
            }
            Op::Rename { from, to } => {
                let (number, dir) = (self.find(from), self.parent(to));
                assert_eq!(dir, self.parent(from), "only within a directory: {from:?}");
                let renaming = Renaming::Moved(name(from), name(to), number);
                self.names(dir).change(renaming);
            }
            Op::Range | Op::Note(_) => {}
        }
    }

    /// What a running system sees.
    pub fn now(&self) -> Tree {
        let mut tree = Tree::new();
        self.collect(0, Path::new(""), &mut Choose::All, &mut tree);
        tree
    }

    /// What is left when the power is cut now.
    pub fn cut(&self, rng: &mut Rng) -> Tree {
        let one_for_all = rng.chance(400).then(|| *rng.pick(&KEEPS));
        self.keeping(one_for_all, rng)
    }

    /// The same, where of every file and directory this much is left.
    pub fn keeping(&self, one_for_all: Option<Keep>, rng: &mut Rng) -> Tree {
        let mut tree = Tree::new();
        let mut choose = Choose::Chance(rng, one_for_all);
        self.collect(0, Path::new(""), &mut choose, &mut tree);
        tree
    }

    fn collect(&self, at: usize, path: &Path, choose: &mut Choose<'_>, tree: &mut Tree) {
        match &self.nodes[at] {
            Node::File(contents) => {
                tree.insert(path.to_owned(), Some(choose.contents(contents)));
            }
            Node::Dir(names) => {
                if at != 0 {
                    tree.insert(path.to_owned(), None);
                }
                for (name, number) in choose.names(names) {
                    self.collect(number, &path.join(name), choose, tree);
                }
            }
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> usize {
        let number = self.nodes.len();
        self.nodes.push(node);
        let dir = self.parent(path);
        self.names(dir).change(Renaming::Put(name(path), number));
        number
    }

    fn parent(&self, path: &Path) -> usize {
        self.find(path.parent().expect("below the root"))
    }

    fn find(&self, path: &Path) -> usize {
        let below = path.strip_prefix(&self.root).expect("below the root");
        below
            .components()
            .fold(0, |at, name| match &self.nodes[at] {
                Node::Dir(names) => names.now[name.as_os_str().to_str().expect("our names")],
                Node::File(_) => panic!("{path:?} goes through a file"),
            })
    }

    fn names(&mut self, at: usize) -> &mut Names {
        match &mut self.nodes[at] {
            Node::Dir(names) => names,
            Node::File(_) => panic!("not a directory"),
        }
    }

    fn contents(&mut self, at: usize) -> &mut Contents {
        match &mut self.nodes[at] {
            Node::File(contents) => contents,
            Node::Dir(_) => panic!("not a file"),
        }
    }

    fn opened(&mut self, fd: i32) -> &mut Contents {
        let at = self.open[&fd];
        self.contents(at)
    }
}

/// Who says what is kept.
enum Choose<'a> {
    /// Nothing is lost.
    All,
    Chance(&'a mut Rng, Option<Keep>),
}

impl Choose<'_> {
    fn contents(&mut self, contents: &Contents) -> Kept {
        match self {
            Self::All => Kept {
                bytes: contents.now.clone(),
                time: contents.time,
            },
            Self::Chance(rng, all) => {
                let keep = all.unwrap_or_else(|| *rng.pick(&KEEPS));
                contents.kept(keep, rng)
            }
        }
    }

    fn names(&mut self, names: &Names) -> Entries {
        match self {
            Self::All => names.now.clone(),
            Self::Chance(rng, all) => {
                let keep = all.unwrap_or_else(|| *rng.pick(&KEEPS));
                names.kept(keep, rng)
            }
        }
    }
}

impl Contents {
    fn change(&mut self, change: Change, time: Stamp) {
        change.apply(&mut self.now);
        self.time = time;
        self.pending.push((change, time));
    }

    fn sync(&mut self, data_only: bool) {
        self.durable.clone_from(&self.now);
        self.pending.clear();
        self.synced_time = self.time;
        if !data_only {
            self.durable_time = self.time;
        }
    }

    fn kept(&self, keep: Keep, rng: &mut Rng) -> Kept {
        let all = self.pending.len();
        let up_to = match keep {
            Keep::Nothing => 0,
            Keep::Everything | Keep::Length => all,
            Keep::First | Keep::Some | Keep::Pages | Keep::Sectors => rng.index(all + 1),
        };
        let time = match up_to.checked_sub(1) {
            Some(last) => self.pending[last].1,
            // A sync of the data alone need not have written it.
            None if rng.chance(500) => self.durable_time,
            None => self.synced_time,
        };
        let bytes = match keep {
            Keep::Nothing | Keep::Everything | Keep::First => self.after(up_to),
            Keep::Some | Keep::Pages => self.mixed(PAGE, up_to, rng),
            Keep::Sectors => self.mixed(SECTOR, up_to, rng),
            Keep::Length => {
                let mut bytes = self.durable.clone();
                bytes.resize(self.now.len(), 0);
                bytes
            }
        };
        Kept { bytes, time }
    }

    fn after(&self, changes: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (change, _) in &self.pending[..changes] {
            change.apply(&mut bytes);
        }
        bytes
    }

    /// The length as it was after some changes, and each piece as it was after any number of them.
    fn mixed(&self, piece: usize, length_of: usize, rng: &mut Rng) -> Vec<u8> {
        let all = self.pending.len();
        let mut length = self.durable.len();
        let mut longest = length;
        for (n, (change, _)) in self.pending.iter().enumerate() {
            let reached = change.reaches(length);
            longest = longest.max(reached);
            length = if n < length_of { reached } else { length };
        }
        let mut by_age: Vec<Vec<usize>> = vec![Vec::new(); all + 1];
        for start in (0..longest).step_by(piece) {
            let age = match rng.below(3) {
                0 => 0,
                1 => all,
                _ => rng.index(all + 1),
            };
            by_age[age].push(start);
        }
        let mut bytes = vec![0; longest];
        let mut state = self.durable.clone();
        for (age, starts) in by_age.iter().enumerate() {
            if let Some(before) = age.checked_sub(1) {
                self.pending[before].0.apply(&mut state);
            }
            for start in starts {
                let end = (start + piece).min(state.len());
                if *start < end {
                    bytes[*start..end].copy_from_slice(&state[*start..end]);
                }
            }
        }
        bytes.resize(length, 0);
        bytes
    }
}

impl Change {
    fn reaches(&self, length: usize) -> usize {
        match self {
            Self::Write(offset, data) => length.max(offset + data.len()),
            Self::Length(to) => *to,
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl Names {
    fn change(&mut self, change: Renaming) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    fn kept(&self, keep: Keep, rng: &mut Rng) -> Entries {
        let all = self.pending.len();
        let mut entries = self.durable.clone();
        let up_to = match keep {
            Keep::Nothing => 0,
            Keep::First => rng.index(all + 1),
            Keep::Everything | Keep::Some | Keep::Pages | Keep::Sectors | Keep::Length => all,
        };
        let any = matches!(keep, Keep::Some | Keep::Pages | Keep::Sectors);
        for change in &self.pending[..up_to] {
            if !any || rng.chance(500) {
                change.apply(&mut entries);
            }
        }
        entries
    }
}

impl Renaming {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Put(name, number) => {
                entries.insert(name.clone(), *number);
            }
            Self::Gone(name) => {
                entries.remove(name);
            }
            Self::Moved(from, to, number) => {
                if entries.get(from) == Some(number) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *number);
            }
        }
    }
}

/// Puts the files where they can be opened, with the times that they had.
pub fn write(tree: &Tree, root: &Path) {
    for (path, kept) in tree {
        let path = root.join(path);
        match kept {
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

/// The real folder, as a tree.
pub fn read(root: &Path) -> Tree {
    Disk::new(root).now()
}

fn modified(path: &Path) -> Stamp {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    let since = modified.expect("it has a time");
    let since = since.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.expect("after 1970");
    let seconds = i64::try_from(since.as_secs()).expect("not for ever");
    (seconds, since.subsec_nanos())
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_str().expect("our names").to_owned()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("files are small")
}
