//! From a case to the plays that engines are given.

use serde_json::{Map, Value};

use super::cut::{Body, Cut};
use super::model::{Case, Exchange, Profile};
use crate::engine::{Next, Play, Sent};

/// The play of `case` in `profile`, the bodies as written.
pub fn play(plugin: &str, case: &Case, profile: Profile) -> Play {
    let hold = profile == Profile::Hold;
    let frame = Play {
        plugin: plugin.to_owned(),
        config: configured(&case.config, (!case.own_host_profile).then_some(hold)),
        next: case.next.as_ref().map(|(plugin, config)| Next { plugin: plugin.clone(), config: configured(config, Some(hold)) }),
        hold_headers: hold,
        environment: case.environment.clone(),
        ..Play::default()
    };
    let before = case.before.iter().map(|before| of_exchange(&before.exchange, frame.clone())).collect();
    let handed = case.handed.as_ref().map(|handed| {
        let config = configured(&handed.config, (!case.own_host_profile).then_some(hold));
        let frame = Play { config, environment: handed.environment.clone(), ..frame.clone() };
        Box::new(of_exchange(&handed.exchange, frame))
    });
    Play { before, handed, ..of_exchange(&case.exchange, frame) }
}

/// The play of `exchange`, for the plugin and in the profile of `frame`.
pub fn of_exchange(exchange: &Exchange, frame: Play) -> Play {
    Play {
        peer: exchange.peer.clone(),
        claims: exchange.claims.clone(),
        request: exchange.request.clone(),
        upstream: exchange.upstream.clone(),
        upstream_early: exchange.early,
        callouts: exchange.callouts.clone(),
        client_leaves: exchange.leaves,
        properties: exchange.properties.clone(),
        faults: exchange.faults.clone(),
        time: exchange.time,
        buffer_limit: exchange.buffer_limit,
        http2: exchange.http2,
        ..frame
    }
}

/// Cuts the bodies of `play`, which is `case`'s, in place.
pub fn cut(play: &mut Play, case: &Case, cut: Cut) {
    play.request.chunks = cut.apply(Body::Request, &case.exchange.request);
    if let (Some(answer), Some(written)) = (&mut play.upstream, &case.exchange.upstream) {
        answer.chunks = cut.apply(Body::Answer, written);
    }
}

/// The configuration as JSON with `hostProfile.holdHeaders` set.
pub fn configured(config: &Value, hold: Option<bool>) -> Vec<u8> {
    let mut config = config.clone();
    if let (Some(hold), Value::Object(members)) = (hold, &mut config) {
        let profile = members.entry("hostProfile").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(profile) = profile {
            profile.insert("holdHeaders".to_owned(), Value::Bool(hold));
        }
    }
    config.to_string().into_bytes()
}

/// The value of a header of `sent`, for reports.
pub fn header<'a>(sent: &'a Sent, name: &str) -> Option<&'a [u8]> {
    sent.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.as_slice())
}
