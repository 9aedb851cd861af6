#!/usr/bin/env python3
"""A second opinion: who may do what, written from the rules and not from the code, with nothing but Python's own library.

Reads one JSON line with a list of policies, then one line a request: [policy, peer, claims, headers, body, items].
`body` is bytes as latin-1; `items` is the list of an answer (names or URIs) or null. Answers one line each:
{"allow": bool, "why": text, "show": items that may be shown}. It knows no conditions (`when`).
"""
import base64
import json
import re
import sys

MODERN = {"2026-07-28"}
LEGACY = {"2025-03-26", "2025-06-18", "2025-11-25"}
VERSION = "io.modelcontextprotocol/protocolVersion"
TOP = {"jsonrpc", "id", "method", "params", "result", "error"}
PARAMS = {"name", "uri", "taskId", "arguments", "_meta", "ref", "notifications", "cursor", "task", "method", "params", "id", "level"}
LISTS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "templates"}
FREE = {"initialize", "ping", "server/discover", "logging/setLevel", *LISTS}
TOLD = {"notifications/cancelled", "notifications/initialized", "notifications/progress", "notifications/roots/list_changed"}
SERVERS = {"sampling/createMessage", "elicitation/create", "roots/list"}
TASKS = {"tasks/get", "tasks/result", "tasks/update", "tasks/cancel"}
NAMED = {"tools/call", "prompts/get", "resources/read", "tasks/get", "tasks/update", "tasks/cancel"}
KNOWN = FREE | TOLD | SERVERS | TASKS | NAMED | {"resources/subscribe", "resources/unsubscribe", "completion/complete",
                                                "subscriptions/listen", "tasks/list"}


class No(Exception):
    """Not allowed, and why."""


# --- who asks


def text(value, what):
    if value is None:
        return None
    if not isinstance(value, str) or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise No(what + " is no text")
    return value or None


def caller(policy, peer, claims):
    identity = policy["identity"]
    if not (peer and re.fullmatch(r"spiffe://[!-+\--~]+", peer)):
        peer = None
    if "claims" not in identity or claims is None:
        return {"agent": peer if identity["peer"] != "none" else None, "user": None, "client": None, "scopes": set(), "groups": set()}
    for claim in ("iss", "sub", "scope", "azp", "client_id", "act"):
        if claim in claims and claims[claim] is None:
            raise No("a claim is null")
    sub = text(claims.get("sub"), "sub")
    text(claims.get("iss"), "iss")
    client = text(claims.get("client_id"), "client_id") or text(claims.get("azp"), "azp")
    scopes = set((text(claims.get("scope"), "scope") or "").split(" ")) - {""}
    actors, act = [], claims.get("act")
    while act is not None:
        if not isinstance(act, dict) or not text(act.get("sub"), "act.sub"):
            raise No("act is no chain of actors")
        actors.append(act["sub"])
        act = act.get("act")
    groups = claims
    path = policy.get("roles", {}).get("claim", [])
    for name in [path] if isinstance(path, str) else path:
        groups = groups.get(name) if isinstance(groups, dict) else None
    groups = {groups} if isinstance(groups, str) else set(groups) if isinstance(groups, list) and path else set()
    agent = peer if identity["peer"] != "none" else (actors[0] if actors else client)
    owners = {pair["client"]: pair["spiffe"] for pair in identity.get("agents", [])}
    if identity["peer"] != "none" and owners:
        if actors and actors[0] != agent and owners.get(actors[0]) != agent:
            raise No("the token is another agent's")
        if not actors and client in owners and owners[client] != agent:
            raise No("the token is another agent's")
    mapped = {spiffe: name for name, spiffe in owners.items()}.get(agent)
    if identity["peer"] == "none":
        mapped = client
    return {"agent": agent, "user": sub if sub != client else None, "client": mapped, "scopes": scopes, "groups": groups}


# --- what a rule says


def matches(pattern, name):
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == name
    return len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)


def lower_scheme(uri):
    scheme, colon, rest = uri.partition(":")
    return scheme.lower() + colon + rest


def matches_uri(pattern, uri):
    """A `*` never reaches over what a server could resolve to another place (MCP-A-05)."""
    if "*" in pattern:
        tricky = re.search(r"\.\.|%2e|%2f|%5c|\\|[\x00-\x20\x7f]", uri, re.I) or "@" in re.sub(r"[/?#].*", "", uri.partition("://")[2])
        if tricky:
            return False
    return matches(lower_scheme(pattern), lower_scheme(uri))


