//! Readers of the public data sets. Each returns plain rows; what a row is
//! used for is decided elsewhere.

use crate::measure::labels::{NEGATIVE, POSITIVE};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// A text with the GoEmotions labels set on it, as indices into `domain::analysis::EMOTIONS`.
pub(crate) struct Emotional {
    /// The comment.
    pub(crate) text: String,
    /// At least one label.
    pub(crate) labels: Vec<usize>,
}

/// A text with one class.
pub(crate) struct Labelled {
    /// The text.
    pub(crate) text: String,
    /// Index of the class.
    pub(crate) class: usize,
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// `train`, `dev` or `test` of GoEmotions.
pub(crate) fn goemotions(data: &Path, split: &str) -> Result<Vec<Emotional>> {
    let path = data.join("goemotions").join(format!("{split}.tsv"));
    let rows = lines(&path)?;
    rows.iter()
        .enumerate()
        .map(|(number, line)| {
            let bad = || format!("{}:{}: not `text, labels, id`", path.display(), number + 1);
            let mut fields = line.split('\t');
            let (text, labels) = (fields.next().with_context(bad)?, fields.next().with_context(bad)?);
            let labels = labels.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>().with_context(bad)?;
            ensure!(labels.iter().all(|label| *label < 28), bad());
            Ok(Emotional { text: text.trim().to_owned(), labels })
        })
        .collect()
}

/// The three UCI review files, negative and positive.
pub(crate) fn uci(data: &Path) -> Result<Vec<Labelled>> {
    let mut rows = Vec::new();
    for site in ["amazon_cells", "imdb", "yelp"] {
        rows.extend(two_way(&data.join("uci_sentences").join(format!("{site}_labelled.txt")))?);
    }
    Ok(rows)
}

/// The test split of SST-2, negative and positive. For figures only.
pub(crate) fn sst2(data: &Path) -> Result<Vec<Labelled>> {
    two_way(&data.join("sst2").join("test.tsv"))
}

fn two_way(path: &Path) -> Result<Vec<Labelled>> {
    let rows = lines(path)?;
    rows.iter()
        .enumerate()
        .map(|(number, line)| {
            let (text, label) =
                line.rsplit_once('\t').with_context(|| format!("{}:{}: no tab", path.display(), number + 1))?;
            let class = match label.trim() {
                "0" => NEGATIVE,
                "1" => POSITIVE,
                other => bail!("{}:{}: label {other:?}", path.display(), number + 1),
            };
            Ok(Labelled { text: text.trim().to_owned(), class })
        })
        .collect()
}

/// TweetEval's test split, three classes. For figures only.
pub(crate) fn tweets(data: &Path) -> Result<Vec<Labelled>> {
    let folder = data.join("tweeteval_sentiment");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read {name}"));
    let (texts, labels) = (read("text.txt")?, read("labels.txt")?);
    ensure!(texts.lines().count() == labels.lines().count(), "text.txt and labels.txt differ in length");
    texts
        .lines()
        .zip(labels.lines())
        .map(|(text, label)| Ok(Labelled { text: text.to_owned(), class: label.trim().parse()? }))
        .collect()
}

/// A split of CLINC150 as (text, intent).
pub(crate) fn clinc150(data: &Path, split: &str) -> Result<Vec<(String, String)>> {
    let path = data.join("clinc150").join("data_full.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut splits: std::collections::BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&text)?;
    splits.remove(split).with_context(|| format!("{} has no split {split}", path.display()))
}
