//! What the module checks itself: where it must refuse, and that it says what others say (`host::Both` asks them all).

use wardpoint_core::filter::ServiceError;
use wardpoint_core::jws::{Algorithm, AnyVerifier, Family, Jws, ModuleVerifier, Offer, TokenError, Verifier as _};

use crate::host::{ALL, Both, Host};
use crate::signers::{all_keys, bare, bytes, encode, hex, set, sign, signature, with};
use serde_json::json;

/// `{"alg":"PS256"}` over `{}` under the key of RFC 7515 appendix A.2, by OpenSSL, with salts of these sizes.
const SALTS: [(usize, &str); 5] = [
    (
        0,
        "lYWnUR1ltXJaMOO-vkJy-49Ot6rIC3h498x6BM_lMBW8SoClC8bojXOM_OPBXuQgBTy-YoHJTjbnkuBACgKgX-UjKhzA0I0BKUMzzEp1eQpSg18LoPDCzeWIghjtweob8erLWJmss3Lm93c07pGtz1E_-KgITbi2FVPUiLhH7RhbwPoVF973ad6O1qePbY5C3OPUSVeDQGZtvz0S5oE96CLahAqj0fhP4ExfAA8UGmB6nzuKTxFxXgXeml1MkFOHUNqs51_jPNnYVGMCC8QJtZZNM-6Td6IaG4A4GAmmT6-brK0v-3kCEl2QjZihE7-d7Iz-bHdq697ANMuX8aHWQg",
    ),
    (
        31,
        "goHAJtX9Ha__Wb2CyxHg9U7Qcods6HoaKJUujKKB6ZCdL-FCXEkpUebTGpitOuTuAZlQTcseNftQ1OBjJk47AJFZF9NYLI0rEE6hEQsN4sAwLROFe2V2EhFdCdHQJirozva7Pcgie8-BMYEPoACOlVhyR7TsGG8tz1DNOttMAt3aBhd4K1cJqTEYs9c62hP8Jz10wSQMMgBFmkf03TtDa-v-WLY7XbccQS7jDOgEGgk5unWNyD5FVtfMg6BvTQzMnUxioLNEkCYei5-mCV2BZl-DRiPvKZhAkhHda000NmLaAXHOTtsr_XvoRThAbB-bTs7CqwenfTI3zrZ74jWVLw",
    ),
    (
        32,
        "jv8WGTpwEhFvkIRy0k-Igyh6jdWUTpCyn4dvdgeCVmlU3V4dpkLSo3L09ZlTzJxQOvZJpfgup7VTT3P05dYCtIci1-UNoHRudggayl_0su-VctLKky1C468iQjjDzMiUth-RhnDY1HT0j9HQ86_ydJ1HRbW6pV9G6zMKGQuEh5V6xr5j4iRZ4Ypjt7b3C4eOyUYpPRWmzmVuKwObh09tal7xbW4ckBPSUh9JM7bkpio9-SNgi5ExISBQ-doz-QGVrVDZq1fA1DSyYgJKOj_vyOBKAAof5fzUAta5DhJ5pNWr6QImcG2RKUpMjWWauUQomJD9U5jV_R2gB0GGOWaIgw",
    ),
    (
        33,
        "iAvDl075Tce2j3WVxHVx-oIJplMoSIhL4TFnvOjKQzg5xznsqXqEpvFdjGJprZRKgY51z_qOuY0iLyj732NBCx4CuxPAjDVDnLuOy6fNTLqSp4WREGimYOcyO7KGi0VfXWKGtAMhIbr0laPa3cS4Xd86-oXlQ6yLmaXMPJNW-8ww308GIUhAeeyYLVADGZZ5T-2aWBPXlQ_piUhDhWMCEmf5GcwlobIVxYOra9H16nAhbJUur8IzDjSjnmUi1lCE3B8jL18e2DwtoxdBB_zU7zUNg5pK-7f8RNDH5lVhvcgxPmomWKOWzYSFUpctsLgdiaGlviF6Dy48Y7H9lo50Ew",
    ),
    (
        222,
        "fGp_LiUzPC7kln0uqJQ9AEQLCr4D36UPNfb_x8xDwYywqFmaeBN9n4dMED1-mYw2wTk6AgcgpzPvZWIP2Rnyul_8eCJ2NlkApxjjGbwgLbtKChZzqBPTcFi54fK5AfUd89Y-LgQasWZgpz_3rvV6gWABajbZLm7Sy4gdaRK26XMHBc5S9JQfNkYSwM5ZD21dfeEL-14-shEEUEWsWBGzMg0nYw5V92t1NZEe65ENFUMFkwsgWLoTeRlNHONORy25dSOr2Zsnj_o4FCpaSTdZIT3WBvpbmKSolYi1KQ0HCCqW28d_f_fD6KqOSBx9MxeYIPifPQJi_AsX2KemVAwReg",
    ),
];
/// The same with a salt of 32 bytes and SHA-1 in the mask.
const SHA1_MASK: &str = "cWLQG5z1cDwcrWZmz63qTrV0XAp9yoLJEDgjaXDouPbmSisrsBxd7igBH5XW2pu61GBk0NVKRtugNs7G7Ew2MU4J0P_RDUuvQD1YNNUFmZ99YNyahjNSW0vgHXUX25Zxn43sKyLm1aB0-ZqnBLF9vZV1QItw8EO6ZsOMybZPisxGLA_5d-U2Y-UQBor1MLluypx-vVo8tlrSv7o5XEc1lQrf4HZnOBpcKbXdbBZk3gsd0r2rXkdbtcpHOXjZRusOuAFttxv5tYGpT2uBvks6C6I2Z4KMehqZBd5ZpnheDs66oIU66cU_tpRP_ENKpS_m6ZBrqitEVJ4p9-BEWtd_NQ";
/// Keys of as many bits, and a signature of the same token: of 2049 bits the encoding is a byte shorter than the signature.
const SIZES: [(usize, &str, &str); 3] = [
    (
        2049,
        "AafwKGdBADs5h9cObrXzMb2gpFm3907tiXfZ4hHFylNG_qIracbiw-Eo8Dkl-fAJ_R5ys8O2u_R6t64GMckEa9vJnEi6DVjD6c1Fkp1R2dUnE0snMo8J_wZAa6NWBR4ZtpcMwze5juvTHR-FmokSG7-7vuOkBFsH_86N_vxszrXICkvIzipFVPWv26i85jAp82-eGsD5cNnRPm1i2RDiNuoZpRJDj5RlLaNdGDVBhEkiVWcP7r-_9Y9BvDPy8Cw5bXnnesF0QBa11BUo-F_41fKn9eRf3L9ob_9hCAE_6AK4bRcuJNgPp2L5a-cTNxy9cGt11JOYy6JCVSeN8DgwlcU",
        "AC_HcaUYgvjY1Z1S27dFn1sctThGwq1qiOTKQWrk4WQ-3qh8vDooff3nB3mLJhFnvEygwGlOzKIkjVV0U-Gwt1lQ7ahDUb1MpimCX8j7HuSVHBBh6YX6sTOZ5LUVib2peOlXfoop2_LiVN9uZrEdM3Qq39cCcP9E7G9Nr6O6eOpEnbeMzChRXGu-zn58bPS1g-aNnHK61f5VieuiMyxP0ajvZNgK_nPSlaNCH-oRex1Uk4BEERXoctqUHx5y4EWI0BFvPVgBiS2qjpBMB6sv607S5kkHaMC66rpqIjlLkE_P8mcN-P36xXSrmv9Iv0TRd_kaMv8MQH3Pct7o7vxCZCk",
    ),
    (
        2050,
        "AoPgdAnIYlepIoov1GN403KwyZBgW2VYaa1RhN7S4w6cmpvSVhTP5XuxoxfA9eoS1KaBru1U6gPrDwWld9_LMX0ykX_xestOKFaezDltndINSZJoCBr9Wi7n3l48d1ygMEWmusT4_hv-tzuW0zbqAjfNAe5M4mY-AgfpmnDPPWc17jGr0Faio2JW2RnxX9DUur4HQRdxKVXP_aj53Yv8a0bsNXVSz1OI92qv3ipIKGvdaMOsLwoeHGdx1v9zpKsG_UCykUAnXyoezFs1z0SJyvjN8hj6FWcZvfiyBEt8uaGldz3AQwFdoEwCI0zqJmJmIQTr1MrQWxxpFO1ssrlIhD8",
        "AA5yV9Hh6B8HQ_Nk8dSYVZufc5kYxrep29JD9Sx7dt7dnV2UXn6UtDVMBuv2wDDwkfcADJDo7nbRCz66uWD9jCceWBNtdphKD_rwFt6h6ljfD-ARZ9pRVdHbODPt0kJ0na7xzDQ05W98vB_Z6pJLUimXuxY5CFqaEHCVDoTwy86kbelIiX6k2MRF7xAFPVbxHZaKJ6Q1syn1Wm3cnQhroA1WB21xGBDyTVp4WJufAe1QRuZpAu2e3q-_p7l9QEQRyxNS9GmhBZx3tbVT9UdkmpiLFehhz3djo7a7OMjWYgQXT7P7lHv_X7rF09tO2JdrvtpjFkBrew2qC7v3gZmfCp0",
    ),
    (
        2054,
        "Ix_BhbUMv8G7eAM0Q2FKNGNy5VVne1H8natruivBQ2GreihXJlTsNgKiaceNkB6P0uXVAnIavfy-oBXK1DYEfyKA8Mlua5rJ1fcE1b0lc4VI2oX4z3DiX6622Q5olDZhbdQyThcGXuH1LRLBtK38UoeBZzlsJh4WlwDuGBKxwRhuLUnwU9PQRgF8Sh7K4j0GJ1MVWQPon4lAsJU4q0UWzilN3VD6JHpJzdU9e7N3-YxaLbD1Qj8bccBGwiRq1br7bgFHBJJcboJhA17ZhGfjGJOF7jA0NFLVopB-SgwIj0ks6cXVcHBR8KGbeLKlkhsWqaChCYza4UoTuyJ49oufDmE",
        "GT1KiguZkvPE6_dJzKPaus2r_gBjh6NeiXD8_cDJawzhYgk45nBicknfdunpMs5-pm-m22tVmel4pewLUI1HIvbv7V25AySLNGqOKohKFcv-KXn6JHcBzktPc4F3XAFKrFVdKfw7fnuOp-GZGM4Hja97MQhMD-FfC2AVgkjzoxISPJswYoXdYqsiiPOCSKRD9vvdjKRwfMMGuBrESJ6_cPI6a2vY2spbDD19OerW4R8hh8F2uKQN8McfWG1N37aqYWPkDFh27ttyz1-REDbdRQkzTthSbkCjAqjtWZTKarThScrCeoWi4k8ni2O6wdbdO5SutpMjDQmVn18k4Ywpf-k",
    ),
];

