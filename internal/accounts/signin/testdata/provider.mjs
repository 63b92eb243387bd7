// A provider of OpenID Connect for the tests: `node provider.mjs MODULE CALLBACK`
// prints its issuer. Who signs in is whoever they say; the word before the @ says
// what is known of them.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [module, ...callbacks] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(module));

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const claims = (login) => ({
  email: login,
  email_verified: !login.startsWith('unverified'),
  given_name: 'Ada',
  family_name: 'Byron',
});
const client = { redirect_uris: callbacks, client_secret: 'a secret of the test', grant_types: ['authorization_code'] };
const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: 'emporium' },
    { ...client, client_id: 'emporium-post', token_endpoint_auth_method: 'client_secret_post' },
    { ...client, client_id: 'unregistered', redirect_uris: ['http://127.0.0.1:1/elsewhere'] },
  ],
  cookies: { keys: ['only for tests'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name'] },
  scopes: ['openid', 'email', 'profile', 'api:who'],
  features: { devInteractions: { enabled: true }, userinfo: { enabled: true } },
  pkce: { required: () => true },
  findAccount: (_, login) => ({ accountId: login, claims: async () => ({ sub: `sub-${login}`.slice(0, 64), ...claims(login) }) }),
});
provider.on('server_error', (_, error) => console.error(error));
const answer = provider.callback();
server.on('request', async (request, response) => {
  // The profile of plain OAuth 2.0: whose token it is, without OpenID Connect.
  if (request.url === '/api/me' || request.url === '/api/me/mails') {
    const token = await provider.AccessToken.find((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    response.writeHead(token ? 200 : 401, { 'Content-Type': 'application/json' });
    const login = token?.accountId ?? '';
    response.end(JSON.stringify(request.url === '/api/me'
      ? { user: { id: 9007199254740993n.toString() + login }, name: 'Ada Byron', mail: login, confirmed_at: claims(login).email_verified ? '2020-01-01T00:00:00Z' : null }
      : [{ email: 'second@example.com', primary: false, verified: true }, { email: login, primary: true, verified: claims(login).email_verified }]));
    return;
  }
  answer(request, response);
});
console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume(); // ends with the test
