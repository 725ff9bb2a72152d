//! One colour per service, the same on every page of a session and, short of collisions, for every viewer.

use std::collections::HashMap;

/// Colours of the palette (`--c0` to `--c15` in the style sheet). None is red: red means error.
pub const SLOTS: usize = 16;

/// Which service has which slot.
#[derive(Debug, Clone, Default)]
pub struct ServiceColours {
    assigned: HashMap<String, u8>,
    used: [u32; SLOTS],
}

impl ServiceColours {
    /// Gives every name a slot, in name order, so that two viewers who see the same services agree.
    pub fn assign<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let mut names: Vec<&str> = names.into_iter().collect();
        crate::order::sort(&mut names, Ord::cmp);
        for name in names {
            self.slot(name);
        }
    }

    /// The slot of a service: its hash's, or the next least used one. The first half of the palette goes first: its
    /// colours are the easiest to tell apart.
    pub fn slot(&mut self, name: &str) -> u8 {
        if let Some(slot) = self.assigned.get(name) {
            return *slot;
        }
        const HALF: usize = SLOTS / 2;
        let home = (fnv1a(name) % HALF as u64) as usize;
        let fewest = self.used.iter().min().copied().unwrap_or(0);
        let first = (0..HALF).map(|step| (home + step) % HALF);
        let second = (0..HALF).map(|step| HALF + (home + step) % HALF);
        let slot = first.chain(second).find(|slot| self.used[*slot] == fewest).unwrap_or(home);
        self.used[slot] += 1;
        self.assigned.insert(name.to_owned(), slot as u8);
        slot as u8
    }
}

/// Services whose slots are kept for later visits.
const KEPT_MAX: usize = 500;

impl ServiceColours {
    /// How many services have a slot.
    pub fn len(&self) -> usize {
        self.assigned.len()
    }

    /// Whether no service has a slot.
    pub fn is_empty(&self) -> bool {
        self.assigned.is_empty()
    }

    /// The slots as text, to be kept for later visits: `slot name` a line.
    pub fn to_text(&self) -> String {
        let lines = self.assigned.iter().filter(|(name, _)| !name.contains('\n')).take(KEPT_MAX);
        lines.map(|(name, slot)| format!("{slot} {name}\n")).collect()
    }

    /// Reads what [`ServiceColours::to_text`] wrote; lines that make no sense are left out.
    pub fn parse(text: &str) -> ServiceColours {
        let mut colours = ServiceColours::default();
        for (slot, name) in text.lines().filter_map(|line| line.split_once(' ')).take(KEPT_MAX) {
            let Some(slot) = slot.parse::<u8>().ok().filter(|slot| usize::from(*slot) < SLOTS) else { continue };
            if colours.assigned.insert(name.to_owned(), slot).is_none() {
                colours.used[usize::from(slot)] += 1;
            }
        }
        colours
    }
}

/// FNV-1a, 64 bits: small, and equal everywhere.
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_share_no_slot_while_there_is_room() {
        let names: Vec<String> = (0..40).map(|n| format!("service-{n}")).collect();
        let mut colours = ServiceColours::default();
        colours.assign(names.iter().map(String::as_str));
        let mut uses = [0; SLOTS];
        names.iter().for_each(|name| uses[usize::from(colours.slot(name))] += 1);
        assert!(uses.iter().all(|n| (2..=3).contains(n)), "{uses:?}");
    }

    #[test]
    fn few_services_get_the_clearest_colours() {
        let mut colours = ServiceColours::default();
        let names = ["gateway", "checkout", "cart", "payment", "shipping", "catalog"];
        colours.assign(names);
        assert!(names.iter().all(|name| colours.slot(name) < 8));
    }

    #[test]
    fn a_service_keeps_its_slot_until_the_next_visit() {
        let mut colours = ServiceColours::default();
        colours.slot("zebra");
        colours.assign(["cart", "my service", "", "zebra"]);
        let mut later = ServiceColours::parse(&colours.to_text());
        for name in ["zebra", "cart", "my service", ""] {
            assert_eq!(later.slot(name), colours.slot(name), "{name}");
        }
        assert_eq!((later.len(), later.used), (colours.len(), colours.used));
        assert_eq!(ServiceColours::parse("99 a\nx b\n\n7").len(), 0);
    }

    #[test]
    fn order_of_asking_does_not_matter_when_assigned_together() {
        let (mut one, mut two) = (ServiceColours::default(), ServiceColours::default());
        one.assign(["cart", "payment", "checkout"]);
        two.assign(["checkout", "cart", "payment"]);
        for name in ["cart", "payment", "checkout"] {
            assert_eq!(one.slot(name), two.slot(name));
        }
    }
}
