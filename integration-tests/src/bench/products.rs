//! Further products on one table, from the log; predicates; and rows that nobody wants.

use super::beside::{Variant, alternate};
use super::stage::Stage;
use super::{Goal, Measure, Options};

fn products(count: usize) -> Vec<String> {
    (1..=count).map(Stage::product).collect()
}

fn variant(name: &'static str, products: Vec<String>, events: u64) -> Variant {
    Variant {
        name,
        more: "",
        products,
        events,
    }
}

/// One, three and ten entities of ten fields on one table.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = filled(options, "products").await;
    let variants = vec![
        variant("one product on the table", products(1), 1),
        variant("three products on the table", products(3), 1),
        variant("ten products on the table", products(10), 1),
    ];
    let taken = alternate(options, &mut [(&mut stage, variants)]).await;
    stage.close().await;
    let [one, three, ten] = &taken[..] else {
        return Vec::new();
    };
    let mut all = vec![
        Measure::new("one product: CPU", one.cpu_us(), "us/row"),
        Measure::new(
            "one product: reading and translating",
            one.source_us(),
            "us/row",
        ),
    ];
    for (name, of, further) in [("three", three, 2.0), ("ten", ten, 9.0)] {
        let (cpu, source) = of.more_than(one);
        all.extend([
            Measure::new(format!("{name} products"), of.rows_per_second(), "rows/s")
                .beside("one product", one.rows_per_second()),
            Measure::new(format!("{name} products: CPU"), of.cpu_us(), "us/row")
                .beside("one product", one.cpu_us()),
            Measure::new(
                format!("a further product of {name}, beside its messages"),
                source / further,
                "us/row",
            )
            .goal(Goal::Most(0.6)),
            Measure::new(
                format!("a further product of {name}, its messages included"),
                cpu / further,
                "us/row",
            ),
        ]);
    }
    all
}

const FIVE: &str = "row.ord_stat != \"Q\" && row.ccy in [\"EUR\", \"GBP\"] && row.tot_amt >= decimal(\"0\") \
    && row.cust_no >= 0 && row.ext_ref.startsWith(\"REF-\")";

/// What filters cost that hold, and what a row costs that nobody wants.
pub(crate) async fn predicates(options: &Options) -> Vec<Measure> {
    let mut stage = filled(options, "predicates").await;
    let filtered = |number: usize, filter: &str| {
        let from = "source: { table: public.sal_hdr }";
        let to = format!("source: {{ table: public.sal_hdr, where: '{filter}' }}");
        Stage::product(number).replace(from, &to)
    };
    let nobody = |count: usize| {
        (1..=count)
            .map(|n| filtered(n, "row.ord_stat == \"Q\""))
            .collect()
    };
    let variants = vec![
        variant("a product without a filter", products(1), 1),
        variant(
            "one with five predicates that hold",
            vec![filtered(1, FIVE)],
            1,
        ),
        variant("no product on the table", Vec::new(), 0),
        variant("a product that wants no row", nobody(1), 0),
        variant("five products that want no row", nobody(5), 0),
    ];
    let taken = alternate(options, &mut [(&mut stage, variants)]).await;
    stage.close().await;
    let [all, five, none, nobody, nobodies] = &taken[..] else {
        return Vec::new();
    };
    vec![
        Measure::new(
            "a predicate that holds",
            five.more_than(all).1 / 5.0,
            "us/row",
        )
        .goal(Goal::Most(0.1)),
        Measure::new("no product on the table: CPU", none.cpu_us(), "us/row"),
        Measure::new("nobody wants the rows: CPU", nobody.cpu_us(), "us/row")
            .beside("no product", none.cpu_us()),
        Measure::new(
            "nobody wants the row, of one product",
            nobody.more_than(none).1,
            "us/row",
        )
        .goal(Goal::Most(0.15)),
        Measure::new(
            "nobody wants the row, a further product",
            nobodies.more_than(nobody).1 / 4.0,
            "us/row",
        )
        .goal(Goal::Most(0.15)),
    ]
}

/// A stage whose rows are in the log alone, and whose log's end is known by an event.
pub(crate) async fn filled(options: &Options, what: &str) -> Stage {
    let stage = Stage::new().await;
    println!("{what}: writing {} rows in 1000 transactions", options.rows);
    stage.fill(0, options.rows, 1000).await;
    stage.empty().await;
    stage.end().await;
    stage
}
