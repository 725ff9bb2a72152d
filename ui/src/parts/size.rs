//! Elements that need to know their size.

use std::cell::Cell;
use std::rc::Rc;

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

/// Tells of the element once it is there and whenever its size changes, for as long as the calling part lives.
pub fn watch_size(node: NodeRef<Div>, seen: impl Fn(&web_sys::Element) + 'static) {
    let observer: Rc<Cell<Option<web_sys::ResizeObserver>>> = Rc::default();
    let seen = Rc::new(seen);
    let callback = Closure::<dyn Fn()>::new({
        let seen = Rc::clone(&seen);
        move || {
            if let Some(Some(element)) = node.try_get_untracked() {
                seen(&element);
            }
        }
    });
    let callback = StoredValue::new_local(callback);
    let slot = StoredValue::new_local(observer);
    Effect::new(move |_| {
        let Some(element) = node.get() else { return };
        seen(&element);
        let made = callback.with_value(|callback| web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()));
        if let Ok(observer) = made {
            observer.observe(&element);
            slot.with_value(|slot| slot.set(Some(observer)));
        }
    });
    on_cleanup(move || {
        if let Some(Some(observer)) = slot.try_with_value(|slot| slot.take()) {
            observer.disconnect();
        }
    });
}
