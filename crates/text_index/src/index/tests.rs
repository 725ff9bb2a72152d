//! Brute force: whatever the blocks and the query, no block with a match is excluded.

use super::*;
use crate::IndexBuilder;

const WORDS: &[&str] = &[
    "error",
    "Warn",
    "timeout",
    "GET",
    "/api/users",
    "connection",
    "refused",
    "café",
    "ΟΔΟΣ",
    "日本語",
    "retry",
    "e29b",
    "cafe",
    "add",
    "feed",
    "1a2b",
    "dead",
    "12",
    "404",
    "x",
    "user_id",
    "foo-bar",
];

fn random_hex(random: &mut fastrand::Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(random.u32(..16), 16).unwrap_or('0')).collect()
}

fn random_uuid(random: &mut fastrand::Rng) -> String {
    let mut part = |digits| random_hex(random, digits);
    format!("{}-{}-{}-{}-{}", part(8), part(4), part(4), part(4), part(12))
}

/// A word; small pools make queries hit, fresh ones make terms rare.
fn random_word(random: &mut fastrand::Rng) -> String {
    match random.u32(..20) {
        0 => random_uuid(random),
        1 => random_hex(random, 32),
        2 => random_hex(random, 8),
        3 => random_hex(random, 4),
        4 => format!("{}", random.u64(..)),
        5 => format!("w{}", random.u32(..500)),
        6 => format!("{}{}", "long".repeat(random.usize(15..20)), random.u32(..5)),
        7 => format!("{}{}", "é".repeat(random.usize(30..40)), random.u32(..5)),
        _ => WORDS[random.usize(..WORDS.len())].to_owned(),
    }
}

type Rows = Vec<Vec<Vec<String>>>;

/// Blocks of rows of texts, and the index over them.
fn sample(random: &mut fastrand::Rng, blocks: usize) -> (Rows, TextIndex) {
    let mut text = || {
        let count = random.usize(0..6);
        (0..count).map(|_| random_word(random)).collect::<Vec<_>>().join(" ")
    };
    let rows: Rows = (0..blocks).map(|_| (0..4).map(|_| vec![text(), text()]).collect()).collect();
    let mut builder = IndexBuilder::new();
    for (number, block) in rows.iter().enumerate() {
        builder.add_block(block.iter().flatten(), number as i64, number as i64 + 10, block.len() as u32);
    }
    let index = TextIndex::open(builder.finish().expect("builds")).expect("opens");
    (rows, index)
}

fn list(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    tokens(text, |token| list.push(token.to_owned()));
    list
}

/// What a query means for the tokens of one row.
fn matches(query: &TermQuery, row: &[String]) -> bool {
    let holds = |wanted: &str| row.iter().any(|token| token == wanted);
    match query {
        TermQuery::Token(text) => list(text).iter().all(|token| holds(token)),
        TermQuery::Prefix(prefix) => {
            let mut parts = list(prefix);
            let last = parts.pop().unwrap_or_default();
            let begins = |wanted: &str| row.iter().any(|token| token.starts_with(wanted));
            begins(&last) && parts.iter().all(|part| holds(part)) || begins(&prefix.to_lowercase())
        }
        TermQuery::And(parts) => parts.iter().all(|part| matches(part, row)),
        TermQuery::Or(parts) => parts.iter().any(|part| matches(part, row)),
        TermQuery::All => true,
    }
}

fn random_query(random: &mut fastrand::Rng, rows: &Rows, depth: usize) -> TermQuery {
    let word = |random: &mut fastrand::Rng| {
        let row = &rows[random.usize(..rows.len())];
        let text = &row[random.usize(..row.len())][0];
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        match words.is_empty() || random.u32(..4) == 0 {
            true => random_word(random),
            false => words[random.usize(..words.len())].to_owned(),
        }
    };
    match random.u32(..if depth > 2 { 6 } else { 10 }) {
        0..3 => TermQuery::Token(word(random)),
        3..5 => {
            let word = word(random);
            let cut = random.usize(..=word.chars().count());
            TermQuery::Prefix(word.chars().take(cut.max(1)).collect())
        }
        5 => TermQuery::All,
        kind => {
            let count = random.usize(0..4);
            let parts = (0..count).map(|_| random_query(random, rows, depth + 1)).collect();
            if kind < 8 { TermQuery::And(parts) } else { TermQuery::Or(parts) }
        }
    }
}

