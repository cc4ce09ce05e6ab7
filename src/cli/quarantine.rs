//! `onramp quarantine`: rows that products could not carry.

use std::process::ExitCode;

use clap::Subcommand;
use onramp_finding::codes::running::COMMAND_REFUSED;
use onramp_finding::{Failure, Finding, Place};
use onramp_language::{Gateway, Product};
use serde_json::{Value, json};

use super::files::Files;
use super::named;
use super::report::{self, Format};
use crate::admin::ReplayOrder;
use crate::quarantine::{self, Group, Record, Rows};
use crate::run::history::command::Replayed;
use crate::terminal::{self, grouped, labelled};
use crate::{admin, operate};

/// Shows rows that products with `on_error: quarantine` could not carry, and has them published after all.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    files: Files,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What failed, how often, since when.
    #[command(after_help = "Examples:
  onramp quarantine list
  onramp quarantine list commerce.orders.v1 --format json

Exit codes: 0 told, 64 wrong usage or configuration, 67 broker.")]
    List {
        #[command(flatten)]
        common: Common,
        /// Only these products.
        products: Vec<String>,
    },
    /// The records themselves, with what may be seen of the rows.
    #[command(after_help = "Examples:
  onramp quarantine show commerce.orders.v1 --limit 5
  onramp quarantine show commerce.orders.v1 --key 7

Exit codes: 0 told, 64 wrong usage or configuration, 67 broker.")]
    Show {
        #[command(flatten)]
        common: Common,
        /// The product, as `commerce.orders.v1`.
        product: String,
        /// Only rows of this key.
        #[arg(long)]
        key: Option<String>,
        /// At most so many, the latest ones.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Has the gateway that runs publish quarantined rows after all, by the mapping that it has now.
    ///
    /// An entity's rows are read again, among live changes. A fact, or an outbox's event, is told
    /// late, once: one that was replayed is passed over.
    #[command(after_help = "Examples:
  onramp quarantine replay commerce.orders.v1
  onramp quarantine replay commerce.orders.v1 --key 7 --key 8

Exit codes: 0 ordered, or published, 1 rows that cannot be replayed, 64 wrong
usage, refused, or no gateway answers, 67 broker.")]
    Replay {
        #[command(flatten)]
        common: Common,
        /// The product, as `commerce.orders.v1`.
        product: String,
        /// Only rows of this key; may be said again.
        #[arg(long)]
        key: Vec<String>,
        /// Facts and outboxes: those that were replayed before, too.
        #[arg(long)]
        again: bool,
    },
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (What::List { common, .. } | What::Show { common, .. } | What::Replay { common, .. }) =
        &arguments.what;
    let format = common.format;
    let mut refused = false;
    let code = common.files.with_gateway(format, |gateway| {
        operate::runtime()?.block_on(async {
            match &arguments.what {
                What::List { products, .. } => list(&gateway, products, format).await,
                What::Show {
                    product,
                    key,
                    limit,
                    ..
                } => show(&gateway, product, key.clone(), *limit, format).await,
                What::Replay {
                    product,
                    key,
                    again,
                    ..
                } => {
                    let product = one(&gateway, product)?;
                    if product.is_entity() {
                        return replay(&gateway, product, key, *again, format).await;
                    }
                    let order = ReplayOrder {
                        product: product.name.value.to_string(),
                        keys: key.clone(),
                        again: *again,
                    };
                    let told = admin::caller::replay(&gateway, &order).await?;
                    refused = told.refused > 0;
                    late(&order.product, !order.keys.is_empty(), &told, format);
                    Ok(())
                }
            }
        })
    });
    match refused {
        true => ExitCode::from(1),
        false => code,
    }
}

/// What became of facts that were told late.
fn late(product: &str, of_keys: bool, told: &Replayed, format: Format) {
    let mut text = String::new();
    let columns = terminal::width();
    let mut say = |words: String| labelled(&mut text, "", &words, columns);
    if told.rows + told.before + told.left + told.refused == 0 {
        say(nothing(of_keys).trim_end().to_owned());
    }
    say(format!(
        "{product}: {} row(s) replayed, {} event(s) published",
        grouped(told.rows),
        grouped(told.events)
    ));
    if told.before > 0 {
        let before = grouped(told.before);
        say(format!(
            "{before} were replayed before: `--again` tells them once more"
        ));
    }
    if told.left > 0 {
        let left = grouped(told.left);
        say(format!("{left} are left: give the same command again"));
    }
    if told.refused > 0 {
        say(format!("{} cannot be replayed", grouped(told.refused)));
    }
    let object = json!({
        "product": product,
        "rows": told.rows,
        "events": told.events,
        "before": told.before,
        "left": told.left,
        "refused": told.refused,
    });
    report::told(format, &told.findings, object, &text);
}

fn one<'g>(gateway: &'g Gateway, name: &str) -> Result<&'g Product, Failure> {
    let (found, unknown) = named::products(gateway, &[], &[name.to_owned()]);
    match found.first() {
        Some(product) => Ok(product),
        None => Err(Failure::all(onramp_finding::Kind::Configuration, unknown)),
    }
}

