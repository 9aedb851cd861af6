//! What the compiler calls for every comparison of texts. The function that comes with Rust goes byte by byte in WebAssembly, eleven
//! instructions for each.

/// Below, at or above 0 as the bytes at `a` are before, the same as or behind those at `b`.
///
/// # Safety
///
/// At both places `size` bytes can be read.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, size: usize) -> i32 {
    let mut at = 0_usize;
    if let Some(last) = size.checked_sub(8) {
        loop {
            // SAFETY: eight bytes from `at` lie within `size`, for it is `last` at the most; no alignment is asked for.
            let (one, other) = unsafe { (a.add(at).cast::<u64>().read_unaligned(), b.add(at).cast::<u64>().read_unaligned()) };
            if one != other {
                return if one.to_be() < other.to_be() { -1 } else { 1 };
            }
            if at == last {
                return 0;
            }
            // The last step has some bytes again that are the same.
            at = at.wrapping_add(8).min(last);
        }
    }
    if size >= 4 {
        // SAFETY: as above, four bytes.
        let (one, other) = unsafe { (a.cast::<u32>().read_unaligned(), b.cast::<u32>().read_unaligned()) };
        if one != other {
            return if one.to_be() < other.to_be() { -1 } else { 1 };
        }
        at = 4;
    }
    while at < size {
        // SAFETY: as above, one byte.
        let (one, other) = unsafe { (a.add(at).read(), b.add(at).read()) };
        if one != other {
            return i32::from(one).wrapping_sub(i32::from(other));
        }
        at = at.wrapping_add(1);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_slices_do() {
        let text: Vec<u8> = (0..40_u8).map(|at| at.wrapping_mul(7)).collect();
        for (start, size) in (0..8).flat_map(|start| (0..=32).map(move |size| (start, size))) {
            let one = text.get(start..start + size).unwrap_or_default();
            for (at, flip) in (0..size).flat_map(|at| [0, 1, 0x80, 0xff].map(|flip| (at, flip))) {
                let mut other = one.to_vec();
                other[at] ^= flip;
                // A second difference behind the first one says nothing.
                other[size - 1] = other[size - 1].wrapping_add(u8::from(flip != 0 && at + 1 < size));
                // SAFETY: both have `size` bytes.
                let order = unsafe { memcmp(one.as_ptr(), other.as_ptr(), size) };
                assert_eq!(order.cmp(&0), one.cmp(&other), "{one:?} {other:?}");
            }
        }
        // SAFETY: nothing is read.
        assert_eq!(unsafe { memcmp(text.as_ptr(), text.as_ptr(), 0) }, 0);
    }
}
