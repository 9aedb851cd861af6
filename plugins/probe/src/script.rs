//! What a request asks the probe to do.

/// When something is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    RequestHeaders,
    RequestBody,
    RequestEnd,
    ResponseHeaders,
    ResponseBody,
    ResponseEnd,
    Callout,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Allow,
    CallOut(String),
    CallOutGrpc(String),
    CallOutShared(String),
    Continue,
    Deny,
    Hold,
    Random,
    RemoveHeader(String),
    ReplaceBody(String),
    Reset,
    SetHeader(String, String),
    SharedGet(String),
    SharedSet(String, String),
    Trap,
    /// Key (DER), signature and message, in hex.
    Verify(Vec<Vec<u8>>),
}

/// All of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Vec<(Phase, Action)>);

impl Script {
    /// Reads an `x-probe` value; `Err` names the part that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, &str> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| step(part).ok_or(part)).collect::<Result<_, _>>().map(Self)
    }

    /// What is to be done in `phase`, in order.
    pub(crate) fn at(&self, phase: Phase) -> impl Iterator<Item = &Action> {
        self.0.iter().filter(move |(at, _)| *at == phase).map(|(_, action)| action)
    }

    /// Whether the script itself decides.
    pub(crate) fn decides(&self) -> bool {
        self.0.iter().any(|(at, action)| {
            matches!(action, Action::Allow | Action::Deny)
                && matches!(at, Phase::RequestHeaders | Phase::RequestBody | Phase::RequestEnd | Phase::Callout)
        })
    }

    /// Whether a body is to be replaced in one of `phases`.
    pub(crate) fn edits(&self, phases: &[Phase]) -> bool {
        self.0.iter().any(|(at, action)| matches!(action, Action::ReplaceBody(_)) && phases.contains(at))
    }
}

fn step(part: &str) -> Option<(Phase, Action)> {
    let (phase, action) = part.split_once('=')?;
    let phase = match phase.trim() {
        "requestHeaders" => Phase::RequestHeaders,
        "requestBody" => Phase::RequestBody,
        "requestEnd" => Phase::RequestEnd,
        "responseHeaders" => Phase::ResponseHeaders,
        "responseBody" => Phase::ResponseBody,
        "responseEnd" => Phase::ResponseEnd,
        "callout" => Phase::Callout,
        _ => return None,
    };
    let (action, argument) = action.trim().split_once(':').unwrap_or((action.trim(), ""));
    let pair = || argument.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let action = match action {
        "allow" => Action::Allow,
        "callOut" => Action::CallOut(argument.to_owned()),
        "callOutGrpc" => Action::CallOutGrpc(argument.to_owned()),
        "callOutShared" => Action::CallOutShared(argument.to_owned()),
        "continue" => Action::Continue,
        "deny" => Action::Deny,
        "hold" => Action::Hold,
        "random" => Action::Random,
        "removeHeader" => Action::RemoveHeader(argument.to_owned()),
        "replaceBody" => Action::ReplaceBody(argument.to_owned()),
        "reset" => Action::Reset,
        "setHeader" => pair().map(|(name, value)| Action::SetHeader(name, value))?,
        "sharedGet" => Action::SharedGet(argument.to_owned()),
        "sharedSet" => pair().map(|(key, value)| Action::SharedSet(key, value))?,
        "trap" => Action::Trap,
        "verify" => Action::Verify(argument.split('|').map(hex).collect::<Option<_>>().filter(|v: &Vec<_>| v.len() == 3)?),
        _ => return None,
    };
    Some((phase, action))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_order() {
        let script = Script::parse("requestHeaders=hold; requestEnd=setHeader:x-a=b=c;requestEnd=deny").unwrap();
        assert_eq!(script.at(Phase::RequestHeaders).collect::<Vec<_>>(), [&Action::Hold]);
        assert_eq!(
            script.at(Phase::RequestEnd).collect::<Vec<_>>(),
            [&Action::SetHeader("x-a".into(), "b=c".into()), &Action::Deny]
        );
        assert!(script.decides());
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert_eq!(Script::parse("requestHeaders=hold; requestend=deny").unwrap_err(), "requestend=deny");
        for part in ["requestEnd=setHeader:x", "requestEnd=verify:00|0|00", "requestEnd=verify:00|00"] {
            assert_eq!(Script::parse(part).unwrap_err(), part);
        }
    }
}