fn ps256(key: serde_json::Value, signature: &[u8]) -> Result<(), TokenError> {
    let token = format!("eyJhbGciOiJQUzI1NiJ9.e30.{}", encode(signature));
    Jws::read(token.as_bytes())?.authenticate(&set(&[key]), &mut Both::default()).map(drop)
}

/// RFC 7518 section 3.5: the salt is as long as the digest, and the mask of the same digest.
#[test]
fn ps256_has_one_salt_length_and_one_mask() {
    for (size, signature) in SALTS {
        let answer = ps256(bare(Family::Rsa), &bytes(signature));
        assert_eq!(answer, if size == 32 { Ok(()) } else { Err(TokenError::BadSignature) }, "{size}");
    }
    assert_eq!(ps256(bare(Family::Rsa), &bytes(SHA1_MASK)), Err(TokenError::BadSignature));
}

#[test]
fn ps256_under_moduli_of_all_sizes() {
    for (bits, modulus, good) in SIZES {
        let key = with(bare(Family::Rsa), json!({"n": modulus}));
        let mut signature = bytes(good);
        assert_eq!(ps256(key.clone(), &signature), Ok(()), "{bits}");
        let last = signature.len() - 1;
        signature[last] ^= 1;
        assert_eq!(ps256(key, &signature), Err(TokenError::BadSignature), "{bits}");
    }
}

