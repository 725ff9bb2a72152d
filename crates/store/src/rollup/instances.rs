//! Which process of a service a record came from.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use model::attributes::{self, AnyValue};

use super::bits::{BitReader, BitWriter};
use super::hash::Folding;
use super::rows::{Numbered, TextColumn};

/// One process of a service, as its resource describes it; texts are empty where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RollupInstance {
    /// Number of the service in the rollup.
    pub service: u32,
    /// `service.instance.id`, else the pod, else the host.
    pub id: String,
    /// `service.version`.
    pub version: String,
    /// `k8s.pod.name`.
    pub pod: String,
    /// `host.name`.
    pub host: String,
    /// `telemetry.sdk.language`.
    pub sdk_language: String,
}

impl RollupInstance {
    /// From the canonical text of a resource.
    fn of(service: u32, resource: &str) -> RollupInstance {
        let mut instance = RollupInstance { service, ..RollupInstance::default() };
        let Some((_, of_resource)) = attributes::entries(resource).find(|(name, _)| name == "attributes") else {
            return instance;
        };
        for (key, raw) in attributes::entries(of_resource) {
            let place = match &*key {
                "service.instance.id" => &mut instance.id,
                "service.version" => &mut instance.version,
                "k8s.pod.name" => &mut instance.pod,
                "host.name" => &mut instance.host,
                "telemetry.sdk.language" => &mut instance.sdk_language,
                _ => continue,
            };
            *place = match attributes::parse(raw) {
                Ok(AnyValue::String(text)) => text,
                _ => raw.to_owned(),
            };
        }
        if instance.id.is_empty() {
            instance.id = if instance.pod.is_empty() { instance.host.clone() } else { instance.pod.clone() };
        }
        instance
    }

    fn texts(&self) -> [&str; 5] {
        [&self.id, &self.version, &self.pod, &self.host, &self.sdk_language]
    }
}

/// Distinct instances, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Instances {
    pub(super) list: Vec<RollupInstance>,
    numbers: HashMap<RollupInstance, u32>,
}

impl Instances {
    fn number(&mut self, instance: RollupInstance) -> u32 {
        *self.numbers.entry(instance).or_insert_with_key(|instance| {
            self.list.push(instance.clone());
            self.list.len() as u32 - 1
        })
    }
}

/// The instances of a batch's rows: each pair of service and resource is looked into once.
pub(super) struct InstanceColumn<'a> {
    resources: TextColumn<'a>,
    known: HashMap<u64, u32, Folding>,
    last: Option<(u64, u32)>,
}

impl<'a> InstanceColumn<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> InstanceColumn<'a> {
        InstanceColumn { resources: TextColumn::of(batch, "resource"), known: HashMap::default(), last: None }
    }

    pub(super) fn number(&mut self, row: usize, service: u32, instances: &mut Instances) -> u32 {
        let text = self.resources.get(row).unwrap_or_default();
        let Some(key) = self.resources.key(row) else {
            return instances.number(RollupInstance::of(service, text));
        };
        let pair = u64::from(service) << 32 | key as u64;
        if let Some((_, number)) = self.last.filter(|last| last.0 == pair) {
            return number;
        }
        let find = || instances.number(RollupInstance::of(service, text));
        let number = *self.known.entry(pair).or_insert_with(find);
        self.last = Some((pair, number));
        number
    }
}

pub(super) fn write_instances(out: &mut BitWriter, instances: &[RollupInstance]) {
    // Versions, languages and hosts are shared by many instances.
    let mut texts = Numbered::default();
    let numbered: Vec<[u32; 5]> =
        instances.iter().map(|instance| instance.texts().map(|text| texts.number(text))).collect();
    out.texts(texts.list.iter().map(String::as_str));
    out.golomb(instances.len() as u64, 4);
    for (instance, texts) in instances.iter().zip(numbered) {
        out.golomb(u64::from(instance.service), 4);
        texts.iter().for_each(|text| out.golomb(u64::from(*text), 5));
    }
}

pub(super) fn read_instances(bits: &mut BitReader<'_>, services: usize) -> Option<Vec<RollupInstance>> {
    let texts = bits.texts()?;
    let count = bits.golomb(4)?;
    let mut instances = Vec::new();
    for _ in 0..count {
        let service = bits.index(4, services)?;
        let mut text = || Some(texts[bits.index(5, texts.len())? as usize].clone());
        let (id, version, pod, host, sdk_language) = (text()?, text()?, text()?, text()?, text()?);
        instances.push(RollupInstance { service, id, version, pod, host, sdk_language });
    }
    Some(instances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_best_that_a_resource_has() {
        let check = |resource: &str, expect: [&str; 5]| {
            let instance = RollupInstance::of(3, resource);
            assert_eq!((instance.service, instance.texts()), (3, expect), "{resource}");
            let mut out = BitWriter::default();
            write_instances(&mut out, &[instance.clone(), instance.clone()]);
            let bytes = out.finish();
            assert_eq!(read_instances(&mut BitReader::new(&bytes), 4), Some(vec![instance.clone(), instance]));
            assert_eq!(read_instances(&mut BitReader::new(&bytes), 3), None, "no such service");
        };
        check("", [""; 5]);
        check("not json", [""; 5]);
        check(r#"{"attributes":{"service.name":"a"}}"#, [""; 5]);
        check(r#"{"attributes":{"host.name":"h"}}"#, ["h", "", "", "h", ""]);
        check(r#"{"attributes":{"host.name":"h","k8s.pod.name":"p"}}"#, ["p", "", "p", "h", ""]);
        check(
            r#"{"attributes":{"host.name":"h","k8s.pod.name":"p","service.instance.id":"i","service.version":"1","telemetry.sdk.language":"go"},"schema_url":"u"}"#,
            ["i", "1", "p", "h", "go"],
        );
        check(r#"{"attributes":{"service.instance.id":17}}"#, ["17", "", "", "", ""]);
    }
}
