//! What commands print fits a terminal of 80 columns, is coloured there and nowhere else, and says
//! whom it waits for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::process::{Command, Output};

use onramp_integration_tests::looking::shop;
use onramp_integration_tests::operate::command;
use onramp_integration_tests::{Folder, binary, fits_80_columns, on_a_terminal, screen};

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"kafka-1:9092\"] }
registry: { url: \"http://registry:8081\" }
products: [products/*.yaml]
";

/// A wrong word in a line that is wider than any terminal.
const ORDERS: &str = "product: commerce.orders.v1
status: activ
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != \"Y\" && row.ord_stat != \"X\" && row.tot_amt > decimal(0) && row.cust_noo > 0 }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
";

fn onramp(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("COLUMNS", "80")
        .env_remove("NO_COLOR");
    command
}

fn said(mut command: Command) -> (String, Output) {
    let output = command.output().expect("the binary onramp is built");
    (
        String::from_utf8(output.stdout.clone()).expect("text"),
        output,
    )
}

/// The commands below one, as its help lists them.
fn commands(of: &[&str]) -> Vec<String> {
    let (help, output) = said(onramp(&[of, &["--help"]].concat()));
    assert!(output.status.success());
    fits_80_columns(&help);
    let lines = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    let named = lines.take_while(|l| !l.is_empty());
    // What a command is about goes on behind a wide margin.
    let named = named.filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let named = named.filter_map(|l| l.split_whitespace().next());
    named.filter(|n| *n != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_tells_how_it_is_used() {
    let commands = commands(&[]);
    for known in [
        "discover", "check", "release", "test", "dry-run", "plan", "docs", "run",
    ] {
        assert!(commands.iter().any(|c| c == known), "{known}: {commands:?}");
    }
    let mut all: Vec<Vec<String>> = Vec::new();
    for command in commands {
        let below = self::commands(&[&command]);
        match below.is_empty() {
            true => all.push(vec![command]),
            false => all.extend(below.into_iter().map(|b| vec![command.clone(), b])),
        }
    }
    for words in &all {
        let command = words.join(" ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let asked = [&words[..], &["--help"]].concat();
        let (help, output) = said(onramp(&asked));
        assert!(output.status.success());
        fits_80_columns(&help);
        for part in ["Examples:", "Exit codes: 0 ", "--format", "--config"] {
            assert!(help.contains(part), "{command}: {part}\n{help}");
        }
        // Whoever copies an example gets what it says: no line of it is broken.
        let examples = help.split("Examples:\n").nth(1).expect("examples");
        let examples = examples.split("\n\n").next().unwrap_or_default();
        let whole = format!("  onramp {command}");
        let run = "  onramp run --plan";
        let mut goes_on = false;
        for line in examples.lines() {
            // A shell's line goes on behind a backslash.
            if std::mem::replace(&mut goes_on, line.ends_with(" \\")) {
                continue;
            }
            assert!(line.starts_with(&whole) || line.starts_with(run), "{line}");
        }
        let terminal = on_a_terminal(&onramp(&asked), 80);
        let (shown, output) = said(terminal);
        assert!(output.status.success());
        let underlined = shown.replace("\u{1b}[4m", "").replace("\u{1b}[1m", "");
        fits_80_columns(&screen(&underlined));
    }
}

#[test]
fn a_slip_of_the_hand_is_wrong_usage_and_is_told_what_was_meant() {
    for (wrong, meant) in [
        (["plna", "--help"], "plan"),
        (["dry-run", "--folow=3s"], "--follow"),
        (["check", "--fail-on=warnin"], "warning"),
        (["docs", "--as=odsc"], "odcs"),
    ] {
        let (_, output) = said(onramp(&wrong));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(told.contains(&format!("'{meant}'")), "{told}");
        assert!(output.stdout.is_empty());
        fits_80_columns(&told);
    }
}

#[test]
fn colour_is_for_terminals_and_lines_fit_whatever_their_width() {
    let folder = Folder::with(&[("onramp.yaml", GATEWAY), ("products/orders.yaml", ORDERS)]);
    let check = |columns: &str| {
        let mut check = onramp(&["check"]);
        check.current_dir(folder.path()).env("COLUMNS", columns);
        check
    };
    let (piped, output) = said(check("80"));
    assert_eq!(output.status.code(), Some(1));
    assert!(!piped.contains('\u{1b}'), "{piped}");
    fits_80_columns(&piped);

    let (shown, output) = said(on_a_terminal(&check("80"), 80));
    assert_eq!(output.status.code(), Some(1));
    assert!(shown.contains("\u{1b}[1;31merror"), "{shown}");
    assert_eq!(screen(&shown), piped, "nothing but the colours");

    let mut without = on_a_terminal(&check("80"), 80);
    without.env("NO_COLOR", "1");
    let (plain, _) = said(without);
    assert_eq!(plain.replace("\r\n", "\n"), piped);

    // One that is too small for words is written to as if it were of 80.
    for (columns, widest) in [(40, 40), (8, 80), (120, 120)] {
        let (shown, output) = said(on_a_terminal(&check("80"), columns));
        assert_eq!(output.status.code(), Some(1));
        let widths = screen(&shown);
        let widths = widths.lines().map(|l| l.chars().count());
        let most = widths.max().unwrap_or_default();
        assert!(most <= widest, "{most} of {columns}\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_sees_for_whom_and_the_last_screen_is_the_answer_alone() {
    let scenario = shop().await;
    for (what, waits, more) in [
        ("plan", "asking the registry", &[][..]),
        ("dry-run", "asking Kafka", &["--sample", "10"][..]),
        (
            "discover",
            "looking at table 1 of 1",
            &["--tables", "ordr", "--force"][..],
        ),
    ] {
        let plain = command(&scenario, what, more);
        let terminal = on_a_terminal(&plain, 80);
        let (shown, output) = tokio::task::spawn_blocking(|| said(terminal))
            .await
            .unwrap();
        assert!(output.status.code().is_some_and(|c| c <= 1), "{shown}");
        assert!(shown.contains(waits), "{what}: {shown}");
        let last = screen(&shown);
        assert!(!last.contains(waits), "{what}: {last}");
        fits_80_columns(&last);
    }
    scenario.close().await;
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let folder = Folder::with(&[("onramp.yaml", GATEWAY)]);
    folder.write(
        "products/orders.yaml",
        &ORDERS
            .replace("activ\n", "draft\n")
            .replace(" && row.cust_noo > 0", ""),
    );
    let mut check = onramp(&["check"]);
    check.current_dir(folder.path());
    assert_eq!(check.output().unwrap().status.code(), Some(0));
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = check.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("cannot be written"), "{told}");
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let folder = Folder::with(&[("onramp.yaml", GATEWAY), ("products/orders.yaml", ORDERS)]);
    let mut check = onramp(&["check"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    check.current_dir(folder.path()).stdout(writer);
    let output = check.output().expect("the binary onramp is built");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{output:?}");
}
