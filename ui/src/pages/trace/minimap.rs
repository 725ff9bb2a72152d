//! The whole trace in a strip. Dragging across it zooms.

use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use ui_core::trace;
use wasm_bindgen::JsCast;

use super::{TraceContext, TraceData};
use crate::parts::{capture_pointer, share_at};

/// Lines of the strip.
const LINES: u32 = 22;
/// Pixels of a line.
const LINE_HEIGHT: f64 = 2.0;

/// The strip.
#[component]
pub fn Minimap() -> impl IntoView {
    let context: TraceContext = expect_context();
    let frame = NodeRef::<Div>::new();
    let canvas = NodeRef::<Canvas>::new();
    let drag = RwSignal::new(None::<(f64, f64)>);
    let width = RwSignal::new(0_u32);
    let resize = window_event_listener(leptos::ev::resize, move |_| width.set(width_of(frame)));
    on_cleanup(move || resize.remove());
    Effect::new(move |_| {
        if frame.get().is_some() {
            width.set(width_of(frame));
        }
    });
    draw_when_needed(context, canvas, width);
    let share = move |client_x: i32| share_at(frame, client_x);
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 {
            capture_pointer(frame, &event);
            let at = share(event.client_x());
            drag.set(Some((at, at)));
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        if let Some((from, _)) = drag.get_untracked() {
            drag.set(Some((from, share(event.client_x()))));
        }
    };
    let up = move |_| {
        let Some((one, other)) = drag.get_untracked() else { return };
        drag.set(None);
        let (from, to) = (one.min(other), one.max(other));
        if to - from > 0.003 {
            context.go(false, |state| state.zoom = Some((from, to)));
        }
    };
    let shades = move || {
        let zoom = drag.get().map(|(a, b)| (a.min(b), a.max(b))).or_else(|| context.state.with(|state| state.zoom));
        zoom.map(|(from, to)| {
            view! {
                <div class="minimap-shade" style=format!("left:0;width:{}%", from * 100.0)></div>
                <div class="minimap-shade" style=format!("left:{}%;right:0", to * 100.0)></div>
            }
        })
    };
    view! {
        <div class="minimap" node_ref=frame data-testid="minimap" title="Drag to zoom, double click for the whole trace"
            on:pointerdown=down on:pointermove=moved on:pointerup=up on:pointercancel=move |_| drag.set(None)
            on:dblclick=move |_| context.go(false, |state| state.zoom = None)>
            <canvas node_ref=canvas role="img" aria-label="Overview of the trace"></canvas>
            {shades}
        </div>
    }
}

/// Draws after the rows are painted: the strip is the lesser part.
fn draw_when_needed(context: TraceContext, canvas: NodeRef<Canvas>, width: RwSignal<u32>) {
    Effect::new(move |_| {
        let (data, width) = (context.trace.data.get(), width.get());
        context.session.is_light.track();
        request_animation_frame(move || {
            request_animation_frame(move || {
                if let (Some(data), Some(Some(canvas))) = (data.as_deref(), canvas.try_get_untracked()) {
                    draw(context, data, &canvas, width);
                }
            });
        });
    });
}

fn width_of(frame: NodeRef<Div>) -> u32 {
    frame.get_untracked().map_or(0, |element| element.client_width().max(0) as u32)
}

fn draw(context: TraceContext, data: &TraceData, canvas: &web_sys::HtmlCanvasElement, width: u32) {
    let ratio = window().device_pixel_ratio().clamp(1.0, 3.0);
    let height = f64::from(LINES) * LINE_HEIGHT;
    canvas.set_width((f64::from(width) * ratio) as u32);
    canvas.set_height((height * ratio) as u32);
    let drawing =
        canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<web_sys::CanvasRenderingContext2d>().ok());
    let style = document().document_element().and_then(|root| window().get_computed_style(&root).ok().flatten());
    let (Some(drawing), Some(style)) = (drawing, style) else { return };
    let colour = |name: &str| style.get_property_value(name).unwrap_or_default();
    let document = &data.document;
    let colours: Vec<String> =
        document.services.iter().map(|name| colour(&format!("--c{}", context.session.slot(name)))).collect();
    let error = colour("--err");
    let _ = drawing.scale(ratio, ratio);
    let lines = LINES.min(document.spans.len() as u32).max(1);
    // Few spans get lines of more height, as far as that looks like bars.
    let line_height = (height / f64::from(lines)).clamp(LINE_HEIGHT, 4.0);
    for rect in trace::minimap(document, &data.layout, width, LINES) {
        let fill = rect.service.and_then(|service| colours.get(usize::from(service))).unwrap_or(&error);
        drawing.set_fill_style_str(fill);
        let gap = if lines == LINES { 0.0 } else { 1.0 };
        drawing.fill_rect(
            f64::from(rect.x),
            f64::from(rect.line) * line_height,
            f64::from(rect.width),
            line_height - gap,
        );
    }
}
