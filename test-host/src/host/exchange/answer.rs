//! Answers that the proxy makes, and resets.

use wardpoint_core::filter::Direction::{self, Request, Response};

use super::{Exchange, Flow, Part};
use crate::engine::TOKEN_HEADER;
use crate::host::Map;
use crate::host::state::LocalAnswer;
use crate::transcript::Ending;

impl Exchange<'_> {
    /// `sendLocalReply`: through the filter chain before there is a response, straight to the client before its headers have
    /// gone, else a reset.
    pub(super) fn answer(&mut self, answer: LocalAnswer) {
        let LocalAnswer { status, details, headers, mut body } = answer;
        let mut map: Map = [(b":status".to_vec(), status.to_string().into_bytes())].into_iter().collect();
        for (name, value) in headers.iter() {
            map.add(name, value);
        }
        if !body.is_empty() {
            map.set(b"content-length", body.len().to_string().as_bytes());
            if map.first(b"content-type").is_none() {
                map.add(b"content-type", b"text/plain");
            }
        }
        if self.client.bodiless {
            body.clear();
        }
        if self.response.headers_gone {
            return self.cut_off();
        }
        self.request.flow = Flow::Cut;
        self.own_answer = true;
        self.host.properties.set_details(details);
        let shown = self.request.began && !self.response.began;
        if shown && self.manners.own_answer_comes_by && self.trapped.is_none() {
            if self.linked {
                self.answered = Some((map, body));
                return;
            }
            let end = body.is_empty();
            self.headers(Response, map, end);
            if !end && !self.over {
                self.part(Response, Part::Body(body, true));
            }
            return;
        }
        self.response.flow = Flow::Cut;
        self.client.headers(map);
        self.client.body = body;
        self.client.finish();
        self.over = true;
    }

    /// An answer of the proxy's own filters.
    pub(super) fn answer_of_proxy(&mut self, status: u32, details: &str, text: &str) {
        let (details, body) = (details.as_bytes().to_vec(), text.as_bytes().to_vec());
        self.answer(LocalAnswer { status, details, headers: Map::default(), body });
    }

    /// `jwt_authn`, the filter before ours, refuses what is no token; ours is shown nothing.
    pub(super) fn no_token(&mut self) -> bool {
        let headers = Map::new(&self.play.request.headers);
        let refused = headers.first(TOKEN_HEADER.as_bytes()).is_some_and(|token| token.split(|byte| *byte == b'.').count() != 3);
        if refused {
            let text = |name: &[u8]| String::from_utf8_lossy(headers.first(name).unwrap_or_default()).into_owned();
            let (host, path) = (text(b":authority"), text(b":path"));
            let challenge = format!(r#"Bearer realm="http://{host}{path}", error="invalid_token""#);
            let headers = [(b"www-authenticate".to_vec(), challenge.into_bytes())].into_iter().collect();
            let text = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
            self.answer(LocalAnswer { status: 401, details: Vec::new(), headers, body: text.as_bytes().to_vec() });
        }
        refused
    }

    pub(super) fn too_large(&mut self, direction: Direction) {
        match direction {
            Request => self.answer_of_proxy(413, "request_payload_too_large", "Payload Too Large"),
            Response => self.answer_of_proxy(500, "response_payload_too_large", "Internal Server Error"),
        }
    }

    /// The VM is dead: 503 if that can still be said, else a reset. A trap in a reply is answered by nobody (seen on 1.40).
    pub(super) fn fail_closed(&mut self) {
        if !self.over && !self.in_reply {
            self.answer(LocalAnswer { status: 503, ..LocalAnswer::default() });
        }
    }

    /// What the filter asked for ends the whole Envoy (seen on 1.40): no scenario in which a plugin does so can pass.
    pub(super) fn crash(&mut self) {
        self.trapped = Some("Envoy crashes: a response is resumed that has not begun".to_owned());
        self.cut_off();
    }

    pub(super) fn cut_off(&mut self) {
        self.client.end = Ending::Reset;
        self.over = true;
    }
}
