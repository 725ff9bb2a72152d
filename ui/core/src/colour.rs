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
    fn order_of_asking_does_not_matter_when_assigned_together() {
        let (mut one, mut two) = (ServiceColours::default(), ServiceColours::default());
        one.assign(["cart", "payment", "checkout"]);
        two.assign(["checkout", "cart", "payment"]);
        for name in ["cart", "payment", "checkout"] {
            assert_eq!(one.slot(name), two.slot(name));
        }
    }
}
