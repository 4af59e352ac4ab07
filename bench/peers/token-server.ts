/**
 * What people use today, for comparison: a token server as ThoughtSpot's documentation describes one. The user comes
 * from the request, the key from the environment, and every call mints. It was written from that description. It is a
 * peer to measure against, and an example of what not to deploy: it authenticates nobody, records nothing, cannot revoke.
 *
 *     THOUGHTSPOT_HOST=http://127.0.0.1:8788 THOUGHTSPOT_SECRET_KEY=... PORT=0 node bench/peers/token-server.ts
 */
import axios from 'axios';
import express from 'express';
import type { AddressInfo } from 'node:net';

const {
  THOUGHTSPOT_HOST: host,
  THOUGHTSPOT_SECRET_KEY: secretKey,
  ORG_ID: orgId = '0',
  PORT: port = '3000',
} = process.env;

const app = express();
app.use(express.json());

app.all('/gettoken/:user', async (request, response) => {
  try {
    const reply = await axios.post<{ token: string }>(`${host}/api/rest/2.0/auth/token/full`, {
      username: request.params.user,
      secret_key: secretKey,
      validity_time_in_sec: 300,
      org_id: Number(orgId),
      auto_create: false,
    });
    response.type('text/plain').send(reply.data.token);
  } catch {
    response.status(500).send('Error getting token');
  }
});

const server = app.listen(Number(port), '127.0.0.1', () => {
  const { port: bound } = server.address() as AddressInfo;
  process.stdout.write(`listening on ${bound}\n`);
});
process.once('SIGTERM', () => server.close());
