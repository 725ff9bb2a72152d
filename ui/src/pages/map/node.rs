//! One node of the drawing: a service as a card in its colour, a database as a cylinder, a queue as a pill, what is
//! outside as a dashed box; its calls, its p99, and a bar for the share of its calls that failed.

use leptos::prelude::*;
use ui_core::service_map::{Direction, NODE_HEIGHT, NODE_WIDTH, kind_words};
use ui_core::{format, red};

use super::drawing::{Canvas, Picture};

/// Characters of a name that fit.
const NAME_CHARACTERS_MAX: usize = 22;
/// Width of the bar for failed calls.
const BAR_WIDTH: f64 = NODE_WIDTH - 24.0;

/// Id of a node's element.
pub fn element_id(index: usize) -> String {
    format!("map-node-{index}")
}

/// The node.
pub fn node(canvas: Canvas, picture: &Picture, index: usize) -> impl IntoView + use<> {
    let node = &picture.graph.nodes[index];
    let place = picture.layout.places[index];
    let window = canvas.context.window();
    let kind = kind_words(&node.kind);
    let is_service = node.kind == "service";
    let share = red::share(&node.red);
    let numbers = match node.red.calls {
        0 => "no calls".to_owned(),
        calls => format!("{} · {}", red::rate_words(red::rate(calls, window)), red::nano_words(node.red.p99_nano)),
    };
    let numbers = if is_service { numbers } else { format!("{kind} · {numbers}") };
    let class = match is_service {
        true => format!("node slot-{}", canvas.context.session.slot(&node.name)),
        false => format!("node {kind}"),
    };
    // What is read out begins with what is seen, word by word: whoever speaks to the page says what they see.
    let name = format::cut(&node.name, NAME_CHARACTERS_MAX);
    let whole = (name != node.name).then(|| node.name.clone());
    let failed = share.map_or_else(String::new, |share| format!(", {} errors", red::share_words(share)));
    let seen = whole.iter().chain([&name, &numbers]).map(String::as_str).collect::<Vec<_>>().join(" ");
    let label = format!("{seen}, {kind}{failed}");
    let is_near = move || canvas.near.with(|near| near.as_ref().is_none_or(|(_, near)| near.contains(&index)));
    let is_focus = Memo::new(move |_| canvas.near.with(|near| near.as_ref().is_some_and(|(at, _)| *at == index)));
    let on_keydown = move |event: leptos::ev::KeyboardEvent| {
        let direction = match event.key().as_str() {
            "ArrowLeft" => Some(Direction::Left),
            "ArrowRight" => Some(Direction::Right),
            "ArrowUp" => Some(Direction::Up),
            "ArrowDown" => Some(Direction::Down),
            "Enter" | " " => None,
            _ => return,
        };
        event.prevent_default();
        match direction {
            Some(direction) => canvas.walk(index, direction),
            None => canvas.choose(index),
        }
    };
    view! {
        <g id=element_id(index) class=class class:error=red::is_trouble(share) class:faded=move || !is_near()
            class:on=move || is_focus.get() data-testid="map-node" role="button"
            transform=format!("translate({:.1} {:.1})", place.x, place.y)
            aria-pressed=move || is_focus.get().to_string()
            aria-label=label
            tabindex=move || if canvas.cursor.get() == index { "0" } else { "-1" }
            on:pointerdown=move |event| event.stop_propagation() on:click=move |_| canvas.choose(index)
            on:focus=move |_| canvas.cursor.set(index) on:keydown=on_keydown>
            {whole.map(|whole| view! { <title>{whole}</title>" " })}
            {shape(&node.kind)}
            <text class="node-name" x="14" y="18">{name}</text>" "
            <text class="node-numbers" x="14" y="34">{numbers}</text>
            {share.filter(|share| *share > 0.0).map(error_bar)}
        </g>
    }
}

/// The outline of a kind.
fn shape(kind: &str) -> AnyView {
    let (width, height) = (NODE_WIDTH, NODE_HEIGHT);
    match kind {
        "service" => view! {
            <rect class="outline" width=width height=height rx="8"></rect>
            <path class="node-colour" d=format!("M4 8v{}", height - 16.0)></path>
        }
        .into_any(),
        // A cylinder: its lid is drawn over its body.
        "database" => {
            let half = width / 2.0;
            let body = format!("M0 5a{half} 5 0 0 1 {width} 0v{h}a{half} 5 0 0 1 -{width} 0z", h = height - 10.0);
            let lid = format!("M0 5a{half} 5 0 0 0 {width} 0");
            view! { <path class="outline" d=body></path><path class="lid" d=lid></path> }.into_any()
        }
        "queue" => view! { <rect class="outline" width=width height=height rx=height / 2.0></rect> }.into_any(),
        _ => view! { <rect class="outline dashed" width=width height=height rx="2"></rect> }.into_any(),
    }
}

/// The share of failed calls, as far along a line as it is of all; the least of it is seen.
fn error_bar(share: f64) -> impl IntoView {
    let length = (share * BAR_WIDTH).clamp(2.0, BAR_WIDTH);
    let y = NODE_HEIGHT - 5.0;
    view! {
        <path class="bar-all" d=format!("M12 {y}h{BAR_WIDTH}")></path>
        <path class="bar-failed" d=format!("M12 {y}h{length:.1}")></path>
    }
}
