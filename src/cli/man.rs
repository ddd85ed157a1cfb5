//! `maitred man`: a page for each command, and one for the configuration.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

use clap::Command;

use self::command_page::command_page;
use super::command_line;
use crate::config::documentation::man_page as config_page;
use crate::control::exit;
use crate::control::protocol::Refusal;

mod command_page;
mod process;

/// The directory of a manual that holds the pages of commands.
const COMMANDS_DIRECTORY: &str = "man1";

/// Writes the pages into the directory, which is created if it does not exist. The page of the
/// configuration belongs to section 5 of the manual. If the directory is that of section 1 (`man1`),
/// the page goes to `man5` next to it, because man(1) does not find it elsewhere.
///
/// # Errors
/// Returns a refusal if the directory or a page cannot be written.
pub fn man(directory: &Path) -> Result<(), Refusal> {
    write_pages(directory).map_err(|error| Refusal {
        exit: exit::FAILED,
        code: "internal".to_owned(),
        text: format!("write the man pages to {}: {error}", directory.display()),
    })
}

fn write_pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, page) in command_pages() {
        fs::write(directory.join(format!("{name}.1")), page)?;
    }
    let directory = directory_of_config_page(directory);
    fs::create_dir_all(&directory)?;
    let name = format!("{}.{}", config_page::NAME, config_page::MANUAL_SECTION);
    fs::write(directory.join(name), config_page::man_page().to_roff())
}

fn directory_of_config_page(directory: &Path) -> Cow<'_, Path> {
    match directory.file_name() {
        Some(name) if name == COMMANDS_DIRECTORY => {
            let name = format!("man{}", config_page::MANUAL_SECTION);
            Cow::Owned(directory.with_file_name(name))
        }
        _ => Cow::Borrowed(directory),
    }
}

/// Returns the name and the text of the page of each command.
fn command_pages() -> Vec<(String, Vec<u8>)> {
    let mut top = command_line::command();
    top.build();
    let mut pages = Vec::new();
    add_pages(&top, &[], &mut pages);
    pages
}

/// Adds the page of the command, and those of the commands below it. `parents` are the names of the
/// pages above.
fn add_pages(command: &Command, parents: &[String], pages: &mut Vec<(String, Vec<u8>)>) {
    let name = command_page::page_name(command);
    let page = command_page(command, parents);
    let with_this = [parents, std::slice::from_ref(&name)].concat();
    pages.push((name, page));
    for subcommand in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        add_pages(subcommand, &with_this, pages);
    }
}

#[cfg(test)]
mod tests;
