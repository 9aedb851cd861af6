// A token service: `oidc-provider` with resource indicators (RFC 8707), and token exchange (RFC 8693) as it can be added to it. Tokens are
// JWTs for one resource; `act` names the client that asked, and inside it whoever acted before. A token of another resource is refused.
//
// Arguments: the port on the loopback address, its issuer, a file to write its signing key to; the clients come as JSON in `CLIENTS`: the
// secret of each id and the resource that it serves, if any; the resources in `RESOURCES`: the scopes of each.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from "jose";
import Provider, { errors } from "oidc-provider";

const [port, issuer, keyFile] = process.argv.slice(2);
const clients = JSON.parse(process.env.CLIENTS);
const resources = JSON.parse(process.env.RESOURCES);
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const signing = { ...(await exportJWK(privateKey)), kid: "sts", alg: "ES256", use: "sig" };
const { d: _, ...shown } = signing;
const keys = createLocalJWKSet({ keys: [shown] });

const provider = new Provider(issuer, {
  jwks: { keys: [signing] },
  clients: Object.entries(clients).map(([client_id, { secret }]) => ({
    client_id, client_secret: secret, grant_types: [EXCHANGE], redirect_uris: [], response_types: [], token_endpoint_auth_method: "client_secret_basic",
  })),
  scopes: Object.values(resources).flat(),
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  extraTokenClaims: (ctx) => ctx.oidc.entities.Acting,
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, asked) => described(asked),
    },
  },
});

provider.registerGrantType(EXCHANGE, exchange, ["subject_token", "subject_token_type", "requested_token_type", "resource", "scope"], []);

function described(resource) {
  if (!Object.hasOwn(resources, resource)) throw new errors.InvalidTarget();
  return { scope: resources[resource].join(" "), audience: resource, accessTokenTTL: 300, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
}

async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest("subject_token_type");
  const info = described(params.resource);
  const { payload } = await jwtVerify(params.subject_token, keys, { issuer, typ: "at+jwt" }).catch(() => {
    throw new errors.InvalidGrant("the subject token was not accepted");
  });
  if (![client.clientId, clients[client.clientId].serves].includes(payload.aud)) throw new errors.InvalidGrant("the subject token is not for this client");

  const has = new Set(payload.scope?.split(" "));
  const scope = (params.scope ?? "").split(" ").filter((one) => has.has(one) && resources[params.resource].includes(one));
  ctx.oidc.entity("Acting", { act: { sub: client.clientId, ...(payload.act && { act: payload.act }) } });
  const token = new provider.AccessToken({ accountId: payload.sub, client, grantId: "none", gty: "token_exchange", scope: scope.join(" ") });
  token.resourceServer = new provider.ResourceServer(params.resource, info);
  const value = await token.save();
  ctx.body = { access_token: value, issued_token_type: ACCESS_TOKEN, token_type: "Bearer", expires_in: token.expiration, scope: token.scope };
}

writeFileSync(keyFile, JSON.stringify(signing));
createServer(provider.callback()).listen(Number(port), "127.0.0.1");
