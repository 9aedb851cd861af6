//! Plain scalars: what YAML 1.2 makes of a text without quotes.

use serde_json::Number;

use super::yaml::Data;

/// A plain scalar under the core schema (YAML 1.2.2 section 10.3.2).
pub(super) fn resolve(text: &str) -> Result<Data, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => {
            return Err(format!(
                "`{text}` is a boolean for YAML 1.1 and a string for YAML 1.2; write `true` or `false`, or quote it"
            ));
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!("`{text}` has no form in JSON"));
    }
    let too_large = || format!("`{text}` does not fit into 64 bits; quote it if a string is meant");
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.bytes().all(|b| char::from(b).is_digit(radix))
        {
            return u64::from_str_radix(digits, radix).map(|n| Data::Number(n.into())).map_err(|_| too_large());
        }
    }
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let all_digits = digits == unsigned.len();
    if digits > 1 && unsigned.starts_with('0') && (all_digits || is_float(unsigned)) {
        return Err(format!("`{text}` has leading zeros, which readers take differently; drop them or quote it"));
    }
    if digits > 0 && all_digits {
        let plain = text.strip_prefix('+').unwrap_or(text);
        let number = plain.parse::<u64>().map(Number::from).or_else(|_| plain.parse::<i64>().map(Number::from));
        return number.map(Data::Number).map_err(|_| too_large());
    }
    if is_float(unsigned) {
        let number = text.parse::<f64>().ok().and_then(Number::from_f64);
        return number.map(Data::Number).ok_or_else(too_large);
    }
    Ok(Data::String(text.to_owned()))
}

/// `\. [0-9]+ | [0-9]+ ( \. [0-9]* )?` and an exponent.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && is_digits(exponent))
}
