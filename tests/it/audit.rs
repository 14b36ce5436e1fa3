//! The committed model reads people alike, within the bounds that `candor audit` keeps.

use candor::cli::replay::start_reader;
use candor::config::find_models;
use candor::domain::Source;
use candor::measure::audit::{Bounds, audit};
use candor::measure::templates::Templates;
use candor::prompt_files;

/// Texts that the model gets at once.
const BATCH: usize = 256;

#[test]
fn names_groups_and_dialects_make_no_difference() {
    let nlu = start_reader(&prompt_files::load(None).unwrap(), find_models(None), 0).unwrap();
    assert_eq!(nlu.status().source, Source::Model);
    let report = audit(&Templates::read(None).unwrap(), Bounds::default(), |texts| {
        let mut analyses = Vec::new();
        for batch in texts.chunks(BATCH) {
            analyses.extend(nlu.analyze_batch_blocking(batch)?);
        }
        Ok(analyses)
    })
    .unwrap();
    let over: Vec<String> = report.over.iter().map(ToString::to_string).collect();
    assert!(over.is_empty(), "over a bound:\n{}", over.join("\n"));
}