def speaks_to(part, who):
    if who["agent"] is None:
        return "*" in part.get("agents", ["*"])
    return any(matches(pattern, who["agent"]) for pattern in part.get("agents", ["*"]))


def is_about(part, kind, name, method):
    """Whether a rule's part names this: by its kind, by its method, or by naming nothing at all."""
    kinds = [k for k in ("tools", "prompts", "resources", "methods") if k in part]
    if not kinds or method in part.get("methods", []):
        return True
    test = matches_uri if kind == "resources" else matches
    return kind in kinds and any(test(pattern, name) for pattern in part[kind])


def implied(policy, scopes):
    implies = policy.get("scopes", {}).get("implies", {})
    have, todo = set(), list(scopes)
    while todo:
        scope = todo.pop()
        if scope not in have:
            have.add(scope)
            todo += implies.get(scope, [])
    return have


def grants(policy, part, who):
    """Whether the caller has what an allow rule asks of the user."""
    if not speaks_to(part, who):
        return False
    if part.get("user", "any") == "none":
        return True
    roles = {role for group in who["groups"] for role in policy.get("roles", {}).get("map", {}).get(group, [])}
    have = implied(policy, who["scopes"])
    return who["user"] is not None and set(part.get("scopes", [])) <= have and set(part.get("roles", [])) <= roles


def tiers(policy, who):
    found = policy.get("tiers", {})
    namespace = re.match(r"spiffe://[^/]+/ns/([^/]+)/", who["agent"] or "")
    yield found.get("global")
    yield found.get("namespaces", {}).get(namespace.group(1)) if namespace else None
    yield found.get("clients", {}).get(who["client"])


def requests(rules):
    return [rule for rule in rules if rule.get("at", "request") == "request"]


def denied(rules, who, kind, name, method):
    hits = (rule for rule in requests(rules) if "deny" in rule and rule.get("mode", "enforce") == "enforce")
    return any(speaks_to(rule["deny"], who) and is_about(rule["deny"], kind, name, method) for rule in hits)


def may(policy, who, kind, name, method):
    """Default deny, deny beats allow, a tier only narrows."""
    if who["agent"] is None and policy["identity"]["peer"] != "none":
        return False
    for rules in [*tiers(policy, who), policy["rules"]]:
        if rules is None:
            continue
        if denied(rules, who, kind, name, method):
            return False
        allows = [rule["allow"] for rule in rules if "allow" in rule]
        kind_of = [part for part in allows if kind in part]
        if rules is not policy["rules"] and not kind_of:
            continue
        if not any(grants(policy, part, who) and is_about(part, kind, name, method) for part in kind_of):
            return False
    return True


def may_speak(policy, who, method):
    """What the protocol itself needs, for those of whom some rule speaks."""
    for rules in [*tiers(policy, who), policy["rules"]]:
        if rules is not None and denied(rules, who, "methods", "", method):
            return False
    parts = [rule["allow"] for rule in policy["rules"] if "allow" in rule]
    return any(speaks_to(part, who) and (part.get("user", "any") == "none" or who["user"]) for part in parts)


# --- what is asked


