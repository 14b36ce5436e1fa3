//! Where the bot's prompt files come from: a folder, or the demo shop's, which are built in. Reads
//! names and texts only, and notices that a folder changed; `dialogue` knows what they mean.

use crate::dialogue::{PromptErrors, Prompts};
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/prompts"]
struct BuiltIn;

/// Why the prompts could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files are not a bot.
    #[error(transparent)]
    Wrong(#[from] PromptErrors),
}

/// Texts of files by their path inside the folder, with `/`.
pub type Files = BTreeMap<String, String>;

/// Loads and checks the prompts of `folder`, or the built-in ones.
///
/// # Errors
/// `Unreadable` with the path; `Wrong` with every fault's file, line and reason.
pub fn load(folder: Option<&Path>) -> Result<Prompts, Error> {
    Ok(Prompts::load(&read(folder)?)?)
}

/// The texts of the files of `folder`, or of the built-in ones, unchecked.
///
/// # Errors
/// `Unreadable` with the path.
pub fn read(folder: Option<&Path>) -> Result<Files, Error> {
    let Some(folder) = folder else {
        let text = |name: std::borrow::Cow<'static, str>| {
            let file = BuiltIn::get(&name)?;
            Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
        };
        return Ok(BuiltIn::iter().filter_map(text).collect());
    };
    let text = |(name, path): (String, PathBuf)| {
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        Ok((name, text))
    };
    list(folder)?.into_iter().map(text).collect()
}

/// What a folder looks like from outside: sizes and times of change of its files, by name. A change of a file shows here.
pub type Look = BTreeMap<String, (u64, Option<SystemTime>)>;

/// Looks at a folder without reading its files.
///
/// # Errors
/// `Unreadable` with the path.
pub fn look(folder: &Path) -> Result<Look, Error> {
    let seen = |(name, path): (String, PathBuf)| {
        let data = std::fs::metadata(&path).map_err(unreadable(&path))?;
        Ok((name, (data.len(), data.modified().ok())))
    };
    list(folder)?.into_iter().map(seen).collect()
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unreadable { path, source }
}

/// Every file below `folder`, two levels deep, with its path inside it.
fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let path = entry.map_err(unreadable(&folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // Editors' backups and hidden files are not prompts.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            if path.is_dir() && prefix.is_empty() {
                folders.push((path.clone(), format!("{name}/")));
            } else if path.is_file() {
                files.push((format!("{prefix}{name}"), path));
            }
        }
    }
    Ok(files)
}
