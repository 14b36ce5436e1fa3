//! Where the bot's prompt files come from: a folder, or the demo shop's, which are built in. Reads
//! names and texts only; `dialogue` knows what they mean.

use crate::dialogue::{PromptErrors, Prompts};
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// Loads and checks the prompts of `folder`, or the built-in ones.
///
/// # Errors
/// `Unreadable` with the path; `Wrong` with every fault's file, line and reason.
pub fn load(folder: Option<&Path>) -> Result<Prompts, Error> {
    let files = match folder {
        Some(folder) => read_folder(folder)?,
        None => BuiltIn::iter()
            .filter_map(|name| {
                let file = BuiltIn::get(&name)?;
                Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
            })
            .collect(),
    };
    Ok(Prompts::load(&files)?)
}

/// Every file below `folder`, two levels deep, by its path with `/`.
fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Unreadable { path, source }
    };
    let mut files = BTreeMap::new();
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
                let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
                files.insert(format!("{prefix}{name}"), text);
            }
        }
    }
    Ok(files)
}
