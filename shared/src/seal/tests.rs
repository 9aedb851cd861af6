//! Sealed values open at one place, for one bearer, until their end, under any key of the ring.

use proptest::prelude::*;

use super::*;

const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const B: &str = "_-4BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4";
const END: Timestamp = Timestamp::from_secs(1_000);
const BOUND: Bound<'_> = Bound { purpose: "reference", to: "spiffe://a/planner" };

fn ring(keys: &[(&str, &str)]) -> Result<Sealer, RingError> {
    let keys: Vec<_> = keys.iter().map(|(id, key)| (*id, Secret::new((*key).to_owned()))).collect();
    Sealer::new(&keys)
}

fn payload(opened: Result<Opened, NotOpened>) -> Result<Vec<u8>, NotOpened> {
    opened.map(|opened| opened.payload.reveal().clone())
}

#[test]
fn what_is_sealed_opens_until_its_end() {
    let sealer = ring(&[("k1", A)]).unwrap();
    let text = sealer.seal(BOUND, END, b"token", [7; NONCE]).unwrap();
    assert!(text.starts_with("1.k1.") && !text.contains('='), "{text}");
    let opened = sealer.open(BOUND, &text, Timestamp::from_nanos(999_999_999_999)).unwrap();
    assert_eq!((opened.payload.reveal().as_slice(), opened.expires), (&b"token"[..], END));
    assert_eq!(sealer.open(BOUND, &text, END), Err(NotOpened::Expired));
    assert_eq!(sealer.open(BOUND, &text, Timestamp::from_secs(u64::MAX)), Err(NotOpened::Expired));
}

#[test]
fn for_another_use_or_another_bearer_it_does_not_open() {
    let sealer = ring(&[("k1", A)]).unwrap();
    let text = sealer.seal(BOUND, END, b"token", [7; NONCE]).unwrap();
    for other in [
        Bound { purpose: "ticket", ..BOUND },
        Bound { to: "spiffe://a/researcher", ..BOUND },
        Bound { to: "", ..BOUND },
        // The same letters, cut elsewhere.
        Bound { purpose: "referencespiffe://a", to: "/planner" },
    ] {
        assert_eq!(sealer.open(other, &text, Timestamp::from_secs(1)), Err(NotOpened::Other), "{other:?}");
    }
}

#[test]
fn keys_are_rotated() {
    let (old, both, new) = (ring(&[("a", A)]).unwrap(), ring(&[("b", B), ("a", A)]).unwrap(), ring(&[("b", B)]).unwrap());
    let now = Timestamp::from_secs(1);
    let before = old.seal(BOUND, END, b"x", [1; NONCE]).unwrap();
    let after = both.seal(BOUND, END, b"y", [2; NONCE]).unwrap();
    assert!(after.starts_with("1.b."), "the first key seals");
    assert_eq!(payload(both.open(BOUND, &before, now)), Ok(b"x".to_vec()));
    assert_eq!(payload(both.open(BOUND, &after, now)), Ok(b"y".to_vec()));
    assert_eq!(payload(new.open(BOUND, &after, now)), Ok(b"y".to_vec()));
    assert_eq!(new.open(BOUND, &before, now), Err(NotOpened::UnknownKey), "a key that is gone opens nothing");
    assert_eq!(old.open(BOUND, &after, now), Err(NotOpened::UnknownKey));
    assert!(old.lacks_key_of(&after) && new.lacks_key_of(&before) && old.lacks_key_of("1.b.AAAA"));
    // What is no sealed text is not worth a fetch.
    for other in [&before, "", "1.", "1.b", "2.b.AAAA", "b.AAAA", "wpr_1.b.AAAA", &format!("1.b.{}", "A".repeat(30_000))] {
        assert!(!old.lacks_key_of(other), "{other}");
    }
    // A key of the same name that is another.
    assert_eq!(ring(&[("a", B)]).unwrap().open(BOUND, &before, now), Err(NotOpened::Other));
    // The same key under another name: the name is sealed with it.
    let renamed = ring(&[("a", A), ("c", A)]).unwrap();
    assert_eq!(renamed.open(BOUND, &before.replacen(".a.", ".c.", 1), now), Err(NotOpened::Other));
}

