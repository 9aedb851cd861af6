// An authorization server: dynamic registration, PKCE, resource indicators, access tokens as JWT. Whoever asks is alice, and she agrees.
//
// Arguments: the port on the loopback address, certificate, key, the resource it issues tokens for, and two files to write: its
// signing key, and a line for every request that it answered (no codes, no tokens).
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import { exportJWK, generateKeyPair } from "jose";
import Provider, { errors } from "oidc-provider";

const [port, cert, key, resource, keyFile, requestFile] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
const SCOPES = ["tools:read", "tools:delete"];

const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const signing = { ...(await exportJWK(privateKey)), kid: "idp", alg: "ES256", use: "sig" };
writeFileSync(keyFile, JSON.stringify(signing));

const provider = new Provider(issuer, {
  jwks: { keys: [signing] },
  cookies: { keys: ["of no importance: it lives as long as a test"] },
  scopes: ["openid", "offline_access", ...SCOPES],
  clientDefaults: { id_token_signed_response_alg: "ES256", token_endpoint_auth_method: "none" },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  pkce: { required: () => true },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_, asked) {
        if (asked !== resource) throw new errors.InvalidTarget();
        return { scope: SCOPES.join(" "), audience: resource, accessTokenTTL: 300, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
      },
    },
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith("/interaction/")) {
    await agree(ctx);
  } else {
    await next();
  }
  const { grant_type, scope, resource: asked, code_challenge_method, code_verifier, response_type } = ctx.oidc?.params ?? {};
  const seen = { grant_type, scope, resource: asked, code_challenge_method, response_type, verified: code_verifier !== undefined };
  appendFileSync(requestFile, `${JSON.stringify({ method: ctx.method, path: ctx.path, status: ctx.status, ...seen })}\n`);
});

// What a user does in a browser: log in, then agree to what is asked.
async function agree(ctx) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  let result;
  if (prompt.name === "login") {
    result = { login: { accountId: "alice" } };
  } else {
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
    for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
      grant.addResourceScope(indicator, scopes.join(" "));
    }
    result = { consent: { grantId: await grant.save() } };
  }
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
}

// The SDKs register with the scopes of their first login, and this provider would hold a client to them for good: no step-up.
async function withoutRegisteredScopes(request) {
  if (request.url !== "/reg" || request.method !== "POST") return;
  const { scope, ...metadata } = await json(request);
  request.body = metadata;
}

const answer = provider.callback();
const tls = { cert: readFileSync(cert), key: readFileSync(key) };
createServer(tls, (request, response) => withoutRegisteredScopes(request).then(() => answer(request, response))).listen(Number(port), "127.0.0.1");
