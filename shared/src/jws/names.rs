//! Members of an object told apart by their names.

/// Does what stands behind the name, if it is one of these. Names are told apart by their first eight bytes, as one number: most of
/// those in a token are none that is asked for.
macro_rules! by_name {
    ($name:expr; $($($known:literal)|+ => $then:expr,)+) => {{
        let name = $name.bytes();
        let first = $crate::jws::names::start(&name);
        $(if $((first == const { $crate::jws::names::start($known.as_bytes()) } && *name == *$known.as_bytes()))||+ { $then } else)+ {}
    }};
}
pub(super) use by_name;

/// The first eight bytes, and zero for those that are not there.
pub(super) const fn start(name: &[u8]) -> u64 {
    let (mut start, mut rest, mut place) = (0, name, 0);
    while let [byte, behind @ ..] = rest
        && place < 64
    {
        start |= (*byte as u64) << place;
        (rest, place) = (behind, place + 8);
    }
    start
}
