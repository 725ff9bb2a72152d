//! Packs the built UI: `ui_pack <ui.wasm> <ui folder> <output folder> [wasm-opt program and arguments…]`.
//!
//! wasm-bindgen, then wasm-opt where given, then the page: tokens like `__UI_WASM__` in `index.html` and `boot.js`
//! become names that hold a hash of the content, so that a browser may keep those files for ever; `style/*.css` are
//! joined in name order; files in `static/` keep their names. Every file gets a `.br` and a `.gz` beside it where
//! that is smaller. The output folder is written beside its place and renamed.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Below this size the two compressed siblings cost more than they save.
const COMPRESS_BYTES_MIN: usize = 512;

/// One file of the UI as it is served.
struct Asset {
    name: String,
    bytes: Vec<u8>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wasm, ui, output, optimizer @ ..] = arguments.as_slice() else {
        bail!("usage: ui_pack <ui.wasm> <ui folder> <output folder> [wasm-opt program and arguments…]");
    };
    let (ui, output) = (Path::new(ui), Path::new(output));
    let work = output.with_extension("work");
    reset(&work)?;
    let (glue, wasm) = bind(Path::new(wasm), &work)?;
    let wasm = optimize(wasm, optimizer, &work)?;
    let assets = page(ui, glue, wasm)?;
    write(&assets, output)?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

fn reset(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The JavaScript glue and the WebAssembly that wasm-bindgen makes of cargo's output.
fn bind(wasm: &Path, work: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .out_name("ui")
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate(work)
        .context("wasm-bindgen failed")?;
    if work.join("snippets").exists() {
        bail!("the UI uses JavaScript snippets, which are not packed; write them into boot.js or a file in static/");
    }
    Ok((read(&work.join("ui.js"))?, read(&work.join("ui_bg.wasm"))?))
}

/// Runs wasm-opt where a program is given.
fn optimize(wasm: Vec<u8>, optimizer: &[String], work: &Path) -> Result<Vec<u8>> {
    let [program, arguments @ ..] = optimizer else { return Ok(wasm) };
    let (before, after) = (work.join("before.wasm"), work.join("after.wasm"));
    fs::write(&before, &wasm)?;
    let status = Command::new(program).args(arguments).arg(&before).arg("-o").arg(&after).status()?;
    if !status.success() {
        bail!("wasm-opt ended with {status}");
    }
    read(&after)
}

/// All files of the page, tokens replaced.
fn page(ui: &Path, glue: Vec<u8>, wasm: Vec<u8>) -> Result<Vec<Asset>> {
    let glue = hashed("ui", "js", glue);
    let wasm = hashed("ui", "wasm", wasm);
    let style = hashed("style", "css", stylesheet(&ui.join("style"))?);
    let boot = text(&ui.join("boot.js"))?.replace("__UI_JS__", &glue.name).replace("__UI_WASM__", &wasm.name);
    let boot = hashed("boot", "js", boot.into_bytes());
    let index = text(&ui.join("index.html"))?
        .replace("__STYLE_CSS__", &style.name)
        .replace("__BOOT_JS__", &boot.name)
        .replace("__UI_JS__", &glue.name)
        .replace("__UI_WASM__", &wasm.name);
    let index = without_comments(&index);
    if let Some(at) = index.find("/__") {
        bail!("index.html holds a token that nothing replaces: {}", &index[at..index.len().min(at + 30)]);
    }
    let mut assets = vec![Asset { name: "index.html".to_owned(), bytes: index.into_bytes() }, boot, style, glue, wasm];
    for path in sorted(&ui.join("static"))? {
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        assets.push(Asset { name, bytes: read(&path)? });
    }
    Ok(assets)
}

fn hashed(stem: &str, extension: &str, bytes: Vec<u8>) -> Asset {
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Asset { name: format!("{stem}-{:016x}.{extension}", hasher.finish()), bytes }
}

/// HTML without its comments: they are for readers of the source.
fn without_comments(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find("<!--") {
        out.push_str(&rest[..start]);
        rest = rest[start..].find("-->").map_or("", |end| rest[start + end + 3..].trim_start());
    }
    out + rest
}

/// The stylesheets in name order, without comments and indentation.
fn stylesheet(folder: &Path) -> Result<Vec<u8>> {
    let mut out = String::new();
    for path in sorted(folder)?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "css")) {
        let css = text(path)?;
        let mut rest = css.as_str();
        let mut plain = String::with_capacity(css.len());
        while let Some(start) = rest.find("/*") {
            plain.push_str(&rest[..start]);
            rest = rest[start..].find("*/").map_or("", |end| &rest[start + end + 2..]);
        }
        plain.push_str(rest);
        for line in plain.lines().map(str::trim).filter(|line| !line.is_empty()) {
            out.push_str(line);
            out.push('\n');
        }
    }
    Ok(out.into_bytes())
}

fn write(assets: &[Asset], output: &Path) -> Result<()> {
    let fresh = output.with_extension("fresh");
    reset(&fresh)?;
    println!("  {:<34} {:>10} {:>10} {:>10}", "file", "raw", "gzip", "brotli");
    let mut totals = [0_usize; 3];
    for asset in assets {
        fs::write(fresh.join(&asset.name), &asset.bytes)?;
        let (gzip, brotli) = compressed(asset, &fresh)?;
        println!("  {:<34} {:>10} {gzip:>10} {brotli:>10}", asset.name, asset.bytes.len());
        // Licence texts are there for readers; no page asks for them.
        if asset.name.ends_with(".txt") {
            continue;
        }
        for (total, size) in totals.iter_mut().zip([asset.bytes.len(), gzip, brotli]) {
            *total += size;
        }
    }
    println!("  {:<34} {:>10} {:>10} {:>10}", "first visit", totals[0], totals[1], totals[2]);
    if output.exists() {
        fs::remove_dir_all(output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    fs::rename(&fresh, output).with_context(|| format!("cannot put the UI at {}", output.display()))
}

/// Writes `.gz` and `.br` siblings; returns what a browser would fetch of each.
fn compressed(asset: &Asset, folder: &Path) -> Result<(usize, usize)> {
    let length = asset.bytes.len();
    // Fonts are compressed already.
    if length < COMPRESS_BYTES_MIN || asset.name.ends_with(".woff2") {
        return Ok((length, length));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&asset.bytes)?;
    let gzip = gzip.finish()?;
    let mut brotli = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut asset.bytes.as_slice(), &mut brotli, &parameters)?;
    for (bytes, extension) in [(&gzip, "gz"), (&brotli, "br")] {
        if bytes.len() < length {
            fs::write(folder.join(format!("{}.{extension}", asset.name)), bytes)?;
        }
    }
    Ok((gzip.len().min(length), brotli.len().min(length)))
}

/// The files of a folder by name; none where it does not exist.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_leave_the_page() {
        assert_eq!(without_comments("<a><!-- x -->\n<b>"), "<a><b>");
        assert_eq!(without_comments("<a><!-- open"), "<a>");
    }

    #[test]
    fn a_name_follows_the_content() {
        let name = |bytes: &[u8]| hashed("ui", "js", bytes.to_vec()).name;
        assert_eq!(name(b"1"), name(b"1"));
        assert_ne!(name(b"1"), name(b"2"));
    }
}
