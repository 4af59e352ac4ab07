/**
 * The conversation with the page around the iframe, as the Visual Embed SDK holds it (wire facts 5.5, I2): the iframe
 * posts `{type, data}` with a MessagePort, the SDK answers `{type, data}` on that port.
 */

export interface HostReply {
  type?: string;
  data?: { authToken?: string; embedExpiryInAuthToken?: boolean };
}

/** If nobody answers in this time, nobody will. The SDK gives up on its own calls after as long. */
const REPLY_TIMEOUT_MS = 30_000;

/** The origin to post to. Firefox does not give it without a referrer; nothing that is posted is a secret. */
function hostOrigin(): string {
  const [ancestor] = Array.from(location.ancestorOrigins ?? []);
  if (ancestor !== undefined) return ancestor;
  return document.referrer === '' ? '*' : new URL(document.referrer).origin;
}

export const isEmbedded = (): boolean => window.parent !== window;

export function postToHost(type: string, data: Record<string, unknown> = {}): void {
  window.parent.postMessage({ type, data }, hostOrigin());
}

/** Posts an event and waits for the reply on its port; undefined if none comes. */
export function askHost(type: string, data: Record<string, unknown> = {}): Promise<HostReply | undefined> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(undefined), REPLY_TIMEOUT_MS);
    const finish = (reply: HostReply | undefined): void => {
      clearTimeout(timer);
      port1.close();
      resolve(reply);
    };
    port1.onmessage = (event: MessageEvent<HostReply>) => finish(event.data);
    window.parent.postMessage({ type, data }, hostOrigin(), [port2]);
  });
}

/** Events that the app triggers on the embed. Each is acknowledged on its port, as the SDK waits for that. */
export function onHostEvent(listener: (type: string) => void): void {
  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    const message = event.data;
    if (event.source !== window.parent || typeof message !== 'object' || message === null) return;
    if (!('type' in message) || typeof message.type !== 'string') return;
    event.ports[0]?.postMessage({ type: message.type, data: {} });
    listener(message.type);
  });
}
