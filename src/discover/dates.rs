//! Dates and times that stand in text: which format reads them, and how many of the sample.

use onramp_language::Moment;
use onramp_translator::TimeReader;

/// A format that reads some of a column's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// As `parse` has it.
    pub(crate) format: &'static str,
    /// The field's type.
    pub(crate) field_type: &'static str,
    /// How many texts it reads.
    pub(crate) reads: usize,
    /// Of how many.
    pub(crate) of: usize,
    /// Another format that reads as many, and would give other days.
    pub(crate) rival: Option<&'static str>,
}

impl Found {
    /// Whether the column may be read so: nothing is left out, and nothing is to be guessed.
    pub(crate) fn is_sure(&self) -> bool {
        self.reads == self.of && self.rival.is_none()
    }
}

/// Fewer texts say nothing.
const LEAST_VALUES: usize = 5;
/// Moments outside of 1850 to 2150 are numbers that happen to look like dates.
const PLAUSIBLE_US: std::ops::Range<i64> = -3_786_825_600_000_000..5_680_281_600_000_000;

const FORMATS: &[(&str, Moment, &str)] = &[
    ("%Y%m%d", Moment::Date, "date"),
    ("%Y-%m-%d", Moment::Date, "date"),
    ("%d.%m.%Y", Moment::Date, "date"),
    ("%d/%m/%Y", Moment::Date, "date"),
    ("%m/%d/%Y", Moment::Date, "date"),
    ("%Y/%m/%d", Moment::Date, "date"),
    ("%d-%m-%Y", Moment::Date, "date"),
    ("%m-%d-%Y", Moment::Date, "date"),
    ("%d-%b-%Y", Moment::Date, "date"),
    ("%d %b %Y", Moment::Date, "date"),
    ("%d%m%Y", Moment::Date, "date"),
    ("%Y%m%d%H%M%S", Moment::LocalTimestamp, "local-timestamp"),
    ("%Y%m%d%H%M", Moment::LocalTimestamp, "local-timestamp"),
    ("%Y%m%d %H%M%S", Moment::LocalTimestamp, "local-timestamp"),
    (
        "%Y-%m-%d %H:%M:%S",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    (
        "%Y-%m-%d %H:%M:%S.%f",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    ("%Y-%m-%d %H:%M", Moment::LocalTimestamp, "local-timestamp"),
    (
        "%Y-%m-%dT%H:%M:%S",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    (
        "%Y-%m-%dT%H:%M:%S.%f",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    (
        "%Y-%m-%d-%H.%M.%S.%f",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    (
        "%d.%m.%Y %H:%M:%S",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    ("%d.%m.%Y %H:%M", Moment::LocalTimestamp, "local-timestamp"),
    (
        "%d/%m/%Y %H:%M:%S",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    (
        "%m/%d/%Y %H:%M:%S",
        Moment::LocalTimestamp,
        "local-timestamp",
    ),
    ("%d/%m/%Y %H:%M", Moment::LocalTimestamp, "local-timestamp"),
    ("%m/%d/%Y %H:%M", Moment::LocalTimestamp, "local-timestamp"),
    ("%Y-%m-%dT%H:%M:%S%z", Moment::Timestamp, "timestamp"),
    ("%Y-%m-%dT%H:%M:%S.%f%z", Moment::Timestamp, "timestamp"),
    ("%Y-%m-%d %H:%M:%S%z", Moment::Timestamp, "timestamp"),
    ("%H:%M:%S", Moment::Time, "time"),
    ("%H:%M", Moment::Time, "time"),
];

/// The format that reads the most of a column's texts, where it reads half of them.
pub(crate) fn judge(texts: &[String]) -> Option<Found> {
    let of = texts.len();
    if of < LEAST_VALUES {
        return None;
    }
    let mut best: Option<Found> = None;
    for (format, moment, field_type) in FORMATS {
        let Some(reader) = TimeReader::new(format, *moment) else {
            continue;
        };
        let reads = texts
            .iter()
            .filter_map(|text| reader.read(text))
            .filter(|at| PLAUSIBLE_US.contains(at))
            .count();
        if reads * 2 < of {
            continue;
        }
        match &mut best {
            Some(best) if best.reads > reads => {}
            Some(best) if best.reads == reads => best.rival = Some(format),
            _ => {
                best = Some(Found {
                    format,
                    field_type,
                    reads,
                    of,
                    rival: None,
                });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(texts: &[&str]) -> Option<Found> {
        judge(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_format_is_found_where_it_reads_the_sample() {
        for (text, format, field_type) in [
            ("20260131", "%Y%m%d", "date"),
            ("31.01.2026", "%d.%m.%Y", "date"),
            ("31-JAN-2026", "%d-%b-%Y", "date"),
            ("20260131235959", "%Y%m%d%H%M%S", "local-timestamp"),
            (
                "2026-01-31 23:59:59.123",
                "%Y-%m-%d %H:%M:%S.%f",
                "local-timestamp",
            ),
            (
                "2026-01-31T23:59:59+01:00",
                "%Y-%m-%dT%H:%M:%S%z",
                "timestamp",
            ),
            ("23:59", "%H:%M", "time"),
        ] {
            let found = judged(&[text; 6]).expect(text);
            assert_eq!(
                (found.format, found.field_type),
                (format, field_type),
                "{text}"
            );
            assert!(found.is_sure(), "{text}");
        }
        for text in ["12345678", "00010203", "N", "", "99999999"] {
            assert_eq!(judged(&[text; 6]), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_read_and_what_two_formats_read_is_told() {
        let found = judged(&["20260131", "20260201", "00000000", "20260301", "20260302"]).unwrap();
        assert_eq!((found.reads, found.of, found.is_sure()), (4, 5, false));
        let found = judged(&["01/02/2026"; 5]).unwrap();
        assert_eq!((found.format, found.rival), ("%d/%m/%Y", Some("%m/%d/%Y")));
        assert!(!found.is_sure());
        let found = judged(&[
            "01/02/2026",
            "01/02/2026",
            "01/02/2026",
            "01/02/2026",
            "31/01/2026",
        ]);
        assert_eq!(found.unwrap().rival, None);
    }
}
