//! Query parameters: parsed once, with errors that say what is valid.

use std::collections::BTreeMap;

use axum::extract::Query;
use http::Uri;
use model::{TimeRange, time};

use super::problem::Refusal;

/// The parameters of one request. An empty value counts as absent.
#[derive(Debug)]
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    now_unix_nano: i64,
}

impl Parameters {
    /// Reads the query string of `uri`; a name outside `known`, or one given twice, is refused.
    pub(crate) fn parse(uri: &Uri, known: &[&str], now_unix_nano: i64) -> Result<Parameters, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Refusal::bad_request("the query string is no list of name=value pairs"))?;
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                return Err(Refusal::bad_request(unknown(&name, known)));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(Refusal::bad_request(format!("parameter '{name}' is given twice")));
            }
        }
        values.retain(|_, value| !value.is_empty());
        Ok(Parameters { values, now_unix_nano })
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// `start` and `end`, half-open; an absent one leaves its side open.
    pub(crate) fn range(&self) -> Result<TimeRange, Refusal> {
        let range = TimeRange { start: self.time("start")?, end: self.time("end")? };
        match (range.start, range.end) {
            (Some(start), Some(end)) if end < start => {
                Err(Refusal::bad_request("'end' lies before 'start': the range holds nothing"))
            }
            _ => Ok(range),
        }
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        let time = time::parse(text, self.now_unix_nano);
        time.map(Some).map_err(|error| Refusal::bad_request(format!("parameter '{name}': {error}")))
    }

    /// A whole number from 1 to `max`; `default` where absent.
    pub(crate) fn count(&self, name: &str, default: usize, max: usize) -> Result<usize, Refusal> {
        let Some(text) = self.values.get(name) else { return Ok(default) };
        let count = text.parse().ok().filter(|count| (1..=max).contains(count));
        count.ok_or_else(|| {
            Refusal::bad_request(format!("parameter '{name}': '{}' is no whole number from 1 to {max}", cut(text)))
        })
    }

    /// As [`Parameters::count`], if it is given.
    pub(crate) fn optional_count(&self, name: &str, max: usize) -> Result<Option<usize>, Refusal> {
        match self.values.contains_key(name) {
            true => self.count(name, max, max).map(Some),
            false => Ok(None),
        }
    }

    /// A duration such as `100ms`, in nanoseconds.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        time::parse_duration(text).map(Some).ok_or_else(|| {
            Refusal::bad_request(format!(
                "parameter '{name}': '{}' is no duration such as 500us, 100ms, 1.5s or 2m",
                cut(text)
            ))
        })
    }

    /// `true` or `false`; false where absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.values.get(name).map(String::as_str) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(text) => {
                Err(Refusal::bad_request(format!("parameter '{name}': '{}' is neither true nor false", cut(text))))
            }
        }
    }

    /// One of the names in `choices`, if any is given.
    pub(crate) fn optional_choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        match self.values.contains_key(name) {
            true => self.choice(name, choices).map(Some),
            false => Ok(None),
        }
    }

    /// One of the names in `choices`; the first where absent.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, Refusal> {
        let Some(text) = self.values.get(name) else { return Ok(choices[0].1) };
        choices.iter().find(|(choice, _)| choice == text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            Refusal::bad_request(format!("parameter '{name}': '{}' is none of {}", cut(text), names.join(", ")))
        })
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let name = cut(name);
    if known.is_empty() {
        return format!("unknown parameter '{name}': this endpoint has none");
    }
    format!("unknown parameter '{name}': valid are {}", known.join(", "))
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_289_400_000_000_000;
    const KNOWN: &[&str] = &["query", "start", "end", "limit", "duration_min", "errors_only", "direction"];

    fn parse(query: &str) -> Result<Parameters, Refusal> {
        let uri = format!("/api/v1/logs?{query}").parse().expect("a valid URI");
        Parameters::parse(&uri, KNOWN, NOW)
    }

    #[test]
    fn good_parameters() {
        let parameters =
            parse("query=a%20b%3Ac&start=-15m&end=now&limit=5&duration_min=1.5ms&errors_only=true&direction=")
                .expect("all are valid");
        assert_eq!(parameters.text("query").as_deref(), Some("a b:c"));
        assert_eq!(parameters.range(), Ok(TimeRange::new(NOW - 900_000_000_000, NOW)));
        assert_eq!(parameters.count("limit", 100, 1000), Ok(5));
        assert_eq!(parameters.duration("duration_min"), Ok(Some(1_500_000)));
        assert_eq!(parameters.flag("errors_only"), Ok(true));
        assert_eq!(parameters.choice("direction", &[("backward", 1), ("forward", 2)]), Ok(1));
        assert_eq!(parameters.optional_choice("direction", &[("backward", 1)]), Ok(None));
        assert_eq!(parameters.optional_choice("limit", &[("4", 4), ("5", 5)]), Ok(Some(5)));
    }

    #[test]
    fn bad_parameters_say_what_is_valid() {
        let check = |query: &str, read: fn(&Parameters) -> Option<Refusal>, part: &str| {
            let refusal = match parse(query) {
                Ok(parameters) => read(&parameters).expect(query),
                Err(refusal) => refusal,
            };
            assert!(refusal.detail().contains(part), "{query}: {}", refusal.detail());
        };
        check("form=-15m", |_| None, "valid are query, start, end");
        check("limit=1&limit=2", |_| None, "given twice");
        check("start=soon", |p| p.range().err(), "'start': 'soon' is no time");
        check("start=now&end=-1h", |p| p.range().err(), "before 'start'");
        check("limit=0", |p| p.count("limit", 1, 10).err(), "from 1 to 10");
        check("limit=11", |p| p.count("limit", 1, 10).err(), "from 1 to 10");
        check("duration_min=5", |p| p.duration("duration_min").err(), "no duration");
        check("errors_only=yes", |p| p.flag("errors_only").err(), "neither");
        check("direction=up", |p| p.choice("direction", &[("backward", 1), ("forward", 2)]).err(), "backward, forward");
    }
}