async fn list(gateway: &Gateway, names: &[String], format: Format) -> Result<(), Failure> {
    let (products, unknown) = named::products(gateway, &[], names);
    if !unknown.is_empty() {
        return Err(Failure::all(onramp_finding::Kind::Configuration, unknown));
    }
    let mut groups: Vec<Group> = Vec::new();
    for product in products {
        groups.extend(quarantine::groups(gateway, product).await?);
    }
    let columns = terminal::width();
    let mut text = String::new();
    for group in &groups {
        let replayed = match group.replayed {
            0 => String::new(),
            replayed => format!(", {} of them replayed", grouped(replayed)),
        };
        let rows = format!("{} row(s){replayed}: {}", grouped(group.rows), group.reason);
        labelled(&mut text, "", &group.product, columns);
        labelled(
            &mut text,
            "  what      ",
            &format!("{} in {}", group.code, or_row(&group.field)),
            columns,
        );
        labelled(&mut text, "  rows      ", &rows, columns);
        for (label, end) in [
            ("  since     ", &group.first),
            ("  last      ", &group.last),
        ] {
            let words = format!("{}, {} (offset {})", end.at, end.position, end.offset);
            labelled(&mut text, label, &words, columns);
        }
    }
    if groups.is_empty() {
        text.push_str("nothing is in quarantine\n");
    }
    let groups: Vec<Value> = groups.iter().map(Group::json).collect();
    report::done(format, json!({ "quarantined": groups }), &text);
    Ok(())
}

fn or_row(field: &str) -> &str {
    match field {
        "" => "the row",
        field => field,
    }
}

/// What is said where no record was found.
fn nothing(of_key: bool) -> &'static str {
    match of_key {
        true => "nothing of that key is in quarantine\n",
        false => "nothing is in quarantine\n",
    }
}

async fn show(
    gateway: &Gateway,
    product: &str,
    key: Option<String>,
    limit: usize,
    format: Format,
) -> Result<(), Failure> {
    let product = one(gateway, product)?;
    let of_key = key.is_some();
    let shown = quarantine::latest(gateway, product, key, limit).await?;
    let columns = terminal::width();
    let mut text = String::new();
    for record in &shown {
        let head = format!(
            "offset {}, key {}, {} at {}{}",
            record.offset,
            if record.key.is_empty() {
                "not known"
            } else {
                &record.key
            },
            record.said("operation"),
            record.said("position"),
            match &record.replayed {
                Some(at) => format!(", replayed at {at}"),
                None => String::new(),
            },
        );
        labelled(&mut text, "", &head, columns);
        let why = format!(
            "{} in {}: {}",
            record.said("code"),
            or_row(record.said("field")),
            record.said("reason")
        );
        labelled(&mut text, "  ", &why, columns);
        for row in ["before", "after"] {
            if let Value::Object(columns_of_row) = &record.value[row] {
                let cells = columns_of_row
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"));
                labelled(
                    &mut text,
                    &format!("  {row:<7} "),
                    &cells.collect::<Vec<_>>().join(" "),
                    columns,
                );
            }
        }
    }
    if shown.is_empty() {
        text.push_str(nothing(of_key));
    }
    let shown: Vec<Value> = shown.iter().map(Record::json).collect();
    report::done(format, json!({ "records": shown }), &text);
    Ok(())
}

async fn replay(
    gateway: &Gateway,
    product: &Product,
    keys: &[String],
    again: bool,
    format: Format,
) -> Result<(), Failure> {
    if again {
        let finding = Finding::error(
            &COMMAND_REFUSED,
            Place::Setting("--again".into()),
            format!("{} is an entity", product.name.value),
        );
        let finding = finding
            .because("its rows are read again each time: nothing is passed over")
            .remedy("leave --again out");
        return Err(Failure::stop(onramp_finding::Kind::Configuration, finding));
    }
    let wanted = keys.to_vec();
    let rows = Rows::new(product);
    let rows = quarantine::each(gateway, product, rows, move |rows, record| {
        if wanted.is_empty() || wanted.contains(&record.key) {
            rows.add(&record);
        }
    })
    .await?;
    let records = rows.records;
    if records == 0 {
        report::done(
            format,
            json!({ "product": product.name.value.to_string(), "rows": 0 }),
            nothing(!keys.is_empty()),
        );
        return Ok(());
    }
    let order = rows
        .order(product)
        .map_err(|finding| Failure::stop(onramp_finding::Kind::Configuration, *finding))?;
    let accepted = admin::caller::backfill(gateway, &order).await?;
    let what = match &order.filter {
        Some(_) => format!("{} row(s)", grouped(records)),
        None => "every row, since too many are in quarantine to be named,".to_owned(),
    };
    let text = format!(
        "{}: {what} will be read again by back-fill {}; `onramp status` shows how far it is\n",
        order.product, accepted.run
    );
    let object = json!({
        "product": order.product,
        "rows": records,
        "run": accepted.run,
        "where": order.filter,
        "under_way": accepted.under_way,
    });
    report::done(format, object, &text);
    Ok(())
}
