import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readJson } from '../../../functions/identity/read-json.ts';
import { selfSigned } from '../../../local/thoughtspot/self-signed.ts';

let server: Server | undefined;
afterEach(() => {
  jest.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
});

/** Reads from a server that answers the requests, in their order, as the list says; the last one again and again. */
async function readFrom(...answers: readonly RequestListener[]) {
  let asked = 0;
  server = createServer((request, response) => {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    answer?.(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const read = await readJson(new URL(`http://127.0.0.1:${port}/keys`)).catch(({ message }: Error) => message);
  return { read, asked };
}

const says =
  (text: string, status = 200, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end(text);
const hangsUp: RequestListener = (request) => void request.socket.destroy();
const breaksOff: RequestListener = (request, response) => {
  response.writeHead(200, { 'content-length': '100' }).write('{"keys":');
  setImmediate(() => request.socket.destroy());
};
const neverAnswers: RequestListener = () => undefined;
const drips: RequestListener = (_request, response) => {
  response.writeHead(200).write('{');
  const drop = setInterval(() => response.write(' '), 50);
  response.once('close', () => clearInterval(drop));
};
const neverEnds: RequestListener = (_request, response) => {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
    response.once('drain', more);
  };
  more();
};

describe('a document of the issuer', () => {
  test('is read as it is', async () => {
    expect(await readFrom(says('{"keys":["ä"]}'))).toEqual({ read: { keys: ['ä'] }, asked: 1 });
  });

  test.each([
    ['hangs up', hangsUp],
    ['breaks off', breaksOff],
    ['answers 503', says('{}', 503)],
  ])('is asked for once more of a server that %s, as after a freeze of the sandbox', async (_name, first) => {
    expect(await readFrom(first, says('{}'))).toEqual({ read: {}, asked: 2 });
  });

  test.each<[string, RequestListener, RegExp]>([
    ['hangs up', hangsUp, /socket hang up/],
    ['breaks off', breaksOff, /aborted/],
    ['leads elsewhere', says('', 302, { location: 'https://evil.example/' }), /answered 302$/],
    ['has no such document', says('', 404), /answered 404$/],
    ['answers with a page', says('<html>'), /JSON/],
    ['never ends', neverEnds, /answered with too long a document$/],
    ['never answers', neverAnswers, /aborted/],
    ['sends a blank at a time, for ever', drips, /aborted/],
  ])('is an error from a server that %s twice', async (_name, answer, message) => {
    const { read, asked } = await readFrom(answer);
    expect([read, asked]).toEqual([expect.stringMatching(message), 2]);
  });

  test('is asked for as JSON, and no connection is left behind, whatever the answer', async () => {
    // Not by the time limit, which would end it in the end.
    jest.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal);
    const asked: (string | undefined)[] = [];
    const left: Promise<unknown>[] = [];
    const moved: RequestListener = ({ headers, socket }, response) => {
      asked.push(headers.accept);
      left.push(once(socket, 'close'));
      response.writeHead(302, { location: 'https://evil.example/' }).write('more to come');
    };
    expect((await readFrom(moved)).asked).toBe(2);
    await Promise.all(left);
    expect(asked).toEqual(['application/json', 'application/json']);
  });

  test('is read over TLS from whom somebody vouches for', async () => {
    const stranger = createSecureServer(selfSigned(), (_request, response) => response.end('{}')).listen(
      0,
      '127.0.0.1',
    );
    server = stranger;
    await once(stranger, 'listening');
    const { port } = stranger.address() as AddressInfo;
    await expect(readJson(new URL(`https://127.0.0.1:${port}/keys`))).rejects.toThrow('self-signed certificate');
  });
});
