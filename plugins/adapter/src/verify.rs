//! Arguments and result of Envoy's foreign function `verify_signature`, two small protobuf messages
//! (`envoy.source.extensions.common.wasm.VerifySignatureArguments` and `VerifySignatureResult`).

use wardpoint_core::filter::Signature;

/// The arguments: `hash_function` = 1, `public_key` = 2 (DER), `signature` = 3, `text` = 4.
pub(crate) fn arguments(signature: &Signature<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + signature.key.len() + signature.bytes.len() + message.len());
    for (number, bytes) in [(1, signature.digest.name().as_bytes()), (2, signature.key), (3, signature.bytes), (4, message)] {
        out.push(number << 3 | 2);
        push_varint(&mut out, bytes.len());
        out.extend_from_slice(bytes);
    }
    out
}

/// The result: `result` = 1, a bool. `None` if it is not a message. An absent field is `false`, as in all of proto3.
pub(crate) fn result(message: &[u8]) -> Option<bool> {
    let mut rest = message;
    let mut valid = false;
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        match (key >> 3, key & 7) {
            (1, 0) => valid = take_varint(&mut rest)? != 0,
            (_, 0) => drop(take_varint(&mut rest)?),
            (_, 2) => {
                let size = usize::try_from(take_varint(&mut rest)?).ok()?;
                rest = rest.get(size..)?;
            }
            _ => return None,
        }
    }
    Some(valid)
}

fn push_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number.to_le_bytes().first().copied().unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes().first().copied().unwrap_or_default());
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use wardpoint_core::filter::Digest;

    use super::*;

    #[test]
    fn arguments_are_the_message_that_envoy_reads() {
        let signature = Signature { digest: Digest::Sha256, key: b"KEY", bytes: b"SIG" };
        assert_eq!(arguments(&signature, b"m"), b"\x0a\x06sha256\x12\x03KEY\x1a\x03SIG\x22\x01m");
        let long = arguments(&signature, &[b'x'; 300]);
        assert!(long.windows(3).any(|w| w == b"\x22\xac\x02"), "300 as a varint");
    }

    #[test]
    fn only_an_explicit_true_is_true() {
        assert_eq!(result(b"\x08\x01"), Some(true));
        assert_eq!(result(b""), Some(false));
        assert_eq!(result(b"\x08\x00\x12\x03bad"), Some(false));
        assert_eq!(result(b"\x12\x03bad\x08\x01"), Some(true));
        for broken in [&b"\x08"[..], b"\x12\x05bad", b"\x0d\x01\x01\x01\x01", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        {
            assert_eq!(result(broken), None, "{broken:?}");
        }
    }
}
