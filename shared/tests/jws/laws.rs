//! Laws over generated input.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;
use wardpoint_core::jws::{Algorithm, Jws, KeySet};

use crate::claims::{NOW, good, issuer, verify};
use crate::host::Both;
use crate::signers::{all_keys, header, sign};

/// A good token of each algorithm; made once.
fn token(algorithm: Algorithm) -> String {
    thread_local!(static MADE: RefCell<HashMap<Algorithm, String>> = RefCell::default());
    let make = || sign(algorithm, &header(algorithm).to_string(), &good().to_string());
    MADE.with_borrow_mut(|made| made.entry(algorithm).or_insert_with(make).clone())
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    proptest::sample::select(Algorithm::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// ECDSA has (r, n - s) beside (r, s): that is no change of one byte, and both are good.
    #[test]
    fn no_token_with_one_other_byte_verifies(algorithm in algorithm(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = token(algorithm);
        prop_assert!(verify(&issuer(), &good).is_ok());
        let mut other = good.clone().into_bytes();
        let at = at.index(other.len());
        prop_assume!(other[at] != byte);
        other[at] = byte;
        prop_assert!(issuer().verify(&other, &all_keys(), NOW, &mut Both::default()).is_err());
    }

    #[test]
    fn no_token_with_a_byte_more_or_less_verifies(algorithm in algorithm(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = token(algorithm).into_bytes();
        let at = at.index(good.len());
        let mut longer = good.clone();
        longer.insert(at, byte);
        let mut shorter = good.clone();
        shorter.remove(at);
        for other in [&longer[..], &shorter, &good[..at], &good[at + 1..]] {
            prop_assert!(issuer().verify(other, &all_keys(), NOW, &mut Both::default()).is_err());
        }
    }

    /// Parts of two good tokens do not make a third.
    #[test]
    fn parts_do_not_mix(a in algorithm(), b in algorithm(), which in 0..3_usize) {
        prop_assume!(a != b);
        let (a, b) = (token(a), token(b));
        let mut parts: Vec<&str> = a.split('.').collect();
        parts[which] = b.split('.').nth(which).unwrap();
        // The claims are the same in both.
        prop_assert_eq!(verify(&issuer(), &parts.join(".")).is_ok(), which == 1);
    }

    #[test]
    fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200), header in "[ -~]{0,60}", claims in "[ -~]{0,60}") {
        prop_assert!(issuer().verify(&text, &all_keys(), NOW, &mut Both::default()).is_err());
        drop(KeySet::read(&text));
        drop(Jws::read(&text));
        prop_assert!(verify(&issuer(), &sign(Algorithm::Ed25519, &header, &claims)).is_err());
    }
}
