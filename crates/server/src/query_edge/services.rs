//! Handlers about services and who calls whom.

use axum::extract::{Path, State};
use http::Uri;
use query::{OperationSearch, ServiceMapSearch, ServiceSearch};

use super::handlers::{Answer, STEPS_MAX, SharedEdge, cut, json, parameters};
use super::parameters::Parameters;
use super::problem::Refusal;
use api::paths;

const STEPS_DEFAULT: usize = 40;
const OPERATIONS_DEFAULT: usize = 100;
const OPERATIONS_MAX: usize = 1000;

fn search(parameters: &Parameters) -> Result<ServiceSearch, Refusal> {
    Ok(ServiceSearch { range: parameters.range()?, steps: parameters.count("steps", STEPS_DEFAULT, STEPS_MAX)? })
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found(format!(
        "no record of a service '{}' is here; {} lists those there are",
        cut(name),
        paths::SERVICES
    ))
}

pub(super) async fn services(State(edge): SharedEdge, uri: Uri) -> Answer {
    let search = search(&parameters(&uri, paths::SERVICES)?)?;
    json(&edge.query.services(&edge.settings.tenant, search).await?)
}

pub(super) async fn service(State(edge): SharedEdge, Path(name): Path<String>, uri: Uri) -> Answer {
    let search = search(&parameters(&uri, paths::SERVICE)?)?;
    let answer = edge.query.service_detail(&edge.settings.tenant, &name, search).await?;
    json(&answer.ok_or_else(|| unknown(&name))?)
}

pub(super) async fn operations(State(edge): SharedEdge, Path(name): Path<String>, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::OPERATIONS)?;
    let search = OperationSearch {
        service: name.clone(),
        range: parameters.range()?,
        limit: parameters.count("limit", OPERATIONS_DEFAULT, OPERATIONS_MAX)?,
        steps: parameters.count("steps", STEPS_DEFAULT, STEPS_MAX)?,
    };
    let answer = edge.query.operations(&edge.settings.tenant, search).await?;
    json(&answer.ok_or_else(|| unknown(&name))?)
}

pub(super) async fn service_map(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::SERVICE_MAP)?;
    let search = ServiceMapSearch { range: parameters.range()?, focus: parameters.text("service") };
    json(&edge.query.service_map(&edge.settings.tenant, search).await?)
}
