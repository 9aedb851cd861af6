//! Memory for what lives as long as a request: small blocks that were given back are kept, and are the first to be used again.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::null_mut;

/// Up to so many bytes a block is small.
const SMALL: usize = 1024;
/// Sizes of small blocks are multiples of it.
const STEP: usize = 16;
/// No small block is aligned to more.
const ALIGN: usize = 8;
/// How many blocks of each size are kept: half a megabyte at the most.
const KEPT: usize = 16;

/// An allocator with small blocks of another one at hand.
pub(super) struct Heap<A> {
    below: A,
    lists: [Cell<List>; SMALL / STEP],
}

/// Blocks of one size that are free. Each begins with the place of the next.
#[derive(Clone, Copy)]
struct List {
    first: *mut u8,
    count: usize,
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: Heap<talc::wasm::WasmDynamicTalc> = Heap::new(talc::wasm::new_wasm_dynamic_allocator());

// SAFETY: a module has one thread.
#[cfg(target_arch = "wasm32")]
unsafe impl<A> Sync for Heap<A> {}

impl<A> Heap<A> {
    const fn new(below: A) -> Self {
        Self { below, lists: [const { Cell::new(List { first: null_mut(), count: 0 }) }; SMALL / STEP] }
    }

    /// The list for such a block, and what each block there is; `None`: it is not small.
    fn list(&self, of: Layout) -> Option<(&Cell<List>, Layout)> {
        let place = of.size().wrapping_sub(1) / STEP;
        let list = self.lists.get(place).filter(|_| of.align() <= ALIGN)?;
        // SAFETY: the alignment is a power of two, and the size far from the end of memory.
        Some((list, unsafe { Layout::from_size_align_unchecked((place + 1) * STEP, ALIGN) }))
    }
}

// SAFETY: a small block is one of `below` with the layout of its list, large enough and aligned for all that are asked for there. It is in
// a list or in use, never both; what is not small is left to `below`, with the layout that it was asked for with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((list, block)) = self.list(layout) else {
            // SAFETY: what the caller promises.
            return unsafe { self.below.alloc(layout) };
        };
        let List { first, count } = list.get();
        if first.is_null() {
            // SAFETY: its size is not 0.
            return unsafe { self.below.alloc(block) };
        }
        // SAFETY: `dealloc` has put the place of the next there.
        list.set(List { first: unsafe { first.cast::<*mut u8>().read() }, count: count.wrapping_sub(1) });
        first
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        match self.list(layout) {
            Some((list, _)) if list.get().count < KEPT => {
                let List { first, count } = list.get();
                // SAFETY: a block of 16 bytes or more, aligned for a pointer, that nobody uses from now on.
                unsafe { at.cast::<*mut u8>().write(first) };
                list.set(List { first: at, count: count.wrapping_add(1) });
            }
            // SAFETY: so it was asked for.
            Some((_, block)) => unsafe { self.below.dealloc(at, block) },
            // SAFETY: what the caller promises.
            None => unsafe { self.below.dealloc(at, layout) },
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that such a layout can be.
        let to = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let blocks = (self.list(layout).map(|(_, block)| block), self.list(to).map(|(_, block)| block));
        if blocks == (None, None) {
            // SAFETY: what the caller promises.
            return unsafe { self.below.realloc(at, layout, size) };
        }
        if blocks.0 == blocks.1 {
            return at;
        }
        // SAFETY: what the caller promises; both places have the bytes that are copied, and a new one is another.
        unsafe {
            let new = self.alloc(to);
            if !new.is_null() {
                new.copy_from_nonoverlapping(at, size.min(layout.size()));
                self.dealloc(at, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::alloc::System;
    use std::collections::BTreeMap;

    use super::*;

    /// Knows what was asked for, and refuses beyond a limit.
    struct Watched {
        blocks: RefCell<BTreeMap<usize, Layout>>,
        limit: Cell<usize>,
    }

    impl Watched {
        fn heap() -> Heap<Self> {
            Heap::new(Self { blocks: RefCell::default(), limit: Cell::new(usize::MAX) })
        }

        fn bytes(&self) -> usize {
            self.blocks.borrow().values().map(Layout::size).sum()
        }
    }

    // SAFETY: by `System`.
    unsafe impl GlobalAlloc for Watched {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            assert!(layout.size() > 0);
            if self.bytes() + layout.size() > self.limit.get() {
                return null_mut();
            }
            let at = unsafe { System.alloc(layout) };
            assert_eq!(self.blocks.borrow_mut().insert(at.addr(), layout), None);
            at
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            assert_eq!(self.blocks.borrow_mut().remove(&at.addr()), Some(layout), "what was not asked for so");
            unsafe { System.dealloc(at, layout) };
        }
    }

    /// Something that is in use, and the byte it is full of.
    struct Thing {
        at: *mut u8,
        layout: Layout,
        full_of: u8,
    }

    impl Thing {
        fn check(&self, size: usize) {
            let bytes = unsafe { core::slice::from_raw_parts(self.at, size) };
            assert!(bytes.iter().all(|byte| *byte == self.full_of), "{:?}: another's bytes", self.layout);
            assert_eq!(self.at.addr() % self.layout.align(), 0);
        }

        fn fill(&self) {
            unsafe { self.at.write_bytes(self.full_of, self.layout.size()) };
        }
    }

    #[test]
    fn what_is_in_use_is_nobody_elses() {
        let heap = Watched::heap();
        let mut things: Vec<Thing> = Vec::new();
        let mut random = 7_u64;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        for step in 0..60_000_usize {
            // A crowd at times, hardly anything at others.
            let crowd = if step % 4_000 < 2_000 { 400 } else { 4 };
            let size = match draw(8) {
                0 => 1 + draw(5_000),
                1 => SMALL - 1 + draw(3),
                _ => 1 + draw(SMALL),
            };
            let full_of = u8::try_from(step % 251).unwrap();
            if things.len() < crowd && draw(3) > 0 {
                let layout = Layout::from_size_align(size, 1 << draw(6)).unwrap();
                let thing = Thing { at: unsafe { heap.alloc(layout) }, layout, full_of };
                thing.fill();
                things.push(thing);
            } else if !things.is_empty() {
                let place = draw(things.len());
                let mut thing = things.swap_remove(place);
                thing.check(thing.layout.size());
                if draw(3) == 0 {
                    thing.at = unsafe { heap.realloc(thing.at, thing.layout, size) };
                    thing.check(size.min(thing.layout.size()));
                    thing.layout = Layout::from_size_align(size, thing.layout.align()).unwrap();
                    thing.fill();
                    things.push(thing);
                } else {
                    unsafe { heap.dealloc(thing.at, thing.layout) };
                }
            }
        }
        for thing in things {
            thing.check(thing.layout.size());
            unsafe { heap.dealloc(thing.at, thing.layout) };
        }
        let most: usize = (1..=SMALL / STEP).map(|place| KEPT * place * STEP).sum();
        let kept = heap.below.bytes();
        assert!(kept > most / 2 && kept <= most && most < 544 << 10, "{kept} of {most} bytes");
        assert!(heap.below.blocks.borrow().values().all(|block| block.size() <= SMALL), "only small blocks are kept");
    }

    #[test]
    fn the_last_block_comes_first_and_asks_nobody() {
        let heap = Watched::heap();
        let layout = Layout::new::<[u8; 40]>();
        let (one, two) = unsafe { (heap.alloc(layout), heap.alloc(layout)) };
        unsafe {
            heap.dealloc(one, layout);
            heap.dealloc(two, layout);
        }
        heap.below.limit.set(0);
        let others = [Layout::new::<[u8; 33]>(), Layout::new::<[u64; 6]>()];
        assert_eq!(others.map(|other| unsafe { heap.alloc(other) }), [two, one]);
        assert!(unsafe { heap.alloc(layout) }.is_null(), "there is no more");
        let grown = unsafe { heap.realloc(one, others[1], 49) };
        assert!(grown.is_null(), "what cannot grow stays");
        assert_eq!(unsafe { heap.realloc(one, others[1], 36) }, one);
        for (at, layout) in [(one, Layout::new::<[u8; 36]>()), (two, others[0])] {
            unsafe { heap.dealloc(at, layout) };
        }
        assert_eq!(heap.below.bytes(), 96);
    }
}