/// s and s + n are one number modulo n; only the first is a signature (RFC 8017 section 5.2.2 step 1).
#[test]
fn an_rsa_signature_is_below_the_modulus() {
    let modulus = bytes(crate::signers::RSA_N);
    let keys = set(&[bare(Family::Rsa)]);
    let mut tried = 0;
    for count in 0..40_u8 {
        let message = [b'm', count];
        for algorithm in [Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps256] {
            let mut signature = signature(algorithm, &message);
            assert_eq!(Both::default().verify(&keys.keys()[0], algorithm, &message, &signature), Ok(true));
            if plus(&mut signature, &modulus) {
                tried += 1;
                assert_eq!(Both::default().verify(&keys.keys()[0], algorithm, &message, &signature), Ok(false));
            }
        }
    }
    assert!(tried > 10, "{tried}");
}

/// Adds to a number, highest byte first; `false` where that has no room.
fn plus(number: &mut [u8], more: &[u8]) -> bool {
    let mut carry = 0;
    for (a, b) in number.iter_mut().zip(more).rev() {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        *a = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    carry == 0
}

/// FIPS 186-5 section 6.4.2 step 1: r and s are from 1 to the order less 1, not only the right ones modulo the order.
#[test]
fn r_and_s_in_range() {
    const P256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    const P384: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
    for (algorithm, family, order) in [(Algorithm::Es256, Family::P256, P256), (Algorithm::Es384, Family::P384, P384)] {
        let order = hex(order);
        let size = order.len();
        let keys = set(&[bare(family)]);
        let says = |signature: &[u8]| Both::default().verify(&keys.keys()[0], algorithm, b"m", signature);
        let good = signature(algorithm, b"m");
        assert_eq!(says(&good), Ok(true));
        for half in [0, size] {
            let mut other = good.clone();
            other[half..half + size].copy_from_slice(&order);
            assert_eq!(says(&other), Ok(false), "{algorithm:?} {half}");
            let mut other = good.clone();
            if plus(&mut other[half..half + size], &order) {
                assert_eq!(says(&other), Ok(false));
            }
            other[half..half + size].fill(0xff);
            assert_eq!(says(&other), Ok(false));
        }
    }
}

/// Points that are on no curve, at infinity, or on the other side of it.
#[test]
fn points_off_the_curve() {
    for (family, algorithm, size) in [(Family::P256, Algorithm::Es256, 32), (Family::P384, Algorithm::Es384, 48)] {
        let good = signature(algorithm, b"m");
        for (x, y) in [(vec![0; size], vec![0; size]), (vec![1; size], vec![1; size]), (vec![0xff; size], vec![0xff; size])] {
            let keys = set(&[with(bare(family), json!({"x": encode(x), "y": encode(y)}))]);
            assert_eq!(Both::default().verify(&keys.keys()[0], algorithm, b"m", &good), Ok(false), "{family:?}");
        }
    }
}

/// RFC 8032 section 5.1.7: S is below the order L.
#[test]
fn ed25519_has_one_s() {
    let keys = set(&[bare(Family::Ed25519)]);
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    for count in 0..20_u8 {
        let mut signature = signature(Algorithm::Ed25519, &[count]);
        let says = |signature: &[u8]| Both::default().verify(&keys.keys()[0], Algorithm::Ed25519, &[count], signature);
        assert_eq!(says(&signature), Ok(true));
        signature[32..].reverse();
        let order: Vec<u8> = order.iter().rev().copied().collect();
        assert!(plus(&mut signature[32..], &order));
        signature[32..].reverse();
        assert_eq!(says(&signature), Ok(false));
    }
}

/// Under a key of small order one signature is that of many messages, whoever made it; some libraries say yes to it. A key that
/// is not in its one form is no key, and R = 0, S = 0 no signature.
#[test]
fn ed25519_points_that_are_none() {
    let mut accepted_elsewhere = 0;
    for key in [
        // Of order 1, 2, 4 and 8; then the same in forms that RFC 8032 section 5.1.3 refuses.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let keys = set(&[with(bare(Family::Ed25519), json!({"x": encode(hex(key))}))]);
        for r in ["0100000000000000000000000000000000000000000000000000000000000000", key] {
            let signature = [hex(r), vec![0; 32]].concat();
            for message in [&b"a"[..], b"b", b"c", b"d", b"e", b"f", b"g", b"h"] {
                let answer = ModuleVerifier.verify(&keys.keys()[0], Algorithm::Ed25519, message, &signature);
                assert_eq!(answer, Ok(false), "{key} {r}");
                let other = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, hex(key));
                accepted_elsewhere += usize::from(other.verify(message, &signature).is_ok());
            }
        }
    }
    assert!(accepted_elsewhere > 0, "these are forgeries that a library takes: else this test shows nothing");
    let keys = set(&[bare(Family::Ed25519)]);
    let nothing = ModuleVerifier.verify(&keys.keys()[0], Algorithm::Ed25519, b"", &[0; 64]);
    assert_eq!(nothing, Ok(false));
}

