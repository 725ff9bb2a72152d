//! Labels of a series: the attributes of its points, and those of its resource that its points do not have.

use std::collections::BTreeMap;

use model::{attribute_names, attributes};

/// The label that names the service whether its resource does or not.
const SERVICE: &str = "service_name";

/// Where the labels of one series stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// Canonical text of the points' attributes.
    pub(crate) attributes: Option<&'a str>,
    /// Canonical text of the resource.
    pub(crate) resource: Option<&'a str>,
    pub(crate) service: &'a str,
}

impl<'a> Labels<'a> {
    fn of_points(&self) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, &'a str)> {
        self.attributes.into_iter().flat_map(attributes::entries)
    }

    fn of_resource(&self) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, &'a str)> {
        let members = self.resource.into_iter().flat_map(attributes::entries);
        members.filter(|(name, _)| name == "attributes").flat_map(|(_, raw)| attributes::entries(raw))
    }

    /// All of them, under the names they were sent with.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let text = |(key, raw): (std::borrow::Cow<'_, str>, &str)| {
            (key.into_owned(), attributes::native_text(raw).into_owned())
        };
        let mut all: BTreeMap<String, String> = self.of_resource().map(text).collect();
        all.extend(self.of_points().map(text));
        all
    }

    /// One of them, under whichever of its names it was sent.
    pub(crate) fn get(&self, key: &LabelKey) -> Option<String> {
        let found = key
            .names
            .iter()
            .find_map(|name| self.of_points().filter(|(key, _)| key == name).last())
            .or_else(|| key.names.iter().find_map(|name| self.of_resource().filter(|(key, _)| key == name).last()));
        match found {
            Some((_, raw)) => Some(attributes::native_text(raw).into_owned()),
            None => (key.asked == SERVICE).then(|| self.service.to_owned()),
        }
    }
}

/// A label to be looked up in many series.
#[derive(Debug, Clone)]
pub(crate) struct LabelKey {
    pub(crate) asked: String,
    names: Vec<String>,
}

impl LabelKey {
    pub(crate) fn new(asked: &str) -> LabelKey {
        let names = match attribute_names::names_of(asked) {
            [] => vec![asked.to_owned()],
            names => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        LabelKey { asked: asked.to_owned(), names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIES: Labels<'_> = Labels {
        attributes: Some(r#"{"http.method":"GET","code":200,"region":"point","dup":"a","dup":"b"}"#),
        resource: Some(r#"{"attributes":{"service.name":"shop","region":"resource","up":true},"schema_url":"x"}"#),
        service: "shop",
    };

    #[test]
    fn one_label_is_looked_up() {
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(SERIES.get(&LabelKey::new(name)).as_deref(), expect, "{name}");
        };
        check("code", Some("200"));
        check("region", Some("point"));
        check("up", Some("true"));
        check("dup", Some("b"));
        check("http.request.method", Some("GET"));
        check("http.method", Some("GET"));
        check("service.name", Some("shop"));
        check("service_name", Some("shop"));
        check("schema_url", None);
        check("missing", None);
    }

    #[test]
    fn all_labels_stay_as_sent() {
        let all = SERIES.all();
        let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expect = [
            ("code", "200"),
            ("dup", "b"),
            ("http.method", "GET"),
            ("region", "point"),
            ("service.name", "shop"),
            ("up", "true"),
        ];
        assert_eq!(all, expect);
        assert!(Labels { attributes: None, resource: None, service: "x" }.all().is_empty());
    }
}