def strict(body):
    def no_twins(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise No("a name comes twice")
        return dict(pairs)

    def no(word):
        raise No(word + " is no JSON")

    try:
        value = json.loads(body.decode("utf-8", "strict"), object_pairs_hook=no_twins, parse_constant=no)
    except (ValueError, RecursionError) as error:
        raise No("no JSON") from error
    if not isinstance(value, dict):
        raise No("no object")
    return value


def folded(name):
    return {name.lower(), "".join(c.upper().lower() if len(c.upper()) == 1 else c for c in name)}


def no_case_twins(members, known):
    low = {name.lower() for name in known}
    for name in members:
        if name not in known and folded(name) & low:
            raise No("a name that differs only in case")


def one(headers, name):
    values = [value for known, value in headers if known.lower() == name]
    if len(values) > 1:
        raise No(name + " comes twice")
    return values[0].strip(" \t") if values else None


def member(holder, name):
    value = holder.get(name)
    if not isinstance(value, str) or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise No(name + " is no name")
    return value


def asked(method, params):
    """What the method is about, by kind and name; several for a subscription."""
    if method in ("tools/call", "prompts/get"):
        return [("tools" if method == "tools/call" else "prompts", member(params, "name"))]
    if method.startswith("resources/") and method not in LISTS:
        return [("resources", member(params, "uri"))]
    if method in TASKS:
        return [("task", member(params, "taskId"))]
    if method == "completion/complete":
        ref = params.get("ref")
        if not isinstance(ref, dict) or ("name" in ref) == ("uri" in ref):
            raise No("ref names nothing")
        prompt = ref.get("type") == "ref/prompt"
        return [("prompts", member(ref, "name")) if prompt else ("resources", member(ref, "uri"))]
    if method == "subscriptions/listen":
        wanted = params.get("notifications", {})
        return [("resources", uri) for uri in wanted.get("resourceSubscriptions", [])] + [("task", task) for task in wanted.get("taskIds", [])]
    return []


def judge(policy, peer, claims, headers, body):
    who = caller(policy, peer, claims)
    if one(headers, ":method") != "POST" or (one(headers, "content-type") or "").split(";")[0].strip().lower() != "application/json":
        raise No("not a POST of JSON")
    if (one(headers, "content-encoding") or "identity").lower() != "identity" or one(headers, "origin") not in [None, *policy.get("origins", [])]:
        raise No("an encoding or origin")
    if len(body) > policy.get("limits", {}).get("maxBodyBytes", 1_000_000):
        raise No("too large")
    message = strict(body)
    no_case_twins(message, TOP)
    if message.get("jsonrpc") != "2.0":
        raise No("not JSON-RPC 2.0")
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise No("params are no object")
    no_case_twins(params, PARAMS)
    meta = params.get("_meta", {})
    version, spoken = meta.get(VERSION) if isinstance(meta, dict) else "?", one(headers, "mcp-protocol-version")
    if "id" in message and (isinstance(message["id"], bool) or not isinstance(message["id"], (str, int)) and "error" not in message):
        raise No("no id")
    allowed = set(policy.get("versions", MODERN | LEGACY))
    modern = version is not None or spoken in MODERN
    if modern and (version or spoken) not in MODERN & allowed or not modern and (spoken not in LEGACY & allowed if spoken else not LEGACY & allowed):
        raise No("a version")
    if version is not None and spoken is not None and version != spoken:
        raise No("two versions")
    if "method" not in message:
        if modern or ("result" in message) == ("error" in message) or not may_speak(policy, who, None):
            raise No("an answer")
        return who, None
    method = message["method"]
    if "result" in message or "error" in message or method not in KNOWN:
        raise No("a method")
    things = asked(method, params)
    named, says = one(headers, "mcp-name"), one(headers, "mcp-method")
    if named is not None and named.startswith("=?base64?") and named.endswith("?="):
        named = base64.b64decode(named[9:-2], validate=True).decode("utf-8")
    if says not in (None, method) or named is not None and named not in [name for _, name in things]:
        raise No("a header that says another thing")
    if modern and "id" in message and (says is None or method in NAMED and named is None or spoken is None or version is None):
        raise No("a header is missing")
    if method in FREE and may_speak(policy, who, method) or method in TOLD and "id" not in message and may_speak(policy, who, method):
        return who, method
    if not things and not may(policy, who, "methods", "", method):
        raise No("nothing grants it")
    for kind, name in things:
        parts = [rule["allow"] for rule in policy["rules"] if "allow" in rule]
        some_tool = any(grants(policy, part, who) and "tools" in part for part in parts)
        if not (some_tool and may_speak(policy, who, method) if kind == "task" else may(policy, who, kind, name, method)):
            raise No("nothing grants it")
    return who, method


def main():
    policies = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        index, peer, claims, headers, body, items = json.loads(line)
        try:
            who, method = judge(policies[index], peer, claims, headers, body.encode("latin-1"))
            kind = LISTS.get(method)
            call = {"tools": "tools/call", "prompts": "prompts/get", "resources": "resources/read"}.get(kind)
            show = [name for name in items or [] if call is None or may(policies[index], who, kind, name, call)]
            answer = {"allow": True, "why": "", "show": show}
        except (No, ValueError, TypeError, AttributeError) as no:
            answer = {"allow": False, "why": str(no), "show": []}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
