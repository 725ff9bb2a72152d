//! Icons: strokes in a box of 20 by 20.

use leptos::prelude::*;

/// Lines of text.
pub const LOGS: &str = "M3.500 5h13M3.500 8.500h9M3.500 12h13M3.500 15.500h6.500";
/// Staggered bars.
pub const TRACES: &str = "M3 4.500h10M5.500 8.200h7M7.500 11.800h9M10 15.500h4";
/// Three joined circles.
pub const SERVICES: &str = "M5 7.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5M15 2.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5M15 12.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5M7.300 8.900l5.400-2.800M7.300 11.100l5.400 2.800";
/// Arrows into four corners.
pub const FIT: &str = "M3.500 7.500v-4h4M12.500 3.500h4v4M16.500 12.500v4h-4M7.500 16.500h-4v-4";
/// A rising line.
pub const METRICS: &str = "M3 14.500l4.500-5 3.500 3L17 5.500";
/// A stack of discs.
pub const SQL: &str = "M10 3c3.300 0 6 1 6 2.300s-2.700 2.300-6 2.300-6-1-6-2.300S6.700 3 10 3M4 5.300v9.400C4 16 6.700 17 10 17s6-1 6-2.300V5.300M4 10c0 1.300 2.700 2.300 6 2.300s6-1 6-2.300";
/// An arrow into a tray.
pub const INGEST: &str = "M10 3v9M6.500 8.500L10 12l3.500-3.500M3.500 12.500v4h13v-4";
/// A plug.
pub const CONNECT: &str = "M7 3v4M13 3v4M5 7h10v2.500a5 5 0 0 1-10 0zM10 14.500V18";
/// A sun.
pub const SUN: &str = "M10 6.800a3.200 3.200 0 1 0 0 6.400a3.200 3.200 0 0 0 0-6.400M10 2.200v1.600M10 16.200v1.600M2.200 10h1.600M16.200 10h1.600M4.500 4.500l1.100 1.100M14.400 14.400l1.100 1.100M15.500 4.500l-1.100 1.100M5.600 14.400l-1.100 1.100";
/// A moon.
pub const MOON: &str = "M16 11.800A6.500 6.500 0 0 1 8.200 4a6.500 6.500 0 1 0 7.800 7.800z";
/// A circling arrow.
pub const REFRESH: &str = "M15.800 8A6 6 0 1 0 16 11.500M16 4v4h-4";
/// Two sheets.
pub const COPY: &str = "M7.500 7.500h8.500v8.500h-8.500zM12.500 7.500V4H4v8.500h3.500";
/// A tick.
pub const CHECK: &str = "M4 10.500l4 4 8-9";
/// A cross.
pub const CLOSE: &str = "M5 5l10 10M15 5L5 15";
/// A question mark in a circle.
pub const HELP: &str = "M10 2.800a7.200 7.200 0 1 0 0 14.400a7.200 7.200 0 0 0 0-14.400M7.900 8a2.100 2.100 0 1 1 3 1.900c-.6.3-.9.7-.9 1.400M10 13.800v.2";
/// A magnifying glass.
pub const SEARCH: &str = "M8.700 3.500a5.200 5.200 0 1 0 0 10.400a5.200 5.200 0 0 0 0-10.400M12.600 12.600l4 4";
/// Up.
pub const UP: &str = "M5 12.500l5-5 5 5";
/// Down.
pub const DOWN: &str = "M5 7.500l5 5 5-5";
/// Left.
pub const LEFT: &str = "M12.500 5l-5 5 5 5";
/// Right.
pub const RIGHT: &str = "M7.500 5l5 5-5 5";
/// Plus.
pub const PLUS: &str = "M10 4.500v11M4.500 10h11";
/// Minus.
pub const MINUS: &str = "M4.500 10h11";
/// A triangle with a mark.
pub const WARNING: &str = "M10 3.500l7 12.500H3zM10 8.500v3.500M10 14v.2";
/// The periscope's wave: Spyhop's mark.
pub const MARK: &str = "M2.500 13c2.300 0 2.700-5.500 5-5.500s2.700 7 5 7S15 6 17.500 6";

/// An icon for the eye only; whoever holds it carries the words.
pub fn icon(path: &'static str) -> impl IntoView {
    view! { <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=path></path></svg> }
}
