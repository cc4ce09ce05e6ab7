//! The status for people, no wider than a terminal of 80 columns, but for words that are.

use onramp_publisher::{Cause, Stage};

use super::{KeptShown, ProductShown, RunShown, Status, Teller, WaitShown};
use crate::terminal::{self, bytes, duration, grouped};

const COLUMNS: usize = 80;
/// Where the values begin.
const INDENT: usize = 12;

/// All of it.
pub(crate) fn text(status: &Status) -> String {
    let mut out = String::new();
    line(&mut out, "gateway", &status.gateway);
    let phase = match (status.told_by, &status.detail) {
        (Teller::Progress, _) => "not known: this is what progress in Kafka says".to_owned(),
        (Teller::Gateway, None) => status.phase.clone(),
        (Teller::Gateway, Some(detail)) => format!("{}: {detail}", status.phase),
    };
    line(&mut out, "phase", &phase);
    optional(&mut out, "no answer", status.not_answering.as_deref());
    optional(&mut out, "instance", status.instance.as_deref());
    let position = match (&status.position, &status.source_commit) {
        (None, _) => "nothing is published yet".to_owned(),
        (Some(position), None) => position.clone(),
        (Some(position), Some(commit)) => format!("{position} (committed {})", seconds(commit)),
    };
    line(&mut out, "position", &position);
    let lag = status.lag_bytes.map(bytes);
    optional(&mut out, "lag", lag.as_deref());
    optional(&mut out, "waits for", status.waits_for.as_deref());
    for wait in &status.history_waits {
        line(&mut out, "history", &history_wait(wait));
    }
    optional(
        &mut out,
        "log kept",
        status.log.as_ref().map(log).as_deref(),
    );
    for product in &status.products {
        out.push('\n');
        line(&mut out, "product", &product.product);
        let from = format!("{}, from {}", product.status, product.from);
        line(&mut out, "changes", &from);
        rows(&mut out, product);
    }
    for pending in &status.pending {
        out.push('\n');
        line(&mut out, "product", &pending.product);
        let why = format!("not published yet: {} {}", pending.table, pending.why);
        line(&mut out, "changes", &why);
    }
    for gap in &status.gaps {
        out.push('\n');
        let lost = format!(
            "{}: what was committed between {} and {} was not published",
            gap.number, gap.from, gap.to
        );
        line(&mut out, "gap", &lost);
        line(&mut out, "recorded", &seconds(&gap.when));
        line(&mut out, "because", &gap.reason);
        optional(&mut out, "republished", joined(&gap.products).as_deref());
        optional(&mut out, "accepted", joined(&gap.accepted).as_deref());
    }
    out
}

fn history_wait(wait: &WaitShown) -> String {
    format!(
        "{} waits since {} for transactions that were open before it: {}",
        wait.products.join(", "),
        duration(wait.seconds),
        wait.transactions.join("; ")
    )
}

fn log(log: &KeptShown) -> String {
    let mut text = bytes(log.bytes);
    match log.room_bytes {
        Some(room) => text.push_str(&format!(", room for {} more", bytes(room))),
        None => text.push_str(", and nothing bounds it"),
    }
    if let Some(rate) = log.bytes_per_second {
        text.push_str(&format!(", {}/s written", bytes(rate as u64)));
    }
    text
}

fn rows(out: &mut String, product: &ProductShown) {
    let Some(run) = &product.history else {
        return;
    };
    let cause = match run.cause {
        Cause::New => "the product is new",
        Cause::Mapping => "its mapping changed",
        Cause::Command => "by command",
        Cause::Recovery => "log was lost",
    };
    let mut how = format!("{} ({cause})", run.run);
    if run.reconcile {
        how.push_str(", reconciles");
    }
    line(out, "run", &how);
    optional(out, "where", run.filter.as_deref());
    optional(out, "table", table(run).as_deref());
    line(out, "rows", &progress(run));
}

/// Which of several tables is being read, and how many are behind it.
fn table(run: &RunShown) -> Option<String> {
    let (first, more) = run.tables_left.split_first()?;
    Some(match more.len() {
        0 => format!("{first}, the last"),
        more => format!("{first}, and {more} more after it"),
    })
}

fn progress(run: &RunShown) -> String {
    let mut text = grouped(run.rows);
    match run.stage {
        Stage::Done if run.given_up => {
            return format!("{text}, given up: the file says history: none");
        }
        Stage::Done => return format!("{text}, done"),
        Stage::Reconciling => {
            return format!("{text}, all published; looking for keys that the table lacks");
        }
        Stage::Reading => {}
    }
    if let Some(all) = run.rows_estimate {
        text.push_str(&format!(" of about {}", grouped(all)));
        if all > 0 {
            let share = (run.rows as f64 / all as f64 * 100.0).min(100.0);
            text.push_str(&format!(" ({share:.0} %)"));
        }
    }
    if let Some(rate) = run.rows_per_second {
        text.push_str(&format!(", {}/s", grouped(rate as u64)));
    }
    if let Some(all) = run.bytes_estimate.filter(|all| *all > 0) {
        text.push_str(&format!(", {} in the table", bytes(all)));
    }
    match run.seconds_left {
        Some(left) => {
            text.push_str(&format!(", about {} left", duration(left)));
            if let Some(log) = run.log_bytes {
                let log = bytes(log as u64);
                text.push_str(&format!(", in which about {log} of log are written"));
            }
        }
        None => text.push_str(", being read"),
    }
    text
}

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}