#[test]
fn no_block_with_a_match_is_ever_excluded() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut excluded, mut asked) = (0, 0);
    for round in 0..40 {
        let (rows, index) = sample(&mut random, [1, 3, 64, 200][round % 4]);
        assert_eq!((index.blocks(), index.rows()), (rows.len(), rows.len() as u64 * 4));
        let of_row = |row: &Vec<String>| row.iter().flat_map(|text| list(text)).collect::<Vec<String>>();
        let row_tokens: Vec<Vec<Vec<String>>> = rows.iter().map(|block| block.iter().map(of_row).collect()).collect();
        for _ in 0..250 {
            let query = random_query(&mut random, &rows, 0);
            let candidates = index.candidates(&query);
            for (number, block) in row_tokens.iter().enumerate() {
                let has_match = block.iter().any(|row| matches(&query, row));
                assert!(!has_match || candidates.contains(number), "{query:?} excludes block {number}: {block:?}");
                asked += 1;
                excluded += usize::from(!candidates.contains(number));
            }
        }
    }
    assert!(excluded * 3 > asked, "the index excludes next to nothing: {excluded} of {asked}");
}

#[test]
fn single_tokens_are_exact_and_ids_nearly() {
    let mut random = fastrand::Rng::with_seed(8);
    let (rows, index) = sample(&mut random, 300);
    let mut surplus = 0;
    let block_tokens: Vec<Vec<String>> =
        rows.iter().map(|block| block.iter().flatten().flat_map(|text| list(text)).collect()).collect();
    for tokens in &block_tokens {
        for token in tokens {
            let expected: Vec<usize> = (0..rows.len()).filter(|number| block_tokens[*number].contains(token)).collect();
            let Candidates::Blocks(found) = index.candidates(&TermQuery::Token(token.clone())) else {
                panic!("{token} excludes nothing");
            };
            match is_indexed(token) {
                true => assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{token}"),
                false => surplus += found.count() - expected.len(),
            }
        }
    }
    assert!(surplus < 600, "{surplus} blocks too many for ids");
}

#[test]
fn terms_in_many_blocks_are_found_in_each() {
    // Over 128 documents tantivy packs postings in blocks of its own.
    let mut builder = IndexBuilder::new();
    for block in 0..1000 {
        let texts = ["common", if block % 3 == 0 { "third" } else { "other" }];
        builder.add_block(texts, block, block + 5, 256);
    }
    let index = TextIndex::open(builder.finish().expect("builds")).expect("opens");
    let count = |query: &str| match index.candidates(&TermQuery::Token(query.to_owned())) {
        Candidates::Blocks(blocks) => blocks.count(),
        Candidates::All => usize::MAX,
    };
    assert_eq!((count("common"), count("third"), count("missing")), (1000, 334, 0));
    assert_eq!(index.block_time(7), (7, 12));
    assert_eq!((index.block_rows(7), index.rows(), index.terms()), (256, 256_000, 3));
}

#[test]
fn an_index_of_nothing_opens() {
    let index = TextIndex::open(IndexBuilder::new().finish().expect("builds")).expect("opens");
    assert_eq!(index.blocks(), 0);
    assert_eq!(index.candidates(&TermQuery::Token("x".into())), Candidates::Blocks(BlockSet::empty(0)));
    let mut builder = IndexBuilder::new();
    builder.add_block(["", "---"], 0, 0, 2);
    let index = TextIndex::open(builder.finish().expect("builds")).expect("opens");
    assert!(!index.candidates(&TermQuery::Token("x".into())).contains(0));
    assert_eq!(index.candidates(&TermQuery::Token("--".into())), Candidates::All);
    assert_eq!(index.candidates(&TermQuery::And(Vec::new())), Candidates::All);
}

#[test]
fn a_damaged_index_does_not_open() {
    let mut builder = IndexBuilder::new();
    builder.add_block(["some words and 550e8400-e29b-41d4-a716-446655440000"], 1, 2, 1);
    let bytes = builder.finish().expect("builds");
    let check = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut damaged = bytes.clone();
        change(&mut damaged);
        assert!(TextIndex::open(damaged).is_err(), "{name}");
    };
    check("empty", &|bytes| bytes.clear());
    check("one byte", &|bytes| bytes.truncate(1));
    check("half", &|bytes| bytes.truncate(bytes.len() / 2));
    check("one byte short", &|bytes| bytes.truncate(bytes.len() - 1));
    check("one byte more", &|bytes| bytes.push(0));
    check("zeroed", &|bytes| bytes.fill(0));
    for at in 0..bytes.len() {
        check("a flipped bit", &|bytes| bytes[at] ^= 4);
    }
    assert!(TextIndex::open(bytes).is_ok());
}
