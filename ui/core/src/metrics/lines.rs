//! Lines with names, colours and what the legend says of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use api::MetricRangeAnswer;

use super::LINES_MAX;
use crate::colour::SLOTS;
use crate::order;

/// One line as the page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its labels as text; names it in the URL.
    pub key: String,
    /// What tells it from the others.
    pub name: String,
    /// Its service, where it has one: such a line has the service's colour when no other line shares it.
    pub service: Option<String>,
    /// Slot of the palette, where it has no service of its own.
    pub slot: u8,
    /// A value a step.
    pub values: Vec<Option<f64>>,
    /// What the legend says.
    pub legend: Legend,
}

/// What the legend says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Legend {
    /// Newest value.
    pub last: Option<f64>,
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Mean of the values there are.
    pub avg: Option<f64>,
}

impl Legend {
    fn of(values: &[Option<f64>]) -> Legend {
        let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        let count = known.len();
        Legend {
            last: known.last().copied(),
            min: known.iter().copied().reduce(f64::min),
            max: known.iter().copied().reduce(f64::max),
            avg: (count > 0).then(|| known.iter().sum::<f64>() / count as f64),
        }
    }
}

/// A column of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LegendColumn {
    Name,
    Last,
    Min,
    Max,
    Avg,
}

impl LegendColumn {
    /// All of them, in order, with their headings.
    pub const ALL: [(LegendColumn, &'static str); 5] = [
        (LegendColumn::Name, "Line"),
        (LegendColumn::Last, "Last"),
        (LegendColumn::Min, "Min"),
        (LegendColumn::Max, "Max"),
        (LegendColumn::Avg, "Avg"),
    ];

    /// The number it shows of a line.
    pub fn value(self, legend: &Legend) -> Option<f64> {
        match self {
            LegendColumn::Name => None,
            LegendColumn::Last => legend.last,
            LegendColumn::Min => legend.min,
            LegendColumn::Max => legend.max,
            LegendColumn::Avg => legend.avg,
        }
    }
}

/// The lines of an answer, those with the greatest mean first, at most [`LINES_MAX`]; and how many there were.
pub fn lines(answer: &MetricRangeAnswer) -> (Vec<Line>, usize) {
    let common = common_labels(answer);
    let mut found: Vec<Line> = answer
        .lines
        .iter()
        .map(|line| {
            let telling: Vec<(&String, &String)> =
                line.labels.iter().filter(|(name, _)| !common.contains_key(*name)).collect();
            Line {
                key: key(&line.labels),
                name: name(&telling, &line.labels, &answer.metric.name),
                service: line.labels.get("service.name").filter(|_| telling.len() == 1).cloned(),
                slot: 0,
                legend: Legend::of(&line.values),
                values: line.values.clone(),
            }
        })
        .collect();
    let count = found.len();
    let mean = |line: &Line| line.legend.avg.unwrap_or(f64::NEG_INFINITY);
    order::sort(&mut found, |a, b| mean(b).total_cmp(&mean(a)).then_with(|| a.key.cmp(&b.key)));
    found.truncate(LINES_MAX);
    // Colours go by name, so that a line keeps its own while values change places.
    let by_key = order::sorted(found.len(), &|a, b| found[a].key.cmp(&found[b].key));
    for (slot, at) in by_key.into_iter().enumerate() {
        found[at].slot = (slot % SLOTS) as u8;
    }
    (found, count)
}

/// Labels that all lines share with the same value, where there is more than one line.
fn common_labels(answer: &MetricRangeAnswer) -> BTreeMap<String, String> {
    let mut lines = answer.lines.iter();
    let Some(first) = lines.next().filter(|_| answer.lines.len() > 1) else { return BTreeMap::new() };
    let mut common = first.labels.clone();
    for line in lines {
        common.retain(|name, value| line.labels.get(name) == Some(value));
    }
    common
}

fn key(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}

/// One telling label is named by its value alone.
fn name(telling: &[(&String, &String)], all: &BTreeMap<String, String>, metric: &str) -> String {
    match (telling, all.len()) {
        ([], 0) => metric.to_owned(),
        ([], _) => key(all),
        ([(_, value)], _) => value_words(value),
        (several, _) => several.iter().map(|(_, value)| value_words(value)).collect::<Vec<_>>().join(" · "),
    }
}

fn value_words(value: &str) -> String {
    if value.is_empty() { "(none)".to_owned() } else { value.to_owned() }
}

/// Indexes of the lines in the order of a column; lines without a value come last either way.
pub fn legend_order(lines: &[Line], column: LegendColumn, is_ascending: bool) -> Vec<usize> {
    order::sorted(lines.len(), &|a, b| {
        let (a, b) = (&lines[a], &lines[b]);
        let by_name = a.name.cmp(&b.name);
        let turned = |ordering: Ordering| if is_ascending { ordering } else { ordering.reverse() };
        match (column, column.value(&a.legend), column.value(&b.legend)) {
            (LegendColumn::Name, ..) => turned(by_name),
            (_, Some(one), Some(other)) => turned(one.total_cmp(&other)).then(by_name),
            (_, Some(_), None) => Ordering::Less,
            (_, None, Some(_)) => Ordering::Greater,
            (_, None, None) => by_name,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{MetricLine, MetricSummary};

    fn answer(lines: &[(&[(&str, &str)], &[Option<f64>])]) -> MetricRangeAnswer {
        let line = |(labels, values): &(&[(&str, &str)], &[Option<f64>])| MetricLine {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            values: values.to_vec(),
        };
        MetricRangeAnswer {
            metric: MetricSummary { name: "m".into(), ..MetricSummary::default() },
            lines: lines.iter().map(line).collect(),
            ..MetricRangeAnswer::default()
        }
    }

    #[test]
    fn names_tell_lines_apart() {
        let check = |lines_: &[&[(&str, &str)]], expect: &[&str]| {
            let pairs: Vec<(&[(&str, &str)], &[Option<f64>])> =
                lines_.iter().map(|labels| (*labels, &[][..])).collect();
            let (found, _) = lines(&answer(&pairs));
            assert_eq!(found.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), expect);
        };
        check(&[&[]], &["m"]);
        check(&[&[("a", "1")]], &["1"]);
        check(&[&[("a", "1"), ("b", "x")], &[("a", "2"), ("b", "x")]], &["1", "2"]);
        check(&[&[("a", "1"), ("b", "x")], &[("a", "2"), ("b", "y")]], &["1 · x", "2 · y"]);
        check(&[&[("a", "")], &[("a", "2")]], &["(none)", "2"]);
    }

    #[test]
    fn legends_sum_lines_up() {
        let values = [Some(2.0), None, Some(f64::NAN), Some(4.0), Some(3.0), None];
        let (found, count) =
            lines(&answer(&[(&[("a", "1")], &values), (&[("a", "2")], &[None]), (&[("a", "3")], &[Some(9.0)])]));
        assert_eq!((count, found[0].name.as_str()), (3, "3"), "greatest mean first");
        assert_eq!(found[1].legend, Legend { last: Some(3.0), min: Some(2.0), max: Some(4.0), avg: Some(3.0) });
        assert_eq!(found[2].legend, Legend::default());
        assert_eq!(found.iter().map(|line| line.slot).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(legend_order(&found, LegendColumn::Max, true), [1, 0, 2]);
        assert_eq!(legend_order(&found, LegendColumn::Max, false), [0, 1, 2]);
        assert_eq!(legend_order(&found, LegendColumn::Name, true), [1, 2, 0]);
    }

    #[test]
    fn services_keep_their_colour() {
        let (found, _) = lines(&answer(&[(&[("service.name", "cart")], &[]), (&[("service.name", "pay")], &[])]));
        assert_eq!(found[0].service.as_deref(), Some("cart"));
        let (found, _) = lines(&answer(&[
            (&[("service.name", "cart"), ("x", "1")], &[]),
            (&[("service.name", "pay"), ("x", "2")], &[]),
        ]));
        assert_eq!(found[0].service, None);
    }

    #[test]
    fn a_flood_of_lines_is_cut() {
        let labels: Vec<(String, f64)> = (0..200).map(|n| (format!("{n:03}"), f64::from(n))).collect();
        let mut flood = answer(&[]);
        flood.lines = labels
            .iter()
            .map(|(value, number)| MetricLine {
                labels: [("a".to_owned(), value.clone())].into(),
                values: vec![Some(*number)],
            })
            .collect();
        let (found, count) = lines(&flood);
        assert_eq!((found.len(), count, found[0].name.as_str()), (LINES_MAX, 200, "199"));
    }
}
