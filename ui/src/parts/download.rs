//! Hands a text to the browser as a file.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// How long the browser may take to begin; then the text is given up.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Offers the text for download under a name.
pub fn download(name: &str, kind: &str, text: &str) {
    let _ = offer(name, kind, text);
}

fn offer(name: &str, kind: &str, text: &str) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options)?;
    let url = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.dyn_into()?;
    link.set_href(&url);
    link.set_download(name);
    // The router follows links of the page; this one leads nowhere.
    link.set_attribute("rel", "external")?;
    link.click();
    set_timeout(move || drop(Url::revoke_object_url(&url)), PATIENCE);
    Ok(())
}
