//! What people wrote into label columns, and what it means here.
//!
//! Knows words and numbers for polarity and frustration; must not know files.

/// Class of a negative text: the order of the sentiment head.
pub const NEGATIVE: usize = 0;
/// Class of a neutral text.
pub const NEUTRAL: usize = 1;
/// Class of a positive text.
pub const POSITIVE: usize = 2;
/// The classes' names, by class.
pub const POLARITIES: [&str; 3] = ["negative", "neutral", "positive"];

/// What numbers in a sentiment column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// 0 negative, 1 positive.
    Two,
    /// 0 negative, 1 neutral, 2 positive.
    Three,
}

/// How frustrated a writer is with the service, as labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Labelled only as not frustrated.
    No,
    /// No irritation with the service.
    None,
    /// A touch of it, still cooperative.
    Mild,
    /// Without doubt.
    Clear,
    /// Rage or contempt.
    Severe,
    /// Labelled only as frustrated.
    Yes,
}

impl Level {
    /// Whether it counts as frustrated.
    #[must_use]
    pub const fn is_frustrated(self) -> bool {
        matches!(self, Self::Clear | Self::Severe | Self::Yes)
    }

    /// Its name in figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::None => "none",
            Self::Mild => "mild",
            Self::Clear => "clear",
            Self::Severe => "severe",
            Self::Yes => "yes",
        }
    }
}

/// The class of a sentiment label; nothing for an empty one.
///
/// # Errors
/// Says what is accepted. Numbers need `points`, because 1 is positive in one data set and neutral
/// in the next.
pub fn parse_sentiment(value: &str, points: Option<Points>) -> Result<Option<usize>, String> {
    let value = value.trim().to_lowercase();
    match (value.as_str(), points) {
        ("", _) => Ok(None),
        ("negative" | "neg", _) | ("0", Some(_)) => Ok(Some(NEGATIVE)),
        ("neutral" | "neu", _) | ("1", Some(Points::Three)) => Ok(Some(NEUTRAL)),
        ("positive" | "pos", _) | ("1", Some(Points::Two)) | ("2", Some(Points::Three)) => Ok(Some(POSITIVE)),
        ("0" | "1" | "2", None) => {
            Err(format!("{value} is a number: say with --scale 2 (0, 1) or --scale 3 (0, 1, 2) what it means"))
        }
        _ => Err(format!("{value:?} is none of negative, neutral, positive, neg, neu, pos, or a number of --scale")),
    }
}

/// The level of a frustration label; nothing for an empty one.
///
/// # Errors
/// Says what is accepted.
pub fn parse_frustration(value: &str) -> Result<Option<Level>, String> {
    let value = value.trim().to_lowercase();
    Ok(Some(match value.as_str() {
        "" => return Ok(None),
        "0" | "false" => Level::No,
        "none" => Level::None,
        "mild" => Level::Mild,
        "clear" => Level::Clear,
        "severe" => Level::Severe,
        "1" | "true" => Level::Yes,
        _ => return Err(format!("{value:?} is none of none, mild, clear, severe, 0, 1, true, false")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_every_accepted_form() {
        for value in ["negative", " NEG "] {
            assert_eq!(parse_sentiment(value, None), Ok(Some(NEGATIVE)));
        }
        assert_eq!(parse_sentiment("1", Some(Points::Two)), Ok(Some(POSITIVE)));
        assert_eq!(parse_sentiment("1", Some(Points::Three)), Ok(Some(NEUTRAL)));
        assert_eq!(parse_sentiment("", None), Ok(None));
        assert!(parse_sentiment("1", None).is_err_and(|reason| reason.contains("--scale")));
        assert!(parse_sentiment("2", Some(Points::Two)).is_err());
        assert!(parse_sentiment("joy", None).is_err());
        assert_eq!(parse_frustration("Severe"), Ok(Some(Level::Severe)));
        assert_eq!(parse_frustration("true"), Ok(Some(Level::Yes)));
        assert_eq!(parse_frustration(""), Ok(None));
        assert!(parse_frustration("a bit").is_err());
        let frustrated = [Level::No, Level::None, Level::Mild].map(Level::is_frustrated);
        assert_eq!(frustrated, [false; 3]);
    }
}
