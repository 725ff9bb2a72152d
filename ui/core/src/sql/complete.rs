//! What can be typed at a place in a query: tables behind FROM and JOIN, columns of the tables the query names, words
//! of the language and functions.

use std::collections::BTreeMap;
use std::ops::Range;

use api::SqlAnswer;

use super::lex::{KEYWORDS, Lexeme, LexemeKind, lex};
use crate::completion::{Candidate, Completion, floor_boundary, matching};

/// Functions people reach for, with what they take.
const FUNCTIONS: &[(&str, &str)] = &[
    ("count", "(*)"),
    ("sum", "(x)"),
    ("avg", "(x)"),
    ("min", "(x)"),
    ("max", "(x)"),
    ("approx_percentile_cont", "(x, 0.95)"),
    ("approx_distinct", "(x)"),
    ("date_trunc", "('minute', time)"),
    ("date_bin", "(interval '5 minutes', time)"),
    ("now", "()"),
    ("coalesce", "(x, y)"),
    ("length", "(text)"),
    ("lower", "(text)"),
    ("upper", "(text)"),
    ("substr", "(text, from, length)"),
    ("regexp_like", "(text, pattern)"),
    ("regexp_replace", "(text, pattern, with)"),
    ("starts_with", "(text, head)"),
    ("strpos", "(text, part)"),
    ("round", "(x, digits)"),
    ("abs", "(x)"),
];

/// Tables and their columns, as the server names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// Columns with their types, in order, by table.
    pub tables: BTreeMap<String, Vec<(String, String)>>,
}

impl Schema {
    /// Asks the server for it.
    pub const QUERY: &'static str = "SELECT table_name, column_name, data_type FROM information_schema.columns \
                                     WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";

    /// Reads the answer to [`Schema::QUERY`].
    pub fn of(answer: &SqlAnswer) -> Schema {
        let mut schema = Schema::default();
        for row in &answer.rows {
            if let [Some(table), Some(column), Some(kind)] = [0, 1, 2].map(|at| row.get(at).and_then(|v| v.as_str())) {
                let columns = schema.tables.entry(table.to_owned()).or_default();
                columns.push((column.to_owned(), super::table::short_type(kind)));
            }
        }
        schema
    }
}

/// What may stand at the caret.
pub fn complete(text: &str, caret: usize, schema: &Schema) -> Completion {
    let caret = floor_boundary(text, caret);
    let lexemes = lex(text);
    let here = lexemes.iter().position(|(_, range)| range.start < caret && caret <= range.end);
    let word = here.map(|at| &lexemes[at]);
    let is_word = word.is_some_and(|(kind, _)| matches!(kind, LexemeKind::Name | LexemeKind::Keyword));
    match word {
        // Nothing completes a text, a comment or a number.
        Some((LexemeKind::Text | LexemeKind::Comment | LexemeKind::Number, range))
            if caret < range.end || !text[range.clone()].ends_with(['\'', '/']) =>
        {
            return Completion { range: caret..caret, candidates: Vec::new() };
        }
        _ => {}
    }
    let start = word.filter(|_| is_word).map_or(caret, |(_, range)| range.start);
    let before: Vec<&Lexeme> = lexemes.iter().filter(|(_, range)| range.end <= start).collect();
    let typed = text[start..caret].trim_start_matches('"');
    let named = sources(text, &lexemes, schema, start..caret);
    let candidates =
        match before.last().map(|(_, range)| &text[range.clone()]) {
            Some(".") => {
                let owner = before.len().checked_sub(2).map(|at| unquoted(&text[before[at].1.clone()]));
                let table = owner.and_then(|owner| named.get(&owner.to_lowercase()).cloned().or(Some(owner)));
                columns(schema, table.iter().map(String::as_str))
            }
            Some(word) if ["from", "join"].iter().any(|from| word.eq_ignore_ascii_case(from)) => tables(schema),
            Some(",") if is_in_from(text, &before) => tables(schema),
            _ => {
                let all: Vec<&str> = match named.is_empty() {
                    true => schema.tables.keys().map(String::as_str).collect(),
                    false => named.values().map(String::as_str).collect(),
                };
                let mut candidates = columns(schema, all);
                candidates.extend(named.iter().filter(|(alias, table)| alias != table).map(|(alias, table)| {
                    Candidate { text: alias.clone(), insert: format!("{alias}."), detail: format!("alias of {table}") }
                }));
                candidates.extend(FUNCTIONS.iter().map(|(name, takes)| Candidate {
                    text: (*name).to_owned(),
                    insert: format!("{name}("),
                    detail: (*takes).to_owned(),
                }));
                candidates.extend(KEYWORDS.iter().map(|word| Candidate::new(word, "")));
                candidates
            }
        };
    Completion { range: start..caret, candidates: matching(typed, candidates) }
}

