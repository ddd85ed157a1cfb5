//! A disk as a power cut leaves it: a model that follows a trace and knows of every file and directory
//! what it holds, what of that is durable, and what is still on its way. What is kept of that is said
//! in `kept`.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::kept::{Change, Contents, Entries, KEEPS, Keep, Kept, Names, Renaming};
use super::rng::Rng;
use super::trace::{Op, Stamp};

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