/// Sizes that are not those of the key, and keys of another kind, are bad signatures.
#[test]
fn what_does_not_fit_is_bad() {
    let keys = all_keys();
    for key in keys.keys() {
        for algorithm in Algorithm::ALL {
            let good = signature(algorithm, b"m");
            assert_eq!(ModuleVerifier.verify(key, algorithm, b"m", &good), Ok(key.fits(algorithm)), "{algorithm:?}");
            for other in [&good[1..], &[&[0], &good[..]].concat(), &[&good[..], &[0]].concat(), &[]] {
                assert_eq!(ModuleVerifier.verify(key, algorithm, b"m", other), Ok(false), "{algorithm:?}");
            }
        }
    }
    // Signatures of one padding are none of the other, nor of another digest.
    let rsa = set(&[bare(Family::Rsa)]);
    for made in [Algorithm::Ps256, Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512] {
        for asked in [Algorithm::Ps256, Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512] {
            let answer = Both::default().verify(&rsa.keys()[0], asked, b"m", &signature(made, b"m"));
            assert_eq!(answer, Ok(made == asked));
        }
    }
}

/// What the host offers is asked of it, and only that; the answer is the same whoever gives it.
#[test]
fn who_is_asked() {
    let keys = all_keys();
    for offer in [ALL, Offer { rsa: true, ecdsa: false }, Offer { rsa: false, ecdsa: true }, Offer::default()] {
        for algorithm in Algorithm::ALL {
            let host_has = match algorithm {
                Algorithm::Ed25519 | Algorithm::Ps256 => false,
                Algorithm::Es256 | Algorithm::Es384 => offer.ecdsa,
                Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => offer.rsa,
            };
            let good = sign(algorithm, &crate::signers::header(algorithm).to_string(), "{}");
            let bad = format!("{}.{}", good.rsplit_once('.').unwrap().0, encode(signature(algorithm, b"other")));
            for (token, want) in [(&good, Ok(())), (&bad, Err(TokenError::BadSignature))] {
                let mut host = Host::default();
                let answer = Jws::read(token.as_bytes())
                    .and_then(|jws| jws.authenticate(&keys, &mut AnyVerifier::new(&mut host, offer)).map(drop));
                assert_eq!((answer, host.calls), (want, usize::from(host_has)), "{algorithm:?} {offer:?}");
            }
            // A host that fails later is no reason to believe or not to believe a token.
            let mut host = Host { fault: Some(ServiceError::Failed), ..Host::default() };
            let answer = Jws::read(good.as_bytes())
                .and_then(|jws| jws.authenticate(&keys, &mut AnyVerifier::new(&mut host, offer)).map(drop));
            assert_eq!(answer, if host_has { Err(TokenError::HostFailed) } else { Ok(()) });
        }
    }
}