fn tables(schema: &Schema) -> Vec<Candidate> {
    schema.tables.iter().map(|(name, columns)| Candidate::new(name, &format!("{} columns", columns.len()))).collect()
}

/// Columns of these tables, each name once.
fn columns<'a>(schema: &Schema, tables: impl IntoIterator<Item = &'a str>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for table in tables {
        for (name, kind) in schema.tables.get(table).into_iter().flatten() {
            if !found.iter().any(|candidate| candidate.text == *name) {
                let detail = format!("{kind} · {table}");
                found.push(Candidate { text: name.clone(), insert: quoted(name), detail });
            }
        }
    }
    found
}

/// A name as a query has to write it.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn unquoted(name: &str) -> String {
    name.trim_matches('"').replace("\"\"", "\"")
}

/// The tables that the query reads, by the names it gives them. The word that is being typed names nothing yet.
fn sources(text: &str, lexemes: &[Lexeme], schema: &Schema, typed: Range<usize>) -> BTreeMap<String, String> {
    let known = |(_, range): &&Lexeme| typed.is_empty() || range.start != typed.start;
    let word = |at: usize| lexemes.get(at).filter(known).map(|(kind, range)| (*kind, &text[range.clone()]));
    let mut found = BTreeMap::new();
    for (at, (kind, range)) in lexemes.iter().enumerate() {
        let table = unquoted(&text[range.clone()]).to_lowercase();
        let is_source = *kind == LexemeKind::Name
            && schema.tables.contains_key(&table)
            && at.checked_sub(1).and_then(word).is_some_and(|(_, before)| {
                before == "," || ["from", "join"].iter().any(|from| before.eq_ignore_ascii_case(from))
            });
        if !is_source {
            continue;
        }
        let behind = match word(at + 1) {
            Some((LexemeKind::Keyword, next)) if next.eq_ignore_ascii_case("as") => word(at + 2),
            next => next,
        };
        let alias = match behind {
            Some((LexemeKind::Name, alias)) => unquoted(alias).to_lowercase(),
            _ => table.clone(),
        };
        found.insert(alias, table);
    }
    found
}

/// Whether a comma here parts tables: the last clause begun is FROM.
fn is_in_from(text: &str, before: &[&Lexeme]) -> bool {
    const CLAUSES: [&str; 7] = ["select", "from", "where", "group", "order", "having", "on"];
    let clause = before.iter().rev().map(|(_, range)| text[range.clone()].to_lowercase());
    clause.into_iter().find(|word| CLAUSES.contains(&word.as_str())).as_deref() == Some("from")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        let row = |table: &str, column: &str| vec![json!(table), json!(column), json!("Utf8View")];
        Schema::of(&SqlAnswer {
            rows: vec![
                row("logs", "time"),
                row("logs", "body"),
                row("spans", "time"),
                row("spans", "name"),
                row("spans", "Odd Name"),
            ],
            ..SqlAnswer::default()
        })
    }

    /// `|` marks the caret. The first few inserts, and the piece they replace.
    fn check(marked: &str, piece: &str, expect: &[&str]) {
        let caret = marked.find('|').expect("a caret");
        let text = marked.replace('|', "");
        let found = complete(&text, caret, &schema());
        let inserts: Vec<&str> = found.candidates.iter().take(expect.len().max(1)).map(|c| c.insert.as_str()).collect();
        assert_eq!((&text[found.range.clone()], inserts.as_slice()), (piece, expect), "{marked}");
    }

    #[test]
    fn tables_stand_behind_from() {
        check("SELECT * FROM |", "", &["logs", "spans"]);
        check("SELECT * FROM sp|", "sp", &["spans"]);
        check("select 1 from logs l join |", "", &["logs", "spans"]);
        check("select 1 from logs, |", "", &["logs", "spans"]);
    }

    #[test]
    fn columns_are_those_of_the_querys_tables() {
        check("SELECT bo| FROM logs", "bo", &["body"]);
        check("SELECT na| FROM logs", "na", &[]);
        check("SELECT na|", "na", &["name"]);
        check("SELECT s.| FROM logs l JOIN spans AS s ON true", "", &["time", "name", "\"Odd Name\""]);
        check("SELECT l.bo| FROM logs l", "bo", &["body"]);
        check("SELECT spans.n| FROM spans", "n", &["name", "\"Odd Name\""]);
        check("SELECT name, | FROM spans", "", &["time", "name"]);
    }

    #[test]
    fn words_and_functions() {
        check("sel|", "sel", &["SELECT"]);
        check("SELECT cou| FROM logs", "cou", &["count("]);
        check("SELECT 1 FROM logs GRO|", "GRO", &["GROUP BY"]);
    }

    #[test]
    fn texts_and_comments_complete_nothing() {
        check("SELECT 'bo|'", "", &[]);
        check("SELECT 'bo|", "", &[]);
        check("-- bo|", "", &[]);
        check("SELECT 12|", "", &[]);
    }
}
