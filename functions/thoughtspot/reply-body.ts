import { isObject } from '../contract/shapes.ts';

const CODINGS = {
  gzip: 'gunzipSync',
  'x-gzip': 'gunzipSync',
  deflate: 'inflateSync',
  br: 'brotliDecompressSync',
} as const;
const isCoding = (name: string): name is keyof typeof CODINGS => Object.hasOwn(CODINGS, name);

export type ReplyBody = { readonly text: string } | { readonly lost: 'unreadable' | 'too-large' };

/**
 * The text of a body. Nothing asks for compression, but proxies on the way compress all the same, and a mint whose reply
 * cannot be read is a token that nobody can revoke. `encoding` is the header content-encoding, `most` the largest size
 * in bytes after decoding. A byte order mark is no part of the text. Never throws.
 */
export function readBody(body: Buffer, encoding: string | undefined, most: number): ReplyBody {
  const codings = (encoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const applied = codings.filter((name) => name !== '' && name !== 'identity').reverse();
  let bytes = body;
  for (const name of body.byteLength === 0 ? [] : applied) {
    if (!isCoding(name)) return { lost: 'unreadable' };
    try {
      // Loaded when it is needed, which is nearly never: it would take 0.7 ms of a cold start.
      bytes = process.getBuiltinModule('node:zlib')[CODINGS[name]](bytes, { maxOutputLength: most });
    } catch (error) {
      const code = isObject(error) ? error['code'] : undefined;
      return { lost: code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'unreadable' };
    }
  }
  return { text: new TextDecoder().decode(bytes) };
}