#[test]
fn which_keys_make_a_ring() {
    let padded = format!("{B}=");
    let (newline, upper) = (format!("{A}\n"), A.to_uppercase());
    for (keys, error) in [
        (&[][..], Some(RingError::Count)),
        (&[("a", A)], None),
        (&[("a", &newline)], None),
        (&[("a", &upper), ("B-2_", B)], None),
        (&[("a", A), ("a", B)], Some(RingError::KeyId)),
        (&[("", A)], Some(RingError::KeyId)),
        (&[("a.b", A)], Some(RingError::KeyId)),
        (&[("a-name-that-is-longer-than-any-one", A)], Some(RingError::KeyId)),
        (&[("a", "")], Some(RingError::Key)),
        (&[("a", "secret")], Some(RingError::Key)),
        (&[("a", &padded)], Some(RingError::Key)),
        (&[("a", A.strip_prefix("00").unwrap())], Some(RingError::Key)),
        (&[("a", "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")], Some(RingError::Key)),
        (&[("a", "0000000000000000000000000000000000000000000000000000000000000000")], Some(RingError::Key)),
        (&[("a", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")], Some(RingError::Key)),
    ] {
        assert_eq!(ring(keys).err(), error, "{keys:?}");
    }
    let names: Vec<String> = (0..9).map(|i| i.to_string()).collect();
    let keys: Vec<_> = names.iter().map(|name| (name.as_str(), A)).collect();
    assert_eq!(ring(&keys).err(), Some(RingError::Count));
    assert!(ring(&keys[..8]).is_ok());
}

#[test]
fn sizes_are_bounded_and_nothing_shows() {
    let sealer = ring(&[("k1", A)]).unwrap();
    let long = vec![b'x'; MAX_PAYLOAD];
    let text = sealer.seal(BOUND, END, &long, [7; NONCE]).unwrap();
    assert_eq!(payload(sealer.open(BOUND, &text, Timestamp::default())), Ok(long.clone()));
    assert_eq!(sealer.seal(BOUND, END, &[&long[..], b"x"].concat(), [7; NONCE]), None);
    assert_eq!(sealer.open(BOUND, &format!("1.k1.{}", "A".repeat(40_000)), Timestamp::default()), Err(NotOpened::Other));
    assert_eq!(format!("{sealer:?}"), r#"["k1"]"#);
    let opened = sealer.open(BOUND, &sealer.seal(BOUND, END, b"canary", [7; NONCE]).unwrap(), Timestamp::default());
    assert!(!format!("{opened:?}").contains("99, 97, 110"), "{opened:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_other_text_opens(at in any::<prop::sample::Index>(), byte in "[A-Za-z0-9._-]", value in proptest::collection::vec(any::<u8>(), 0..50), nonce: [u8; NONCE]) {
        let sealer = ring(&[("k1", A), ("k2", B)]).unwrap();
        let text = sealer.seal(BOUND, END, &value, nonce).unwrap();
        prop_assert_eq!(payload(sealer.open(BOUND, &text, Timestamp::default())), Ok(value));
        let at = at.index(text.len());
        let mut other = text.clone();
        other.replace_range(at..=at, &byte);
        prop_assert!(other == text || sealer.open(BOUND, &other, Timestamp::default()).is_err());
        prop_assert!(sealer.open(BOUND, text.split_at(at).0, Timestamp::default()).is_err());
        prop_assert_eq!(sealer.open(BOUND, &format!("{text}{byte}"), Timestamp::default()), Err(NotOpened::Other));
    }

    #[test]
    fn any_text_is_refused(text in "(1\\.k1\\.)?[ -~]{0,80}") {
        prop_assert!(ring(&[("k1", A)]).unwrap().open(BOUND, &text, Timestamp::default()).is_err());
    }
}
