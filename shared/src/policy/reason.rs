//! Every way to say no, and what each looks like on the wire.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:literal, $rpc:literal, $message:literal;)+) => {
        /// Why a request was refused. Codes are API: never renamed, each with one HTTP status and one JSON-RPC code.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable machine code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status of the answer.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// The JSON-RPC error code of the answer.
            pub fn rpc_code(self) -> i32 {
                match self { $(Self::$name => $rpc),+ }
            }

            /// The text for people; fixed, so that nothing of the request is reflected.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message),+ }
            }

            /// What it means, for the reference page.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

// JSON-RPC codes: -32020…-32099 belong to MCP and only those that it defines are used (rules.md 1.3); -32003 is the
// project's own code for a policy denial; -32700/-32600/-32601/-32602/-32603 are those of JSON-RPC 2.0.
reasons! {
    /// The configured mapping says that another agent owns the OAuth client of this token.
    AgentMismatch = "agent_mismatch", 403, -32003, "not allowed";
    /// The user said no to exactly this (OA-C-02).
    ApprovalDenied = "approval_denied", 403, -32003, "not approved";
    /// The user did not answer in time, or the ticket is used or for something else. Without a ticket the user is asked anew.
    ApprovalExpired = "approval_expired", 403, -32003, "the approval has expired";
    /// The user has been asked and has not answered yet (OA-C-01). The same call again, with the ticket, after the time that is said.
    ApprovalPending = "approval_pending", 403, -32003, "waiting for approval";
    /// The user cannot be asked now.
    ApprovalUnavailable = "approval_unavailable", 503, -32603, "a service that the decision needs is unavailable";
    /// The user has too many approvals to give already (BY-X-14).
    ApprovalsExceeded = "approvals_exceeded", 429, -32003, "too many approvals are pending";
    /// The body has an array of messages (MCP-T-11).
    Batch = "batch", 400, -32600, "batches are not supported";
    /// The body is larger than `limits.maxBodyBytes` (BY-H-04).
    BodyTooLarge = "body_too_large", 413, -32600, "request body too large";
    /// A call to another service that the decision needed did not succeed.
    CalloutFailed = "callout_failed", 503, -32603, "a service that the decision needs is unavailable";
    /// An object has a member whose name differs from a known one only in case (BY-J-02, BY-J-03).
    CaseTwin = "case_twin", 400, -32600, "ambiguous member name";
    /// The client left before a decision was made; nothing was refused.
    ClientLeft = "client_left", 499, -32603, "client left";
    /// The user has not consented to what the agent's client would do, and will not be asked: they said no, too much was asked, or
    /// no page is configured. The agent hears no more.
    ConsentBlocked = "consent_blocked", 403, -32003, "blocked";
    /// The user has to consent first and was told where; the agent was not. The same call again, with the ticket, after the time that is said.
    ConsentPending = "consent_pending", 403, -32003, "waiting for the user's consent";
    /// A deny rule matched.
    DeniedByRule = "denied_by_rule", 403, -32003, "not allowed";
    /// An object has two members of one name (BY-J-01).
    DuplicateMember = "duplicate_member", 400, -32600, "duplicate member name";
    /// A routing header is missing, repeated, malformed or differs from the body (MCP-H-01).
    HeaderMismatch = "header_mismatch", 400, -32020, "header mismatch";
    /// The server sends the user to a URL that `serverRequests.elicitationHosts` does not name, or that is not plain https (MCP-S-04).
    ElicitationRefused = "elicitation_refused", 403, -32003, "elicitation refused";
    /// The token service refused the exchange for this caller and target (OA-TE-07).
    ExchangeRefused = "exchange_refused", 403, -32003, "not allowed";
    /// The token service does not accept this gate, or is not understood: a fault of the configuration, and an alarm (OA-TE-07).
    ExchangeMisconfigured = "exchange_misconfigured", 500, -32603, "internal error";
    /// The token service did not answer, or could not (OA-TE-07).
    ExchangeUnavailable = "exchange_unavailable", 503, -32603, "the token service is unavailable";
    /// A call to the proxy failed, so what was decided could not be carried out.
    HostFailed = "host_failed", 500, -32603, "internal error";
    /// The proxy did something in an order that the policy cannot guard.
    HostOutOfOrder = "host_out_of_order", 500, -32603, "internal error";
    /// `hostProfile.holdHeaders` is true, but this proxy does not deliver a body while headers are held.
    HostProfileWrong = "host_profile_wrong", 503, -32603, "hostProfile.holdHeaders must be false on this proxy, or allow_on_headers_stop_iteration true";
    /// The user's token lacks a scope that the rule asks for (MCP-Z-02).
    InsufficientScope = "insufficient_scope", 403, -32003, "insufficient scope";
    /// The policy itself broke its contract; a bug.
    Internal = "internal", 500, -32603, "internal error";
    /// An id is null, a float, an object or the like (BY-J-08, BY-J-12).
    InvalidId = "invalid_id", 400, -32600, "invalid id";
    /// The authority is not one host, with or without a port.
    InvalidHost = "invalid_host", 400, -32600, "ambiguous host";
    /// Servers would read the path in different ways (BY-P-01).
    InvalidPath = "invalid_path", 400, -32600, "ambiguous path";
    /// Agent or client of the issued token are not those that asked (OA-TE-02).
    IssuedAgent = "issued_agent", 502, -32603, "the issued token was not accepted";
    /// The issued token is for others than the target, or for this gate (OA-TE-02).
    IssuedAudience = "issued_audience", 502, -32603, "the issued token was not accepted";
    /// The issued token's chain of actors is too long, a loop, or not the one that it must be (OA-TE-05).
    IssuedChain = "issued_chain", 502, -32603, "the issued token was not accepted";
    /// The issued token has expired, is not good yet, or lives longer than the route allows (OA-TE-02).
    IssuedExpiry = "issued_expiry", 502, -32603, "the issued token was not accepted";
    /// The issued token is of another kind than was asked for, or may not be used as a bearer token (OA-TE-03).
    IssuedKind = "issued_kind", 502, -32603, "the issued token was not accepted";
    /// The issued token grants what was not asked for (OA-TE-04).
    IssuedScope = "issued_scope", 502, -32603, "the issued token was not accepted";
    /// The issued token cannot be read, or another server issued it.
    IssuedUnreadable = "issued_unreadable", 502, -32603, "the issued token was not accepted";
    /// The issued token is another user's (OA-TE-02).
    IssuedUser = "issued_user", 502, -32603, "the issued token was not accepted";
    /// The `params` are not those of the method, so what it is about cannot be told.
    InvalidParams = "invalid_params", 400, -32602, "invalid params";
    /// A bearer token is there, but the proxy did not verify it (MCP-Z-01).
    InvalidToken = "invalid_token", 401, -32003, "the token was not accepted";
    /// The `authorization` header is not one bearer token (RFC 6750 section 2.1, BY-T-17).
    MalformedCredential = "malformed_credential", 400, -32600, "malformed authorization header";
    /// The body is not one strict JSON text (BY-J-04…09).
    MalformedJson = "malformed_json", 400, -32700, "malformed JSON";
    /// The body is JSON, but not a JSON-RPC 2.0 message (BY-J-10…12).
    MalformedMessage = "malformed_message", 400, -32600, "not a JSON-RPC 2.0 message";
    /// The token says who may act for its subject, and it is not this agent; or it must say so and does not (BY-X-06).
    MayNotAct = "may_not_act", 403, -32003, "not allowed";
    /// A modern request lacks required metadata (MCP-T-10).
    MissingMeta = "missing_meta", 400, -32602, "missing request metadata";
    /// The caller cannot be named: no verified peer identity (with `peer: mtls` also after a resumed TLS session).
    NoAgent = "no_agent", 403, -32003, "not allowed";
    /// No OAuth client of the token service belongs to the calling agent.
    NoClient = "no_client", 403, -32003, "not allowed";
    /// No allow rule matched: the default.
    NoMatchingRule = "no_matching_rule", 403, -32003, "not allowed";
    /// The route needs a bearer token to exchange, and the request brings none.
    NoToken = "no_token", 401, -32003, "authentication required";
    /// A rule asks for a user, and no verified user is there (MCP-Z-01).
    NoUser = "no_user", 401, -32003, "authentication required";
    /// The verified claims could not be read.
    ClaimsUnreadable = "claims_unreadable", 403, -32003, "not allowed";
    /// The `Origin` of a browser is not on the list (MCP-T-05).
    OriginRefused = "origin_refused", 403, -32003, "origin not allowed";
    /// The reference token does not open for the agent that brings it: made for another one, over, changed, or sealed with a key
    /// that is not known here. It is not said which.
    ReferenceRefused = "reference_refused", 401, -32003, "the token was not accepted";
    /// The request brings a token itself where only references to tokens are accepted.
    ReferenceRequired = "reference_required", 401, -32003, "the token was not accepted";
    /// A header that decides something came twice (BY-H-07).
    RepeatedHeader = "repeated_header", 400, -32600, "repeated header";
    /// The upstream answered with an encoding that cannot be read (BY-H-02).
    ResponseEncoded = "response_encoded", 502, -32603, "the answer could not be inspected";
    /// The upstream's answer is larger than `limits.maxBodyBytes`.
    ResponseTooLarge = "response_too_large", 502, -32603, "the answer is too large to be inspected";
    /// The upstream's answer cannot be read where it must be filtered (MCP-L-04, BY-E-09).
    ResponseUnreadable = "response_unreadable", 502, -32603, "the answer could not be inspected";
    /// No route is for this destination, and `unmatched` is `deny`.
    RouteUnmatched = "route_unmatched", 403, -32003, "not allowed";
    /// A response rule withheld the result, or it holds a resource that the caller may not read (MCP-K-03).
    ResultWithheld = "result_withheld", 403, -32003, "result withheld";
    /// The token is bound to a key or a certificate, so it cannot be exchanged here (OA-J-12, OA-D-03).
    SenderConstrained = "sender_constrained", 401, -32003, "tokens that are bound to a key are not accepted here";
    /// The server wants something from the client that `serverRequests.allow` does not name, or sends a request where MCP has
    /// none (MCP-T-06); or a client answers what no server may ask (MCP-G-04).
    ServerRequestRefused = "server_request_refused", 403, -32003, "server request refused";
    /// It cannot be told whether the caller was suspended: no list of what is revoked is recent enough.
    RevocationUnknown = "revocation_unknown", 503, -32603, "a service that the decision needs is unavailable";
    /// The token was revoked, or its user, agent or client was suspended.
    Revoked = "revoked", 401, -32003, "the token was revoked";
    /// A token stands in the query, where logs and referrers show it (MCP-Z-04).
    TokenInQuery = "token_in_query", 400, -32600, "tokens in the query are not accepted";
    /// The session is another caller's, or its id is none (MCP-G-01, BY-S-01). 404 makes a client begin a new one.
    SessionMismatch = "session_mismatch", 404, -32003, "unknown session";
    /// The user must do something first: log in again or more strongly, agree (RFC 9470, OA-TE-07).
    StepUpRequired = "step_up_required", 401, -32003, "the user must do something first";
    /// The token service does not accept the token that the request brought (OA-TE-07).
    SubjectRefused = "subject_refused", 401, -32003, "the token was not accepted";
    /// The chain of actors of the request's token is too long, a loop, or has an actor that is not known (BY-X-05).
    ActorChain = "actor_chain", 403, -32003, "not allowed";
    /// The stream has outlived the token it was opened with, or `limits.streamMs` (BY-S-06). What it would bring may no longer be sent.
    StreamExpired = "stream_expired", 401, -32003, "the stream has expired";
    /// Arrays or objects are nested deeper than allowed (BY-J-07).
    TooDeep = "too_deep", 400, -32600, "nested too deeply";
    /// The list has more tools than `tools.max`.
    TooManyTools = "too_many_tools", 502, -32603, "the list has too many tools";
    /// A tool is no longer what `tools.pins` says it is; it is not listed, nor called where that was seen.
    ToolChanged = "tool_changed", 403, -32003, "the tool has changed";
    /// The policy let a request go without a decision; a bug, and it was refused.
    Undecided = "undecided", 500, -32603, "internal error";
    /// The method is not known, so it cannot be judged (rules.md 1.4, last row).
    UnknownMethod = "unknown_method", 403, -32601, "method not found";
    /// The body is encoded (BY-H-01).
    UnsupportedEncoding = "unsupported_encoding", 415, -32600, "content encoding not supported";
    /// The body is not `application/json` in UTF-8 (BY-H-06).
    UnsupportedMediaType = "unsupported_media_type", 415, -32600, "media type not supported";
    /// The HTTP method is not one of this endpoint (BY-H-05, BY-H-11).
    UnsupportedMethod = "unsupported_method", 405, -32600, "HTTP method not allowed";
    /// The protocol version is not one of those that are configured (MCP-T-10).
    UnsupportedVersion = "unsupported_version", 400, -32022, "unsupported protocol version";
    /// The request asks for another protocol (BY-H-09).
    UpgradeRefused = "upgrade_refused", 400, -32600, "upgrade not supported";
    /// An error came before the decision was made. If it may be the upstream's, only its status went on (BY-H-16).
    UpstreamAnsweredEarly = "upstream_answered_early", 502, -32603, "the upstream answered early";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_speak_snake_case() {
        let mut seen = std::collections::HashSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.code()), "{} twice", reason.code());
            assert!(reason.code().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!((400..600).contains(&reason.status()));
            assert!(!reason.doc().trim().is_empty());
        }
    }

    #[test]
    fn only_codes_that_mcp_defines_are_taken_from_its_range() {
        for reason in Reason::ALL.iter().filter(|r| (-32099..=-32020).contains(&r.rpc_code())) {
            assert!([-32020, -32021, -32022].contains(&reason.rpc_code()), "rules.md 1.3: {}", reason.code());
        }
    }
}
