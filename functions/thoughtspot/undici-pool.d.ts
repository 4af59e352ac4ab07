// undici has types only for its public API; the pool itself loads in half the time (docs/adr/0003-undici-pool.md).
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
declare module 'undici/lib/core/connect.js' {
  export { buildConnector as default } from 'undici';
}
