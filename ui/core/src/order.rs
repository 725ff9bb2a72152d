//! Sorting through one function. The compiler makes a sort of its own for every type that is sorted, and each is as
//! large as a small page of the UI; so lists are sorted by their indexes, and all of them by this.

use std::cmp::Ordering;

/// Indexes below `count` in the order that `compare` gives them; equal ones stay as they are.
pub fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

/// Indexes below `count` by a number, the least first; equal ones stay as they are.
pub fn sorted_by_number(count: usize, number: &dyn Fn(usize) -> i64) -> Vec<usize> {
    sorted(count, &|one, other| number(one).cmp(&number(other)))
}

/// Sorts a list; equal elements stay as they are.
pub fn sort<T>(list: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = sorted(list.len(), &|one, other| compare(&list[one], &list[other]));
    let mut slots: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(order.into_iter().filter_map(|at| slots[at].take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_equals_stay() {
        let mut list = vec![("b", 1), ("a", 2), ("b", 0), ("a", 1)];
        sort(&mut list, |one, other| one.0.cmp(other.0));
        assert_eq!(list, [("a", 2), ("a", 1), ("b", 1), ("b", 0)]);
        assert_eq!(sorted_by_number(3, &|at| [5, -1, 5][at]), [1, 0, 2]);
        sort(&mut Vec::<u8>::new(), |one, other| one.cmp(other));
    }
}
