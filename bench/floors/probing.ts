/** The least that the prober could load: Secrets Manager, and one HTTP pool. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import Pool from 'undici/lib/dispatcher/pool.js';

const kept = [new SecretsManagerClient({}), new Pool('http://127.0.0.1:9'), GetSecretValueCommand];

export const handler = async () => kept.length;
