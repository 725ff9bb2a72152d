//! Bytes and time of the index over generated log lines. Prints, asserts next to nothing:
//! `cargo test --release -p text_index --test measure -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use text_index::{Candidates, IndexBuilder, TermQuery, TextIndex, tokens};

const LINES: usize = 131_072;
/// Block sizes compared; docs/adr/0002 chose from them.
const BLOCK_LINES: [usize; 5] = [64, 128, 256, 512, 1024];

fn hex(random: &mut fastrand::Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(random.u32(..16), 16).unwrap_or('0')).collect()
}

/// A line as services write them: templates with ids, numbers, paths, addresses and names in them.
fn line(random: &mut fastrand::Rng) -> String {
    const SERVICES: [&str; 6] = ["frontend", "cart", "checkout", "payment", "shipping", "catalog"];
    const PATHS: [&str; 6] =
        ["/api/cart", "/api/products", "/api/checkout", "/healthz", "/api/currency", "/static/app.js"];
    let service = SERVICES[random.usize(..6)];
    let path = PATHS[random.usize(..6)];
    let millis = f64::from(random.u32(1..90_000)) / 100.0;
    let user = random.u32(1..20_000);
    match random.u32(..10) {
        0..4 => {
            let (a, b) = (random.u8(..), random.u8(..));
            let bytes = random.u32(100..60_000);
            format!("10.0.{a}.{b} - - \"GET {path}/{user} HTTP/1.1\" 200 {bytes} \"-\" \"Mozilla/5.0\" {millis}ms")
        }
        4..6 => format!("order placed user_id={user} total={}.{:02} EUR items={}", user % 400, user % 100, user % 9),
        6 => {
            let request = hex(random, 32);
            format!("[{service}] request {request} finished in {millis} ms with status OK")
        }
        7 => {
            let (a, b) = (hex(random, 8), hex(random, 12));
            format!("payment {a}-1c2d-4e3f-8a5b-{b} accepted by provider, charged card ending in {:04}", user % 10_000)
        }
        8 => format!(
            "connection to {service}-{}.default.svc:5432 timed out after {millis}ms, retry {}",
            user % 12,
            user % 4
        ),
        _ => format!("cache miss for product sku-{:05} in shard {}: loading from database", user % 3000, user % 16),
    }
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let mut random = fastrand::Rng::with_seed(1);
    let lines: Vec<String> = (0..LINES).map(|_| line(&mut random)).collect();
    let text_bytes: usize = lines.iter().map(String::len).sum();
    let per_line = |elapsed: std::time::Duration| elapsed.as_secs_f64() * 1e6 / LINES as f64;
    println!("{LINES} lines, {} bytes each", text_bytes / LINES);
    for block_lines in BLOCK_LINES {
        println!("blocks of {block_lines} lines");
        let start = Instant::now();
        let mut count = 0;
        lines.iter().for_each(|line| tokens(line, |token| count += black_box(token).len().min(1)));
        let tokenized = start.elapsed();
        let start = Instant::now();
        let mut builder = IndexBuilder::new();
        for (block, lines) in lines.chunks(block_lines).enumerate() {
            builder.add_block(lines, block as i64, block as i64, lines.len() as u32);
        }
        let added = start.elapsed();
        let memory = builder.memory_bytes();
        let start = Instant::now();
        let bytes = builder.finish().expect("builds");
        let finished = start.elapsed();
        let start = Instant::now();
        let index = TextIndex::open(bytes.clone()).expect("opens");
        let opened = start.elapsed();
        println!(
            "{:.1} tokens a line; tokens {:.2} µs, add (tokens included) {:.2} µs, finish {:.2} µs a line; {:.2} bytes \
             a line, {} terms, {} KiB while building, open {:?}",
            count as f64 / LINES as f64,
            per_line(tokenized),
            per_line(added),
            per_line(finished),
            bytes.len() as f64 / LINES as f64,
            index.terms(),
            memory >> 10,
            opened,
        );
        for query in ["timed", "sku", "17999", "accepted", &hex(&mut random, 32)] {
            let start = Instant::now();
            let candidates = index.candidates(&TermQuery::Token(query.to_owned()));
            let elapsed = start.elapsed();
            let Candidates::Blocks(blocks) = candidates else { panic!("{query} excludes nothing") };
            println!("  {query}: {} of {} blocks, {elapsed:?}", blocks.count(), index.blocks());
        }
    }
}
