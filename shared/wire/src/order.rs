//! One sort for all: those of the standard library come as 4 to 10 KB of code for each type that is sorted.

use core::cmp::Ordering;

/// The numbers below `count` in the order that `compare` says; what is equal keeps its order. Never more than
/// `2 n log n` comparisons, whatever the order was, since peers choose what is sorted.
pub fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut heap: Vec<usize> = (0..count).collect();
    for root in (0..count / 2).rev() {
        sink(&mut heap, root, compare);
    }
    for end in (1..count).rev() {
        heap.swap(0, end);
        sink(heap.get_mut(..end).unwrap_or_default(), 0, compare);
    }
    heap
}

/// Whether two texts are the same.
pub fn has_twice(texts: &[&str]) -> bool {
    let text = |index: &usize| texts.get(*index);
    let order = sorted(texts.len(), &|a, b| text(&a).cmp(&text(&b)));
    order.iter().zip(order.iter().skip(1)).any(|(a, b)| text(a) == text(b))
}

/// Lets `root` go down until nothing below it is greater.
fn sink(heap: &mut [usize], mut root: usize, compare: &dyn Fn(usize, usize) -> Ordering) {
    let less = |a: usize, b: usize| compare(a, b).then(a.cmp(&b)) == Ordering::Less;
    loop {
        let left = 2 * root + 1;
        let (Some(own), Some(mut greatest)) = (heap.get(root).copied(), heap.get(left).copied()) else { return };
        let mut at = left;
        if let Some(right) = heap.get(left + 1).copied()
            && less(greatest, right)
        {
            (greatest, at) = (right, left + 1);
        }
        if !less(own, greatest) {
            return;
        }
        heap.swap(root, at);
        root = at;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::sorted;

    proptest! {
        #[test]
        fn is_a_stable_sort(items in proptest::collection::vec(0..20u8, 0..60)) {
            let mut expected: Vec<usize> = (0..items.len()).collect();
            expected.sort_by_key(|index| items[*index]);
            prop_assert_eq!(sorted(items.len(), &|a, b| items[a].cmp(&items[b])), expected);
        }
    }
}
