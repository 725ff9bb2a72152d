//! The order of tables of services and operations: by a column, or trouble first.

use std::cmp::Ordering;

use api::Red;

use crate::red;

/// What a table can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Name.
    Name,
    /// Calls.
    Calls,
    /// Share of failed calls.
    Errors,
    /// Median duration.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Instances.
    Instances,
    /// Newest record.
    LastSeen,
}

const NAMES: [(Column, &str); 8] = [
    (Column::Name, "name"),
    (Column::Calls, "calls"),
    (Column::Errors, "errors"),
    (Column::P50, "p50"),
    (Column::P95, "p95"),
    (Column::P99, "p99"),
    (Column::Instances, "instances"),
    (Column::LastSeen, "seen"),
];

/// An order; the default has no column: what is in trouble first, then by calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    /// Column and whether the highest comes first.
    pub by: Option<(Column, bool)>,
}

impl Sort {
    /// Reads `calls` or `-calls`; what makes no sense is the default.
    pub fn parse(text: &str) -> Sort {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let column = NAMES.iter().find(|(_, known)| *known == name).map(|(column, _)| *column);
        Sort { by: column.map(|column| (column, descending)) }
    }

    /// The order after a click on a column's head: the way that column is mostly wanted, the other way, the default.
    pub fn clicked(self, column: Column) -> Sort {
        let first = column != Column::Name;
        let by = match self.by {
            Some((now, descending)) if now == column && descending == first => Some((column, !first)),
            Some((now, _)) if now == column => None,
            _ => Some((column, first)),
        };
        Sort { by }
    }

    /// How a row of these keys stands to another.
    pub fn compare(self, a: &Keys<'_>, b: &Keys<'_>) -> Ordering {
        let order = match self.by {
            None => trouble_first(a, b),
            Some((Column::Name, true)) => return b.name.cmp(a.name),
            Some((Column::Name, false)) => return a.name.cmp(b.name),
            Some((column, descending)) => by_number(a.number(column), b.number(column), descending),
        };
        order.then_with(|| a.name.cmp(b.name))
    }
}

impl std::fmt::Display for Sort {
    /// As [`Sort::parse`] reads it; the default is empty.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((column, descending)) = self.by else { return Ok(()) };
        let name = NAMES.iter().find(|(known, _)| *known == column).map_or("", |(_, name)| name);
        write!(f, "{}{name}", if descending { "-" } else { "" })
    }
}

/// What a row is sorted by.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its calls.
    pub red: &'a Red,
    /// Instances.
    pub instance_count: u64,
    /// Newest record.
    pub last_seen: i64,
}

impl Keys<'_> {
    fn number(&self, column: Column) -> Option<f64> {
        let count = |number: u64| Some(number as f64);
        match column {
            Column::Name => None,
            Column::Calls => count(self.red.calls),
            Column::Errors => red::share(self.red),
            Column::P50 => self.red.p50_nano.and_then(count),
            Column::P95 => self.red.p95_nano.and_then(count),
            Column::P99 => self.red.p99_nano.and_then(count),
            Column::Instances => count(self.instance_count),
            Column::LastSeen => Some(self.last_seen as f64),
        }
    }
}

/// What is not known comes last, whichever way the rest is.
fn by_number(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn trouble_first(a: &Keys<'_>, b: &Keys<'_>) -> Ordering {
    let errors = |keys: &Keys<'_>| if red::is_trouble(red::share(keys.red)) { keys.red.errors } else { 0 };
    errors(b).cmp(&errors(a)).then(b.red.calls.cmp(&a.red.calls))
}

/// Whether a name holds what was typed, in upper or lower case.
pub fn matches(name: &str, typed: &str) -> bool {
    let typed = typed.trim();
    typed.is_empty() || name.to_lowercase().contains(&typed.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        let red = |calls, errors, p99_nano| Red { calls, errors, p99_nano, ..Red::default() };
        let rows = [
            ("payment", red(112, 10, Some(1_840)), 3),
            ("gateway", red(402, 2, Some(912)), 1),
            ("checkout", red(140, 4, Some(2_210)), 2),
            ("logs-only", red(0, 0, None), 9),
            ("catalog", red(402, 0, Some(44)), 5),
        ];
        let sort = Sort::parse(text);
        let mut keys: Vec<Keys<'_>> = rows
            .iter()
            .map(|(name, red, instances)| Keys {
                name,
                red,
                instance_count: *instances,
                last_seen: -(*instances as i64),
            })
            .collect();
        keys.sort_by(|a, b| sort.compare(a, b));
        keys.iter().map(|keys| keys.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn orders() {
        let check = |text: &str, expect: &str| assert_eq!(names(text), expect, "{text}");
        check("", "payment checkout catalog gateway logs-only");
        check("nonsense", "payment checkout catalog gateway logs-only");
        check("name", "catalog checkout gateway logs-only payment");
        check("-name", "payment logs-only gateway checkout catalog");
        check("-calls", "catalog gateway checkout payment logs-only");
        check("-errors", "payment checkout gateway catalog logs-only");
        check("p99", "catalog gateway payment checkout logs-only");
        check("-p99", "checkout payment gateway catalog logs-only");
        check("-seen", "gateway checkout payment catalog logs-only");
    }

    #[test]
    fn clicks_go_round() {
        let check = |column: Column, expect: [&str; 4]| {
            let mut sort = Sort::default();
            let seen: Vec<String> = (0..4)
                .map(|_| {
                    sort = sort.clicked(column);
                    assert_eq!(Sort::parse(&sort.to_string()), sort);
                    sort.to_string()
                })
                .collect();
            assert_eq!(seen, expect);
        };
        check(Column::Calls, ["-calls", "calls", "", "-calls"]);
        check(Column::Name, ["name", "-name", "", "name"]);
        assert_eq!(Sort::parse("calls").clicked(Column::P99).to_string(), "-p99");
    }

    #[test]
    fn filters() {
        assert!(matches("Checkout", " check ") && matches("x", "") && !matches("cart", "carts"));
    }
}
