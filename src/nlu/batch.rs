//! Which waiting jobs run together. Pure: sizes in, groups out.

/// Most tokens of one batch: about a third of a second on one core, so that nobody waits long
/// behind others.
pub(crate) const BUDGET: usize = 1_024;

/// Splits jobs into batches, in order. A batch's tokens stay within `budget`, unless a single job
/// exceeds it: then it runs alone. Every job is in exactly one batch.
pub(crate) fn plan<J>(jobs: Vec<J>, cost: impl Fn(&J) -> usize, budget: usize) -> Vec<Vec<J>> {
    let mut batches: Vec<Vec<J>> = Vec::new();
    let mut used = 0;
    for job in jobs {
        let tokens = cost(&job);
        match batches.last_mut() {
            Some(batch) if used + tokens <= budget => {
                batch.push(job);
                used += tokens;
            }
            _ => {
                batches.push(vec![job]);
                used = tokens;
            }
        }
    }
    batches
}

/// Tokens that a text will cost, near enough for planning: four letters a token, and two marks.
pub(crate) fn estimate(text: &str) -> usize {
    text.len() / 4 + 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_is_kept_nothing_is_lost_and_the_budget_holds(
            costs in prop::collection::vec(0_usize..400, 0..100), budget in 1_usize..600,
        ) {
            let jobs: Vec<(usize, usize)> = costs.iter().copied().enumerate().collect();
            let batches = plan(jobs.clone(), |job| job.1, budget);
            let flat: Vec<(usize, usize)> = batches.iter().flatten().copied().collect();
            prop_assert_eq!(flat, jobs);
            for batch in &batches {
                let total: usize = batch.iter().map(|job| job.1).sum();
                prop_assert!(total <= budget || batch.len() == 1);
            }
            // No batch is split that need not be.
            for pair in batches.windows(2) {
                let total: usize = pair[0].iter().map(|job| job.1).sum();
                prop_assert!(total + pair[1][0].1 > budget);
            }
        }
    }
}
