//! Readings of recent texts, so that "hi", "thanks" and the words of a button are read once.
//!
//! A reading depends on the text and the intents that were asked for, until it is put into its conversation, so the
//! same text has the same reading. Kept are digests of texts, never texts. Knows nothing about how a text is read.

use crate::domain::Analysis;
use lru::LruCache;
use sha2::{Digest as _, Sha256};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Readings that are kept; each takes about 2 KiB.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2047);

/// What a text is known by.
pub(crate) type Digest = [u8; 32];

/// The latest readings.
pub(crate) struct Recent(Mutex<LruCache<Digest, Analysis>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Recent {
    /// What a text is known by that is read for the intents of this key; keys are equally long.
    pub(crate) fn digest(intents: &str, text: &str) -> Digest {
        Sha256::new().chain_update(intents).chain_update(text).finalize().into()
    }

    /// The reading of a text, if it is kept.
    pub(crate) fn find(&self, digest: &Digest) -> Option<Analysis> {
        // A poisoned lock leaves a whole cache behind: a reading is put in or taken out in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Keeps a reading; the one that was of no use for the longest time makes place.
    pub(crate) fn keep(&self, digest: Digest, analysis: &Analysis) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(digest, analysis.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_until_too_much_came_after_it() {
        let recent = Recent::default();
        let digest = |number: usize| Recent::digest("key", &format!("text {number}"));
        assert!(recent.find(&digest(0)).is_none());
        recent.keep(digest(0), &Analysis::unread());
        assert_eq!(recent.find(&digest(0)), Some(Analysis::unread()));
        assert!(recent.find(&Recent::digest("yek", "text 0")).is_none(), "other intents read it another way");
        (1..=KEPT.get()).for_each(|number| recent.keep(digest(number), &Analysis::unread()));
        assert!(recent.find(&digest(0)).is_none() && recent.find(&digest(1)).is_some());
    }
}