fn optional(out: &mut String, label: &str, text: Option<&str>) {
    if let Some(text) = text {
        line(out, label, text);
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    terminal::labelled(out, &format!("{label:<INDENT$}"), text, COLUMNS);
}

/// A time without its fraction.
fn seconds(rfc3339: &str) -> String {
    match rfc3339.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use onramp_publisher::progress::{FORMAT, PositionRecord, Progress};
    use onramp_publisher::progress::{ProductState, ProductStatus};
    use onramp_publisher::{GapRecord, HistoryRecord};

    use super::super::of_progress;
    use super::*;

    fn progress_with_everything() -> Progress {
        let mut progress = Progress::default();
        progress.position = Some(PositionRecord {
            format: FORMAT,
            gateway: "legacy_shop".into(),
            position: "0/16B3748".into(),
            system: "7/shop".into(),
            branch: "1".into(),
            instance: "db-1-4711-ffffffffffff".into(),
            source_commit: Some("2026-11-24T08:15:00.123456Z".into()),
        });
        let name = "commerce.orders.v1";
        progress.products.insert(
            name.into(),
            ProductState {
                format: FORMAT,
                from: "0/16B3000".into(),
                contract_hash: String::new(),
                mapping_hash: String::new(),
                topic_id: None,
                partitions: 6,
                key_schema_id: None,
                value_schema_id: None,
                event_schema_ids: Default::default(),
                tables: Vec::new(),
                status: ProductStatus::Active,
                protection: None,
            },
        );
        let mut run = HistoryRecord::begin("db-1-4711-ffffffffffff".into(), Cause::Recovery);
        run.reconcile = true;
        run.rows = 1_234_567;
        progress.histories.insert(name.into(), run);
        let reason = "ONR-421: the slot is gone, but progress stands at 0/16B3748; ".repeat(3);
        let gap = GapRecord::now("0/16B3748".into(), reason, vec![name.into()]);
        let mut gap = gap.closed("0/2000000".into());
        gap.when = "2026-11-24T09:00:00.000000Z".into();
        progress.gaps.insert(1, gap);
        progress
    }

    #[test]
    fn it_fits_into_80_columns_and_says_who_tells_it() {
        let status = of_progress("legacy_shop", &progress_with_everything());
        let text = text(&status);
        assert!(text.lines().all(|l| l.chars().count() <= COLUMNS), "{text}");
        assert!(
            text.starts_with("gateway     legacy_shop\nphase       not known"),
            "{text}"
        );
        for part in [
            "0/16B3748 (committed 2026-11-24T08:15:00Z)",
            "(log was lost), reconciles",
            "1,234,567, being read",
            "recorded    2026-11-24T09:00:00Z",
            "republished commerce.orders.v1",
        ] {
            assert!(text.contains(part), "{part} is in\n{text}");
        }
    }

    #[test]
    fn a_run_over_several_tables_says_at_which_it_is() {
        let mut progress = progress_with_everything();
        let run = progress.histories.values_mut().next().unwrap();
        run.left = vec!["shop_3.ordr".into(), "shop_4.ordr".into()];
        let told = text(&of_progress("legacy_shop", &progress));
        let line = "\ntable       shop_3.ordr, and 1 more after it\n";
        assert!(told.contains(line), "{told}");
        progress.histories.values_mut().next().unwrap().left.pop();
        let told = text(&of_progress("legacy_shop", &progress));
        assert!(
            told.contains("\ntable       shop_3.ordr, the last\n"),
            "{told}"
        );
    }

    #[test]
    fn a_run_says_how_far_how_fast_and_how_long() {
        let status = of_progress("legacy_shop", &progress_with_everything());
        let mut run = status.products[0].history.clone().unwrap();
        run.rows_estimate = Some(10_000_000);
        run.rows_per_second = Some(52_000.4);
        run.seconds_left = Some(4000.0);
        let text = super::progress(&run);
        assert_eq!(
            text,
            "1,234,567 of about 10,000,000 (12 %), 52,000/s, about 1 h 6 min left"
        );
        run.bytes_estimate = Some(3 << 30);
        run.log_bytes = Some(1.5 * f64::from(1 << 30));
        let text = super::progress(&run);
        assert!(
            text.ends_with(
                "52,000/s, 3.0 GiB in the table, about 1 h 6 min left, in which about 1.5 GiB of log are written"
            ),
            "{text}"
        );
        run.stage = Stage::Done;
        assert_eq!(super::progress(&run), "1,234,567, done");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_passed_on() {
        let mut status = of_progress("legacy_shop", &progress_with_everything());
        status.history_waits.push(WaitShown {
            products: vec!["commerce.orders.v1".into()],
            seconds: 75.0,
            transactions: vec!["pid 7 (\x1b]0;x\x07)".into()],
        });
        assert!(!text(&status).contains(['\x1b', '\x07']));
    }

    #[test]
    fn waits_and_the_log_that_is_kept_are_told() {
        let mut status = of_progress("legacy_shop", &progress_with_everything());
        status.history_waits.push(WaitShown {
            products: vec!["commerce.orders.v1".into()],
            seconds: 75.0,
            transactions: vec!["transaction 9, prepared as night_run".into()],
        });
        status.log = Some(KeptShown {
            bytes: 5 << 20,
            room_bytes: Some(1 << 30),
            bytes_per_second: Some(2048.0),
        });
        let text = text(&status);
        assert!(text.lines().all(|l| l.chars().count() <= COLUMNS), "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "history commerce.orders.v1 waits since 1 min 15 s for transactions that were open before it: transaction 9, prepared as night_run",
            "log kept 5.0 MiB, room for 1.0 GiB more, 2.0 KiB/s written",
        ] {
            assert!(words.contains(part), "{part} is in\n{text}");
        }
    }

    #[test]
    fn machines_read_back_what_was_told() {
        let status = of_progress("legacy_shop", &progress_with_everything());
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
        assert!(json.contains(r#""told_by":"progress""#) && json.contains(r#""cause":"recovery""#));
    }
}
