//! State of the pages about services, as their URLs hold it.

use crate::fields;
use crate::params::{self, Params};
use crate::range::RangeText;
use crate::sort::Sort;
use crate::state::{self, LogsState, TracesState, UrlState, read_range, write_range};

/// `/services`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServicesState {
    /// The time range.
    pub range: RangeText,
    /// Only services whose name holds this.
    pub filter: String,
    /// Order of the table.
    pub sort: Sort,
}

impl UrlState for ServicesState {
    const PATH: &'static str = "/services";

    fn read(params: &Params) -> Self {
        ServicesState {
            range: read_range(params),
            filter: params.get("find").unwrap_or_default().to_owned(),
            sort: Sort::parse(params.get("sort").unwrap_or_default()),
        }
    }

    fn write(&self, params: &mut Params) {
        write_range(params, &self.range);
        params.set("find", &self.filter);
        params.set("sort", &self.sort.to_string());
    }
}

/// `/services/{name}`; the name is in the path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceState {
    /// The time range.
    pub range: RangeText,
    /// The tab; empty is the first.
    pub tab: String,
    /// Only operations whose name holds this.
    pub filter: String,
    /// Order of the operations.
    pub sort: Sort,
}

impl UrlState for ServiceState {
    const PATH: &'static str = "/services";

    fn read(params: &Params) -> Self {
        let ServicesState { range, filter, sort } = ServicesState::read(params);
        ServiceState { range, tab: params.get("tab").unwrap_or_default().to_owned(), filter, sort }
    }

    fn write(&self, params: &mut Params) {
        write_range(params, &self.range);
        params.set("tab", &self.tab);
        params.set("find", &self.filter);
        params.set("sort", &self.sort.to_string());
    }
}

impl ServiceState {
    /// The URL of this state of a service, keeping what else `query` holds.
    pub fn url_of(&self, name: &str, query: &str) -> String {
        let mut params = Params::parse(query);
        self.write(&mut params);
        params.behind(&service_path(name))
    }
}

/// `/map`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapState {
    /// The time range.
    pub range: RangeText,
    /// Id of the node that is looked at; empty for none.
    pub focus: String,
    /// Whether a list is shown, or a drawing; `None` leaves it to the number of nodes.
    pub as_list: Option<bool>,
}

impl UrlState for MapState {
    const PATH: &'static str = "/map";

    fn read(params: &Params) -> Self {
        let as_list = match params.get("view") {
            Some("list") => Some(true),
            Some("drawing") => Some(false),
            _ => None,
        };
        MapState { range: read_range(params), focus: params.get("focus").unwrap_or_default().to_owned(), as_list }
    }

    fn write(&self, params: &mut Params) {
        write_range(params, &self.range);
        params.set("focus", &self.focus);
        params.set("view", self.as_list.map_or("", |list| if list { "list" } else { "drawing" }));
    }
}

/// Path of a service's page.
pub fn service_path(name: &str) -> String {
    format!("/services/{}", params::encode(name).replace('/', "%2F"))
}

/// A service's page at the same time range.
pub fn service_url(name: &str, range: &RangeText) -> String {
    ServiceState { range: range.clone(), ..ServiceState::default() }.url_of(name, "")
}

/// The map around a service at the same time range.
pub fn map_url(focus: &str, range: &RangeText) -> String {
    MapState { range: range.clone(), focus: focus.to_owned(), as_list: None }.url()
}

/// Traces of a service, or of one of its operations, at the same time range.
pub fn traces_url(service: &str, operation: &str, errors_only: bool, range: &RangeText) -> String {
    let state = TracesState {
        range: range.clone(),
        service: service.to_owned(),
        operation: operation.to_owned(),
        errors_only,
        ..TracesState::default()
    };
    state.url()
}

/// Log records of a service at the same time range.
pub fn logs_url(service: &str, range: &RangeText) -> String {
    let query = fields::filter_term("service", service, false);
    LogsState { query, range: range.clone(), ..LogsState::default() }.url()
}

/// A trace, with one of its spans shown where it is known.
pub fn trace_url(trace_id: &str, span_id: Option<&str>) -> String {
    let state = state::TraceState { span: span_id.unwrap_or_default().to_owned(), ..state::TraceState::default() };
    state.url_of(trace_id, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range() -> RangeText {
        RangeText { from: "now-6h".into(), to: "now-1h".into() }
    }

    #[test]
    fn services_round_trip() {
        let state = ServicesState { range: range(), filter: "pay & ü".into(), sort: Sort::parse("-p99") };
        assert_eq!(ServicesState::parse(&state.url()["/services".len()..]), state);
        assert_eq!(ServicesState::default().url(), "/services");
        assert_eq!(ServicesState::parse("sort=up&find="), ServicesState::default());
    }

    #[test]
    fn a_service_round_trips_and_its_name_stays_one_segment() {
        let state =
            ServiceState { range: range(), tab: "errors".into(), filter: "x".into(), sort: Sort::parse("name") };
        let url = state.url_of("a/b c", "later=1");
        assert_eq!(url, "/services/a%2Fb%20c?later=1&from=now-6h&to=now-1h&tab=errors&find=x&sort=name");
        assert_eq!(ServiceState::parse(url.split_once('?').expect("a query").1), state);
        assert_eq!(service_path("../a.b"), "/services/..%2Fa.b");
        assert_eq!(service_path("?#%"), "/services/%3F%23%25");
    }

    #[test]
    fn maps_round_trip() {
        for as_list in [None, Some(true), Some(false)] {
            let state = MapState { range: range(), focus: "database:postgresql".into(), as_list };
            assert_eq!(MapState::parse(&state.url()["/map".len()..]), state);
        }
        assert_eq!(MapState::parse("view=globe"), MapState::default());
    }

    #[test]
    fn links_carry_the_range() {
        let default = RangeText::default();
        assert_eq!(service_url("cart", &default), "/services/cart");
        assert_eq!(map_url("cart", &range()), "/map?from=now-6h&to=now-1h&focus=cart");
        assert_eq!(traces_url("cart", "GET /", true, &default), "/traces?service=cart&operation=GET%20/&errors=1");
        assert_eq!(logs_url("my cart", &default), "/logs?q=service:%22my%20cart%22");
        assert_eq!(trace_url("ab", Some("cd")), "/traces/ab?span=cd");
        assert_eq!(trace_url("ab", None), "/traces/ab");
    }
}
