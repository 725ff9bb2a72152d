//! The drawing: nodes in layers, edges between them; moved by dragging, zoomed by the wheel, walked by arrow keys.
//!
//! One node is a stop of the Tab key, arrows lead to the others, Enter looks at one. The edges of the node looked at
//! are stops too, so that what is said of them is not for the pointer alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::html::Div;
use leptos::prelude::*;
use ui_core::red;
use ui_core::service_map::{self, Direction, Graph, Layout, View, neighbour};
use wasm_bindgen::JsCast;

use super::{MapContext, drawn, node};
use crate::parts::icons::{self, icon};
use crate::parts::size::watch_size;

/// How much one step of the wheel or a button zooms.
const ZOOM_STEP: f64 = 1.2;

/// What is drawn: equal to itself only.
#[derive(Clone)]
pub struct Picture {
    pub graph: Arc<Graph>,
    pub layout: Arc<Layout>,
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layout, &other.layout)
    }
}

/// What the parts of the drawing share; handles, cheap to copy.
#[derive(Clone, Copy)]
pub struct Canvas {
    pub context: MapContext,
    pub picture: Memo<Option<Picture>>,
    pub view: RwSignal<View>,
    /// Size of the box it is seen in.
    pub size: RwSignal<(f64, f64)>,
    /// The node the Tab key stops at.
    pub cursor: RwSignal<usize>,
    /// The edge that something is said of.
    pub hovered: RwSignal<Option<usize>>,
    /// Nodes that are not faded: the one looked at and its neighbours, or all.
    pub near: Memo<Option<(usize, BTreeSet<usize>)>>,
}

impl Canvas {
    /// Looks at a node, or at none where it was looked at already.
    pub fn choose(self, index: usize) {
        self.cursor.set(index);
        if let Some(picture) = self.picture.get_untracked() {
            self.context.toggle(&picture.graph.nodes[index].id);
        }
    }

    /// Goes to the nearest node in a direction.
    pub fn walk(self, from: usize, direction: Direction) {
        let Some(picture) = self.picture.get_untracked() else { return };
        let Some(next) = neighbour(&picture.layout, from, direction) else { return };
        self.cursor.set(next);
        self.view.update(|view| *view = view.showing(&picture.layout, next, self.size.get_untracked()));
        let element = document().get_element_by_id(&node::element_id(next));
        if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::SvgElement>().ok()) {
            let _ = element.focus();
        }
    }

    fn fit(self) {
        if let Some(picture) = self.picture.get_untracked() {
            self.view.set(View::fitted(&picture.layout, self.size.get_untracked()));
        }
    }

    fn zoom(self, factor: f64) {
        let (width, height) = self.size.get_untracked();
        self.view.update(|view| *view = view.zoomed(factor, (width / 2.0, height / 2.0)));
    }
}

/// The drawing.
#[component]
pub fn Drawing() -> impl IntoView {
    let context: MapContext = expect_context();
    let node = NodeRef::<Div>::new();
    let picture = Memo::new(move |_| {
        let graph = drawn(context)?;
        let layout = Arc::new(service_map::layout(&graph));
        Some(Picture { graph, layout })
    });
    let near = Memo::new(move |_| {
        let picture = picture.get()?;
        let index = context.state.with(|state| picture.graph.find(&state.focus))?;
        Some((index, picture.graph.near(index)))
    });
    let canvas = Canvas {
        context,
        picture,
        view: RwSignal::new(View::default()),
        size: RwSignal::new((0.0, 0.0)),
        cursor: RwSignal::new(0),
        hovered: RwSignal::new(None),
        near,
    };
    watch_size(node, move |element| {
        canvas.size.try_set((f64::from(element.client_width()), f64::from(element.client_height())));
    });
    keep_in_view(canvas);
    let wheel = move |event: leptos::ev::WheelEvent| {
        event.prevent_default();
        let Some(element) = node.get_untracked() else { return };
        let rect = element.get_bounding_client_rect();
        let at = (f64::from(event.client_x()) - rect.left(), f64::from(event.client_y()) - rect.top());
        let factor = if event.delta_y() < 0.0 { ZOOM_STEP } else { 1.0 / ZOOM_STEP };
        canvas.view.update(|view| *view = view.zoomed(factor, at));
    };
    let dragged = RwSignal::new(None::<(f64, f64)>);
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 {
            crate::parts::capture_pointer(node, &event);
            dragged.set(Some((f64::from(event.client_x()), f64::from(event.client_y()))));
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        let Some((x, y)) = dragged.get_untracked() else { return };
        let now = (f64::from(event.client_x()), f64::from(event.client_y()));
        canvas.view.update(|view| *view = view.moved(now.0 - x, now.1 - y));
        dragged.set(Some(now));
    };
    view! {
        <div class="map-box" node_ref=node data-testid="map" class:dragged=move || dragged.get().is_some()
            on:wheel=wheel on:pointerdown=down on:pointermove=moved on:pointerup=move |_| dragged.set(None)
            on:pointercancel=move |_| dragged.set(None)>
            {move || picture.get().map(|picture| drawing(canvas, &picture))}
            {move || tooltip(canvas)}
            <div class="map-zoom" on:pointerdown=move |event| event.stop_propagation()>
                <button type="button" class="button icon-only" aria-label="Zoom in" title="Zoom in"
                    on:click=move |_| canvas.zoom(ZOOM_STEP)>{icon(icons::PLUS)}</button>
                <button type="button" class="button icon-only" aria-label="Zoom out" title="Zoom out"
                    on:click=move |_| canvas.zoom(1.0 / ZOOM_STEP)>{icon(icons::MINUS)}</button>
                <button type="button" class="button icon-only" aria-label="Show all" title="Show all"
                    on:click=move |_| canvas.fit()>{icon(icons::FIT)}</button>
            </div>
        </div>
    }
}

