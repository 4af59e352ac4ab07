/** The words and options of `npm run leases`. */
import { readArguments } from '../command.ts';

const HELP = `npm run leases -- list   [--user <name>] [--org <id>] [--state <state>] [--policy <version>] [--rule <name>] [--top] [--json]
npm run leases -- revoke (<whom> | --policy <version> | --rule <name>) [--keep-sign-in] [--end-shared] [--yes] [--no-wait] [--json]
npm run leases -- suspend <whom> [--end-shared] [--yes] [--no-wait] [--json]
npm run leases -- reinstate <whom> [--json]
npm run leases -- blocks [--json]
npm run leases -- users  --stale <30d> [--json]

Lists the leases that have not ended, or revokes them: in the ledger at once, at ThoughtSpot as fast as the sweep may.
Whoever is revoked is signed out as well: access tokens that were issued up to now count no more. \`suspend\` shuts out until
\`reinstate\`, whatever access token is presented. \`blocks\` lists both.
\`users\` lists the ThoughtSpot users that the broker made (perEntitlement in the policy) and that had no token for that
long. The broker may not delete users: an administrator of ThoughtSpot can.

<whom> is one of these, or a user and an organisation: the user there only.

  --user <name>       one person: all ThoughtSpot users that the broker made for that person are meant
  --subject <sub>     one person as the issuer names one, with --issuer <url>
  --org <id>          one ThoughtSpot organisation
  --all               everybody (not for list)
  --policy <version>  leases that were minted under one version of the policy (\`npm run policy -- check\` prints it)
  --rule <name>       leases that one rule of the policy gave
  --state <state>     reserved, live, revoking or orphaned (list only)
  --top               how many each caller holds, most first, instead of the leases (list only)
  --keep-sign-in      revoke only: whoever is signed in stays so, and may get a new token
  --end-shared        ends shared leases too: a subject may have been given any of them
  --stale <time>      how long without a token: 30d, 12h (users only)
  --json              one JSON document
  --yes               do not ask for confirmation
  --no-wait           do not wait until ThoughtSpot has confirmed

Which broker:
  (nothing)           the one that npm start runs on this machine, as its demo operator
  --url <url>         another one over HTTP, with --jwt: an access token that holds the revoke scope
  --env <name>        the one of a deployed environment, with your own AWS credentials, which may invoke
                      the API's routes for operators (docs/deploy.md)
  --region <region>   its region (default: AWS_REGION, AWS_DEFAULT_REGION, or that of the AWS profile)
`;

export const readLeasesArguments = () =>
  readArguments(
    HELP,
    {
      user: { type: 'string' },
      org: { type: 'string' },
      state: { type: 'string' },
      top: { type: 'boolean' },
      policy: { type: 'string' },
      rule: { type: 'string' },
      all: { type: 'boolean' },
      subject: { type: 'string' },
      issuer: { type: 'string' },
      'keep-sign-in': { type: 'boolean' },
      'end-shared': { type: 'boolean' },
      stale: { type: 'string' },
      json: { type: 'boolean' },
      yes: { type: 'boolean', short: 'y' },
      'no-wait': { type: 'boolean' },
      url: { type: 'string' },
      jwt: { type: 'string' },
      env: { type: 'string' },
      region: { type: 'string' },
    },
    1,
  );
