/** Every name under localhost is this machine (RFC 6761), but not every resolver knows. The emulator's APIs have such names. */
import dns from 'node:dns';

const lookup = dns.lookup.bind(dns) as (name: string, ...rest: unknown[]) => void;
const local = (name: string, ...rest: unknown[]) => lookup(/(^|\.)localhost$/.test(name) ? '127.0.0.1' : name, ...rest);
Object.assign(dns, { lookup: local });