/// Fits what is looked at into the box whenever that changes, and again when the box does while nobody has moved it.
fn keep_in_view(canvas: Canvas) {
    let fitted = StoredValue::new(None::<View>);
    Effect::new(move |earlier: Option<(Vec<String>, Option<usize>)>| {
        let size = canvas.size.get();
        let near = canvas.near.get();
        let focused = near.as_ref().map(|(index, _)| *index);
        let Some(picture) = canvas.picture.get().filter(|_| size.0 > 0.0) else { return (Vec::new(), None) };
        let shown = (picture.graph.nodes.iter().map(|node| node.id.clone()).collect(), focused);
        let is_same = earlier.as_ref() == Some(&shown);
        if !is_same {
            canvas.cursor.set(focused.unwrap_or(0));
        }
        if !is_same || fitted.get_value() == Some(canvas.view.get_untracked()) {
            let view = View::around(&picture.layout, near.into_iter().flat_map(|(_, near)| near), size);
            fitted.set_value(Some(view));
            canvas.view.set(view);
        }
        shown
    });
}

fn drawing(canvas: Canvas, picture: &Picture) -> impl IntoView + use<> {
    let graph = &picture.graph;
    let widths = graph.widths();
    let edges = (0..graph.edges.len()).map(|index| edge(canvas, picture, index, widths[index]));
    let nodes = (0..graph.nodes.len()).map(|index| node::node(canvas, picture, index));
    // Arrow heads of one size, whatever the thickness of their edge.
    let head = |id: &'static str, class: &'static str| {
        view! {
            <marker id=id class=class viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"
                markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.500L8 4L0 7.500z"></path></marker>
        }
    };
    view! {
        <svg class="map-drawing" role="group" aria-label="Map of services: arrows lead from one to the next, Enter looks at one">
            <defs>{head("arrow", "arrow")}{head("arrow-error", "arrow error")}{head("arrow-on", "arrow on")}</defs>
            <g transform=move || canvas.view.get().transform()>
                <g>{edges.collect_view()}</g>
                <g>{nodes.collect_view()}</g>
            </g>
        </svg>
    }
}

fn edge(canvas: Canvas, picture: &Picture, index: usize, width: f64) -> impl IntoView + use<> {
    let edge = &picture.graph.edges[index];
    let (source, target) = (edge.source, edge.target);
    let in_trouble = red::is_trouble(red::share(&edge.red));
    let words = edge_words(canvas, picture, index);
    let curve = picture.layout.curves[index].clone();
    let is_near = move || canvas.near.with(|near| near.as_ref().map(|(at, _)| *at == source || *at == target));
    let is_on = move || canvas.hovered.get() == Some(index) || is_near() == Some(true);
    let marker = move || match (in_trouble, is_on()) {
        (true, _) => "url(#arrow-error)",
        (false, true) => "url(#arrow-on)",
        (false, false) => "url(#arrow)",
    };
    view! {
        <g class="edge" class:error=in_trouble class:on=is_on class:faded=move || is_near() == Some(false)
            data-testid="map-edge" role="img" aria-label=words tabindex=move || if is_near() == Some(true) { "0" } else { "-1" }
            on:pointerenter=move |_| canvas.hovered.set(Some(index)) on:pointerleave=move |_| canvas.hovered.set(None)
            on:focus=move |_| canvas.hovered.set(Some(index)) on:blur=move |_| canvas.hovered.set(None)>
            <path class="edge-line" d=curve.clone() stroke-width=format!("{width:.1}") marker-end=marker></path>
            <path class="edge-hit" d=curve></path>
        </g>
    }
}

fn edge_words(canvas: Canvas, picture: &Picture, index: usize) -> String {
    let edge = &picture.graph.edges[index];
    let name = |node: usize| picture.graph.nodes[node].name.clone();
    format!("{} to {}: {}", name(edge.source), name(edge.target), red::words(&edge.red, canvas.context.window()))
}

/// What is said of the edge under the pointer, or of the one that has the focus.
fn tooltip(canvas: Canvas) -> Option<impl IntoView + use<>> {
    let index = canvas.hovered.get()?;
    let picture = canvas.picture.get()?;
    let edge = picture.graph.edges.get(index)?;
    let (x, y) = *picture.layout.middles.get(index)?;
    let view = canvas.view.get();
    let style = format!("left:{:.0}px;top:{:.0}px", x * view.scale + view.x, y * view.scale + view.y);
    let name = |node: usize| picture.graph.nodes[node].name.clone();
    Some(view! {
        <div class="tooltip map-tooltip" style=style data-testid="map-tooltip" aria-hidden="true">
            <b>{format!("{} → {}", name(edge.source), name(edge.target))}</b>
            <span class="muted">{red::words(&edge.red, canvas.context.window())}</span>
        </div>
    })
}
