//! The table and the report.

use std::path::PathBuf;

use serde_json::json;

use super::{Goal, Measure};

/// What the figures were taken on.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores; load before the start: {load} (above 1, other work is measured too)")
}

/// All figures as a table for people.
pub(crate) fn table(measures: &[Measure]) -> String {
    let mut rows =
        vec![["", "value", "unit", "beside", "", "ratio", "goal", ""].map(str::to_owned)];
    for m in measures {
        let (floor, floor_value) = m.floor.map_or((String::new(), String::new()), |(name, v)| {
            (name.to_owned(), number(v))
        });
        let (goal, kept) = m.goal.map_or((String::new(), ""), |goal| {
            let kept = if keeps(m, goal) { "kept" } else { "MISSED" };
            (words(goal), kept)
        });
        rows.push([
            m.name.clone(),
            number(m.value),
            m.unit.to_owned(),
            floor,
            floor_value,
            m.ratio().map_or(String::new(), |r| format!("{r:.2}x")),
            goal,
            kept.to_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|r| r[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let w = widths[column];
            let right = [1, 4, 5].contains(&column);
            out.push_str(&if right {
                format!("{cell:>w$}  ")
            } else {
                format!("{cell:<w$}  ")
            });
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

fn keeps(m: &Measure, goal: Goal) -> bool {
    let floor = m.floor.map_or(0.0, |(_, v)| v);
    match goal {
        Goal::Most(most) => m.value <= most,
        Goal::MostAboveFloor(most) => m.value <= floor + most,
        Goal::RatioOfFloor(least) => m.ratio().is_some_and(|r| r >= least),
    }
}

fn words(goal: Goal) -> String {
    match goal {
        Goal::Most(most) => format!("<= {most}"),
        Goal::MostAboveFloor(most) => format!("<= beside + {most}"),
        Goal::RatioOfFloor(least) => format!(">= {least}x"),
    }
}

fn number(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// Writes target/bench/report.json; gives its path.
pub(crate) fn write(measures: &[Measure]) -> std::io::Result<PathBuf> {
    let list: Vec<serde_json::Value> = measures
        .iter()
        .map(|m| {
            json!({
                "name": m.name,
                "value": m.value,
                "unit": m.unit,
                "floor": m.floor.map(|(name, _)| name),
                "floor_value": m.floor.map(|(_, value)| value),
                "ratio": m.ratio(),
            })
        })
        .collect();
    let mut folder = std::env::current_exe()?;
    folder.pop();
    folder.pop();
    folder.push("bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("report.json");
    std::fs::write(&path, format!("{:#}\n", serde_json::Value::Array(list)))?;
    Ok(path)
}
