//! `maitred man`: one page for each command.

use std::io;
use std::path::Path;

use super::command_line;
use crate::control::exit;
use crate::control::protocol::Refusal;

/// Writes the pages into the directory, which is created if it does not exist.
///
/// # Errors
/// Returns a refusal if the directory or a page cannot be written.
pub fn man(directory: &Path) -> Result<(), Refusal> {
    generate_pages(directory).map_err(|error| Refusal {
        exit: exit::FAILED,
        code: "internal".to_owned(),
        text: format!("write the man pages to {}: {error}", directory.display()),
    })
}

fn generate_pages(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command_line::command(), directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_the_whole_and_one_for_each_command() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("share/man1");
        man(&directory).unwrap();
        for name in ["maitred", "maitred-run", "maitred-credits-import"] {
            let page = std::fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
            assert!(page.contains(".TH"), "{name}");
        }
        let page = std::fs::read_to_string(directory.join("maitred.1")).unwrap();
        for (code, meaning) in exit::MEANINGS {
            let meaning = meaning.replace('-', "\\-");
            assert!(page.contains(&format!("{code}  {meaning}")), "{code}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refusal = man(&file).unwrap_err();
        assert_eq!(refusal.exit, exit::FAILED);
        assert!(refusal.text.contains(&file.display().to_string()));
    }
}
