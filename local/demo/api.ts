/** The page of the HTTP API: Swagger UI over /openapi.yaml, whose requests go to this broker as a demo user. */
import { byId, element, say } from './element.ts';
import { accessToken, users } from './local-api.ts';

interface OpenApi {
  readonly components: Readonly<Record<string, unknown>>;
}
interface Request {
  readonly headers: Record<string, string>;
  readonly loadSpec?: boolean;
}

/** From /docs/swagger-ui-bundle.js. */
declare const SwaggerUIBundle: (options: Readonly<Record<string, unknown>>) => void;

/** The document names the usual port and the issuer of `npm start`. This is the broker itself, and a JWT is all it asks for. */
function asHere(document: OpenApi): OpenApi & Readonly<Record<string, unknown>> {
  const securitySchemes = { oidc: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } };
  return {
    ...document,
    servers: [{ url: location.origin }],
    components: { ...document.components, securitySchemes },
  };
}

async function start(): Promise<void> {
  const options = Object.entries(await users()).map(([name, { about }]) =>
    element('option', { value: name, title: about }, name),
  );
  const caller = byId('caller') as HTMLSelectElement;
  caller.append(...options);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const paint = (): void => void document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', paint);
  paint();
  SwaggerUIBundle({
    dom_id: '#api',
    url: '/openapi.yaml',
    deepLinking: true,
    validatorUrl: null,
    plugins: [
      {
        statePlugins: {
          spec: {
            wrapActions: {
              updateJsonSpec: (update: (document: OpenApi) => unknown) => (document: OpenApi) =>
                update(asHere(document)),
            },
          },
        },
      },
    ],
    /** An access token that "Authorize" was given comes first. */
    async requestInterceptor(request: Request) {
      if (request.loadSpec !== true) request.headers['Authorization'] ??= `Bearer ${await accessToken(caller.value)}`;
      return request;
    },
  });
}

start().catch((error: Error) => say(error.message));
